/* The inner product of all convolutions and fully-connected layers: a few pixels x all output channels.
 *
 * Widened input (tf_widen_s8), P pixels, K/4 steps (K = values a pixel, rounded up to 4): each step is P words o, then
 * P words e, from the four input values x0..x3 of each pixel:
 *     o = lanes (x0 + 128, x2 + 128)          e = lanes (256 * x1 + 127 - x0, 256 * x3 + 127 - x2)
 * Packed weights (tinyforge/ops/packing.py), int32 words, for a group of G = 2 or 4 channels:
 *     G biases;  K/4 steps of G words, lanes (256 * w0 + w1, 256 * w2 + w3);
 *     channel offset of the group; G times multiplier, add, shift of tf_requant_short
 * groups from the highest channels down to the one at offset 0, which is the last (the one before may overlap it).
 *
 * So a word of weights is used twice, as it is and after one SXTB16 (which leaves w1, w3), and gives four products:
 *     (256 w0 + w1) * (x0 + 128) + w1 * (256 x1 + 127 - x0) = 256 * (w0 x0 + w1 x1) + a constant of the weights,
 * which is in the bias. Sums are 256 times the accumulator, modulo 2^32; the packer proves that they fit. */
#ifndef TF_MATMUL_S8_H
#define TF_MATMUL_S8_H

#include "tf_requant.h"

#define TF_SHARED static __attribute__((noinline, unused))

TF_INLINE void tf_widen_s8(uint32_t *to, const int8_t *from, int32_t pixel_bytes, int32_t steps, int32_t pixels)
{
    for (int32_t s = 0; s < steps; ++s) {
        for (int32_t p = 0; p < pixels; ++p) {
            const uint32_t x = tf_load32(from + p * pixel_bytes);
            to[p] = tf_sxtab16(0x00800080u, x);
            to[pixels + p] = x ^ 0x007f007fu;
        }
        to += 2 * pixels;
        from += 4;
    }
}

TF_SHARED void tf_widen_s8_p1(uint32_t *to, const int8_t *from, int32_t pixel_bytes, int32_t steps)
{
    tf_widen_s8(to, from, pixel_bytes, steps, 1);
}

TF_SHARED void tf_widen_s8_p2(uint32_t *to, const int8_t *from, int32_t pixel_bytes, int32_t steps)
{
    tf_widen_s8(to, from, pixel_bytes, steps, 2);
}

TF_SHARED void tf_widen_s8_p3(uint32_t *to, const int8_t *from, int32_t pixel_bytes, int32_t steps)
{
    tf_widen_s8(to, from, pixel_bytes, steps, 3);
}

/* Plain C form of the cores below: `pixels` x `group` sums at a time. out: pixel p at out + p * out_stride. */
TF_INLINE void tf_matmul_c(const uint32_t *x, const int32_t *w, int8_t *out, int32_t out_stride, int32_t steps,
                           int32_t lo, int32_t hi, int32_t pixels, int32_t group, int32_t rounding)
{
    int32_t offset;
    do {
        int32_t acc[4][3] = {{0}};
        for (int32_t g = 0; g < group; ++g) {
            for (int32_t p = 0; p < pixels; ++p) {
                acc[g][p] = w[g];
            }
        }
        w += group;
        const uint32_t *from = x;
        for (int32_t s = 0; s < steps; ++s) {
            for (int32_t g = 0; g < group; ++g) {
                const uint32_t both = (uint32_t)w[g], odd = tf_sxtb16(both);
                for (int32_t p = 0; p < pixels; ++p) {
                    acc[g][p] = tf_smlad(both, from[p], acc[g][p]);
                    acc[g][p] = tf_smlad(odd, from[pixels + p], acc[g][p]);
                }
            }
            from += 2 * pixels;
            w += group;
        }
        offset = *w++;
        for (int32_t g = 0; g < group; ++g) {
            for (int32_t p = 0; p < pixels; ++p) {
                out[offset + g + p * out_stride] =
                    (int8_t)tf_requant_short(acc[g][p] >> 7, w[0], w[1], w[2], rounding, lo, hi);
            }
            w += 3;
        }
    } while (offset != 0);
}

#if TF_DSP_NATIVE && defined(__thumb2__)
#include "tf_matmul_s8_thumb2.h"
#else
#define TF_MATMUL_CORE(name, pixels, group, rounding)                                                                  \
    TF_SHARED void name(const uint32_t *x, const int32_t *w, int8_t *out, int32_t out_stride, int32_t steps,           \
                        int32_t lo, int32_t hi)                                                                        \
    {                                                                                                                  \
        tf_matmul_c(x, w, out, out_stride, steps, lo, hi, pixels, group, rounding);                                    \
    }
#define TF_MATMUL_CORES(name, pixels, group, rounding)                                                                 \
    TF_MATMUL_CORE(name, pixels, group, rounding)                                                                      \
    TF_MATMUL_CORE(name##_clamp, pixels, group, rounding)

TF_MATMUL_CORES(tf_matmul_2x3_q31, 3, 2, TF_ROUND_Q31)
TF_MATMUL_CORES(tf_matmul_2x3_q31s, 3, 2, TF_ROUND_Q31_SIGNED)
TF_MATMUL_CORES(tf_matmul_2x2_q31, 2, 2, TF_ROUND_Q31)
TF_MATMUL_CORES(tf_matmul_2x2_q31s, 2, 2, TF_ROUND_Q31_SIGNED)
TF_MATMUL_CORES(tf_matmul_2x1_q31, 1, 2, TF_ROUND_Q31)
TF_MATMUL_CORES(tf_matmul_2x1_q31s, 1, 2, TF_ROUND_Q31_SIGNED)
TF_MATMUL_CORES(tf_matmul_2x1_real, 1, 2, TF_ROUND_REAL)
TF_MATMUL_CORES(tf_matmul_4x1_real, 1, 4, TF_ROUND_REAL)
#endif

/* Picks the core; everything but the pointers is a literal. */
#define TF_MATMUL_PICK(core)                                                                                           \
    do {                                                                                                               \
        if (lo == -128 && hi == 127) {                                                                                 \
            core(x, w, out, out_stride, steps, lo, hi);                                                                \
        } else {                                                                                                       \
            core##_clamp(x, w, out, out_stride, steps, lo, hi);                                                        \
        }                                                                                                              \
        return;                                                                                                        \
    } while (0)

/* A convolution's outputs of `pixels` = 1..3 pixels. */
TF_INLINE void tf_matmul_conv(const uint32_t *x, const int32_t *w, int8_t *out, int32_t out_stride, int32_t steps,
                              int32_t pixels, int32_t rounding, int32_t lo, int32_t hi)
{
    if (rounding == TF_ROUND_Q31) {
        if (pixels == 3) {
            TF_MATMUL_PICK(tf_matmul_2x3_q31);
        }
        if (pixels == 2) {
            TF_MATMUL_PICK(tf_matmul_2x2_q31);
        }
        TF_MATMUL_PICK(tf_matmul_2x1_q31);
    }
    if (pixels == 3) {
        TF_MATMUL_PICK(tf_matmul_2x3_q31s);
    }
    if (pixels == 2) {
        TF_MATMUL_PICK(tf_matmul_2x2_q31s);
    }
    TF_MATMUL_PICK(tf_matmul_2x1_q31s);
}

/* The outputs of one row of a matrix-vector product, groups of 2 or 4. */
TF_INLINE void tf_matmul_row(const uint32_t *x, const int32_t *w, int8_t *out, int32_t steps, int32_t group, int32_t lo,
                             int32_t hi)
{
    const int32_t out_stride = 0;
    if (group == 4) {
        TF_MATMUL_PICK(tf_matmul_4x1_real);
    }
    TF_MATMUL_PICK(tf_matmul_2x1_real);
}

#endif
