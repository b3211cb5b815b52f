/* The cycle counter: the board's own where it has one (chips without mcycle, as the ESP32-C3), else mcycle. */
#include <stdint.h>

#include "tfb_port.h"

static tfb_cycle_source cycles_source;
static uint32_t cycles_hz;
static uint32_t cycles_last; /* last 32-bit reading of the board's counter */
static uint32_t cycles_high; /* its overflows */

void tfb_cycles_init(void)
{
    const uint32_t timer_hz = tfb_bsp_timer_start();
    cycles_source = timer_hz != 0u ? TFB_CYCLES_TIMER : TFB_CYCLES_MCYCLE;
    cycles_hz = timer_hz != 0u ? timer_hz : tfb_bsp_clock_hz();
}

/* Both halves of one moment: the high one is read again until it stands still. */
static uint64_t read_mcycle(void)
{
    uint32_t low;
    uint32_t high;
    uint32_t again;
    do {
        __asm__ volatile("csrr %0, mcycleh\n csrr %1, mcycle\n csrr %2, mcycleh" : "=r"(high), "=r"(low), "=r"(again));
        // cppcheck-suppress uninitvar ; the assembly sets all three
    } while (high != again);
    return ((uint64_t)high << 32) | low;
}

uint64_t tfb_cycles(void)
{
    if (cycles_source == TFB_CYCLES_MCYCLE) {
        return read_mcycle();
    }
    const uint32_t now = tfb_bsp_timer_read();
    if (now < cycles_last) {
        cycles_high++;
    }
    cycles_last = now;
    return ((uint64_t)cycles_high << 32) | now;
}

tfb_cycle_source tfb_cycles_source(void)
{
    return cycles_source;
}

uint32_t tfb_cycles_hz(void)
{
    return cycles_hz;
}
