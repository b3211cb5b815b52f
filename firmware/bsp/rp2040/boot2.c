/* The RP2040's second-stage boot loader: 252 bytes and their checksum at the begin of the serial flash (RP2040
 * datasheet 2.8.1). The boot ROM copies it to SRAM and calls it there; it must make the flash readable in place and
 * start what lies behind it.
 *
 * Written for every flash chip there is: plain serial reads (command 03h), one line, a quarter of the system clock. The
 * 16 KiB cache hides most of what a four-line mode would gain, and that mode needs a setting of each maker's own. */
#include <stdint.h>

extern const uint16_t tfb_boot2[128];

/* Thumb instructions, then the words they load. The checksum of the first 252 bytes is a CRC-32 with polynomial
 * 04c11db7, most significant bit first, start ffffffff; a test computes it. */
__attribute__((section(".tfb_boot"), used)) const uint16_t tfb_boot2[128] = {
    0x4b0au,                  /* ldr r3, SSI */
    0x2100u,                  /* movs r1, #0 */
    0x6099u,                  /* str r1, [r3, #8]      off while it is set up */
    0x2004u,                  /* movs r0, #4 */
    0x6158u,                  /* str r0, [r3, #20]     clock divider */
    0x4809u,                  /* ldr r0, CTRLR0 */
    0x6018u,                  /* str r0, [r3, #0]      one line, 32-bit frames, send address then read */
    0x6059u,                  /* str r1, [r3, #4]      one frame a read */
    0x4a08u,                  /* ldr r2, =SPI_CTRLR0 */
    0x4809u,                  /* ldr r0, value */
    0x6010u,                  /* str r0, [r2, #0]      command 03h of 8 bits, address of 24 bits */
    0x2101u,                  /* movs r1, #1 */
    0x6099u,                  /* str r1, [r3, #8]      on */
    0x4808u,                  /* ldr r0, =vectors */
    0x4908u,                  /* ldr r1, =VTOR */
    0x6008u,                  /* str r0, [r1, #0] */
    0x6801u,                  /* ldr r1, [r0, #0]      stack */
    0x6840u,                  /* ldr r0, [r0, #4]      reset handler */
    0xf381u,         0x8808u, /* msr msp, r1 */
    0x4700u,                  /* bx r0 */
    0x46c0u,                  /* nop */
    0x0000u,         0x1800u, /* 18000000: SSI */
    0x0300u,         0x001fu, /* 001f0300: CTRLR0 */
    0x00f4u,         0x1800u, /* 180000f4: SPI_CTRLR0 */
    0x0218u,         0x0300u, /* 03000218 */
    0x0100u,         0x1000u, /* 10000100: the vector table behind this block */
    0xed08u,         0xe000u, /* e000ed08: VTOR */
    [126] = 0xa7f6u,          /* checksum */
    [127] = 0x6717u,
};
