/* Convolution of one output row segment on constants packed for Helium (tf_matmul_mve_s8.h), int8, any kernel, stride
 * and dilation, two pixels at a time. Windows of one contiguous run (one kernel row inside the tensor) are read where
 * they lie, others are gathered first.
 *
 * rows: kh pointers to pixel column in_x0 of the input rows, NULL for padding rows; out: pixel x0 of the output row.
 * scratch: `at_once` windows of kh * kw * in_c bytes; not read where windows never need gathering. */
#ifndef TF_CONV2D_MVE_S8_H
#define TF_CONV2D_MVE_S8_H

#include "tf_matmul_mve_s8.h"

/* Columns first, first + dilation, ... of one row; columns outside and a NULL row read as zero. */
TF_SHARED void tf_gather_edge(int8_t *to, const int8_t *row, int32_t in_x0, int32_t first, int32_t count,
                              int32_t dilation, int32_t width, int32_t c, int32_t zero)
{
    for (int32_t k = 0; k < count; ++k, to += c) {
        const int32_t column = first + k * dilation;
        if (row != NULL && column >= 0 && column < width) {
            tf_copy_vector(to, row + (column - in_x0) * c, c);
        } else {
            tf_fill_vector(to, zero, c);
        }
    }
}

/* One window, gathered to `to`. */
TF_INLINE void tf_gather_window(int8_t *to, const int8_t *const *rows, int32_t in_x0, int32_t first, int32_t kh,
                                int32_t kw, int32_t in_w, int32_t in_c, int32_t dilation, int32_t zero)
{
    const int inside = dilation == 1 && first >= 0 && first + kw <= in_w;
    for (int32_t ky = 0; ky < kh; ++ky) {
        if (inside && rows[ky] != NULL) {
            tf_copy_vector(to, rows[ky] + (first - in_x0) * in_c, kw * in_c);
        } else {
            tf_gather_edge(to, rows[ky], in_x0, first, kw, dilation, in_w, in_c, zero);
        }
        to += kw * in_c;
    }
}

TF_INLINE void tf_conv2d_mve_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                const int32_t *packed, void *scratch, int32_t kh, int32_t kw, int32_t in_w,
                                int32_t in_c, int32_t out_c, int32_t stride_w, int32_t dilation_w, int32_t pad_left,
                                int32_t in_zero, int32_t at_once, int32_t rounding, int32_t lo, int32_t hi)
{
    const int32_t window = kh * kw * in_c;
    int8_t *const raw = scratch;
    for (int32_t x = x0; x < x1;) {
        const int32_t pixels = x1 - x >= at_once ? at_once : 1;
        const int8_t *from[2];
        for (int32_t p = 0; p < pixels; ++p) {
            const int32_t first = (x + p) * stride_w - pad_left;
            const int inside = dilation_w == 1 && first >= 0 && first + kw <= in_w;
            if (scratch == NULL || (kh == 1 && inside && rows[0] != NULL)) {
                from[p] = rows[0] + (first - in_x0) * in_c;
            } else {
                tf_gather_window(raw + p * window, rows, in_x0, first, kh, kw, in_w, in_c, dilation_w, in_zero);
                from[p] = raw + p * window;
            }
        }
        tf_matmul_mve(from[0], from[pixels - 1], out, packed, pixels, window, out_c, rounding, lo, hi);
        x += pixels;
        out += pixels * out_c;
    }
}

/* Kernels of one row without padding or dilation: windows are read where they lie. */
TF_INLINE void tf_conv2d_inside_mve_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                       const int32_t *packed, int32_t kh, int32_t kw, int32_t in_w, int32_t in_c,
                                       int32_t out_c, int32_t stride_w, int32_t dilation_w, int32_t pad_left,
                                       int32_t in_zero, int32_t at_once, int32_t rounding, int32_t lo, int32_t hi)
{
    tf_conv2d_mve_s8(rows, in_x0, out, x0, x1, packed, NULL, kh, kw, in_w, in_c, out_c, stride_w, dilation_w, pad_left,
                     in_zero, at_once, rounding, lo, hi);
}

/* 1x1 kernel, stride 1, no padding: pixels are read where they lie. */
TF_INLINE void tf_pointwise_mve_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                   const int32_t *packed, int32_t in_c, int32_t out_c, int32_t rounding, int32_t lo,
                                   int32_t hi)
{
    const int8_t *from = rows[0] + (x0 - in_x0) * in_c;
    for (int32_t left = x1 - x0; left > 0;) {
        const int32_t pixels = left >= 2 ? 2 : 1;
        tf_matmul_mve(from, from + (pixels - 1) * in_c, out, packed, pixels, in_c, out_c, rounding, lo, hi);
        left -= pixels;
        from += pixels * in_c;
        out += pixels * out_c;
    }
}

#endif
