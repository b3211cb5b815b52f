/* STM32F405 / F407: 168 MHz from an 8 MHz crystal, USART1 on PA9 (TX) and PA10 (RX).
 *
 * Every wait is bounded. A crystal or PLL that does not come up leaves the chip on its 16 MHz RC oscillator, and the
 * baud rate is computed from the clock that really runs, so the serial line works either way (reference manual
 * RM0090: RCC chapter 7, FLASH chapter 3, USART chapter 30). */
#include <stdint.h>

#include "tfb_port.h"

#define REG(address) (*(volatile uint32_t *)(address))

#define RCC_CR REG(0x40023800u)
#define RCC_PLLCFGR REG(0x40023804u)
#define RCC_CFGR REG(0x40023808u)
#define RCC_AHB1ENR REG(0x40023830u)
#define RCC_APB1ENR REG(0x40023840u)
#define RCC_APB2ENR REG(0x40023844u)
#define PWR_CR REG(0x40007000u)
#define FLASH_ACR REG(0x40023c00u)
#define GPIOA_MODER REG(0x40020000u)
#define GPIOA_OSPEEDR REG(0x40020008u)
#define GPIOA_PUPDR REG(0x4002000cu)
#define GPIOA_AFRH REG(0x40020024u)
#define USART_SR REG(TFB_UART_BASE + 0x00u)
#define USART_DR REG(TFB_UART_BASE + 0x04u)
#define USART_BRR REG(TFB_UART_BASE + 0x08u)
#define USART_CR1 REG(TFB_UART_BASE + 0x0cu)

enum { HSI_HZ = 16000000, WAIT_LOOPS = 200000 };

static uint32_t core_hz = HSI_HZ;
static uint32_t uart_errors;

/* Waits until the masked bits of a register have a value; 0 after WAIT_LOOPS readings without it. */
static int wait_for(const volatile uint32_t *reg, uint32_t mask, uint32_t value)
{
    for (uint32_t i = 0u; i < (uint32_t)WAIT_LOOPS; i++) {
        if ((*reg & mask) == value) {
            return 1;
        }
    }
    return 0;
}

static void start_pll(void)
{
    RCC_APB1ENR |= 1u << 28; /* PWR */
    PWR_CR |= 1u << 14;      /* voltage scale 1, needed above 144 MHz */
    RCC_CR |= 1u << 16;      /* HSE on */
    if (!wait_for(&RCC_CR, 1u << 17, 1u << 17)) {
        return;
    }
    /* 8 MHz / M=8 -> 1 MHz; x N=336 -> 336 MHz; / P=2 -> 168 MHz; / Q=7 -> 48 MHz */
    RCC_PLLCFGR = 8u | (336u << 6) | (1u << 22) | (7u << 24); /* P=2 is coded 0 */
    RCC_CR |= 1u << 24;
    if (!wait_for(&RCC_CR, 1u << 25, 1u << 25)) {
        return;
    }
    FLASH_ACR = 5u | (1u << 8) | (1u << 9) | (1u << 10); /* 5 wait states, prefetch, both caches */
    if (!wait_for(&FLASH_ACR, 7u, 5u)) {
        return;
    }
    RCC_CFGR = (5u << 10) | (4u << 13); /* APB1 / 4 = 42 MHz, APB2 / 2 = 84 MHz */
    RCC_CFGR |= 2u;                     /* system clock = PLL */
    if (wait_for(&RCC_CFGR, 3u << 2, 2u << 2)) {
        core_hz = 168000000u;
    }
}

void tfb_bsp_init(void)
{
    start_pll();
    RCC_AHB1ENR |= 1u;      /* GPIOA */
    RCC_APB2ENR |= 1u << 4; /* USART1 */
    GPIOA_MODER = (GPIOA_MODER & ~(0xfu << 18)) | (0xau << 18);
    GPIOA_OSPEEDR |= 0xfu << 18;
    GPIOA_PUPDR = (GPIOA_PUPDR & ~(0xfu << 18)) | (0x5u << 18);
    GPIOA_AFRH = (GPIOA_AFRH & ~(0xffu << 4)) | (0x77u << 4);
    const uint32_t apb2_hz = core_hz == (uint32_t)HSI_HZ ? core_hz : core_hz / 2u;
    USART_BRR = (apb2_hz + TFB_UART_BAUD / 2u) / TFB_UART_BAUD;
    USART_CR1 = (1u << 13) | (1u << 3) | (1u << 2); /* on, transmit, receive */
}

uint32_t tfb_bsp_clock_hz(void)
{
    return core_hz;
}

/* Reading SR and then DR clears overrun, noise and framing errors. */
int32_t tfb_bsp_getc(void)
{
    const uint32_t state = USART_SR;
    if ((state & 0x2fu) == 0u) {
        return -1;
    }
    const uint32_t data = USART_DR & 0xffu;
    if ((state & 0xfu) != 0u) {
        uart_errors++;
    }
    return (state & 0x20u) != 0u ? (int32_t)data : -1;
}

void tfb_bsp_putc(uint8_t byte)
{
    while ((USART_SR & (1u << 7)) == 0u) {
    }
    USART_DR = byte;
}

uint32_t tfb_bsp_uart_errors(void)
{
    return uart_errors;
}

/* The core's own counters are used. */
uint32_t tfb_bsp_timer_start(void)
{
    return 0u;
}

uint32_t tfb_bsp_timer_read(void)
{
    return 0u;
}
