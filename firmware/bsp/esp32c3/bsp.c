/* ESP32-C3, started directly by the boot ROM from serial flash (boot.c): watchdogs off, 160 MHz from the PLL that the
 * ROM leaves running, UART0 on its own pins from the 40 MHz crystal, the core's own cycle counter (ESP32-C3 technical
 * reference manual: Low-power Management, System Registers, UART, ESP-RISC-V CPU).
 *
 * Where the clock cannot be switched the core stays on the crystal's; the serial line does not depend on it. */
#include "tfb_port.h"
#include "tfb_reg.h"

#define RTC_WDT_CONFIG TFB_REG(0x60008090u)
#define RTC_WDT_PROTECT TFB_REG(0x600080a8u)
#define SUPER_WDT_CONFIG TFB_REG(0x600080acu)
#define SUPER_WDT_PROTECT TFB_REG(0x600080b0u)
#define TIMER_WDT_CONFIG(group) TFB_REG(0x6001f048u + 0x1000u * (group))
#define TIMER_WDT_PROTECT(group) TFB_REG(0x6001f064u + 0x1000u * (group))
#define CPU_PERIOD TFB_REG(0x600c0008u) /* bits 1:0 divider, bit 2 PLL at 480 MHz */
#define SYSCLK TFB_REG(0x600c0058u)     /* bits 9:0 divider of the crystal, bits 11:10 source */
#define UART_FIFO TFB_REG(TFB_UART_BASE + 0x00u)
#define UART_INT_RAW TFB_REG(TFB_UART_BASE + 0x04u)
#define UART_INT_CLEAR TFB_REG(TFB_UART_BASE + 0x10u)
#define UART_CLKDIV TFB_REG(TFB_UART_BASE + 0x14u) /* bits 11:0 divider, bits 23:20 sixteenths */
#define UART_STATUS TFB_REG(TFB_UART_BASE + 0x1cu) /* bits 9:0 received bytes, bits 25:16 bytes to send */
#define UART_CONF0 TFB_REG(TFB_UART_BASE + 0x20u)
#define UART_CLK_CONF TFB_REG(TFB_UART_BASE + 0x78u)
#define UART_UPDATE TFB_REG(TFB_UART_BASE + 0x80u) /* bit 31: takes the settings over, reads 1 until done */

enum { CRYSTAL_HZ = 40000000, FIFO_BYTES = 128, ERRORS = 0x1c /* parity, framing, overflow */ };

static uint32_t core_hz = CRYSTAL_HZ;
static uint32_t uart_errors;

static void stop_watchdogs(void)
{
    RTC_WDT_PROTECT = 0x50d83aa1u;
    RTC_WDT_CONFIG = 0u;
    RTC_WDT_PROTECT = 0u;
    SUPER_WDT_PROTECT = 0x8f1d312au;
    SUPER_WDT_CONFIG |= 1u << 31; /* feeds itself */
    SUPER_WDT_PROTECT = 0u;
    for (uint32_t group = 0u; group < 2u; group++) {
        TIMER_WDT_PROTECT(group) = 0x50d83aa1u;
        TIMER_WDT_CONFIG(group) = 0u;
        TIMER_WDT_PROTECT(group) = 0u;
    }
}

static void start_clock(void)
{
    SYSCLK &= ~0x3ffu; /* crystal undivided, until the switch */
    CPU_PERIOD = (CPU_PERIOD & ~7u) | 4u | 1u;
    SYSCLK = (SYSCLK & ~(3u << 10)) | (1u << 10);
    if (tfb_wait_for(&SYSCLK, 3u << 10, 1u << 10)) {
        core_hz = TFB_CLOCK_HZ;
    }
}

static void start_uart(void)
{
    const uint32_t divider = (16u * (uint32_t)CRYSTAL_HZ + TFB_UART_BAUD / 2u) / TFB_UART_BAUD;
    UART_CLK_CONF = (3u << 20) | (1u << 22) | (3u << 24); /* crystal, on, both directions */
    UART_CLKDIV = (divider / 16u) | ((divider % 16u) << 20);
    UART_CONF0 = (3u << 2) | (1u << 4); /* 8 bits, 1 stop bit */
    UART_UPDATE |= 1u << 31;
    (void)tfb_wait_for(&UART_UPDATE, 1u << 31, 0u);
}

void tfb_bsp_init(void)
{
    stop_watchdogs();
    start_clock();
    start_uart();
}

uint32_t tfb_bsp_clock_hz(void)
{
    return core_hz;
}

int32_t tfb_bsp_getc(void)
{
    const uint32_t errors = UART_INT_RAW & (uint32_t)ERRORS;
    if (errors != 0u) {
        UART_INT_CLEAR = errors;
        uart_errors++;
    }
    return (UART_STATUS & 0x3ffu) != 0u ? (int32_t)(UART_FIFO & 0xffu) : -1;
}

void tfb_bsp_putc(uint8_t byte)
{
    while (((UART_STATUS >> 16) & 0x3ffu) >= (uint32_t)FIFO_BYTES - 1u) {
    }
    UART_FIFO = byte;
}

uint32_t tfb_bsp_uart_errors(void)
{
    return uart_errors;
}

/* This core has no mcycle: event 0 (cycles) of its one counter, turned on. */
uint32_t tfb_bsp_timer_start(void)
{
    __asm__ volatile("csrwi 0x7e0, 1\n csrwi 0x7e1, 1\n csrwi 0x7e2, 0");
    return core_hz;
}

uint32_t tfb_bsp_timer_read(void)
{
    uint32_t cycles;
    __asm__ volatile("csrr %0, 0x7e2" : "=r"(cycles));
    return cycles;
}
