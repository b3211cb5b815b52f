/* tf_place_row for an int8 operand of another scale: every value goes through a table of 256 (index q + 128). */
#ifndef TF_PLACE_MAPPED_ROW_H
#define TF_PLACE_MAPPED_ROW_H

#include "tf_runtime.h"

TF_INLINE void tf_place_mapped_row(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                   const int8_t *table, int32_t in_w, int32_t at_x, int32_t in_pixel, int32_t out_pixel,
                                   int32_t at_c)
{
    const int32_t lo = tf_max(x0, at_x);
    const int32_t hi = tf_min(x1, at_x + in_w);
    if (rows[0] == NULL || hi <= lo) {
        return;
    }
    const int8_t *from = rows[0] + (lo - at_x - in_x0) * in_pixel;
    int8_t *to = out + (lo - x0) * out_pixel + at_c;
    for (int32_t x = lo; x < hi; ++x) {
        for (int32_t c = 0; c < in_pixel; ++c) {
            to[c] = table[from[c] + 128];
        }
        to += out_pixel;
        from += in_pixel;
    }
}

#endif
