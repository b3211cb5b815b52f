/* Start-up for RV32 cores in machine mode: stack, trap vector, memory, stack paint, fault report. The code before the
 * linker script's .text runs first, at the flash's origin: QEMU's virt and sifive_e machines start there. A chip whose
 * boot ROM wants a header (ESP32-C3) puts it into .tfb_boot from its BSP; its clocks and its own cycle counter, which
 * is not mcycle, come in through tfb_bsp_init and tfb_bsp_timer_start. */
#include <stdint.h>

#include "../image.h"
#include "tfb_port.h"
#include "tfb_serve.h"

void Reset_Handler(void);
void tfb_start(void);
void tfb_trap(void);
void tfb_fault_report(void);

/* mtvec wants the handler at a multiple of four. */
__attribute__((naked, section(".vectors"), used, aligned(4))) void Reset_Handler(void)
{
    __asm__ volatile("csrw mie, zero\n"
                     "la sp, tfb_stack_top\n"
                     "la t0, tfb_trap\n"
                     "csrw mtvec, t0\n"
                     "j tfb_start\n");
}

__attribute__((used, noreturn)) void tfb_start(void)
{
    tfb_init_memory();
    tfb_paint_stack();
    tfb_bsp_init();
    tfb_cycles_init();
    tfb_serve();
}

/* The stack may be what failed: the report starts at its top again. */
__attribute__((naked, used, aligned(4))) void tfb_trap(void)
{
    __asm__ volatile("la sp, tfb_stack_top\n"
                     "j tfb_fault_report\n");
}

/* One line of text outside any frame: the host turns it into a device error. Then wait for a reset. */
__attribute__((used, noreturn)) void tfb_fault_report(void)
{
    uint32_t pc;
    uint32_t cause;
    uint32_t value;
    __asm__ volatile("csrr %0, mepc\n csrr %1, mcause\n csrr %2, mtval" : "=r"(pc), "=r"(cause), "=r"(value));
    tfb_bsp_putc(0u);
    tfb_put_hex("\nFAULT pc=", pc);
    tfb_put_hex(" mcause=", cause);
    tfb_put_hex(" mtval=", value);
    tfb_bsp_putc((uint8_t)'\n');
    tfb_bsp_putc(0u);
    for (;;) {
        __asm__ volatile("" ::: "memory");
    }
}
