/* The inner product of all convolutions and fully-connected layers: a few pixels x all output channels.
 *
 * Widened input (tf_widen_s8), P pixels, K/4 steps (K = values a pixel, rounded up to 4): each step is P words o, then
 * P words e, from the four input values x0..x3 of each pixel:
 *     o = lanes (x0 + 128, x2 + 128)          e = lanes (256 * x1 + 127 - x0, 256 * x3 + 127 - x2)
 * Packed weights (tinyforge/ops/packing.py), int32 words, for a group of G = 2 or 4 channels:
 *     G biases;  K/4 steps of G words, lanes (256 * w0 + w1, 256 * w2 + w3);
 *     channel offset of the group; G times multiplier, add (line) or multiplier, add, shift (tf_requant_short)
 * groups from the highest channels down to the one at offset 0, which is the last (the one before may overlap it).
 *
 * So a word of weights is used twice, as it is and after one SXTB16 (which leaves w1, w3), and gives four products:
 *     (256 w0 + w1) * (x0 + 128) + w1 * (256 x1 + 127 - x0) = 256 * (w0 x0 + w1 x1) + a constant of the weights,
 * which is in the bias. Outputs: line > 0: clamp8((add + high word of (sum * multiplier + 2^31)) >> line), proven by
 * tinyforge/ops/line_requant.py; line 0: tf_requant_short, ties away from zero. Sums are 256 times the accumulator,
 * modulo 2^32; the packer proves that they fit. */
#ifndef TF_MATMUL_S8_H
#define TF_MATMUL_S8_H

#include "tf_requant.h"

#define TF_SHARED static __attribute__((noinline, unused))

TF_INLINE void tf_widen_word(uint32_t *to, uint32_t x, int32_t pixels, int32_t bits)
{
    if (bits == 16) {
        to[0] = tf_sxtb16(x);
        to[pixels] = tf_sxtb16(x >> 8);
        return;
    }
#if TF_DSP
    to[0] = tf_sxtab16(0x00800080u, x);
#else
    to[0] = (x ^ 0x00800080u) & 0x00ff00ffu;
#endif
    to[pixels] = x ^ 0x007f007fu;
}

/* `bytes` values of `pixels` pixels that lie pixel_bytes apart; a last step of fewer than four values is filled with
 * zeros and read from behind, so that nothing outside the pixel is touched (bytes >= 4 there). */
TF_INLINE void tf_widen_s8(uint32_t *to, const int8_t *from, int32_t pixel_bytes, int32_t bytes, int32_t pixels,
                           int32_t bits)
{
    for (int32_t left = bytes; left >= 4; left -= 4) {
        for (int32_t p = 0; p < pixels; ++p) {
            tf_widen_word(to + p, tf_load32(from + p * pixel_bytes), pixels, bits);
        }
        to += 2 * pixels;
        from += 4;
    }
    const int32_t missing = 4 - (bytes & 3);
    if (missing != 4) {
        for (int32_t p = 0; p < pixels; ++p) {
            tf_widen_word(to + p, tf_load32(from + p * pixel_bytes - missing) >> (8 * missing), pixels, bits);
        }
    }
}

TF_INLINE int32_t tf_matmul_out(int32_t sum, const int32_t *tables, int32_t line, int32_t lo, int32_t hi)
{
    if (line > 0) {
        return tf_clamp8(tf_smmlar(sum, tables[0], tables[1]) >> line, lo, hi);
    }
    return tf_requant_short(sum >> 7, tables[0], tables[1], tables[2], TF_ROUND_Q31_SIGNED, lo, hi);
}

/* Plain C form of the cores below: `pixels` x `group` sums at a time. out: pixel p at out + p * out_stride. */
TF_INLINE void tf_matmul_c(const uint32_t *x, const int32_t *w, int8_t *out, int32_t out_stride, int32_t steps,
                           int32_t lo, int32_t hi, int32_t pixels, int32_t group, int32_t line)
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
                out[offset + g + p * out_stride] = (int8_t)tf_matmul_out(acc[g][p], w, line, lo, hi);
            }
            w += line > 0 ? 2 : 3;
        }
    } while (offset != 0);
}

#if TF_DSP_NATIVE && defined(__thumb2__)
#include "tf_matmul_s8_thumb2.h"
#else
TF_SHARED void tf_widen_s8_p1(uint32_t *to, const int8_t *from, int32_t pixel_bytes, int32_t bytes)
{
    tf_widen_s8(to, from, pixel_bytes, bytes, 1, 8);
}

TF_SHARED void tf_widen_s8_p2(uint32_t *to, const int8_t *from, int32_t pixel_bytes, int32_t bytes)
{
    tf_widen_s8(to, from, pixel_bytes, bytes, 2, 8);
}

TF_SHARED void tf_widen_s8_p3(uint32_t *to, const int8_t *from, int32_t pixel_bytes, int32_t bytes)
{
    tf_widen_s8(to, from, pixel_bytes, bytes, 3, 8);
}

#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#include "tf_matmul_s8_thumb1.h"
#define TF_MATMUL_MOST 1
#define TF_MATMUL_WORDS 4
#define TF_MATMUL_BODY(pixels, group, line) tf_matmul_thumb1(x, w, out, steps, lo, hi, group, line)
#else
#define TF_MATMUL_BODY(pixels, group, line) tf_matmul_c(x, w, out, out_stride, steps, lo, hi, pixels, group, line)
#endif
#define TF_MATMUL_CORE(name, pixels, group, line)                                                                      \
    TF_SHARED void name(const uint32_t *x, const int32_t *w, int8_t *out, int32_t out_stride, int32_t steps,           \
                        int32_t lo, int32_t hi)                                                                        \
    {                                                                                                                  \
        (void)out_stride;                                                                                              \
        TF_MATMUL_BODY(pixels, group, line);                                                                           \
    }
#define TF_MATMUL_CORES(name, pixels, group)                                                                           \
    TF_MATMUL_CORE(name##_line12, pixels, group, 12)                                                                   \
    TF_MATMUL_CORE(name##_line12_clamp, pixels, group, 12)                                                             \
    TF_MATMUL_CORE(name##_line14, pixels, group, 14)                                                                   \
    TF_MATMUL_CORE(name##_line14_clamp, pixels, group, 14)                                                             \
    TF_MATMUL_CORE(name##_line10, pixels, group, 10)                                                                   \
    TF_MATMUL_CORE(name##_line10_clamp, pixels, group, 10)                                                             \
    TF_MATMUL_CORE(name##_line8, pixels, group, 8)                                                                     \
    TF_MATMUL_CORE(name##_line8_clamp, pixels, group, 8)                                                               \
    TF_MATMUL_CORE(name##_short, pixels, group, 0)                                                                     \
    TF_MATMUL_CORE(name##_short_clamp, pixels, group, 0)

TF_MATMUL_CORES(tf_matmul_2x3, 3, 2)
TF_MATMUL_CORES(tf_matmul_2x2, 2, 2)
TF_MATMUL_CORES(tf_matmul_2x1, 1, 2)
TF_MATMUL_CORES(tf_matmul_4x1, 1, 4)
#endif

#include "tf_matmul_wide_s8.h"

#ifndef TF_MATMUL_MOST
#define TF_MATMUL_MOST 3  /* pixels a core takes at once */
#define TF_MATMUL_WORDS 2 /* words of widened input a pixel and step, groups of 2 channels */
#endif

/* Picks the core; everything but the pointers is a literal. */
#define TF_MATMUL_CLAMP(core)                                                                                          \
    do {                                                                                                               \
        if (lo == -128 && hi == 127) {                                                                                 \
            core(x, w, out, out_stride, steps, lo, hi);                                                                \
        } else {                                                                                                       \
            core##_clamp(x, w, out, out_stride, steps, lo, hi);                                                        \
        }                                                                                                              \
    } while (0)
#define TF_MATMUL_PICK(core)                                                                                           \
    do {                                                                                                               \
        if (line == 12) {                                                                                              \
            TF_MATMUL_CLAMP(core##_line12);                                                                            \
        } else if (line == 14) {                                                                                       \
            TF_MATMUL_CLAMP(core##_line14);                                                                            \
        } else if (line == 10) {                                                                                       \
            TF_MATMUL_CLAMP(core##_line10);                                                                            \
        } else if (line == 8) {                                                                                        \
            TF_MATMUL_CLAMP(core##_line8);                                                                             \
        } else {                                                                                                       \
            TF_MATMUL_CLAMP(core##_short);                                                                             \
        }                                                                                                              \
    } while (0)

/* All outputs of `pixels` = 1..3 pixels, channels two at a time; or of one pixel, four at a time. bits: of the weights,
 * 8 in pairs or 16. */
TF_INLINE void tf_matmul_pick(const uint32_t *x, const int32_t *w, int8_t *out, int32_t out_stride, int32_t steps,
                              int32_t pixels, int32_t group, int32_t bits, int32_t line, int32_t lo, int32_t hi)
{
    if (bits == 16) {
        if (group == 4) {
            TF_MATMUL_PICK(tf_matmul_wide_4x1);
        } else if (pixels == 3) {
            TF_MATMUL_PICK(tf_matmul_wide_2x3);
        } else if (pixels == 2) {
            TF_MATMUL_PICK(tf_matmul_wide_2x2);
        } else {
            TF_MATMUL_PICK(tf_matmul_wide_2x1);
        }
    } else if (group == 4) {
        TF_MATMUL_PICK(tf_matmul_4x1);
    } else if (pixels == 3) {
        TF_MATMUL_PICK(tf_matmul_2x3);
    } else if (pixels == 2) {
        TF_MATMUL_PICK(tf_matmul_2x2);
    } else {
        TF_MATMUL_PICK(tf_matmul_2x1);
    }
}

#endif
