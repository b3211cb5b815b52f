/* STM32F4: PLL from the crystal or the probe's clock, USART. Settings: bsp.toml. */
#include "../stm32/stm32_rcc_f4_f7.h"
#include "../stm32/stm32_gpio.h"
#include "../stm32/stm32_usart_v1.h"
#include "tfb_no_timer.h"

void tfb_bsp_init(void)
{
    start_clocks((1u << 8) | (1u << 9) | (1u << 10)); /* prefetch, instruction and data cache */
    const uint32_t uart_hz = start_uart_clock();
    gpio_serial_pin(TFB_UART_TX_PORT, TFB_UART_TX_PIN);
    gpio_serial_pin(TFB_UART_RX_PORT, TFB_UART_RX_PIN);
    usart_init(uart_hz);
    gpio_led_on();
}

uint32_t tfb_bsp_clock_hz(void)
{
    return core_hz;
}
