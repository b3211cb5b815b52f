/* RP2040 and RP2350: crystal, system PLL, UART (a PL011), LED. The file that includes this defines the addresses and
 * reset bits in which the two chips differ (their datasheets: Clocks, PLL, Resets, GPIO, UART).
 *
 * Every wait is bounded: without crystal or PLL the chip stays on its ring oscillator, whose rate nobody knows well;
 * the serial line is then as good as that oscillator (RING_HZ is its typical rate after the boot ROM). */
#ifndef TFB_RP2_BSP_H
#define TFB_RP2_BSP_H

#include "tfb_no_timer.h"
#include "tfb_port.h"
#include "tfb_reg.h"

#define CLEAR_ALIAS 0x3000u /* writing there clears the bits that are one */
#define CLK_REF_CTRL TFB_REG(CLOCKS_BASE + 0x30u)
#define CLK_REF_SELECTED TFB_REG(CLOCKS_BASE + 0x38u)
#define CLK_SYS_CTRL TFB_REG(CLOCKS_BASE + 0x3cu)
#define CLK_SYS_SELECTED TFB_REG(CLOCKS_BASE + 0x44u)
#define CLK_PERI_CTRL TFB_REG(CLOCKS_BASE + 0x48u)
#define XOSC_CTRL TFB_REG(XOSC_BASE + 0x00u)
#define XOSC_STATUS TFB_REG(XOSC_BASE + 0x04u)
#define XOSC_STARTUP TFB_REG(XOSC_BASE + 0x0cu)
#define PLL_CS TFB_REG(PLL_SYS_BASE + 0x00u)
#define PLL_PWR TFB_REG(PLL_SYS_BASE + 0x04u)
#define PLL_FBDIV TFB_REG(PLL_SYS_BASE + 0x08u)
#define PLL_PRIM TFB_REG(PLL_SYS_BASE + 0x0cu)
#define RESETS_CLEAR TFB_REG(RESETS_BASE + CLEAR_ALIAS)
#define RESETS_DONE TFB_REG(RESETS_BASE + 0x08u)
#define IO_CTRL(pin) TFB_REG(IO_BANK0_BASE + 8u * (pin) + 4u) /* function in the low bits */
#define PAD(pin) TFB_REG(PADS_BANK0_BASE + 4u * (pin) + 4u)
#define UART_DR TFB_REG(TFB_UART_BASE + 0x00u)
#define UART_FR TFB_REG(TFB_UART_BASE + 0x18u) /* bit 4 nothing received, bit 5 no room to send */
#define UART_IBRD TFB_REG(TFB_UART_BASE + 0x24u)
#define UART_FBRD TFB_REG(TFB_UART_BASE + 0x28u)
#define UART_LCR TFB_REG(TFB_UART_BASE + 0x2cu)
#define UART_CR TFB_REG(TFB_UART_BASE + 0x30u)

enum { RING_HZ = 6500000, FUNCTION_SIO = 5, PAD_INPUT_PULLUP = 0x5a, PAD_OUTPUT = 0x52 };

#define PLL_VCO_HZ (TFB_CLOCK_SOURCE_HZ * TFB_CLOCK_PLL_FBDIV)
_Static_assert(PLL_VCO_HZ / (TFB_CLOCK_PLL_POSTDIV1 * TFB_CLOCK_PLL_POSTDIV2) == TFB_CLOCK_HZ,
               "the board file's PLL settings do not give its clock_hz");
_Static_assert(PLL_VCO_HZ >= 750000000u && PLL_VCO_HZ <= 1600000000u, "the PLL's oscillator runs at 750 to 1600 MHz");

static uint32_t core_hz = RING_HZ;
static uint32_t uart_errors;

static int out_of_reset(uint32_t mask)
{
    RESETS_CLEAR = mask;
    return tfb_wait_for(&RESETS_DONE, mask, mask);
}

static int start_crystal(void)
{
    XOSC_STARTUP = TFB_CLOCK_SOURCE_HZ / 1000u / 256u + 1u; /* 1 ms, in 256 crystal periods */
    XOSC_CTRL = (0xfabu << 12) | 0xaa0u;                    /* on, 1 to 15 MHz */
    return tfb_wait_for(&XOSC_STATUS, 1u << 31, 1u << 31);
}

static int start_pll(void)
{
    if (!out_of_reset(RESET_PLL_SYS)) {
        return 0;
    }
    PLL_CS = 1u; /* crystal / 1 */
    PLL_FBDIV = TFB_CLOCK_PLL_FBDIV;
    PLL_PWR = 1u << 3; /* PLL and oscillator on, dividers still off, no fractional part */
    if (!tfb_wait_for(&PLL_CS, 1u << 31, 1u << 31)) {
        return 0;
    }
    PLL_PRIM = (TFB_CLOCK_PLL_POSTDIV1 << 16) | (TFB_CLOCK_PLL_POSTDIV2 << 12);
    PLL_PWR = 0u;
    return 1;
}

/* The reference comes from the crystal; the core runs from it while the PLL is set up. */
static void start_clocks(void)
{
    if (!start_crystal()) {
        return;
    }
    CLK_REF_CTRL = 2u;
    if (!tfb_wait_for(&CLK_REF_SELECTED, 1u << 2, 1u << 2)) {
        return;
    }
    CLK_SYS_CTRL = 0u;
    if (!tfb_wait_for(&CLK_SYS_SELECTED, 1u, 1u)) {
        return;
    }
    core_hz = TFB_CLOCK_SOURCE_HZ;
    if (!start_pll()) {
        return;
    }
    CLK_SYS_CTRL = 1u; /* auxiliary source 0: system PLL */
    if (tfb_wait_for(&CLK_SYS_SELECTED, 1u << 1, 1u << 1)) {
        core_hz = TFB_CLOCK_HZ;
    }
}

/* Divider in 64ths. The line control register must be written after it, or it is not taken over. */
static void start_uart(void)
{
    CLK_PERI_CTRL = 1u << 11; /* on, from the system clock */
    (void)out_of_reset(RESET_UART | RESET_IO_BANK0 | RESET_PADS_BANK0);
    PAD(TFB_UART_RX_PIN) = (uint32_t)PAD_INPUT_PULLUP;
    PAD(TFB_UART_TX_PIN) = (uint32_t)PAD_OUTPUT;
    IO_CTRL(TFB_UART_TX_PIN) = TFB_UART_FUNCTION;
    IO_CTRL(TFB_UART_RX_PIN) = TFB_UART_FUNCTION;
    const uint32_t divider = (4u * core_hz + TFB_UART_BAUD / 2u) / TFB_UART_BAUD;
    UART_IBRD = divider / 64u;
    UART_FBRD = divider % 64u;
    UART_LCR = (3u << 5) | (1u << 4);            /* 8 bits, FIFOs */
    UART_CR = (1u << 9) | (1u << 8) | (1u << 0); /* receive, transmit, on */
}

void tfb_bsp_init(void)
{
    start_clocks();
    start_uart();
#if defined(TFB_LED_PIN)
    PAD(TFB_LED_PIN) = (uint32_t)PAD_OUTPUT;
    IO_CTRL(TFB_LED_PIN) = (uint32_t)FUNCTION_SIO;
    SIO_OUT_SET = 1u << TFB_LED_PIN;
    SIO_OE_SET = 1u << TFB_LED_PIN;
#endif
}

uint32_t tfb_bsp_clock_hz(void)
{
    return core_hz;
}

/* Bits 8 to 11 of a received word: framing, parity, break, overrun. */
int32_t tfb_bsp_getc(void)
{
    if ((UART_FR & (1u << 4)) != 0u) {
        return -1;
    }
    const uint32_t data = UART_DR;
    if ((data & 0xf00u) != 0u) {
        uart_errors++;
    }
    return (int32_t)(data & 0xffu);
}

void tfb_bsp_putc(uint8_t byte)
{
    while ((UART_FR & (1u << 5)) != 0u) {
    }
    UART_DR = byte;
}

uint32_t tfb_bsp_uart_errors(void)
{
    return uart_errors;
}

#endif
