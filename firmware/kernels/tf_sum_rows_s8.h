/* Sum or mean over all rows and columns of a feature map, accumulated from row segments in any order.
 *
 * acc: one int32 a channel, starts at offset = -zero_point * elements. finish rescales as the reference does. */
#ifndef TF_SUM_ROWS_S8_H
#define TF_SUM_ROWS_S8_H

#include "tf_channel_sums_s8.h"
#include "tf_runtime.h"
#include "tf_sum_scale.h"

TF_INLINE void tf_sum_rows_s8_begin(void *scratch, int32_t channels, int32_t offset, int32_t multiplier, int32_t shift,
                                    int32_t add, int32_t rounding)
{
    int32_t *acc = scratch;
    (void)multiplier;
    (void)shift;
    (void)add;
    (void)rounding;
    for (int32_t c = 0; c < channels; ++c) {
        acc[c] = offset;
    }
}

TF_INLINE void tf_sum_rows_s8_rows(const int8_t *const *rows, int32_t in_x0, void *scratch, int32_t x0, int32_t x1,
                                   int32_t channels, int32_t offset, int32_t multiplier, int32_t shift, int32_t add,
                                   int32_t rounding)
{
    (void)offset;
    (void)multiplier;
    (void)shift;
    (void)add;
    (void)rounding;
    tf_channel_sums_s8_rows(rows, in_x0, scratch, x0, x1, channels);
}

TF_INLINE void tf_sum_rows_s8_finish(void *scratch, int8_t *out, int32_t channels, int32_t offset, int32_t multiplier,
                                     int32_t shift, int32_t add, int32_t rounding)
{
    const int32_t *acc = scratch;
    (void)offset;
    for (int32_t c = 0; c < channels; ++c) {
        out[c] = tf_sum_scaled(acc[c], multiplier, shift, add, rounding);
    }
}

#endif
