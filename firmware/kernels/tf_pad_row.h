/* One output row segment of a padding on H, W and C, elements of any type.
 *
 * rows[0]: pixel column in_x0 of the input row, NULL where the output row is padding; out: pixel x0 of the output row.
 * Input column x becomes output column x + left, its bytes start at byte `before` of the output pixel. Padding is
 * elements of `element` bytes that hold `value`. */
#ifndef TF_PAD_ROW_H
#define TF_PAD_ROW_H

#include "tf_bytes.h"

TF_INLINE void tf_pad_row(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1, int32_t in_w,
                          int32_t left, int32_t in_pixel, int32_t before, int32_t out_pixel, int32_t element,
                          int32_t value)
{
    const int32_t lo = rows[0] == NULL ? x1 : tf_max(x0, tf_min(left, x1));
    const int32_t hi = tf_max(lo, tf_min(left + in_w, x1));
    const int32_t after = out_pixel - before - in_pixel;
    tf_fill_bytes(out, (lo - x0) * out_pixel, element, value);
    tf_fill_bytes(out + (hi - x0) * out_pixel, (x1 - hi) * out_pixel, element, value);
    if (hi == lo) {
        return;
    }
    const int8_t *from = rows[0] + (lo - left - in_x0) * in_pixel;
    int8_t *to = out + (lo - x0) * out_pixel;
    if (in_pixel == out_pixel) {
        tf_copy_bytes(to, from, (hi - lo) * in_pixel);
        return;
    }
    for (int32_t x = lo; x < hi; ++x) {
        tf_fill_bytes(to, before, element, value);
        tf_copy_bytes(to + before, from, in_pixel);
        tf_fill_bytes(to + before + in_pixel, after, element, value);
        to += out_pixel;
        from += in_pixel;
    }
}

#endif
