/* Transposed convolution of one output row segment, int8, any kernel and stride; gathers, so outputs are written once.
 *
 * rows: ceil(kh / stride_h) pointers to pixel column in_x0 of the input rows that reach output row y, NULL outside;
 * out: pixel x0 of the output row. weights OHWI. Input i adds weight k to output i * stride - pad + k; positions
 * outside the input add nothing, so the zero point is subtracted from each value. */
#ifndef TF_TRANSPOSE_CONV_S8_H
#define TF_TRANSPOSE_CONV_S8_H

#include "tf_fixed_point.h"
#include "tf_runtime.h"

TF_INLINE int32_t tf_transpose_conv_s8_dot(const int8_t *pixel, const int8_t *weights, int32_t in_c, int32_t in_zero,
                                           int32_t w_zero)
{
    int32_t acc = 0;
    for (int32_t c = 0; c < in_c; ++c) {
        acc += (weights[c] - w_zero) * (pixel[c] - in_zero);
    }
    return acc;
}

TF_INLINE void tf_transpose_conv_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                    int32_t y, const int8_t *weights, const int32_t *bias, const int32_t *multiplier,
                                    const int8_t *shift, int32_t kh, int32_t kw, int32_t in_w, int32_t in_c,
                                    int32_t out_c, int32_t stride_h, int32_t stride_w, int32_t pad_top,
                                    int32_t pad_left, int32_t in_zero, int32_t w_zero, int32_t out_zero, int32_t lo,
                                    int32_t hi)
{
    /* rows[last_row - j] meets kernel row first_ky + j * stride_h, column last_ix - j kernel column first_kx + ... */
    const int32_t last_iy = tf_floor_div(y + pad_top, stride_h);
    const int32_t first_ky = y + pad_top - last_iy * stride_h;
    const int32_t last_row = last_iy - tf_floor_div(y + pad_top - tf_max(kh, stride_h) + stride_h, stride_h);
    int32_t last_ix = tf_floor_div(x0 + pad_left, stride_w);
    int32_t first_kx = x0 + pad_left - last_ix * stride_w;
    for (int32_t x = x0; x < x1; ++x) {
        for (int32_t oc = 0; oc < out_c; ++oc) {
            int32_t acc = bias[oc];
            for (int32_t ky = first_ky, row = last_row; ky < kh; ky += stride_h, --row) {
                if (rows[row] == NULL) {
                    continue;
                }
                for (int32_t kx = first_kx, ix = last_ix; kx < kw; kx += stride_w, --ix) {
                    if (ix >= 0 && ix < in_w) {
                        const int8_t *w = weights + ((oc * kh + ky) * kw + kx) * in_c;
                        acc += tf_transpose_conv_s8_dot(rows[row] + (ix - in_x0) * in_c, w, in_c, in_zero, w_zero);
                    }
                }
            }
            const int32_t scaled = tf_requantize(acc, multiplier[oc], shift[oc]) + out_zero;
            *out++ = (int8_t)tf_clamp(scaled, lo, hi);
        }
        if (++first_kx == stride_w) {
            first_kx = 0;
            ++last_ix;
        }
    }
}

#endif
