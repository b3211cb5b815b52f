/* Convolution of one output row segment on constants packed for cores that multiply one pair of values at a time
 * (tf_matmul_scalar_s8.h), int8, any kernel, stride and dilation, two pixels at a time. Windows of one contiguous run
 * (one kernel row inside the tensor) are read where they lie, others are gathered first.
 *
 * rows: kh pointers to pixel column in_x0 of the input rows, NULL for padding rows; out: pixel x0 of the output row.
 * scratch: `at_once` windows of kh * kw * in_c bytes; not read where windows never need gathering. */
#ifndef TF_CONV2D_SCALAR_S8_H
#define TF_CONV2D_SCALAR_S8_H

#include "tf_gather_s8.h"
#include "tf_matmul_scalar_s8.h"

TF_INLINE void tf_conv2d_scalar_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                   const int32_t *packed, void *scratch, int32_t kh, int32_t kw, int32_t in_w,
                                   int32_t in_c, int32_t out_c, int32_t stride_w, int32_t dilation_w, int32_t pad_left,
                                   int32_t in_zero, int32_t at_once, int32_t rounding, int32_t lo, int32_t hi)
{
    const int32_t row_bytes = kw * in_c;
    int8_t *const raw = scratch;
    for (int32_t x = x0; x < x1;) {
        const int32_t pixels = x1 - x >= at_once ? at_once : 1;
        const int8_t *from[2];
        int8_t *to = raw;
        for (int32_t p = 0; p < pixels; ++p) {
            const int32_t first = (x + p) * stride_w - pad_left;
            const int inside = dilation_w == 1 && first >= 0 && first + kw <= in_w;
            from[p] = to;
            if (scratch == NULL || (kh == 1 && inside && rows[0] != NULL)) {
                from[p] = rows[0] + (first - in_x0) * in_c;
                continue;
            }
            for (int32_t ky = 0; ky < kh; ++ky) {
                if (inside && rows[ky] != NULL) {
                    tf_copy_s8(to, rows[ky] + (first - in_x0) * in_c, row_bytes);
                } else {
                    tf_gather_s8(to, rows[ky], in_x0, first, kw, dilation_w, in_w, in_c, in_zero);
                }
                to += row_bytes;
            }
        }
        tf_matmul_scalar(from[0], from[pixels - 1], out, packed, pixels, kh * row_bytes, out_c, rounding, lo, hi);
        x += pixels;
        out += pixels * out_c;
    }
}

/* Kernels of one row without padding or dilation: windows are read where they lie. */
TF_INLINE void tf_conv2d_inside_scalar_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                          const int32_t *packed, int32_t kh, int32_t kw, int32_t in_w, int32_t in_c,
                                          int32_t out_c, int32_t stride_w, int32_t dilation_w, int32_t pad_left,
                                          int32_t in_zero, int32_t at_once, int32_t rounding, int32_t lo, int32_t hi)
{
    tf_conv2d_scalar_s8(rows, in_x0, out, x0, x1, packed, NULL, kh, kw, in_w, in_c, out_c, stride_w, dilation_w,
                        pad_left, in_zero, at_once, rounding, lo, hi);
}

/* 1x1 kernel, stride 1, no padding: pixels are read where they lie. */
TF_INLINE void tf_pointwise_scalar_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                      const int32_t *packed, int32_t in_c, int32_t out_c, int32_t rounding, int32_t lo,
                                      int32_t hi)
{
    const int8_t *from = rows[0] + (x0 - in_x0) * in_c;
    for (int32_t left = x1 - x0; left > 0;) {
        const int32_t pixels = left >= 2 ? 2 : 1;
        tf_matmul_scalar(from, from + (pixels - 1) * in_c, out, packed, pixels, in_c, out_c, rounding, lo, hi);
        left -= pixels;
        from += pixels * in_c;
        out += pixels * out_c;
    }
}

#endif
