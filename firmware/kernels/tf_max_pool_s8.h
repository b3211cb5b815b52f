/* Largest value under each window of one output row segment, int8. Padding never counts.
 *
 * rows: kh pointers to pixel column in_x0 of the input rows, NULL for padding rows; out: pixel x0 of the output row.
 * At least one valid position under every window. [lo, hi]: clamp of the activation. */
#ifndef TF_MAX_POOL_S8_H
#define TF_MAX_POOL_S8_H

#include "tf_fixed_point.h"
#include "tf_lanes.h"
#include "tf_runtime.h"

/* Four channels of one output: the valid columns [from, to) of the rows, p0 bytes into them. */
TF_INLINE uint32_t tf_max_pool_four(const int8_t *const *rows, int32_t p0, int32_t columns, int32_t kh,
                                    int32_t channels, uint32_t best)
{
    for (int32_t k = 0; k < kh; ++k) {
        if (rows[k] != NULL) {
            const int8_t *p = rows[k] + p0;
            for (int32_t n = columns; n > 0; --n, p += channels) {
                best = tf_max8x4(tf_load32(p), best);
            }
        }
    }
    return best;
}

TF_INLINE void tf_max_pool_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1, int32_t kh,
                              int32_t kw, int32_t in_w, int32_t channels, int32_t stride_w, int32_t pad_left,
                              int32_t lo, int32_t hi)
{
    for (int32_t x = x0; x < x1; ++x) {
        const int32_t from = tf_max(x * stride_w - pad_left, 0);
        const int32_t to = tf_min(x * stride_w - pad_left + kw, in_w);
        int32_t c = 0;
#if TF_DSP
        for (; channels >= 4 && c < channels; c += 4, out += 4) {
            const int32_t back = tf_max(c + 4 - channels, 0); /* the last four may overlap others */
            const int32_t p0 = (from - in_x0) * channels + c - back;
            const uint32_t best = tf_max_pool_four(rows, p0, to - from, kh, channels, tf_splat8(lo));
            tf_store32(out - back, hi < 127 ? tf_min8x4(best, tf_splat8(hi)) : best);
            out -= back;
        }
#endif
        for (; c < channels; ++c) {
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
