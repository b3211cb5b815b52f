/* Average pooling over a whole map, int8, as a running sum: begin, any number of row segments, finish.
 *
 * reciprocal[0], shift, half_up, [lo, hi]: as in tf_average_pool_s8.h, for the one count that occurs. */
#ifndef TF_GLOBAL_AVERAGE_S8_H
#define TF_GLOBAL_AVERAGE_S8_H

#include "tf_average_pool_s8.h"
#include "tf_channel_sums_s8.h"

TF_INLINE void tf_global_average_s8_begin(void *acc, const uint32_t *reciprocal, int32_t channels, int32_t count,
                                          int32_t shift, int32_t half_up, int32_t lo, int32_t hi)
{
    (void)reciprocal, (void)count, (void)shift, (void)half_up, (void)lo, (void)hi;
    tf_channel_sums_s8_begin((int32_t *)acc, channels);
}

TF_INLINE void tf_global_average_s8_rows(const int8_t *const *rows, int32_t in_x0, void *acc, int32_t x0, int32_t x1,
                                         const uint32_t *reciprocal, int32_t channels, int32_t count, int32_t shift,
                                         int32_t half_up, int32_t lo, int32_t hi)
{
    (void)reciprocal, (void)count, (void)shift, (void)half_up, (void)lo, (void)hi;
    tf_channel_sums_s8_rows(rows, in_x0, (int32_t *)acc, x0, x1, channels);
}

TF_INLINE void tf_global_average_s8_finish(const void *acc, int8_t *out, const uint32_t *reciprocal, int32_t channels,
                                           int32_t count, int32_t shift, int32_t half_up, int32_t lo, int32_t hi)
{
    const int32_t *const sums = (const int32_t *)acc;
    for (int32_t c = 0; c < channels; ++c) {
        out[c] = (int8_t)tf_clamp(tf_mean_s8(sums[c], count, reciprocal[0], shift, half_up), lo, hi);
    }
}

#endif
