/* Pins of all STM32 families here. The file that includes this defines GPIO_BASE and `gpio_clock_on(port)`.
 *
 * From the board file: TFB_UART_TX_PORT, TFB_UART_TX_PIN, ..., TFB_UART_FUNCTION, and, where it has an LED,
 * TFB_LED_PORT, TFB_LED_PIN, TFB_LED_ACTIVE_LOW. Ports count from 0 (A). */
#ifndef TFB_STM32_GPIO_H
#define TFB_STM32_GPIO_H

#include "tfb_reg.h"

#define GPIO_REG(port, offset) TFB_REG(GPIO_BASE + 0x400u * (port) + (offset))
#define GPIO_MODER(port) GPIO_REG(port, 0x00u)                        /* 2 bits a pin: 1 output, 2 alternate function */
#define GPIO_OSPEEDR(port) GPIO_REG(port, 0x08u)                      /* 2 bits a pin: 3 fastest */
#define GPIO_PUPDR(port) GPIO_REG(port, 0x0cu)                        /* 2 bits a pin: 1 pull-up */
#define GPIO_BSRR(port) GPIO_REG(port, 0x18u)                         /* low half sets, high half clears */
#define GPIO_AFR(port, pin) GPIO_REG(port, 0x20u + 4u * ((pin) / 8u)) /* 4 bits a pin */

/* A pin of the serial port; pulled up, so that an open line reads as idle. */
static inline void gpio_serial_pin(uint32_t port, uint32_t pin)
{
    gpio_clock_on(port);
    GPIO_OSPEEDR(port) |= 3u << (2u * pin);
    GPIO_PUPDR(port) = (GPIO_PUPDR(port) & ~(3u << (2u * pin))) | (1u << (2u * pin));
    GPIO_AFR(port, pin) =
        (GPIO_AFR(port, pin) & ~(15u << (4u * (pin % 8u)))) | (TFB_UART_FUNCTION << (4u * (pin % 8u)));
    GPIO_MODER(port) = (GPIO_MODER(port) & ~(3u << (2u * pin))) | (2u << (2u * pin));
}

static inline void gpio_led_on(void)
{
#if defined(TFB_LED_PIN)
    gpio_clock_on(TFB_LED_PORT);
    GPIO_BSRR(TFB_LED_PORT) = TFB_LED_ACTIVE_LOW != 0u ? 0x10000u << TFB_LED_PIN : 1u << TFB_LED_PIN;
    GPIO_MODER(TFB_LED_PORT) = (GPIO_MODER(TFB_LED_PORT) & ~(3u << (2u * TFB_LED_PIN))) | (1u << (2u * TFB_LED_PIN));
#endif
}

#endif
