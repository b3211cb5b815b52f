/* Arm CMSDK peripherals, as on the MPS2 boards: UART0 and TIMER0. The clock is given, there is nothing to set up.
 * The serial line's speed follows from TFB_CLOCK_HZ and TFB_UART_BAUD. */
#include <stdint.h>

#include "tfb_port.h"

#define REG(address) (*(volatile uint32_t *)(address))

#define UART_DATA REG(TFB_UART_BASE + 0x0u)
#define UART_STATE                                                                                                     \
    REG(TFB_UART_BASE + 0x4u) /* bit 0 transmit buffer full, bit 1 receive buffer full, 2 and 3 overruns */
#define UART_CTRL REG(TFB_UART_BASE + 0x8u) /* bit 0 transmit on, bit 1 receive on */
#define UART_BAUDDIV REG(TFB_UART_BASE + 0x10u)
#define TIMER_CTRL REG(0x40000000u) /* bit 0 on */
#define TIMER_VALUE REG(0x40000004u)
#define TIMER_RELOAD REG(0x40000008u)

static uint32_t uart_errors;

void tfb_bsp_init(void)
{
    UART_BAUDDIV = TFB_CLOCK_HZ / TFB_UART_BAUD;
    UART_CTRL = 3u;
}

uint32_t tfb_bsp_clock_hz(void)
{
    return TFB_CLOCK_HZ;
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

uint32_t tfb_bsp_timer_start(void)
{
    TIMER_CTRL = 0u;
    TIMER_RELOAD = 0xffffffffu;
    TIMER_VALUE = 0xffffffffu;
    TIMER_CTRL = 1u;
    return TFB_CLOCK_HZ;
}

/* The timer counts down. */
uint32_t tfb_bsp_timer_read(void)
{
    return 0xffffffffu - TIMER_VALUE;
}
