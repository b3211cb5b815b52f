/* nRF52840: 32 MHz crystal, instruction cache of the flash, UART0 (the one without DMA). The core's 64 MHz need no
 * set-up. Every wait is bounded: without the crystal the RC oscillator goes on (nRF52840 product specification: CLOCK,
 * NVMC, UART, GPIO).
 *
 * Baud rates are constants of the chip; at 921600 the line really runs at 941176 (+2.1 %), within what receivers take.
 */
#include "tfb_no_timer.h"
#include "tfb_port.h"
#include "tfb_reg.h"

#define CLOCK_HFCLKSTART TFB_REG(0x40000000u)
#define CLOCK_HFCLKSTARTED TFB_REG(0x40000100u)
#define NVMC_ICACHECNF TFB_REG(0x4001e540u)
#define UART_STARTRX TFB_REG(TFB_UART_BASE + 0x000u)
#define UART_STARTTX TFB_REG(TFB_UART_BASE + 0x008u)
#define UART_RXDRDY TFB_REG(TFB_UART_BASE + 0x108u)
#define UART_TXDRDY TFB_REG(TFB_UART_BASE + 0x11cu)
#define UART_ERRORSRC TFB_REG(TFB_UART_BASE + 0x480u)
#define UART_ENABLE TFB_REG(TFB_UART_BASE + 0x500u)
#define UART_PSELTXD TFB_REG(TFB_UART_BASE + 0x50cu)
#define UART_PSELRXD TFB_REG(TFB_UART_BASE + 0x514u)
#define UART_RXD TFB_REG(TFB_UART_BASE + 0x518u)
#define UART_TXD TFB_REG(TFB_UART_BASE + 0x51cu)
#define UART_BAUDRATE TFB_REG(TFB_UART_BASE + 0x524u)
#define GPIO_BASE(port) (0x50000000u + 0x300u * (port))
#define GPIO_OUTSET(port) TFB_REG(GPIO_BASE(port) + 0x508u)
#define GPIO_OUTCLR(port) TFB_REG(GPIO_BASE(port) + 0x50cu)
#define GPIO_DIRSET(port) TFB_REG(GPIO_BASE(port) + 0x518u)
#define GPIO_PIN_CNF(port, pin) TFB_REG(GPIO_BASE(port) + 0x700u + 4u * (pin))

#if TFB_UART_BAUD == 115200u
#define UART_RATE 0x01d7e000u
#elif TFB_UART_BAUD == 460800u
#define UART_RATE 0x075f7000u
#elif TFB_UART_BAUD == 921600u
#define UART_RATE 0x0ebed000u
#elif TFB_UART_BAUD == 1000000u
#define UART_RATE 0x10000000u
#else
#error "the nRF52840 offers 115200, 460800, 921600 and 1000000 baud"
#endif

enum { ENABLE_UART = 4, INPUT_PULLUP = 0xc };

static uint32_t uart_errors;
static uint32_t is_sending; /* a byte was given to TXD and its event has not come yet */

void tfb_bsp_init(void)
{
    NVMC_ICACHECNF = 1u;
    CLOCK_HFCLKSTARTED = 0u;
    CLOCK_HFCLKSTART = 1u;
    (void)tfb_wait_for(&CLOCK_HFCLKSTARTED, 1u, 1u);
    GPIO_OUTSET(TFB_UART_TX_PORT) = 1u << TFB_UART_TX_PIN; /* idle is high */
    GPIO_DIRSET(TFB_UART_TX_PORT) = 1u << TFB_UART_TX_PIN;
    GPIO_PIN_CNF(TFB_UART_RX_PORT, TFB_UART_RX_PIN) = (uint32_t)INPUT_PULLUP;
    UART_PSELTXD = TFB_UART_TX_PIN | (TFB_UART_TX_PORT << 5);
    UART_PSELRXD = TFB_UART_RX_PIN | (TFB_UART_RX_PORT << 5);
    UART_BAUDRATE = UART_RATE;
    UART_ENABLE = (uint32_t)ENABLE_UART;
    UART_TXDRDY = 0u;
    UART_RXDRDY = 0u;
    UART_STARTTX = 1u;
    UART_STARTRX = 1u;
#if defined(TFB_LED_PIN)
    if (TFB_LED_ACTIVE_LOW != 0u) {
        GPIO_OUTCLR(TFB_LED_PORT) = 1u << TFB_LED_PIN;
    } else {
        GPIO_OUTSET(TFB_LED_PORT) = 1u << TFB_LED_PIN;
    }
    GPIO_DIRSET(TFB_LED_PORT) = 1u << TFB_LED_PIN;
#endif
}

uint32_t tfb_bsp_clock_hz(void)
{
    return TFB_CLOCK_HZ;
}

/* The event is cleared before the byte is read: one that arrives in between sets it again. Six bytes are buffered. */
int32_t tfb_bsp_getc(void)
{
    const uint32_t errors = UART_ERRORSRC;
    if (errors != 0u) {
        UART_ERRORSRC = errors;
        uart_errors++;
    }
    if (UART_RXDRDY == 0u) {
        return -1;
    }
    UART_RXDRDY = 0u;
    return (int32_t)(UART_RXD & 0xffu);
}

void tfb_bsp_putc(uint8_t byte)
{
    while (is_sending != 0u && UART_TXDRDY == 0u) {
    }
    UART_TXDRDY = 0u;
    UART_TXD = byte;
    is_sending = 1u;
}

uint32_t tfb_bsp_uart_errors(void)
{
    return uart_errors;
}
