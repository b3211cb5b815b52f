/* STM32H743: PLL1 from the probe's clock or a crystal, voltage scale 0, caches, SRAM of domain D2, USART.
 *
 * Every wait is bounded: without the source's clock the chip stays on its 64 MHz RC oscillator. Scale 0 (480 MHz)
 * exists from chip revision V on; older ones run at 400 MHz and scale 1 (RM0433 chapters 6, 8 and 4; DS12110). */
#include "tfb_reg.h"

#define PWR_CR3 TFB_REG(0x5802480cu)
#define PWR_CSR1 TFB_REG(0x58024804u)
#define PWR_D3CR TFB_REG(0x58024818u)
#define RCC_CR TFB_REG(0x58024400u)
#define RCC_CFGR TFB_REG(0x58024410u)
#define RCC_D1CFGR TFB_REG(0x58024418u)
#define RCC_D2CFGR TFB_REG(0x5802441cu)
#define RCC_D3CFGR TFB_REG(0x58024420u)
#define RCC_PLLCKSELR TFB_REG(0x58024428u)
#define RCC_PLLCFGR TFB_REG(0x5802442cu)
#define RCC_PLL1DIVR TFB_REG(0x58024430u)
#define RCC_AHB2ENR TFB_REG(0x580244dcu)
#define RCC_AHB4ENR TFB_REG(0x580244e0u)
#define RCC_APB1LENR TFB_REG(0x580244e8u)
#define RCC_APB2ENR TFB_REG(0x580244f0u)
#define RCC_APB4ENR TFB_REG(0x580244f4u)
#define SYSCFG_PWRCR TFB_REG(0x5800042cu)
#define FLASH_ACR TFB_REG(0x52002000u)
#define DBGMCU_IDC TFB_REG(0x5c001000u)
#define GPIO_BASE 0x58020000u

enum { HSI_HZ = 64000000, OLD_MAX_HZ = 400000000, REVISION_V = 0x2003, VOS1_RAIL = 3, AHB_DIV = 2, APB_DIV = 2 };

_Static_assert(TFB_CLOCK_SOURCE_HZ / TFB_CLOCK_PLL_M * TFB_CLOCK_PLL_N / TFB_CLOCK_PLL_P == TFB_CLOCK_HZ,
               "the board file's PLL settings do not give its clock_hz");
_Static_assert(TFB_CLOCK_SOURCE_HZ / TFB_CLOCK_PLL_M >= 4000000u && TFB_CLOCK_SOURCE_HZ / TFB_CLOCK_PLL_M < 8000000u,
               "the PLL's input range is set for 4 to 8 MHz");

static uint32_t core_hz = HSI_HZ;

static inline void gpio_clock_on(uint32_t port)
{
    RCC_AHB4ENR |= 1u << port;
    (void)RCC_AHB4ENR; /* the clock runs two cycles after the write has arrived */
}

#include "../stm32/stm32_gpio.h"
#include "../stm32/stm32_usart_v2.h"
#include "tfb_caches.h"
#include "tfb_no_timer.h"

/* The core's supply: linear regulator, then the voltage for `hz`. */
static int raise_voltage(uint32_t hz)
{
    PWR_CR3 = (PWR_CR3 & ~7u) | 6u; /* SCUEN, LDOEN: what reset gives; the write locks it */
    if (!tfb_wait_for(&PWR_CSR1, 1u << 13, 1u << 13)) {
        return 0;
    }
    PWR_D3CR |= (uint32_t)VOS1_RAIL << 14;
    if (!tfb_wait_for(&PWR_D3CR, 1u << 13, 1u << 13)) {
        return 0;
    }
    if (hz <= (uint32_t)OLD_MAX_HZ) {
        return 1;
    }
    RCC_APB4ENR |= 1u << 1; /* SYSCFG */
    (void)RCC_APB4ENR;
    SYSCFG_PWRCR |= 1u; /* over-drive: scale 0 */
    return tfb_wait_for(&PWR_D3CR, 1u << 13, 1u << 13);
}

static int start_pll(uint32_t multiplier)
{
    RCC_CR |= (1u << 16) | (TFB_CLOCK_BYPASS << 18); /* HSE on */
    if (!tfb_wait_for(&RCC_CR, 1u << 17, 1u << 17)) {
        return 0;
    }
    RCC_PLLCKSELR = (TFB_CLOCK_PLL_M << 4) | 2u; /* source HSE */
    RCC_PLLCFGR = (1u << 16) | (2u << 2);        /* output P on; input 4 to 8 MHz, wide VCO */
    RCC_PLL1DIVR = (multiplier - 1u) | ((TFB_CLOCK_PLL_P - 1u) << 9) | (1u << 16) | (1u << 24);
    RCC_CR |= 1u << 24;
    return tfb_wait_for(&RCC_CR, 1u << 25, 1u << 25);
}

static void start_clocks(void)
{
    const uint32_t step = TFB_CLOCK_SOURCE_HZ / TFB_CLOCK_PLL_M / TFB_CLOCK_PLL_P;
    const int is_old = DBGMCU_IDC >> 16 < (uint32_t)REVISION_V;
    const uint32_t hz = is_old && TFB_CLOCK_HZ > (uint32_t)OLD_MAX_HZ ? (uint32_t)OLD_MAX_HZ : TFB_CLOCK_HZ;
    if (!raise_voltage(hz) || !start_pll(hz / step)) {
        return;
    }
    FLASH_ACR = TFB_FLASH_WAIT_STATES | (2u << 4); /* programming delay for an AXI clock above 185 MHz */
    if (!tfb_wait_for(&FLASH_ACR, 15u, TFB_FLASH_WAIT_STATES)) {
        return;
    }
    RCC_D1CFGR = 8u | (4u << 4);        /* AXI and AHB / 2, APB3 / 2 */
    RCC_D2CFGR = (4u << 4) | (4u << 8); /* APB1 / 2, APB2 / 2 */
    RCC_D3CFGR = 4u << 4;               /* APB4 / 2 */
    RCC_CFGR = (RCC_CFGR & ~7u) | 3u;   /* system clock = PLL1 */
    if (tfb_wait_for(&RCC_CFGR, 7u << 3, 3u << 3)) {
        core_hz = hz;
    }
}

/* Turns the serial port's clock on; returns that clock in Hz. */
static uint32_t start_uart_clock(void)
{
#if TFB_UART_BASE == 0x40011000u
    RCC_APB2ENR |= 1u << 4; /* USART1 */
#else
    RCC_APB1LENR |= 1u << (17u + (TFB_UART_BASE - 0x40004400u) / 0x400u); /* USART2, USART3, UART4, UART5 */
#endif
    return core_hz == (uint32_t)HSI_HZ ? core_hz : core_hz / (uint32_t)AHB_DIV / (uint32_t)APB_DIV;
}

void tfb_bsp_init(void)
{
    RCC_AHB2ENR |= 7u << 29; /* SRAM1 to SRAM3 of domain D2 */
    start_clocks();
    tfb_caches_on();
    const uint32_t uart_hz = start_uart_clock();
    gpio_serial_pin(TFB_UART_TX_PORT, TFB_UART_TX_PIN);
    gpio_serial_pin(TFB_UART_RX_PORT, TFB_UART_RX_PIN);
    usart_init(uart_hz);
    gpio_led_on();
}

uint32_t tfb_bsp_clock_hz(void)
{
    return core_hz;
}
