/* SiFive's UART, as on the FE310 and QEMU's sifive_e. The clock is given (SiFive FE310-G000 manual, chapter UART). */
#include "tfb_no_timer.h"
#include "tfb_reg.h"

#define UART_TX TFB_REG(TFB_UART_BASE + 0x00u) /* bit 31: no room */
#define UART_RX TFB_REG(TFB_UART_BASE + 0x04u) /* bit 31: nothing received; reading takes the byte */
#define UART_TX_CONTROL TFB_REG(TFB_UART_BASE + 0x08u)
#define UART_RX_CONTROL TFB_REG(TFB_UART_BASE + 0x0cu)
#define UART_DIVIDER TFB_REG(TFB_UART_BASE + 0x18u) /* less one */

void tfb_bsp_init(void)
{
    UART_DIVIDER = (TFB_CLOCK_HZ + TFB_UART_BAUD / 2u) / TFB_UART_BAUD - 1u;
    UART_TX_CONTROL = 1u;
    UART_RX_CONTROL = 1u;
}

uint32_t tfb_bsp_clock_hz(void)
{
    return TFB_CLOCK_HZ;
}

int32_t tfb_bsp_getc(void)
{
    const uint32_t data = UART_RX;
    return data >> 31 == 0u ? (int32_t)(data & 0xffu) : -1;
}

void tfb_bsp_putc(uint8_t byte)
{
    while (UART_TX >> 31 != 0u) {
    }
    UART_TX = byte;
}

/* This UART drops what it has no room for without saying so. */
uint32_t tfb_bsp_uart_errors(void)
{
    return 0u;
}
