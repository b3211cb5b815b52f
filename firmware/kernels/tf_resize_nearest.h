/* One output row segment of RESIZE_NEAREST_NEIGHBOR, bytes of any type.
 *
 * rows[0]: pixel column in_x0 of the source row; columns[x]: source column of output column x; out: pixel x0 of the
 * output row; pixel: bytes of a pixel. */
#ifndef TF_RESIZE_NEAREST_H
#define TF_RESIZE_NEAREST_H

#include "tf_bytes.h"

TF_INLINE void tf_resize_nearest(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                 const uint16_t *columns, int32_t pixel)
{
    for (int32_t x = x0; x < x1; ++x) {
        tf_copy_bytes(out, rows[0] + (columns[x] - in_x0) * pixel, pixel);
        out += pixel;
    }
}

#endif
