/* The cycle counter: DWT where it counts, else the board's timer, else SysTick extended by its interrupt. */
#include <stdint.h>

#include "tfb_port.h"

#define TFB_DEMCR (*(volatile uint32_t *)0xe000edfcu)
#define TFB_DWT_CTRL (*(volatile uint32_t *)0xe0001000u)
#define TFB_DWT_CYCCNT (*(volatile uint32_t *)0xe0001004u)
#define TFB_DWT_LAR (*(volatile uint32_t *)0xe0001fb0u)
#define TFB_SYST_CSR (*(volatile uint32_t *)0xe000e010u)
#define TFB_SYST_RVR (*(volatile uint32_t *)0xe000e014u)
#define TFB_SYST_CVR (*(volatile uint32_t *)0xe000e018u)
#define TFB_ICSR (*(volatile uint32_t *)0xe000ed04u)
#define TFB_ICSR_PENDSTSET (1u << 26)

enum { TFB_SYSTICK_BITS = 24 };

static tfb_cycle_source cycles_source;
static uint32_t cycles_hz;
static uint32_t cycles_last;            /* last 32-bit reading */
static uint32_t cycles_high;            /* its overflows */
static volatile uint32_t systick_wraps; /* counted by the interrupt */

void SysTick_Handler(void);
void SysTick_Handler(void)
{
    systick_wraps++;
}

#if __ARM_ARCH >= 7
/* A counter that exists may still be absent: emulators read 0, some chips lock it. It must be seen counting. */
static int start_dwt(void)
{
    TFB_DEMCR |= 1u << 24;
    TFB_DWT_LAR = 0xc5acce55u;
    TFB_DWT_CYCCNT = 0u;
    TFB_DWT_CTRL |= 1u;
    const uint32_t before = TFB_DWT_CYCCNT;
    for (volatile uint32_t i = 0u; i < 16u; i++) {
    }
    return TFB_DWT_CYCCNT != before;
}
#else
static int start_dwt(void)
{
    return 0;
}
#endif

static void start_systick(void)
{
    TFB_SYST_RVR = (1u << TFB_SYSTICK_BITS) - 1u;
    TFB_SYST_CVR = 0u;
    TFB_SYST_CSR = 7u; /* core clock, interrupt, on */
}

void tfb_cycles_init(void)
{
    cycles_hz = tfb_bsp_clock_hz();
    // cppcheck-suppress knownConditionTrueFalse ; Armv6-M has no such counter
    if (start_dwt()) {
        cycles_source = TFB_CYCLES_DWT;
        return;
    }
    const uint32_t timer_hz = tfb_bsp_timer_start();
    if (timer_hz != 0u) {
        cycles_source = TFB_CYCLES_TIMER;
        cycles_hz = timer_hz;
        return;
    }
    start_systick();
    cycles_source = TFB_CYCLES_SYSTICK;
}

/* The wrap may be pending but not yet counted. The counter is read on both sides of the flag: a reading taken
 * after a pending wrap belongs to the next period. */
static uint64_t systick_read(void)
{
    uint32_t wraps;
    uint32_t down;
    uint32_t pending;
    do {
        wraps = systick_wraps;
        down = TFB_SYST_CVR;
        pending = TFB_ICSR & TFB_ICSR_PENDSTSET;
        if (pending != 0u) {
            down = TFB_SYST_CVR;
        }
    } while (wraps != systick_wraps);
    const uint64_t periods = (uint64_t)wraps + (pending != 0u ? 1u : 0u);
    return (periods << TFB_SYSTICK_BITS) | (((1u << TFB_SYSTICK_BITS) - 1u) - down);
}

uint64_t tfb_cycles(void)
{
    if (cycles_source == TFB_CYCLES_SYSTICK) {
        return systick_read();
    }
    const uint32_t now = cycles_source == TFB_CYCLES_DWT ? TFB_DWT_CYCCNT : tfb_bsp_timer_read();
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
