/* Arm CMSDK peripherals, as on the MPS2 boards: UART0 and TIMER0. The clock is given, there is nothing to set up.
 * The serial line's speed follows from TFB_CLOCK_HZ and TFB_UART_BAUD. */
#include <stdint.h>

#include "tfb_port.h"

typedef struct {
  uint32_t data;
  uint32_t state; /* bit 0 transmit buffer full, bit 1 receive buffer full, bits 2 and 3 overruns */
  uint32_t ctrl;  /* bit 0 transmit on, bit 1 receive on */
  uint32_t intstatus;
  uint32_t bauddiv;
} cmsdk_uart;

typedef struct {
  uint32_t ctrl; /* bit 0 on */
  uint32_t value;
  uint32_t reload;
} cmsdk_timer;

#define UART0 ((volatile cmsdk_uart *)TFB_UART_BASE)
#define TIMER0 ((volatile cmsdk_timer *)0x40000000u)

static uint32_t uart_errors;

void tfb_bsp_init(void) {
  UART0->bauddiv = TFB_CLOCK_HZ / TFB_UART_BAUD;
  UART0->ctrl = 3u;
}

uint32_t tfb_bsp_clock_hz(void) { return TFB_CLOCK_HZ; }

int32_t tfb_bsp_getc(void) {
  const uint32_t state = UART0->state;
  if ((state & 0xcu) != 0u) {
    UART0->state = state & 0xcu;
    uart_errors++;
  }
  return (state & 2u) != 0u ? (int32_t)(UART0->data & 0xffu) : -1;
}

void tfb_bsp_putc(uint8_t byte) {
  while ((UART0->state & 1u) != 0u) {
  }
  UART0->data = byte;
}

uint32_t tfb_bsp_uart_errors(void) { return uart_errors; }

uint32_t tfb_bsp_timer_start(void) {
  TIMER0->ctrl = 0u;
  TIMER0->reload = 0xffffffffu;
  TIMER0->value = 0xffffffffu;
  TIMER0->ctrl = 1u;
  return TFB_CLOCK_HZ;
}

/* The timer counts down. */
uint32_t tfb_bsp_timer_read(void) { return 0xffffffffu - TIMER0->value; }
