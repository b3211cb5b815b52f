/* Convolution of one output row segment, int8, any kernel, stride and dilation. Portable reference form.
 *
 * rows: kh pointers to pixel column in_x0 of the input rows, NULL for padding rows; out: pixel x0 of the output row.
 * weights OHWI; bias has -in_zero * sum(weights) folded in, so padding reads as in_zero. */
#ifndef TF_CONV2D_S8_H
#define TF_CONV2D_S8_H

#include "tf_dot.h"
#include "tf_fixed_point.h"

/* The same for a pixel outside the tensor, which reads as in_zero. */
TF_INLINE int32_t tf_conv2d_s8_outside(const int8_t *weights, int32_t in_c, int32_t in_zero, int32_t w_zero,
                                       int32_t acc)
{
    for (int32_t c = 0; c < in_c; ++c) {
        acc = tf_add32(acc, (weights[c] - w_zero) * in_zero);
    }
    return acc;
}

TF_INLINE void tf_conv2d_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                            const int8_t *weights, const int32_t *bias, const int32_t *multiplier, const int8_t *shift,
                            int32_t kh, int32_t kw, int32_t in_w, int32_t in_c, int32_t out_c, int32_t stride_w,
                            int32_t dilation_w, int32_t pad_left, int32_t in_zero, int32_t w_zero, int32_t out_zero,
                            int32_t lo, int32_t hi)
{
    for (int32_t x = x0; x < x1; ++x) {
        const int8_t *w = weights;
        for (int32_t oc = 0; oc < out_c; ++oc) {
            int32_t acc = bias[oc];
            for (int32_t ky = 0; ky < kh; ++ky) {
                for (int32_t kx = 0; kx < kw; ++kx) {
                    const int32_t ix = x * stride_w - pad_left + kx * dilation_w;
                    const int inside = rows[ky] != NULL && ix >= 0 && ix < in_w;
                    acc = inside ? tf_dot_s8(rows[ky] + (ix - in_x0) * in_c, w, in_c, w_zero, acc)
                                 : tf_conv2d_s8_outside(w, in_c, in_zero, w_zero, acc);
                    w += in_c;
                }
            }
            const int32_t scaled = tf_requantize(acc, multiplier[oc], shift[oc]) + out_zero;
            *out++ = (int8_t)tf_clamp(scaled, lo, hi);
        }
    }
}

#endif
