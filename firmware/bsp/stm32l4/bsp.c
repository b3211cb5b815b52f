/* STM32L4 and L4+: PLL from the 16 MHz RC oscillator (no crystal needed), USART or LPUART.
 *
 * Every wait is bounded: without the PLL the chip stays on its 4 MHz oscillator (RM0351 and RM0432, chapters PWR,
 * RCC, FLASH). */
#include "tfb_reg.h"

#define RCC_CR TFB_REG(0x40021000u)
#define RCC_CFGR TFB_REG(0x40021008u)
#define RCC_PLLCFGR TFB_REG(0x4002100cu)
#define RCC_AHB2ENR TFB_REG(0x4002104cu)
#define RCC_APB1ENR1 TFB_REG(0x40021058u)
#define RCC_APB1ENR2 TFB_REG(0x4002105cu)
#define RCC_APB2ENR TFB_REG(0x40021060u)
#define PWR_CR1 TFB_REG(0x40007000u)
#define PWR_CR2 TFB_REG(0x40007004u)
#define PWR_SR2 TFB_REG(0x40007014u)
#define PWR_CR5 TFB_REG(0x40007080u)
#define FLASH_ACR TFB_REG(0x40022000u)
#define GPIO_BASE 0x48000000u

enum { MSI_HZ = 4000000, HSI_HZ = 16000000 };

_Static_assert(HSI_HZ / TFB_CLOCK_PLL_M * TFB_CLOCK_PLL_N / TFB_CLOCK_PLL_R == TFB_CLOCK_HZ,
               "the board file's PLL settings do not give its clock_hz");

static uint32_t core_hz = MSI_HZ;

static inline void gpio_clock_on(uint32_t port)
{
    RCC_AHB2ENR |= 1u << port;
    (void)RCC_AHB2ENR; /* the clock runs two cycles after the write has arrived */
}

#include "../stm32/stm32_gpio.h"
#include "../stm32/stm32_usart_v2.h"
#include "tfb_no_timer.h"

/* Voltage range 1, and its boost mode above 80 MHz. */
static int raise_voltage(void)
{
    RCC_APB1ENR1 |= 1u << 28; /* PWR */
    (void)RCC_APB1ENR1;
    PWR_CR1 = (PWR_CR1 & ~(3u << 9)) | (1u << 9);
    if (!tfb_wait_for(&PWR_SR2, 1u << 10, 0u)) {
        return 0;
    }
#if TFB_CLOCK_BOOST
    PWR_CR5 &= ~(1u << 8);
#endif
    return 1;
}

static int start_pll(void)
{
    RCC_CR |= 1u << 8; /* HSI16 on */
    if (!tfb_wait_for(&RCC_CR, 1u << 10, 1u << 10)) {
        return 0;
    }
    /* source HSI16, output R on */
    RCC_PLLCFGR =
        2u | ((TFB_CLOCK_PLL_M - 1u) << 4) | (TFB_CLOCK_PLL_N << 8) | (1u << 24) | ((TFB_CLOCK_PLL_R / 2u - 1u) << 25);
    RCC_CR |= 1u << 24;
    return tfb_wait_for(&RCC_CR, 1u << 25, 1u << 25);
}

/* Above 80 MHz the clock rises in two steps, the first at half speed for 1 us at least. */
static void switch_to_pll(void)
{
#if TFB_CLOCK_BOOST
    RCC_CFGR |= 8u << 4; /* AHB / 2 */
#endif
    RCC_CFGR |= 3u;
    if (!tfb_wait_for(&RCC_CFGR, 3u << 2, 3u << 2)) {
        return;
    }
#if TFB_CLOCK_BOOST
    for (volatile uint32_t i = 0u; i < 64u; i++) {
    }
    RCC_CFGR &= ~(15u << 4);
#endif
    core_hz = TFB_CLOCK_HZ;
}

static void start_clocks(void)
{
    if (!raise_voltage() || !start_pll()) {
        return;
    }
    FLASH_ACR = TFB_FLASH_WAIT_STATES | (1u << 8) | (1u << 9) | (1u << 10); /* prefetch, both caches */
    if (tfb_wait_for(&FLASH_ACR, 7u, TFB_FLASH_WAIT_STATES)) {
        switch_to_pll();
    }
}

/* The serial port's clock is that of its bus, which is the core's: no bus is divided. */
static void start_uart(void)
{
#if TFB_CLOCK_IO2
    PWR_CR2 |= 1u << 9; /* the supply of PG2 to PG15 is there */
#endif
    gpio_serial_pin(TFB_UART_TX_PORT, TFB_UART_TX_PIN);
    gpio_serial_pin(TFB_UART_RX_PORT, TFB_UART_RX_PIN);
#if TFB_UART_BASE == 0x40008000u
    RCC_APB1ENR2 |= 1u; /* LPUART1 */
    (void)RCC_APB1ENR2;
    lpuart_init(core_hz);
#elif TFB_UART_BASE == 0x40013800u
    RCC_APB2ENR |= 1u << 14; /* USART1 */
    (void)RCC_APB2ENR;
    usart_init(core_hz);
#else
    RCC_APB1ENR1 |= 1u << (17u + (TFB_UART_BASE - 0x40004400u) / 0x400u); /* USART2, USART3, UART4, UART5 */
    (void)RCC_APB1ENR1;
    usart_init(core_hz);
#endif
}

void tfb_bsp_init(void)
{
    start_clocks();
    start_uart();
    gpio_led_on();
}

uint32_t tfb_bsp_clock_hz(void)
{
    return core_hz;
}
