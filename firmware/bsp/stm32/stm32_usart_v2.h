/* The USART of STM32F7, H7 and L4, and the LPUART of L4: CR1, BRR, ISR, ICR, RDR, TDR (RM0385 chapter 31, RM0351
 * chapters 40 and 41). A USART's BRR is the divider; an LPUART's is 256 times the divider. */
#ifndef TFB_STM32_USART_H
#define TFB_STM32_USART_H

#include "tfb_port.h"
#include "tfb_reg.h"

#define USART_CR1 TFB_REG(TFB_UART_BASE + 0x00u)
#define USART_BRR TFB_REG(TFB_UART_BASE + 0x0cu)
#define USART_ISR TFB_REG(TFB_UART_BASE + 0x1cu)
#define USART_ICR TFB_REG(TFB_UART_BASE + 0x20u)
#define USART_RDR TFB_REG(TFB_UART_BASE + 0x24u)
#define USART_TDR TFB_REG(TFB_UART_BASE + 0x28u)

static uint32_t uart_errors;

static inline void usart_start(uint32_t divider)
{
    USART_BRR = divider;
    USART_CR1 = (1u << 3) | (1u << 2) | 1u; /* transmit, receive, on */
}

static inline void usart_init(uint32_t bus_hz)
{
    usart_start((bus_hz + TFB_UART_BAUD / 2u) / TFB_UART_BAUD);
}

/* In two steps: 256 times the clock does not fit 32 bits. */
static inline void lpuart_init(uint32_t bus_hz)
{
    const uint32_t whole = bus_hz / TFB_UART_BAUD;
    const uint32_t rest = bus_hz % TFB_UART_BAUD;
    usart_start(256u * whole + (256u * rest + TFB_UART_BAUD / 2u) / TFB_UART_BAUD);
}

/* Overrun (bit 3), noise, framing and parity errors stay until they are cleared. */
int32_t tfb_bsp_getc(void)
{
    const uint32_t state = USART_ISR;
    if ((state & 0xfu) != 0u) {
        USART_ICR = 0xfu;
        uart_errors++;
    }
    return (state & 0x20u) != 0u ? (int32_t)(USART_RDR & 0xffu) : -1;
}

void tfb_bsp_putc(uint8_t byte)
{
    while ((USART_ISR & (1u << 7)) == 0u) {
    }
    USART_TDR = byte;
}

uint32_t tfb_bsp_uart_errors(void)
{
    return uart_errors;
}

#endif
