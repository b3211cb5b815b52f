/* Largest value under each window of one output row segment, int8. Padding never counts.
 *
 * rows: kh pointers to pixel column in_x0 of the input rows, NULL for padding rows; out: pixel x0 of the output row.
 * At least one valid position under every window. [lo, hi]: clamp of the activation. */
#ifndef TF_MAX_POOL_S8_H
#define TF_MAX_POOL_S8_H

#include "tf_fixed_point.h"
#include "tf_runtime.h"

TF_INLINE void tf_max_pool_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1, int32_t kh,
                              int32_t kw, int32_t in_w, int32_t channels, int32_t stride_w, int32_t pad_left,
                              int32_t lo, int32_t hi)
{
    for (int32_t x = x0; x < x1; ++x) {
        const int32_t from = tf_max(x * stride_w - pad_left, 0);
        const int32_t to = tf_min(x * stride_w - pad_left + kw, in_w);
        for (int32_t c = 0; c < channels; ++c) {
            int32_t best = lo;
            for (int32_t k = 0; k < kh; ++k) {
                if (rows[k] == NULL) {
                    continue;
                }
                const int8_t *p = rows[k] + (from - in_x0) * channels + c;
                for (int32_t ix = from; ix < to; ++ix, p += channels) {
                    best = tf_max(best, *p);
                }
            }
            *out++ = (int8_t)tf_min(best, hi);
        }
    }
}

#endif
