/* An NS16550 UART at byte-wide registers, as QEMU's RISC-V virt machine has it. Clock and line speed are given. */
#include <stdint.h>

#include "tfb_port.h"

#define UART_DATA (*(volatile uint8_t *)(TFB_UART_BASE + 0u))
#define UART_FIFO (*(volatile uint8_t *)(TFB_UART_BASE + 2u))   /* bit 0 on, bits 1 and 2 empty them */
#define UART_FORMAT (*(volatile uint8_t *)(TFB_UART_BASE + 3u)) /* 3: eight bits, no parity, one stop bit */
#define UART_STATE (*(volatile uint8_t *)(TFB_UART_BASE + 5u))  /* bit 0 received, bits 1..3 errors, bit 5 room */

static uint32_t uart_errors;

void tfb_bsp_init(void)
{
    UART_FORMAT = 3u;
    UART_FIFO = 7u;
}

uint32_t tfb_bsp_clock_hz(void)
{
    return TFB_CLOCK_HZ;
}

int32_t tfb_bsp_getc(void)
{
    const uint32_t state = UART_STATE;
    if ((state & 0xeu) != 0u) {
        uart_errors++;
    }
    return (state & 1u) != 0u ? (int32_t)UART_DATA : -1;
}

void tfb_bsp_putc(uint8_t byte)
{
    while ((UART_STATE & 0x20u) == 0u) {
    }
    UART_DATA = byte;
}

uint32_t tfb_bsp_uart_errors(void)
{
    return uart_errors;
}

/* The core's own counter serves. */
uint32_t tfb_bsp_timer_start(void)
{
    return 0u;
}

uint32_t tfb_bsp_timer_read(void)
{
    return 0u;
}
