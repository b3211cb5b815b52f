/* The instructions kernels are built from, each as one function: compiler builtins where the core has the DSP
 * extension (Armv7E-M, Armv8-M with DSP), plain C with the same result everywhere else.
 *
 * TF_DSP is 1 where kernels should take their DSP path. Building with -DTF_FORCE_DSP takes it on any machine, on the
 * plain C twins below, so that host tests run the same code under sanitizers. Words are little-endian lanes: lane 0
 * is bits 0..15. */
#ifndef TF_DSP_H
#define TF_DSP_H

#include <stdint.h>
#include <string.h>

#include "tf_runtime.h"

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
#define TF_DSP_NATIVE 1
#else
#define TF_DSP_NATIVE 0
#endif

#if TF_DSP_NATIVE || defined(TF_FORCE_DSP)
#define TF_DSP 1
#else
#define TF_DSP 0
#endif

#if TF_DSP_NATIVE
#include <arm_acle.h>
#endif

#if (defined(__arm__) && !defined(__ARM_FEATURE_UNALIGNED)) || defined(__riscv)
#define TF_STRICT_ALIGNMENT 1
#else
#define TF_STRICT_ALIGNMENT 0
#endif

/* Unaligned word access: one LDR / STR on cores that allow it, bytes on those that do not (Armv6-M). */
TF_INLINE uint32_t tf_load32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

TF_INLINE void tf_store32(void *p, uint32_t v)
{
    memcpy(p, &v, sizeof v);
}

TF_INLINE uint32_t tf_ror(uint32_t x, uint32_t n)
{
    return n == 0u ? x : (x >> n) | (x << (32u - n));
}

/* Two lanes from one word each: lane 0 = lo, lane 1 = hi (bits beyond 16 are dropped). */
TF_INLINE uint32_t tf_pack16(int32_t lo, int32_t hi)
{
    return ((uint32_t)lo & 0xffffu) | ((uint32_t)hi << 16);
}

/* Low byte / low half / high half, sign extended; two's complement as every supported compiler defines the cast. */
TF_INLINE int32_t tf_sext8(uint32_t x)
{
    return (int32_t)(int8_t)(uint8_t)x;
}

TF_INLINE int32_t tf_lane0(uint32_t x)
{
    return (int32_t)(int16_t)(uint16_t)x;
}

TF_INLINE int32_t tf_lane1(uint32_t x)
{
    return (int32_t)(int16_t)(uint16_t)(x >> 16);
}

/* Wrapping int32 addition. */
TF_INLINE int32_t tf_add32(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

/* Bytes 0 and 2 sign extended into lanes 0 and 1. */
TF_INLINE uint32_t tf_sxtb16(uint32_t x)
{
#if TF_DSP_NATIVE
    return (uint32_t)__sxtb16((int8x4_t)x);
#else
    return tf_pack16(tf_sext8(x), tf_sext8(x >> 16));
#endif
}

/* Bytes 1 and 3 sign extended into lanes 0 and 1: SXTB16 with ROR #8. */
TF_INLINE uint32_t tf_sxtb16_ror8(uint32_t x)
{
    return tf_sxtb16(tf_ror(x, 8u));
}

/* Lanes of a plus bytes 0 and 2 of x, sign extended; lanes wrap. */
TF_INLINE uint32_t tf_sxtab16(uint32_t a, uint32_t x)
{
#if TF_DSP_NATIVE
    return (uint32_t)__sxtab16((int16x2_t)a, (int8x4_t)x);
#else
    return tf_pack16(tf_lane0(a) + tf_sext8(x), tf_lane1(a) + tf_sext8(x >> 16));
#endif
}

/* acc + a.lane0 * b.lane0 + a.lane1 * b.lane1, wrapping. */
TF_INLINE int32_t tf_smlad(uint32_t a, uint32_t b, int32_t acc)
{
#if TF_DSP_NATIVE
    return __smlad((int32_t)a, (int32_t)b, acc);
#else
    const uint32_t lo = (uint32_t)(tf_lane0(a) * tf_lane0(b));
    const uint32_t hi = (uint32_t)(tf_lane1(a) * tf_lane1(b));
    return (int32_t)((uint32_t)acc + lo + hi);
#endif
}

/* acc + a.lane0 * b.lane0, wrapping. */
TF_INLINE int32_t tf_smlabb(uint32_t a, uint32_t b, int32_t acc)
{
#if TF_DSP_NATIVE
    return __smlabb((int32_t)a, (int32_t)b, acc);
#else
    return (int32_t)((uint32_t)acc + (uint32_t)(tf_lane0(a) * tf_lane0(b)));
#endif
}

/* acc + a.lane1 * b.lane0, wrapping. */
TF_INLINE int32_t tf_smlatb(uint32_t a, uint32_t b, int32_t acc)
{
#if TF_DSP_NATIVE
    return __smlatb((int32_t)a, (int32_t)b, acc);
#else
    return (int32_t)((uint32_t)acc + (uint32_t)(tf_lane1(a) * tf_lane0(b)));
#endif
}

/* acc + a.lane0 * b.lane1, wrapping. */
TF_INLINE int32_t tf_smlabt(uint32_t a, uint32_t b, int32_t acc)
{
    return tf_smlatb(b, a, acc);
}

/* acc + a.lane1 * b.lane1, wrapping. */
TF_INLINE int32_t tf_smlatt(uint32_t a, uint32_t b, int32_t acc)
{
#if TF_DSP_NATIVE
    return __smlatt((int32_t)a, (int32_t)b, acc);
#else
    return (int32_t)((uint32_t)acc + (uint32_t)(tf_lane1(a) * tf_lane1(b)));
#endif
}

/* High word of a * b, plus 0 or 2^31 below it before it is cut off. Two ways to the same number: a 64-bit product, or
 * 16-bit partial products for cores without a long multiply (Armv6-M, Armv8-M baseline). */
TF_INLINE int32_t tf_high_word(int32_t a, int32_t b, uint32_t half)
{
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
    const uint32_t al = (uint32_t)a & 0xffffu, bl = (uint32_t)b & 0xffffu;
    const int32_t ah = a >> 16, bh = b >> 16;
    const int32_t m1 = ah * (int32_t)bl; /* |ah| <= 2^15: fits */
    const int32_t m2 = bh * (int32_t)al;
    const uint32_t low = (al * bl >> 16) + (half >> 16);
    const uint32_t middle = low + ((uint32_t)m1 & 0xffffu) + ((uint32_t)m2 & 0xffffu);
    return ah * bh + (m1 >> 16) + (m2 >> 16) + (int32_t)(middle >> 16);
#else
    return (int32_t)(((int64_t)a * b + (int64_t)half) >> 32);
#endif
}

/* High word of a * b + high * 2^32 + low, where low is a multiple of 2^16: one SMLAL on Armv7-M. */
TF_INLINE int32_t tf_high_sum(int32_t a, int32_t b, int32_t high, uint32_t low)
{
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
    return tf_add32(high, tf_high_word(a, b, low));
#else
    return (int32_t)(((int64_t)a * b + (int64_t)((uint64_t)(uint32_t)high << 32 | low)) >> 32);
#endif
}

/* acc + a * b / 2^32, rounded down; the sum wraps. */
TF_INLINE int32_t tf_smmla(int32_t a, int32_t b, int32_t acc)
{
#if TF_DSP_NATIVE
    int32_t result;
    __asm__("smmla %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(acc));
    return result;
#else
    return tf_add32(acc, tf_high_word(a, b, 0u));
#endif
}

/* acc + (a * b + 2^31) / 2^32, rounded down; the sum wraps. */
TF_INLINE int32_t tf_smmlar(int32_t a, int32_t b, int32_t acc)
{
#if TF_DSP_NATIVE
    int32_t result;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(acc));
    return result;
#else
    return tf_add32(acc, tf_high_word(a, b, 0x80000000u));
#endif
}

#endif
