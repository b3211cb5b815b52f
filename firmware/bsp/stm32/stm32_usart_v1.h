/* The USART of STM32F4: SR, DR, BRR, CR1 (RM0090 chapter 30). Oversampling by 16: BRR is the divider. */
#ifndef TFB_STM32_USART_H
#define TFB_STM32_USART_H

#include "tfb_port.h"
#include "tfb_reg.h"

#define USART_SR TFB_REG(TFB_UART_BASE + 0x00u)
#define USART_DR TFB_REG(TFB_UART_BASE + 0x04u)
#define USART_BRR TFB_REG(TFB_UART_BASE + 0x08u)
#define USART_CR1 TFB_REG(TFB_UART_BASE + 0x0cu)

static uint32_t uart_errors;

static inline void usart_init(uint32_t bus_hz)
{
    USART_BRR = (bus_hz + TFB_UART_BAUD / 2u) / TFB_UART_BAUD;
    USART_CR1 = (1u << 13) | (1u << 3) | (1u << 2); /* on, transmit, receive */
}

/* Reading SR and then DR clears overrun, noise and framing errors. */
int32_t tfb_bsp_getc(void)
{
    const uint32_t state = USART_SR;
    if ((state & 0x2fu) == 0u) {
        return -1;
    }
    const uint32_t data = USART_DR & 0xffu;
    if ((state & 0xfu) != 0u) {
        uart_errors++;
    }
    return (state & 0x20u) != 0u ? (int32_t)data : -1;
}

void tfb_bsp_putc(uint8_t byte)
{
    while ((USART_SR & (1u << 7)) == 0u) {
    }
    USART_DR = byte;
}

uint32_t tfb_bsp_uart_errors(void)
{
    return uart_errors;
}

#endif
