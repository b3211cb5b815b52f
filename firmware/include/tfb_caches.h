/* Instruction and data cache of the Cortex-M7 (Armv7-M architecture reference manual B2.2.7). Their content is
 * undefined after reset, so they are invalidated first. Nothing here uses DMA: no further maintenance is needed. */
#ifndef TFB_CACHES_H
#define TFB_CACHES_H

#include "tfb_reg.h"

#define SCB_CCR TFB_REG(0xe000ed14u)    /* bit 16 data cache, bit 17 instruction cache */
#define SCB_CCSIDR TFB_REG(0xe000ed80u) /* of the cache CSSELR names: associativity, sets */
#define SCB_CSSELR TFB_REG(0xe000ed84u) /* 0: level 1 data */
#define SCB_ICIALLU TFB_REG(0xe000ef50u)
#define SCB_DCISW TFB_REG(0xe000ef60u) /* invalidate by set (bits 13:5) and way (bits 31:30) */

static inline void tfb_barrier(void)
{
    __asm__ volatile("dsb\n isb" ::: "memory");
}

static inline void tfb_caches_on(void)
{
    if ((SCB_CCR & (3u << 16)) != 0u) {
        return; /* somebody before us did it; invalidating a cache in use would lose data */
    }
    SCB_CSSELR = 0u;
    tfb_barrier();
    const uint32_t id = SCB_CCSIDR;
    const uint32_t last_set = (id >> 13) & 0x7fffu;
    const uint32_t last_way = (id >> 3) & 0x3ffu;
    for (uint32_t set = 0u; set <= last_set; set++) {
        for (uint32_t way = 0u; way <= last_way; way++) {
            SCB_DCISW = (way << 30) | (set << 5);
        }
    }
    SCB_ICIALLU = 0u;
    tfb_barrier();
    SCB_CCR |= 3u << 16;
    tfb_barrier();
}

#endif
