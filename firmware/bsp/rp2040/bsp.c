/* RP2040: addresses and reset bits of its datasheet; what to do with them is in rp2/rp2_bsp.h. */
#define RESETS_BASE 0x4000c000u
#define CLOCKS_BASE 0x40008000u
#define XOSC_BASE 0x40024000u
#define PLL_SYS_BASE 0x40028000u
#define IO_BANK0_BASE 0x40014000u
#define PADS_BANK0_BASE 0x4001c000u
#define SIO_OUT_SET TFB_REG(0xd0000014u)
#define SIO_OE_SET TFB_REG(0xd0000024u)
#define RESET_IO_BANK0 (1u << 5)
#define RESET_PADS_BANK0 (1u << 8)
#define RESET_PLL_SYS (1u << 12)
#define RESET_UART (TFB_UART_BASE == 0x40034000u ? 1u << 22 : 1u << 23)

#include "../rp2/rp2_bsp.h"
