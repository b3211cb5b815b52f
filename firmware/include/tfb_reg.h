/* Registers, and waiting for them with a limit: what start-up code of boards is made of. */
#ifndef TFB_REG_H
#define TFB_REG_H

#include <stdint.h>

#define TFB_REG(address) (*(volatile uint32_t *)(address))

/* More than any oscillator or PLL takes (3 ms at most, at 4 cycles a reading and 64 MHz). A part that does not come up
 * is given up: start-up goes on with the clock that runs. */
enum { TFB_WAIT_READINGS = 50000 };

/* Waits until the masked bits of a register have a value; 0 after TFB_WAIT_READINGS readings without it. */
static inline int tfb_wait_for(const volatile uint32_t *reg, uint32_t mask, uint32_t value)
{
    for (uint32_t i = 0u; i < (uint32_t)TFB_WAIT_READINGS; i++) {
        if ((*reg & mask) == value) {
            return 1;
        }
    }
    return 0;
}

#endif
