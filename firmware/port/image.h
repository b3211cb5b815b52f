/* What start-up does to the image in memory, the same on every core: .data, .bss, the stack's paint, and the words of a
 * fault report. A startup.c includes it once. */
#ifndef TFB_IMAGE_H
#define TFB_IMAGE_H

#include <stdint.h>

#include "tfb_port.h"

extern uint32_t tfb_data_load[];
extern uint32_t tfb_data_start[];
extern uint32_t tfb_data_end[];
extern uint32_t tfb_bss_start[];
extern uint32_t tfb_bss_end[];
extern uint32_t tfb_stack_limit[];
extern uint32_t tfb_stack_top[];

static const uint32_t tfb_paint = 0xc5c5c5c5u;

static void tfb_init_memory(void)
{
    const volatile uint32_t *from = tfb_data_load;
    for (volatile uint32_t *to = tfb_data_start; to != tfb_data_end; to++) {
        *to = *from++;
    }
    for (volatile uint32_t *to = tfb_bss_start; to != tfb_bss_end; to++) {
        *to = 0u;
    }
}

/* Everything below the present frame; start-up uses less than the 64 bytes left alone. */
static void tfb_paint_stack(void)
{
    volatile uint32_t marker = 0u;
    const uintptr_t here = ((uintptr_t)&marker - 64u) & ~(uintptr_t)3u;
    for (volatile uint32_t *to = tfb_stack_limit; (uintptr_t)to < here; to++) {
        *to = tfb_paint;
    }
}

static void tfb_put_hex(const char *label, uint32_t value)
{
    for (; *label != '\0'; label++) {
        tfb_bsp_putc((uint8_t)*label);
    }
    for (int32_t shift = 28; shift >= 0; shift -= 4) {
        tfb_bsp_putc((uint8_t) "0123456789abcdef"[(value >> (uint32_t)shift) & 15u]);
    }
}

uint32_t tfb_stack_bytes(void)
{
    return (uint32_t)((uintptr_t)tfb_stack_top - (uintptr_t)tfb_stack_limit);
}

uint32_t tfb_stack_high_water(void)
{
    const volatile uint32_t *at = tfb_stack_limit;
    while (at != tfb_stack_top && *at == tfb_paint) {
        at++;
    }
    return (uint32_t)((uintptr_t)tfb_stack_top - (uintptr_t)at);
}

uint32_t tfb_static_ram_bytes(void)
{
    const uintptr_t data = (uintptr_t)tfb_data_end - (uintptr_t)tfb_data_start;
    return (uint32_t)(data + ((uintptr_t)tfb_bss_end - (uintptr_t)tfb_bss_start));
}

#endif
