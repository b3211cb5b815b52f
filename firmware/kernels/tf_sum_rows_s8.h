/* Sum or mean over all rows and columns of a feature map, accumulated from row segments in any order.
 *
 * acc: one int32 a channel, starts at offset = -zero_point * elements. finish rescales as the reference does. */
#ifndef TF_SUM_ROWS_S8_H
#define TF_SUM_ROWS_S8_H

#include "tf_dsp.h"
#include "tf_fixed_point.h"
#include "tf_runtime.h"

TF_INLINE void tf_sum_rows_s8_begin(void *scratch, int32_t channels, int32_t offset, int32_t multiplier, int32_t shift,
                                    int32_t out_zero)
{
    int32_t *acc = scratch;
    (void)multiplier;
    (void)shift;
    (void)out_zero;
    for (int32_t c = 0; c < channels; ++c) {
        acc[c] = offset;
    }
}

/* n pixels of one channel, `channels` bytes apart. */
TF_INLINE int32_t tf_sum_column(const int8_t *x, int32_t channels, int32_t n)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < n; ++i) {
        sum += x[i * channels];
    }
    return sum;
}

#if TF_DSP
/* Four channels at once in 16-bit lanes; at most 255 pixels, so that the lanes cannot overflow. */
TF_INLINE void tf_sum_four(const int8_t *x, int32_t *acc, int32_t channels, int32_t n)
{
    uint32_t even = 0;
    uint32_t odd = 0;
    for (int32_t i = 0; i < n; ++i) {
        const uint32_t word = tf_load32(x);
        even = tf_sxtab16(even, word);
        odd = tf_sxtab16(odd, tf_ror(word, 8u));
        x += channels;
    }
    acc[0] += tf_lane0(even);
    acc[1] += tf_lane0(odd);
    acc[2] += tf_lane1(even);
    acc[3] += tf_lane1(odd);
}
#else
TF_INLINE void tf_sum_four(const int8_t *x, int32_t *acc, int32_t channels, int32_t n)
{
    int32_t s0 = acc[0], s1 = acc[1], s2 = acc[2], s3 = acc[3];
    for (int32_t i = 0; i < n; ++i) {
        s0 += x[0];
        s1 += x[1];
        s2 += x[2];
        s3 += x[3];
        x += channels;
    }
    acc[0] = s0;
    acc[1] = s1;
    acc[2] = s2;
    acc[3] = s3;
}
#endif

TF_INLINE void tf_sum_rows_s8_rows(const int8_t *const *rows, int32_t in_x0, void *scratch, int32_t x0, int32_t x1,
                                   int32_t channels, int32_t offset, int32_t multiplier, int32_t shift,
                                   int32_t out_zero)
{
    int32_t *acc = scratch;
    (void)offset;
    (void)multiplier;
    (void)shift;
    (void)out_zero;
    for (int32_t x = x0; x < x1; x += 255) {
        const int8_t *pixel = rows[0] + (x - in_x0) * channels;
        const int32_t n = tf_min(x1 - x, 255);
        int32_t c = 0;
        for (; c + 4 <= channels; c += 4) {
            tf_sum_four(pixel + c, acc + c, channels, n);
        }
        for (; c < channels; ++c) {
            acc[c] += tf_sum_column(pixel + c, channels, n);
        }
    }
}

TF_INLINE void tf_sum_rows_s8_finish(void *scratch, int8_t *out, int32_t channels, int32_t offset, int32_t multiplier,
                                     int32_t shift, int32_t out_zero)
{
    const int32_t *acc = scratch;
    (void)offset;
    for (int32_t c = 0; c < channels; ++c) {
        out[c] = (int8_t)tf_clamp(tf_requantize(acc[c], multiplier, shift) + out_zero, -128, 127);
    }
}

#endif
