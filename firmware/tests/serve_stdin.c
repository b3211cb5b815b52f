/* The protocol server as a native program: takes bytes from standard input, answers on standard output. For fuzzing
 * under sanitizers. */
#include <stdio.h>

#include "tfb_port.h"
#include "tfb_serve.h"

static uint32_t time_now;

void tfb_bsp_putc(uint8_t byte)
{
    putchar((int)byte);
}
uint32_t tfb_bsp_clock_hz(void)
{
    return 1000000u;
}
uint32_t tfb_bsp_uart_errors(void)
{
    return 0u;
}
uint64_t tfb_cycles(void)
{
    return time_now++;
}
tfb_cycle_source tfb_cycles_source(void)
{
    return TFB_CYCLES_TIMER;
}
uint32_t tfb_cycles_hz(void)
{
    return 1000000u;
}
uint32_t tfb_stack_bytes(void)
{
    return 0u;
}
uint32_t tfb_stack_high_water(void)
{
    return 0u;
}
uint32_t tfb_static_ram_bytes(void)
{
    return 0u;
}
int32_t tfb_bsp_getc(void)
{
    return -1;
}

int main(void)
{
    for (int byte = getchar(); byte != EOF; byte = getchar()) {
        tfb_serve_byte((uint8_t)byte);
    }
    return 0;
}
