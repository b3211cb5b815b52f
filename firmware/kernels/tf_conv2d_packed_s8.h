/* Convolution of one output row segment on packed weights, int8, any kernel, stride and dilation: windows of up to
 * `at_once` pixels are gathered, widened and multiplied together (tf_matmul_s8.h has the layouts).
 *
 * rows: kh pointers to pixel column in_x0 of the input rows, NULL for padding rows; out: pixel x0 of the output row.
 * scratch: 4-byte aligned, 8 * room * steps bytes of widened values, then at_once windows of raw values where kernel
 * rows are gathered (`whole`: the whole window at once, because a kernel row is short or no multiple of 4 bytes).
 * bits: of a packed weight, 8 or 16. room >= at_once. The cores of Armv6-M widen one pixel to the size of two: room 1
 * is for the others, and slow there.
 */
#ifndef TF_CONV2D_PACKED_S8_H
#define TF_CONV2D_PACKED_S8_H

#include "tf_gather_s8.h"
#include "tf_matmul_s8.h"

/* How many pixels to do next of n left: threes, but 4 as 2 + 2 rather than 3 + 1. */
TF_INLINE int32_t tf_block(int32_t n, int32_t most)
{
    if (most >= 3 && n >= 3 && n != 4) {
        return 3;
    }
    return most >= 2 && n >= 2 ? 2 : 1;
}

TF_INLINE void tf_widen_block(uint32_t *to, const int8_t *from, int32_t pixel_bytes, int32_t bytes, int32_t pixels,
                              int32_t most, int32_t room, int32_t bits)
{
    if (bits == 16) {
        if (most >= 3 && pixels == 3) {
            tf_widen_wide_p3(to, from, pixel_bytes, bytes);
        } else if (most >= 2 && pixels == 2) {
            tf_widen_wide_p2(to, from, pixel_bytes, bytes);
        } else {
            tf_widen_wide_p1(to, from, pixel_bytes, bytes);
        }
        return;
    }
#if TF_MATMUL_WORDS == 4
    (void)pixels;
    (void)most;
    if (room > 1) {
        tf_widen_s8_words(to, from, bytes);
    } else {
        tf_widen_s8_p1(to, from, pixel_bytes, bytes);
    }
#else
    (void)room;
    if (most >= 3 && pixels == 3) {
        tf_widen_s8_p3(to, from, pixel_bytes, bytes);
    } else if (most >= 2 && pixels == 2) {
        tf_widen_s8_p2(to, from, pixel_bytes, bytes);
    } else {
        tf_widen_s8_p1(to, from, pixel_bytes, bytes);
    }
#endif
}

TF_INLINE void tf_matmul_block(const uint32_t *x, const int32_t *w, int8_t *out, int32_t out_c, int32_t steps,
                               int32_t pixels, int32_t most, int32_t room, int32_t bits, int32_t line, int32_t lo,
                               int32_t hi)
{
#if TF_MATMUL_WORDS == 4
    if (room == 1 && bits == 8) {
        tf_matmul_narrow(x, w, out, steps, line, lo, hi);
        return;
    }
#else
    (void)room;
#endif
    if (most >= 3 && pixels == 3) {
        tf_matmul_pick(x, w, out, out_c, steps, 3, 2, bits, line, lo, hi);
    } else if (most >= 2 && pixels == 2) {
        tf_matmul_pick(x, w, out, out_c, steps, 2, 2, bits, line, lo, hi);
    } else {
        tf_matmul_pick(x, w, out, out_c, steps, 1, 2, bits, line, lo, hi);
    }
}

/* 1x1 kernel, stride 1, no padding, in_c >= 4: pixels are read where they lie. */
TF_INLINE void tf_pointwise_packed_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                      const int32_t *packed, void *scratch, int32_t in_c, int32_t out_c,
                                      int32_t at_once, int32_t room, int32_t bits, int32_t line, int32_t lo, int32_t hi)
{
    const int32_t most = tf_min(at_once, TF_MATMUL_MOST);
    uint32_t *const wide = scratch;
    const int8_t *from = rows[0] + (x0 - in_x0) * in_c;
    for (int32_t left = x1 - x0; left > 0;) {
        const int32_t pixels = tf_block(left, most);
        tf_widen_block(wide, from, in_c, in_c, pixels, most, room, bits);
        tf_matmul_block(wide, packed, out, out_c, (in_c + 3) / 4, pixels, most, room, bits, line, lo, hi);
        left -= pixels;
        from += pixels * in_c;
        out += pixels * out_c;
    }
}

TF_INLINE void tf_conv2d_packed_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                   const int32_t *packed, void *scratch, int32_t kh, int32_t kw, int32_t in_w,
                                   int32_t in_c, int32_t out_c, int32_t stride_w, int32_t dilation_w, int32_t pad_left,
                                   int32_t in_zero, int32_t whole, int32_t at_once, int32_t room, int32_t bits,
                                   int32_t line, int32_t lo, int32_t hi)
{
    const int32_t row_bytes = kw * in_c;
    const int32_t steps = (kh * row_bytes + 3) / 4;
    const int32_t window = whole ? 4 * steps : row_bytes;
    const int32_t most = tf_min(at_once, TF_MATMUL_MOST);
    uint32_t *const wide = scratch;
    int8_t *const raw = (int8_t *)(wide + 2 * room * steps);
    if (whole && kh * row_bytes % 4 != 0) { /* widening reads windows to their ends: never what is not set */
        tf_store32(raw + (most - 1) * window + window - 4, 0);
    }
    for (int32_t x = x0; x < x1;) {
        const int32_t pixels = tf_block(x1 - x, most);
        const int32_t first = x * stride_w - pad_left;
        const int32_t last = first + (pixels - 1) * stride_w + (kw - 1) * dilation_w;
        const int inside = dilation_w == 1 && first >= 0 && last < in_w;
        uint32_t *to = wide;
        for (int32_t ky = 0; ky < kh; ++ky) {
            const int8_t *from = raw;
            int32_t pixel_bytes = window;
            int8_t *to_raw = raw + (whole ? ky * row_bytes : 0);
            if (inside && rows[ky] != NULL) {
                const int8_t *row = rows[ky] + (first - in_x0) * in_c;
                if (whole) {
                    for (int32_t p = 0; p < pixels; ++p) {
                        tf_copy_s8(to_raw, row, row_bytes);
                        row += stride_w * in_c;
                        to_raw += window;
                    }
                } else {
                    from = row;
                    pixel_bytes = stride_w * in_c;
                }
            } else {
                for (int32_t p = 0; p < pixels; ++p) {
                    tf_gather_s8(to_raw, rows[ky], in_x0, first + p * stride_w, kw, dilation_w, in_w, in_c, in_zero);
                    to_raw += window;
                }
            }
            if (!whole) {
                tf_widen_block(to, from, pixel_bytes, row_bytes, pixels, most, room, bits);
                to += (room > 1 && bits == 8 ? TF_MATMUL_WORDS : 2) * pixels * (row_bytes / 4);
            }
        }
        if (whole) {
            tf_widen_block(wide, raw, window, 4 * steps, pixels, most, room, bits);
        }
        tf_matmul_block(wide, packed, out, out_c, steps, pixels, most, room, bits, line, lo, hi);
        x += pixels;
        out += pixels * out_c;
    }
}

#endif
