/* tf_resize_nearest where no rational map of rows equals the reference's rounding: rows[picks[y]] is the source row. */
#ifndef TF_RESIZE_NEAREST_PICK_H
#define TF_RESIZE_NEAREST_PICK_H

#include "tf_resize_nearest.h"

TF_INLINE void tf_resize_nearest_pick(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                      int32_t y, const uint16_t *columns, const uint8_t *picks, int32_t pixel)
{
    tf_resize_nearest(rows + picks[y], in_x0, out, x0, x1, columns, pixel);
}

#endif
