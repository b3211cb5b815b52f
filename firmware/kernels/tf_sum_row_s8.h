/* Sum or mean of each channel over the columns of a row: one output pixel a row, whole rows of `width` pixels.
 *
 * offset = -zero_point * width; the sum is rescaled as the reference does. */
#ifndef TF_SUM_ROW_S8_H
#define TF_SUM_ROW_S8_H

#include "tf_sum_s8.h"

TF_INLINE void tf_sum_row_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                             int32_t channels, int32_t width, int32_t offset, int32_t multiplier, int32_t shift,
                             int32_t add, int32_t rounding)
{
    (void)x0; /* the one output pixel */
    (void)x1;
    tf_sum_channels(rows[0] - in_x0 * channels, out, 1, 0, width, channels, offset, multiplier, shift, add, rounding);
}

#endif
