/* One output row segment of DEPTH_TO_SPACE, bytes of any type.
 *
 * rows[0]: pixel column in_x0 of input row y / block; out: pixel x0 of output row y; out_pixel: bytes of an output
 * pixel. Neighbouring output pixels that come from one input pixel lie side by side in it. */
#ifndef TF_DEPTH_TO_SPACE_H
#define TF_DEPTH_TO_SPACE_H

#include "tf_bytes.h"

TF_INLINE void tf_depth_to_space(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                 int32_t y, int32_t block, int32_t out_pixel)
{
    const int32_t in_pixel = block * block * out_pixel;
    const int8_t *const row = rows[0] + (y % block) * block * out_pixel;
    int32_t x = x0;
    int32_t ix = x0 / block;
    while (x < x1) {
        const int32_t next = tf_min((ix + 1) * block, x1);
        tf_copy_bytes(out, row + (ix - in_x0) * in_pixel + (x - ix * block) * out_pixel, (next - x) * out_pixel);
        out += (next - x) * out_pixel;
        x = next;
        ++ix;
    }
}

#endif
