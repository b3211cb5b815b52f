/* Sums of each channel over pixels: the heart of pooling and of MEAN and SUM.
 *
 * acc: one int32 a channel. rows: one pointer, to pixel column in_x0 of the row. Sums of up to 2^23 pixels fit. */
#ifndef TF_CHANNEL_SUMS_S8_H
#define TF_CHANNEL_SUMS_S8_H

#include "tf_dsp.h"
#include "tf_runtime.h"

#if TF_DSP
/* Two channels a lane pair; at most 255 pixels, so that the 16-bit lanes cannot overflow. */
TF_INLINE void tf_sum_lanes(const int8_t *x, int32_t n, int32_t step, int32_t *acc)
{
    uint32_t even = 0;
    uint32_t odd = 0;
    for (; n >= 4; n -= 4) {
        const uint32_t w0 = tf_load32(x);
        const uint32_t w1 = tf_load32(x + step);
        const uint32_t w2 = tf_load32(x + 2 * step);
        const uint32_t w3 = tf_load32(x + 3 * step);
        even = tf_sxtab16(tf_sxtab16(tf_sxtab16(tf_sxtab16(even, w0), w1), w2), w3);
        odd = tf_sxtab16(tf_sxtab16(odd, tf_ror(w0, 8u)), tf_ror(w1, 8u));
        odd = tf_sxtab16(tf_sxtab16(odd, tf_ror(w2, 8u)), tf_ror(w3, 8u));
        x += 4 * step;
    }
    for (; n > 0; --n) {
        const uint32_t word = tf_load32(x);
        even = tf_sxtab16(even, word);
        odd = tf_sxtab16(odd, tf_ror(word, 8u));
        x += step;
    }
    acc[0] += tf_lane0(even);
    acc[1] += tf_lane0(odd);
    acc[2] += tf_lane1(even);
    acc[3] += tf_lane1(odd);
}
#endif

/* Adds n pixels of four channels, `step` bytes apart, to acc[0..3]. */
TF_INLINE void tf_sum_four(const int8_t *x, int32_t n, int32_t step, int32_t *acc)
{
#if TF_DSP
    for (int32_t i = 0; i < n; i += 255) {
        tf_sum_lanes(x + i * step, tf_min(n - i, 255), step, acc);
    }
#else
    int32_t s0 = acc[0], s1 = acc[1], s2 = acc[2], s3 = acc[3];
    for (int32_t i = 0; i < n; ++i) {
        s0 += x[0];
        s1 += x[1];
        s2 += x[2];
        s3 += x[3];
        x += step;
    }
    acc[0] = s0;
    acc[1] = s1;
    acc[2] = s2;
    acc[3] = s3;
#endif
}

/* The same for one channel. */
TF_INLINE void tf_sum_one(const int8_t *x, int32_t n, int32_t step, int32_t *acc)
{
    int32_t sum = *acc;
    for (int32_t i = 0; i < n; ++i) {
        sum += *x;
        x += step;
    }
    *acc = sum;
}

TF_INLINE void tf_channel_sums_s8_begin(int32_t *acc, int32_t channels)
{
    for (int32_t c = 0; c < channels; ++c) {
        acc[c] = 0;
    }
}

TF_INLINE void tf_channel_sums_s8_rows(const int8_t *const *rows, int32_t in_x0, int32_t *acc, int32_t x0, int32_t x1,
                                       int32_t channels)
{
    const int8_t *const first = rows[0] + (x0 - in_x0) * channels;
    int32_t c = 0;
    for (; c + 4 <= channels; c += 4) {
        tf_sum_four(first + c, x1 - x0, channels, acc + c);
    }
    for (; c < channels; ++c) {
        tf_sum_one(first + c, x1 - x0, channels, acc + c);
    }
}

#endif
