/* tf_place_row for a constant operand: table holds in_h rows of in_w pixels, its row 0 is output row at_y. */
#ifndef TF_PLACE_CONST_ROW_H
#define TF_PLACE_CONST_ROW_H

#include "tf_place_row.h"

TF_INLINE void tf_place_const_row(int8_t *out, int32_t x0, int32_t x1, int32_t y, const int8_t *table, int32_t in_h,
                                  int32_t at_y, int32_t in_w, int32_t at_x, int32_t in_pixel, int32_t out_pixel,
                                  int32_t at_c)
{
    const int inside = y >= at_y && y < at_y + in_h;
    const int8_t *const row = inside ? table + (y - at_y) * in_w * in_pixel : NULL;
    tf_place_row(&row, 0, out, x0, x1, in_w, at_x, in_pixel, out_pixel, at_c);
}

#endif
