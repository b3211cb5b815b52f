/* More instructions on 16-bit lanes, as tf_dsp.h: one instruction where the core has it, plain C elsewhere. */
#ifndef TF_LANES_H
#define TF_LANES_H

#include "tf_dsp.h"

/* Inline assembly with immediates needs an optimising build: arguments are literals only once inlined. */
#if TF_DSP_NATIVE && defined(__OPTIMIZE__)
#define TF_DSP_ASM 1
#else
#define TF_DSP_ASM 0
#endif

/* Low half of a below low half of b. */
TF_INLINE uint32_t tf_pkhbt(uint32_t a, uint32_t b)
{
    return (a & 0xffffu) | (b << 16);
}

/* High half of a below high half of b. */
TF_INLINE uint32_t tf_pkhtb(uint32_t a, uint32_t b)
{
    return (a >> 16) | (b & 0xffff0000u);
}

/* a * b / 2^32 rounded down. */
TF_INLINE int32_t tf_smmul(int32_t a, int32_t b)
{
#if TF_DSP_NATIVE
    int32_t result;
    __asm__("smmul %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
#else
    return tf_smmla(a, b, 0);
#endif
}

/* The larger int8 of each of four bytes: SSUB8 leaves the comparison in the GE flags, SEL chooses by them. */
TF_INLINE uint32_t tf_max8x4(uint32_t a, uint32_t b)
{
#if TF_DSP_NATIVE
    uint32_t result;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(result) : "r"(a), "r"(b));
    return result;
#else
    uint32_t result = 0;
    for (uint32_t i = 0; i < 32u; i += 8u) {
        result |= (tf_sext8(a >> i) >= tf_sext8(b >> i) ? a : b) & (0xffu << i);
    }
    return result;
#endif
}

/* The smaller int8 of each of four bytes. */
TF_INLINE uint32_t tf_min8x4(uint32_t a, uint32_t b)
{
    return ~tf_max8x4(~a, ~b);
}

/* x in each of four bytes. */
TF_INLINE uint32_t tf_splat8(int32_t x)
{
    return 0x01010101u * ((uint32_t)x & 0xffu);
}

/* x / 2^shift rounded down, clamped to int8; shift, a literal in [0, 31], is part of the instruction. */
TF_INLINE int32_t tf_ssat8_asr(int32_t x, int32_t shift)
{
#if TF_DSP_ASM
    if (shift > 0) {
        int32_t result;
        __asm__("ssat %0, #8, %1, asr %2" : "=r"(result) : "r"(x), "i"(shift));
        return result;
    }
#endif
    x >>= shift;
    return x < -128 ? -128 : (x > 127 ? 127 : x);
}

/* acc + a * b.lane0 / 2^16 rounded down, wrapping. */
TF_INLINE int32_t tf_smlawb(int32_t a, uint32_t b, int32_t acc)
{
#if TF_DSP_NATIVE
    return __smlawb(a, (int32_t)b, acc);
#else
    return tf_add32(acc, (int32_t)(((int64_t)a * tf_lane0(b)) >> 16));
#endif
}

/* acc + a * b.lane1 / 2^16 rounded down, wrapping. */
TF_INLINE int32_t tf_smlawt(int32_t a, uint32_t b, int32_t acc)
{
#if TF_DSP_NATIVE
    return __smlawt(a, (int32_t)b, acc);
#else
    return tf_add32(acc, (int32_t)(((int64_t)a * tf_lane1(b)) >> 16));
#endif
}

#endif
