/* RP2350: addresses and reset bits of its datasheet; what to do with them is in rp2/rp2_bsp.h. */
#define RESETS_BASE 0x40020000u
#define CLOCKS_BASE 0x40010000u
#define XOSC_BASE 0x40048000u
#define PLL_SYS_BASE 0x40050000u
#define IO_BANK0_BASE 0x40028000u
#define PADS_BANK0_BASE 0x40038000u
#define SIO_OUT_SET TFB_REG(0xd0000018u)
#define SIO_OE_SET TFB_REG(0xd0000038u)
#define RESET_IO_BANK0 (1u << 6)
#define RESET_PADS_BANK0 (1u << 9)
#define RESET_PLL_SYS (1u << 14)
#define RESET_UART (TFB_UART_BASE == 0x40070000u ? 1u << 26 : 1u << 27)

#include "../rp2/rp2_bsp.h"
