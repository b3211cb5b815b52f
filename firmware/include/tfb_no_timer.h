/* For boards whose core has a counter of its own: no timer of the chip is used. */
#ifndef TFB_NO_TIMER_H
#define TFB_NO_TIMER_H

#include "tfb_port.h"

uint32_t tfb_bsp_timer_start(void)
{
    return 0u;
}

uint32_t tfb_bsp_timer_read(void)
{
    return 0u;
}

#endif
