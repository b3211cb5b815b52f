/* Depthwise convolution of one output row segment, int8, any kernel, stride, dilation and depth multiplier. Portable.
 *
 * rows: kh pointers to pixel column in_x0 of the input rows, NULL for padding rows; out: pixel x0 of the output row.
 * weights (kh, kw, in_c * depth_multiplier); bias has -in_zero * sum(weights - w_zero) folded in, so padding reads as
 * in_zero. out_step: from an output pixel to the next, more than in_c * depth_multiplier where those are a slice. */
#ifndef TF_DEPTHWISE_S8_H
#define TF_DEPTHWISE_S8_H

#include "tf_fixed_point.h"
#include "tf_runtime.h"

TF_INLINE void tf_depthwise_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                               const int8_t *weights, const int32_t *bias, const int32_t *multiplier,
                               const int8_t *shift, int32_t kh, int32_t kw, int32_t in_w, int32_t in_c,
                               int32_t depth_multiplier, int32_t out_step, int32_t stride_w, int32_t dilation_w,
                               int32_t pad_left, int32_t in_zero, int32_t w_zero, int32_t out_zero, int32_t lo,
                               int32_t hi)
{
    const int32_t out_c = in_c * depth_multiplier;
    for (int32_t x = x0; x < x1; ++x, out += out_step) {
        const int32_t left = x * stride_w - pad_left;
        for (int32_t oc = 0, c = 0, m = 0; oc < out_c; ++oc) {
            int32_t acc = bias[oc];
            for (int32_t ky = 0; ky < kh; ++ky) {
                for (int32_t kx = 0; kx < kw; ++kx) {
                    const int32_t ix = left + kx * dilation_w;
                    const int inside = rows[ky] != NULL && ix >= 0 && ix < in_w;
                    const int32_t value = inside ? rows[ky][(ix - in_x0) * in_c + c] : in_zero;
                    acc += (weights[(ky * kw + kx) * out_c + oc] - w_zero) * value;
                }
            }
            const int32_t scaled = tf_requantize(acc, multiplier[oc], shift[oc]) + out_zero;
            out[oc] = (int8_t)tf_clamp(scaled, lo, hi);
            if (++m == depth_multiplier) {
                m = 0;
                ++c;
            }
        }
    }
}

#endif
