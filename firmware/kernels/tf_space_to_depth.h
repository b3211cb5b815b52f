/* One output row segment of SPACE_TO_DEPTH, bytes of any type.
 *
 * rows: block pointers to pixel column in_x0 of input rows y * block, y * block + 1, ...; out: pixel x0 of output row
 * y; in_pixel: bytes of an input pixel. */
#ifndef TF_SPACE_TO_DEPTH_H
#define TF_SPACE_TO_DEPTH_H

#include "tf_bytes.h"

TF_INLINE void tf_space_to_depth(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                 int32_t block, int32_t in_pixel)
{
    for (int32_t x = x0; x < x1; ++x) {
        for (int32_t k = 0; k < block; ++k) {
            tf_copy_bytes(out, rows[k] + (x * block - in_x0) * in_pixel, block * in_pixel);
            out += block * in_pixel;
        }
    }
}

#endif
