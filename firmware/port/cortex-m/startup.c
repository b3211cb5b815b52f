/* Start-up for Armv6-M, v7-M and v8-M: vector table, FPU, memory, stack paint, fault report. */
#include <stdint.h>

#include "../image.h"
#include "tfb_port.h"
#include "tfb_serve.h"

typedef void (*tfb_handler)(void);
typedef union {
    tfb_handler handler;
    uint32_t *stack;
} tfb_vector;

void Reset_Handler(void);
void tfb_default_handler(void);
void tfb_fault_report(const uint32_t *frame, uint32_t exc_return);
void HardFault_Handler(void);
void SysTick_Handler(void);

enum { TFB_INTERRUPTS = 96 };

#define TFB_CPACR (*(volatile uint32_t *)0xe000ed88u)
#define TFB_CCR (*(volatile uint32_t *)0xe000ed14u)
#define TFB_CFSR (*(volatile uint32_t *)0xe000ed28u)
#define TFB_VTOR (*(volatile uint32_t *)0xe000ed08u)

/* All exceptions but reset and SysTick go one way: the fault report. */
__attribute__((section(".vectors"), used)) const tfb_vector tfb_vectors[16 + TFB_INTERRUPTS] = {
    [0] = {.stack = tfb_stack_top},        [1] = {.handler = Reset_Handler},      [2] = {.handler = HardFault_Handler},
    [3] = {.handler = HardFault_Handler},  [4] = {.handler = HardFault_Handler},  [5] = {.handler = HardFault_Handler},
    [6] = {.handler = HardFault_Handler},  [7] = {.handler = HardFault_Handler},  [11] = {.handler = HardFault_Handler},
    [12] = {.handler = HardFault_Handler}, [14] = {.handler = HardFault_Handler}, [15] = {.handler = SysTick_Handler},
};

/* Not inlined into Reset_Handler: a prologue here may already save FPU registers. */
__attribute__((noinline, noreturn)) static void tfb_start(void)
{
    tfb_init_memory();
    tfb_paint_stack();
    tfb_bsp_init();
    tfb_cycles_init();
    tfb_serve();
}

__attribute__((noreturn)) void Reset_Handler(void)
{
#if defined(__ARM_FP)
    TFB_CPACR |= 0xfu << 20;
    __asm__ volatile("dsb\n isb" ::: "memory");
#endif
#if defined(__ARM_FEATURE_MVE)
    TFB_CCR |= 1u << 19; /* LOB: low-overhead loops keep their branch; off after reset, and they are slow then */
#endif
#if __ARM_ARCH >= 7
    TFB_VTOR = (uint32_t)(uintptr_t)tfb_vectors;
#endif
    tfb_start();
}

/* r0 = stacked frame, r1 = EXC_RETURN; the frame is on the main stack, there is no other. */
__attribute__((naked)) void HardFault_Handler(void)
{
    __asm__ volatile("mov r0, sp\n"
                     "mov r1, lr\n"
                     "ldr r2, =tfb_fault_report\n"
                     "bx r2\n"
                     ".ltorg\n");
}

/* One line of text outside any frame: the host turns it into a device error. Then wait for a reset. */
__attribute__((used, noreturn)) void tfb_fault_report(const uint32_t *frame, uint32_t exc_return)
{
    tfb_bsp_putc(0u);
    tfb_put_hex("\nFAULT pc=", frame[6]);
    tfb_put_hex(" lr=", frame[5]);
    tfb_put_hex(" exc=", exc_return);
#if __ARM_ARCH >= 7
    tfb_put_hex(" cfsr=", TFB_CFSR);
#endif
    tfb_bsp_putc((uint8_t)'\n');
    tfb_bsp_putc(0u);
    for (;;) {
        __asm__ volatile("" ::: "memory");
    }
}
