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
        for (int32_t c = 0; c < channels; ++c) {
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
