/* Arm CMSDK peripherals, as on the MPS2 boards: UART0 and TIMER0. The clock is given, there is nothing to set up. */
#include "cmsdk_uart.h"

#define TIMER_CTRL REG(0x40000000u) /* bit 0 on */
#define TIMER_VALUE REG(0x40000004u)
#define TIMER_RELOAD REG(0x40000008u)

void tfb_bsp_init(void)
{
    uart_start();
}

uint32_t tfb_bsp_clock_hz(void)
{
    return TFB_CLOCK_HZ;
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
