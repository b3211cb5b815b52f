/* Part of an input row, bytes of any type (split, slice, strided slice on W and C).
 *
 * rows[0]: pixel column in_x0 of the input row; out: pixel x0 of the output row. Output column x is input column
 * x * stride + begin; its bytes are `runs` runs of `run` bytes from byte at_c of the pixel, `step` apart. */
#ifndef TF_TAKE_ROW_H
#define TF_TAKE_ROW_H

#include "tf_bytes.h"

TF_INLINE void tf_take_row(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                           int32_t stride, int32_t begin, int32_t in_pixel, int32_t at_c, int32_t runs, int32_t run,
                           int32_t step)
{
    const int8_t *from = rows[0] + (x0 * stride + begin - in_x0) * in_pixel + at_c;
    if (runs == 1 && run == in_pixel && stride == 1) {
        tf_copy_bytes(out, from, (x1 - x0) * run);
        return;
    }
    for (int32_t x = x0; x < x1; ++x) {
        for (int32_t k = 0; k < runs; ++k) {
            tf_copy_bytes(out, from + k * step, run);
            out += run;
        }
        from += stride * in_pixel;
    }
}

#endif
