/* The inner product of convolutions and fully-connected layers for cores that multiply one pair of values at a time
 * (Armv7-M and Armv8-M without DSP, RISC-V): one or two pixels x four output channels, inputs read where they lie.
 *
 * Packed constants (tinyforge/ops/packing_scalar.py), int32 words, for a group of four channels:
 *     four biases;  for each value of a pixel a word of four weights, one a channel;  four times multiplier, add, shift
 * Groups are ascending; where the channels are no multiple of four the last one overlaps the one before.
 *
 * Outputs: clamp8(high word of (acc * multiplier + add * 2^32 + a half) >> shift). The half is 2^30, 0 where the
 * reference rounds once (TF_ROUND_REAL), and 2^30 - 2^31 for negative accumulators whose ties round away from zero: the
 * short form of tf_requant.h, halved, in one SMLAL. */
#ifndef TF_MATMUL_SCALAR_S8_H
#define TF_MATMUL_SCALAR_S8_H

#include "tf_requant.h"

#ifndef TF_SHARED
#define TF_SHARED static __attribute__((noinline, unused))
#endif

enum { TF_SCALAR_GROUP = 4 };

/* One call: pixels x and x + apart, outputs from out[0] (and out[1]) on, groups of constants up to `end`. The assembly
 * knows the order. */
typedef struct {
    const int8_t *x;
    int32_t apart;
    int8_t *out[2];
    const int32_t *packed;
    const int32_t *end;
    int32_t values; /* of a pixel */
    int32_t lo;
    int32_t hi;
} tf_scalar_job;

TF_INLINE int32_t tf_scalar_out(int32_t acc, const int32_t *tables, int32_t rounding, int32_t lo, int32_t hi)
{
    const uint32_t half = rounding == TF_ROUND_REAL ? 0u : 1u << 30;
    const uint32_t sign = rounding == TF_ROUND_Q31_SIGNED ? (uint32_t)acc >> 31 : 0u;
    const int32_t high = tf_high_sum(acc, tables[0], tables[1], half | sign << 31);
    return tf_clamp8((high - (int32_t)sign) >> tables[2], lo, hi);
}

/* The products of one value of each pixel. */
TF_INLINE void tf_scalar_value(uint32_t acc[TF_SCALAR_GROUP][2], const int8_t *x0, const int8_t *x1, const int8_t *w,
                               int32_t pixels)
{
    for (int32_t g = 0; g < TF_SCALAR_GROUP; ++g) {
        acc[g][0] += (uint32_t)(w[g] * *x0);
        if (pixels == 2) {
            acc[g][1] += (uint32_t)(w[g] * *x1);
        }
    }
}

/* Plain C form of the cores below. */
TF_INLINE void tf_matmul_scalar_c(const tf_scalar_job *job, int32_t pixels, int32_t rounding)
{
    int32_t c = 0;
    for (const int32_t *at = job->packed; at != job->end; c += TF_SCALAR_GROUP) {
        uint32_t acc[TF_SCALAR_GROUP][2];
        for (int32_t g = 0; g < TF_SCALAR_GROUP; ++g) {
            acc[g][0] = acc[g][1] = (uint32_t)at[g];
        }
        const int8_t *w = (const int8_t *)(at + TF_SCALAR_GROUP);
        const int8_t *x0 = job->x, *x1 = job->x + job->apart;
        int32_t left = job->values;
        for (; left >= 4; left -= 4) {
            tf_scalar_value(acc, x0, x1, w, pixels);
            tf_scalar_value(acc, x0 + 1, x1 + 1, w + TF_SCALAR_GROUP, pixels);
            tf_scalar_value(acc, x0 + 2, x1 + 2, w + 2 * TF_SCALAR_GROUP, pixels);
            tf_scalar_value(acc, x0 + 3, x1 + 3, w + 3 * TF_SCALAR_GROUP, pixels);
            x0 += 4;
            x1 += 4;
            w += 4 * TF_SCALAR_GROUP;
        }
        for (; left > 0; --left) {
            tf_scalar_value(acc, x0++, x1++, w, pixels);
            w += TF_SCALAR_GROUP;
        }
        at += TF_SCALAR_GROUP + job->values;
        for (int32_t g = 0; g < TF_SCALAR_GROUP; ++g) {
            for (int32_t p = 0; p < pixels; ++p) {
                job->out[p][c + g] = (int8_t)tf_scalar_out((int32_t)acc[g][p], at, rounding, job->lo, job->hi);
            }
            at += 3;
        }
    }
}

#if defined(__thumb2__)
#include "tf_matmul_scalar_s8_thumb2.h"
#elif defined(__riscv_mul) && __riscv_xlen == 32 && !defined(__riscv_32e)
#include "tf_matmul_scalar_s8_rv32.h"
#else
#define TF_SCALAR_CORE(name, pixels, round, rounding, limit)                                                           \
    TF_SHARED void name(const tf_scalar_job *job)                                                                      \
    {                                                                                                                  \
        tf_matmul_scalar_c(job, pixels, rounding);                                                                     \
    }
#endif

#define TF_SCALAR_CORES(name, round, rounding)                                                                         \
    TF_SCALAR_CORE(name##_1, 1, TF_SCALAR_HALF_##round, rounding, TF_SCALAR_FULL)                                      \
    TF_SCALAR_CORE(name##_2, 2, TF_SCALAR_HALF_##round, rounding, TF_SCALAR_FULL)                                      \
    TF_SCALAR_CORE(name##_1_clamp, 1, TF_SCALAR_HALF_##round, rounding, TF_SCALAR_CLAMP)                               \
    TF_SCALAR_CORE(name##_2_clamp, 2, TF_SCALAR_HALF_##round, rounding, TF_SCALAR_CLAMP)

TF_SCALAR_CORES(tf_matmul_scalar_q31, q31, TF_ROUND_Q31)
TF_SCALAR_CORES(tf_matmul_scalar_signed, signed, TF_ROUND_Q31_SIGNED)
TF_SCALAR_CORES(tf_matmul_scalar_real, real, TF_ROUND_REAL)

/* No choice of a function's address: the stack bound follows direct calls. */
#define TF_SCALAR_PICK(core)                                                                                           \
    do {                                                                                                               \
        const int full = job->lo == -128 && job->hi == 127;                                                            \
        if (pixels == 2 && full) {                                                                                     \
            core##_2(job);                                                                                             \
        } else if (pixels == 2) {                                                                                      \
            core##_2_clamp(job);                                                                                       \
        } else if (full) {                                                                                             \
            core##_1(job);                                                                                             \
        } else {                                                                                                       \
            core##_1_clamp(job);                                                                                       \
        }                                                                                                              \
    } while (0)

TF_INLINE void tf_matmul_scalar_pick(const tf_scalar_job *job, int32_t pixels, int32_t rounding)
{
    if (rounding == TF_ROUND_Q31) {
        TF_SCALAR_PICK(tf_matmul_scalar_q31);
    } else if (rounding == TF_ROUND_Q31_SIGNED) {
        TF_SCALAR_PICK(tf_matmul_scalar_signed);
    } else {
        TF_SCALAR_PICK(tf_matmul_scalar_real);
    }
}

/* All `channels` >= 4 outputs of 1 or 2 pixels of `values` bytes; everything but the pointers and pixels is a literal.
 */
TF_INLINE void tf_matmul_scalar(const int8_t *x0, const int8_t *x1, int8_t *out, const int32_t *packed, int32_t pixels,
                                int32_t values, int32_t channels, int32_t rounding, int32_t lo, int32_t hi)
{
    const int32_t words = 4 * TF_SCALAR_GROUP + values;
    int8_t *const second = pixels == 2 ? out + channels : out;
    const int32_t *const tail = packed + channels / TF_SCALAR_GROUP * words;
    tf_scalar_job job = {x0, (int32_t)(x1 - x0), {out, second}, packed, tail, values, lo, hi};
    tf_matmul_scalar_pick(&job, pixels, rounding);
    if (channels % TF_SCALAR_GROUP != 0) {
        job.out[0] = out + channels - TF_SCALAR_GROUP;
        job.out[1] = second + channels - TF_SCALAR_GROUP;
        job.packed = tail;
        job.end = tail + words;
        tf_matmul_scalar_pick(&job, pixels, rounding);
    }
}

#endif
