/* Arm MPS3 with AN547 (Cortex-M55, SSE-300), secure state: CMSDK UART0, and the system counter as timer. The clock is
 * given. The counter has 64 bits; its low word is enough, the port counts its overflows. */
#include "../cmsdk/cmsdk_uart.h"

#define COUNTER_CONTROL REG(0x58100000u) /* bit 0 on */
#define COUNTER_VALUE REG(0x58100008u)   /* CNTCV, low word */

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
    COUNTER_CONTROL = 1u;
    return TFB_CLOCK_HZ;
}

uint32_t tfb_bsp_timer_read(void)
{
    return COUNTER_VALUE;
}
