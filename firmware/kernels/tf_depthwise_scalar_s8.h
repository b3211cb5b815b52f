/* Depthwise convolution of one output row segment, int8, for cores that multiply one pair of values at a time: kernels
 * of up to 7 columns, any stride and padding, four outputs of a channel at a time, inputs read where they lie.
 *
 * rows: kh pointers to pixel column in_x0 of the input rows, NULL for padding rows; out: pixel x0 of the output row.
 * constants: for each channel bias, multiplier, add, shift (tf_matmul_scalar_s8.h has the form), then kh * kw bytes of
 * weights; `words` words in all. pad_right: columns that the last output reads behind the row. 3 * stride_w + kw <= 13.
 * out_step: from an output pixel to the next, more than in_c where those are a slice of the output's channels. */
#ifndef TF_DEPTHWISE_SCALAR_S8_H
#define TF_DEPTHWISE_SCALAR_S8_H

#include "tf_matmul_scalar_s8.h"
#include "tf_runtime.h"

enum { TF_DWS_AT_ONCE = 4, TF_DWS_TABLES = 4 };

/* Everything that is a literal at the call; gone once inlined. */
typedef struct {
    int32_t kh, kw, stride, in_w, in_c, out_step, pad_left, pad_right, zero, words, rounding, lo, hi;
} tf_dws_shape;

/* Input position j of a row: what output i has of it. */
#define TF_DWS_TAP(i, j)                                                                                               \
    if ((i) < g && (j) >= (i)*s->stride && (j) < (i)*s->stride + s->kw) {                                              \
        acc[i] += x * w[(j) - (i)*s->stride];                                                                          \
    }
/* Only positions of the first and last columns can lie outside. */
#define TF_DWS_POSITION(j)                                                                                             \
    if ((j) < (g - 1) * s->stride + s->kw) {                                                                           \
        const int border = (j) < s->pad_left || (j) >= (g - 1) * s->stride + s->kw - s->pad_right;                     \
        const int outside = edge && border && (first + (j) < 0 || first + (j) >= s->in_w);                             \
        const int32_t x = outside ? s->zero : p[(j)*s->in_c];                                                          \
        TF_DWS_TAP(0, j)                                                                                               \
        TF_DWS_TAP(1, j)                                                                                               \
        TF_DWS_TAP(2, j)                                                                                               \
        TF_DWS_TAP(3, j)                                                                                               \
    }
#define TF_DWS_WEIGHT(k)                                                                                               \
    if ((k) < s->kw) {                                                                                                 \
        w[k] = from[k];                                                                                                \
        sum += w[k];                                                                                                   \
    }

#define TF_DWS_OUT(i)                                                                                                  \
    if ((i) < g) {                                                                                                     \
        out[(i)*s->out_step] = (int8_t)tf_scalar_out(acc[i], constants + 1, s->rounding, s->lo, s->hi);                \
    }

/* One channel of g (1 or 4) neighbouring outputs; offset: of position 0, at column `first`, in every row. */
TF_INLINE void tf_dws_channel(const int8_t *const *rows, int32_t offset, int32_t first, const int32_t *constants,
                              int8_t *out, int32_t g, int edge, const tf_dws_shape *s)
{
    const int32_t bias = constants[0];
    int32_t acc[TF_DWS_AT_ONCE] = {bias, bias, bias, bias};
    const int8_t *from = (const int8_t *)(constants + TF_DWS_TABLES);
    for (int32_t ky = 0; ky < s->kh; ++ky) {
        int32_t w[7] = {0}, sum = 0;
        TF_DWS_WEIGHT(0)
        TF_DWS_WEIGHT(1)
        TF_DWS_WEIGHT(2)
        TF_DWS_WEIGHT(3)
        TF_DWS_WEIGHT(4)
        TF_DWS_WEIGHT(5)
        TF_DWS_WEIGHT(6)
        from += s->kw;
        if (rows[ky] == NULL) {
            const int32_t padded = sum * s->zero;
            acc[0] += padded;
            acc[1] += padded;
            acc[2] += padded;
            acc[3] += padded;
            continue;
        }
        const int8_t *p = rows[ky] + offset;
        TF_DWS_POSITION(0)
        TF_DWS_POSITION(1)
        TF_DWS_POSITION(2)
        TF_DWS_POSITION(3)
        TF_DWS_POSITION(4)
        TF_DWS_POSITION(5)
        TF_DWS_POSITION(6)
        TF_DWS_POSITION(7)
        TF_DWS_POSITION(8)
        TF_DWS_POSITION(9)
        TF_DWS_POSITION(10)
        TF_DWS_POSITION(11)
        TF_DWS_POSITION(12)
    }
    TF_DWS_OUT(0)
    TF_DWS_OUT(1)
    TF_DWS_OUT(2)
    TF_DWS_OUT(3)
}

/* g outputs from pixel x on. */
TF_INLINE void tf_dws_block(const int8_t *const *rows, int32_t in_x0, const int32_t *constants, int8_t *out, int32_t x,
                            int32_t g, int edge, const tf_dws_shape *s)
{
    const int32_t first = x * s->stride - s->pad_left;
    const int32_t offset = (first - in_x0) * s->in_c;
    for (int32_t c = 0; c < s->in_c; ++c, constants += s->words) {
        tf_dws_channel(rows, offset + c, first, constants, out + c, g, edge, s);
    }
}

TF_INLINE void tf_depthwise_scalar_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                      const int32_t *constants, int32_t kh, int32_t kw, int32_t in_w, int32_t in_c,
                                      int32_t out_step, int32_t stride_w, int32_t pad_left, int32_t pad_right,
                                      int32_t in_zero, int32_t words, int32_t rounding, int32_t lo, int32_t hi)
{
    const tf_dws_shape s = {kh,        kw,      stride_w, in_w,     in_c, out_step, pad_left,
                            pad_right, in_zero, words,    rounding, lo,   hi};
    const int32_t four = (TF_DWS_AT_ONCE - 1) * stride_w + kw; /* columns that four outputs read */
    if (x1 - x0 < TF_DWS_AT_ONCE) {
        for (int32_t x = x0; x < x1; ++x, out += out_step) {
            tf_dws_block(rows, in_x0, constants, out, x, 1, 1, &s);
        }
        return;
    }
    for (int32_t x = x0; x < x1; x += TF_DWS_AT_ONCE) {
        const int32_t at = tf_min(x, x1 - TF_DWS_AT_ONCE); /* the last four may overlap others */
        const int32_t first = at * stride_w - pad_left;
        int8_t *const to = out + (at - x0) * out_step;
        if (first < 0 || first + four > in_w) {
            tf_dws_block(rows, in_x0, constants, to, at, TF_DWS_AT_ONCE, 1, &s);
        } else {
            tf_dws_block(rows, in_x0, constants, to, at, TF_DWS_AT_ONCE, 0, &s);
        }
    }
}

#endif
