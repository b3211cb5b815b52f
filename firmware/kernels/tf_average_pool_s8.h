/* Mean under each window of one output row segment, int8, rounded to nearest with ties away from zero. Padding never
 * counts: the divisor is the number of valid positions.
 *
 * rows: kh pointers to pixel column in_x0 of the input rows, NULL for padding rows; out: pixel x0 of the output row.
 * reciprocal[n - least_count]: n * m >> shift == n / count for all sums that can occur, proven at compile time;
 * half_up: ties go up always, as in networks re-based from uint8; least_count, most_count: the valid positions that
 * occur under a window of this layer. [lo, hi]: clamp. */
#ifndef TF_AVERAGE_POOL_S8_H
#define TF_AVERAGE_POOL_S8_H

#include "tf_fixed_point.h"
#include "tf_lanes.h"
#include "tf_runtime.h"

/* Sum of `count` int8 values -> their mean. Shifted by 128 * count the sum is >= 0 and the division a floor:
 * ties go up, for negative sums down (unless half_up), which only an even count can tell apart. */
TF_INLINE int32_t tf_mean_s8(int32_t sum, int32_t count, uint32_t reciprocal, int32_t shift, int32_t half_up)
{
    const int32_t tie = half_up == 0 && (count & 1) == 0 && sum < 0 ? 1 : 0;
    const uint32_t n = (uint32_t)(sum + 128 * count + (count >> 1) - tie);
    const uint32_t quotient = shift < 32 ? (n * reciprocal) >> (uint32_t)(shift & 31)
                                         : (uint32_t)(((uint64_t)n * reciprocal) >> (uint32_t)shift);
    return (int32_t)quotient - 128;
}

/* Sums of four channels; lanes of int16 hold a row of at most 255 positions, and the whole window where that does. */
TF_INLINE void tf_average_pool_four(const int8_t *const *rows, int32_t p0, int32_t columns, int32_t kh,
                                    int32_t channels, int32_t most_count, int32_t sums[4])
{
    uint32_t even = 0, odd = 0;
    for (int32_t k = 0; k < kh; ++k) {
        if (rows[k] != NULL) {
            const int8_t *p = rows[k] + p0;
            for (int32_t n = columns; n > 0; --n, p += channels) {
                const uint32_t word = tf_load32(p);
                even = tf_sxtab16(even, word);
                odd = tf_sxtab16(odd, tf_ror(word, 8u));
            }
        }
        if (most_count > 255 || k == kh - 1) {
            sums[0] += tf_lane0(even);
            sums[1] += tf_lane0(odd);
            sums[2] += tf_lane1(even);
            sums[3] += tf_lane1(odd);
            even = odd = 0;
        }
    }
}

TF_INLINE void tf_average_pool_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                  const uint32_t *reciprocal, int32_t kh, int32_t kw, int32_t in_w, int32_t channels,
                                  int32_t stride_w, int32_t pad_left, int32_t lo, int32_t hi, int32_t least_count,
                                  int32_t most_count, int32_t shift, int32_t half_up)
{
    int32_t valid_rows = 0;
    for (int32_t k = 0; k < kh; ++k) {
        valid_rows += rows[k] != NULL ? 1 : 0;
    }
    for (int32_t x = x0; x < x1; ++x) {
        const int32_t from = tf_max(x * stride_w - pad_left, 0);
        const int32_t to = tf_min(x * stride_w - pad_left + kw, in_w);
        const int32_t count = least_count == most_count ? most_count : valid_rows * (to - from);
        int32_t c = 0;
#if TF_DSP
        for (; channels >= 4 && kw <= 255 && c < channels; c += 4) {
            const int32_t back = tf_max(c + 4 - channels, 0); /* the last four may overlap others */
            int32_t sums[4] = {0, 0, 0, 0};
            tf_average_pool_four(rows, (from - in_x0) * channels + c - back, to - from, kh, channels, most_count, sums);
            out -= back;
            for (int32_t i = 0; i < 4; ++i) {
                const int32_t mean = tf_mean_s8(sums[i], count, reciprocal[count - least_count], shift, half_up);
                *out++ = (int8_t)tf_clamp(mean, lo, hi);
            }
        }
#endif
        for (; c < channels; ++c) {
            int32_t sum = 0;
            for (int32_t k = 0; k < kh; ++k) {
                if (rows[k] == NULL) {
                    continue;
                }
                const int8_t *p = rows[k] + (from - in_x0) * channels + c;
                for (int32_t ix = from; ix < to; ++ix, p += channels) {
                    sum += *p;
                }
            }
            *out++ = (int8_t)tf_clamp(tf_mean_s8(sum, count, reciprocal[count - least_count], shift, half_up), lo, hi);
        }
    }
}

#endif
