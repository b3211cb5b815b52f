/* One output row segment of RESIZE_BILINEAR, int8, positions in 1/1024 pixels as the reference kernel has them.
 *
 * rows: input rows floor(p) and floor(p) + 1 for p = (y * h_scale + h_offset) / 1024, NULL outside the tensor, from
 * pixel column in_x0; out: pixel x0 of output row y. half_up: round half up (uint8 models), else half away from zero.
 */
#ifndef TF_RESIZE_BILINEAR_S8_H
#define TF_RESIZE_BILINEAR_S8_H

#include "tf_runtime.h"

/* 2^20 * value -> value; |sum| <= 2^27 */
TF_INLINE int8_t tf_resize_bilinear_round(int32_t sum, int32_t half_up)
{
    const int32_t half = 1 << 19;
    if (half_up != 0) {
        return (int8_t)((sum + half) >> 20);
    }
    return (int8_t)(sum >= 0 ? (sum + half) >> 20 : -((half - sum) >> 20));
}

TF_INLINE void tf_resize_bilinear_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                     int32_t y, int32_t in_w, int32_t channels, int32_t h_scale, int32_t h_offset,
                                     int32_t w_scale, int32_t w_offset, int32_t half_up)
{
    const int32_t fy = (y * h_scale + h_offset) & 1023;
    const int8_t *const top = rows[0] != NULL ? rows[0] : rows[1];
    const int8_t *const bottom = (rows[0] != NULL && rows[1] != NULL && fy != 0) ? rows[1] : top;
    for (int32_t x = x0; x < x1; ++x) {
        const int32_t at = tf_max(x * w_scale + w_offset, 0);
        const int32_t fx = at & 1023;
        const int32_t left = ((at >> 10) - in_x0) * channels;
        const int32_t right = (fx != 0 && (at >> 10) + 1 < in_w) ? left + channels : left;
        for (int32_t c = 0; c < channels; ++c) {
            const int32_t a = top[left + c] * 1024 + (top[right + c] - top[left + c]) * fx;
            const int32_t b = bottom[left + c] * 1024 + (bottom[right + c] - bottom[left + c]) * fx;
            *out++ = tf_resize_bilinear_round(a * 1024 + (b - a) * fy, half_up);
        }
    }
}

#endif
