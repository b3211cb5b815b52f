/* What the protocol needs from the processor and the board. */
#ifndef TFB_PORT_H
#define TFB_PORT_H

#include <stdint.h>

/* Sources of the cycle count, as HELLO reports them. */
typedef enum {
    TFB_CYCLES_NONE = 0,
    TFB_CYCLES_DWT = 1,
    TFB_CYCLES_SYSTICK = 2,
    TFB_CYCLES_TIMER = 3,
    TFB_CYCLES_MCYCLE = 4
} tfb_cycle_source;

/* bsp/<board>: clocks and the serial port. */
void tfb_bsp_init(void);
uint32_t tfb_bsp_clock_hz(void);    /* core clock that is really running */
int32_t tfb_bsp_getc(void);         /* next received byte, or -1 */
void tfb_bsp_putc(uint8_t byte);    /* waits for room */
uint32_t tfb_bsp_uart_errors(void); /* overruns and framing errors since reset */

/* A free-running counter of the board for cores without one: null functions are not allowed, so boards without
 * such a timer return 0 from tfb_bsp_timer_start. The timer counts up, 32 bits, at the returned rate in Hz. */
uint32_t tfb_bsp_timer_start(void);
uint32_t tfb_bsp_timer_read(void);

/* port/<core>: the cycle counter. `tfb_cycles` counts up and never wraps (64 bits) while it is read at least
 * once in 2^32 cycles or, with SysTick, while interrupts are on. */
void tfb_cycles_init(void);
uint64_t tfb_cycles(void);
tfb_cycle_source tfb_cycles_source(void);
uint32_t tfb_cycles_hz(void);

/* port/<core>: memory of the firmware itself. */
uint32_t tfb_stack_bytes(void);      /* reserved */
uint32_t tfb_stack_high_water(void); /* most ever used, found by the paint of start-up */
uint32_t tfb_static_ram_bytes(void); /* .data and .bss, the arena included where it lies there */

#endif
