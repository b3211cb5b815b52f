/* Arm's CMSDK UART at TFB_UART_BASE: the serial port of the MPS boards. Defines tfb_bsp_getc, tfb_bsp_putc and
 * tfb_bsp_uart_errors; a bsp.c includes it once. The line's speed follows from TFB_CLOCK_HZ and TFB_UART_BAUD. */
#ifndef CMSDK_UART_H
#define CMSDK_UART_H

#include <stdint.h>

#include "tfb_port.h"

#define REG(address) (*(volatile uint32_t *)(address))

#define UART_DATA REG(TFB_UART_BASE + 0x0u)
#define UART_STATE                                                                                                     \
    REG(TFB_UART_BASE + 0x4u) /* bit 0 transmit buffer full, bit 1 receive buffer full, 2 and 3 overruns */
#define UART_CTRL REG(TFB_UART_BASE + 0x8u) /* bit 0 transmit on, bit 1 receive on */
#define UART_BAUDDIV REG(TFB_UART_BASE + 0x10u)

static uint32_t uart_errors;

static void uart_start(void)
{
    UART_BAUDDIV = TFB_CLOCK_HZ / TFB_UART_BAUD;
    UART_CTRL = 3u;
}

int32_t tfb_bsp_getc(void)
{
    const uint32_t state = UART_STATE;
    if ((state & 0xcu) != 0u) {
        UART_STATE = state & 0xcu;
        uart_errors++;
    }
    return (state & 2u) != 0u ? (int32_t)(UART_DATA & 0xffu) : -1;
}

void tfb_bsp_putc(uint8_t byte)
{
    while ((UART_STATE & 1u) != 0u) {
    }
    UART_DATA = byte;
}

uint32_t tfb_bsp_uart_errors(void)
{
    return uart_errors;
}

#endif
