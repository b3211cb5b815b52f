/* Clocks of STM32F4 and F7: HSE -> PLL, with over-drive where the board file asks for it (RM0090 chapters 3, 5, 7;
 * RM0390 and RM0385 the same chapters for over-drive).
 *
 * Every wait is bounded. A crystal or PLL that does not come up leaves the chip on its 16 MHz RC oscillator, and the
 * baud rate is computed from the clock that really runs, so the serial line works either way. */
#ifndef TFB_STM32_RCC_F4_F7_H
#define TFB_STM32_RCC_F4_F7_H

#include "tfb_reg.h"

#define RCC_CR TFB_REG(0x40023800u)
#define RCC_PLLCFGR TFB_REG(0x40023804u)
#define RCC_CFGR TFB_REG(0x40023808u)
#define RCC_AHB1ENR TFB_REG(0x40023830u)
#define RCC_APB1ENR TFB_REG(0x40023840u)
#define RCC_APB2ENR TFB_REG(0x40023844u)
#define PWR_CR TFB_REG(0x40007000u)
#define PWR_CSR TFB_REG(0x40007004u)
#define FLASH_ACR TFB_REG(0x40023c00u)
#define GPIO_BASE 0x40020000u

enum { HSI_HZ = 16000000 };

_Static_assert(TFB_CLOCK_SOURCE_HZ / TFB_CLOCK_PLL_M * TFB_CLOCK_PLL_N / TFB_CLOCK_PLL_P == TFB_CLOCK_HZ,
               "the board file's PLL settings do not give its clock_hz");

static uint32_t core_hz = HSI_HZ;

/* RCC_CFGR code of a bus divider: 1, 2, 4, 8, 16 -> 0, 4, 5, 6, 7 */
static inline uint32_t bus_code(uint32_t divider)
{
    uint32_t code = 0u;
    for (uint32_t d = divider; d > 1u; d /= 2u) {
        code = code == 0u ? 4u : code + 1u;
    }
    return code;
}

static inline void gpio_clock_on(uint32_t port)
{
    RCC_AHB1ENR |= 1u << port;
}

/* Must be on before the switch above 168 MHz (F4) or 180 MHz (F7). */
static inline int start_overdrive(void)
{
#if TFB_CLOCK_OVERDRIVE
    PWR_CR |= 1u << 16;
    if (!tfb_wait_for(&PWR_CSR, 1u << 16, 1u << 16)) {
        return 0;
    }
    PWR_CR |= 1u << 17;
    return tfb_wait_for(&PWR_CSR, 1u << 17, 1u << 17);
#else
    return 1;
#endif
}

static inline int start_pll(void)
{
    RCC_APB1ENR |= 1u << 28; /* PWR */
    PWR_CR = (PWR_CR & ~(TFB_CLOCK_VOS << 14)) | (TFB_CLOCK_VOS << 14);
    RCC_CR |= (1u << 16) | (TFB_CLOCK_BYPASS << 18); /* HSE on */
    if (!tfb_wait_for(&RCC_CR, 1u << 17, 1u << 17)) {
        return 0;
    }
    RCC_PLLCFGR = TFB_CLOCK_PLL_M | (TFB_CLOCK_PLL_N << 6) | ((TFB_CLOCK_PLL_P / 2u - 1u) << 16) | (1u << 22) |
                  (TFB_CLOCK_PLL_Q << 24);
    RCC_CR |= 1u << 24;
    return tfb_wait_for(&RCC_CR, 1u << 25, 1u << 25);
}

/* flash_flags: prefetch and caches of FLASH_ACR. */
static inline void start_clocks(uint32_t flash_flags)
{
    if (!start_pll() || !start_overdrive()) {
        return;
    }
    FLASH_ACR = TFB_FLASH_WAIT_STATES | flash_flags;
    if (!tfb_wait_for(&FLASH_ACR, 15u, TFB_FLASH_WAIT_STATES)) {
        return;
    }
    RCC_CFGR = (bus_code(TFB_CLOCK_APB1_DIV) << 10) | (bus_code(TFB_CLOCK_APB2_DIV) << 13);
    RCC_CFGR |= 2u; /* system clock = PLL */
    if (tfb_wait_for(&RCC_CFGR, 3u << 2, 2u << 2)) {
        core_hz = TFB_CLOCK_HZ;
    }
}

/* Turns the serial port's clock on; returns that clock in Hz. */
static inline uint32_t start_uart_clock(void)
{
#if TFB_UART_BASE == 0x40011000u
    RCC_APB2ENR |= 1u << 4; /* USART1 */
#elif TFB_UART_BASE == 0x40011400u
    RCC_APB2ENR |= 1u << 5; /* USART6 */
#else
    RCC_APB1ENR |= 1u << (17u + (TFB_UART_BASE - 0x40004400u) / 0x400u); /* USART2, USART3, UART4, UART5 */
#endif
    const uint32_t divider = TFB_UART_BASE >= 0x40010000u ? TFB_CLOCK_APB2_DIV : TFB_CLOCK_APB1_DIV;
    return core_hz == (uint32_t)HSI_HZ ? core_hz : core_hz / divider;
}

#endif
