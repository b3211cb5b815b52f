/* One input's share of an output row, bytes of any type (concatenation on H, W or C).
 *
 * rows[0]: pixel column in_x0 of the input row, NULL where this input has no such row; out: pixel x0 of the output row.
 * Input column x becomes output column x + at_x; its in_pixel bytes go to byte at_c of the output pixel. */
#ifndef TF_PLACE_ROW_H
#define TF_PLACE_ROW_H

#include "tf_bytes.h"

TF_INLINE void tf_place_row(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1, int32_t in_w,
                            int32_t at_x, int32_t in_pixel, int32_t out_pixel, int32_t at_c)
{
    const int32_t lo = tf_max(x0, at_x);
    const int32_t hi = tf_min(x1, at_x + in_w);
    if (rows[0] == NULL || hi <= lo) {
        return;
    }
    const int8_t *from = rows[0] + (lo - at_x - in_x0) * in_pixel;
    int8_t *to = out + (lo - x0) * out_pixel + at_c;
    if (in_pixel == out_pixel) {
        tf_copy_bytes(to, from, (hi - lo) * in_pixel);
        return;
    }
    for (int32_t x = lo; x < hi; ++x) {
        tf_copy_bytes(to, from, in_pixel);
        to += out_pixel;
        from += in_pixel;
    }
}

#endif
