/* Depthwise convolution of one output row segment, int8, for cores that multiply one pair of values at a time: kernels
 * of up to 7 columns, any stride and padding, `at_once` (3 to 5) outputs of a channel at a time. Inputs are read where
 * they lie; those of blocks that reach into padding or are cut short are gathered first, some channels at a time.
 *
 * rows: kh pointers to pixel column in_x0 of the input rows, NULL for padding rows; out: pixel x0 of the output row.
 * packed: for each channel bias, multiplier, add, shift (tf_matmul_scalar_s8.h has the form), then kh * kw bytes of
 * weights; `words` words in all. scratch: kh rows of (at_once - 1) * stride_w + kw <= 13 columns of `slice` channels;
 * slice 0: there are no columns of padding, and nothing is gathered.
 * out_step: from an output pixel to the next, more than in_c where those are a slice of the output's channels. */
#ifndef TF_DEPTHWISE_SCALAR_S8_H
#define TF_DEPTHWISE_SCALAR_S8_H

#include "tf_gather_s8.h"
#include "tf_matmul_scalar_s8.h"
#include "tf_runtime.h"

enum { TF_DWS_MOST = 5, TF_DWS_TABLES = 4 };

/* Everything that is a literal at the call; gone once inlined. step: bytes from column to column. */
typedef struct {
    int32_t kh, kw, stride, at_once, step, out_step, zero, words, rounding, lo, hi;
} tf_dws_shape;

/* Input position j of a row: what output i has of it. */
#define TF_DWS_TAP(i, j)                                                                                               \
    if ((i) < s->at_once && (j) >= (i)*s->stride && (j) < (i)*s->stride + s->kw) {                                     \
        acc[i] += x * w[(j) - (i)*s->stride];                                                                          \
    }
#define TF_DWS_POSITION(j)                                                                                             \
    if ((j) < (s->at_once - 1) * s->stride + s->kw) {                                                                  \
        const int32_t x = p[(j)*s->step];                                                                              \
        TF_DWS_TAP(0, j)                                                                                               \
        TF_DWS_TAP(1, j)                                                                                               \
        TF_DWS_TAP(2, j)                                                                                               \
        TF_DWS_TAP(3, j)                                                                                               \
        TF_DWS_TAP(4, j)                                                                                               \
    }
#define TF_DWS_WEIGHT(k)                                                                                               \
    if ((k) < s->kw) {                                                                                                 \
        w[k] = from[k];                                                                                                \
        sum += w[k];                                                                                                   \
    }
#define TF_DWS_OUT(i)                                                                                                  \
    if ((i) < s->at_once && (i) < n) {                                                                                 \
        out[(i)*s->out_step] = (int8_t)tf_scalar_out(acc[i], constants + 1, s->rounding, s->lo, s->hi);                \
    }

/* n outputs of one channel. Inputs: `offset` behind the rows, or, without rows, where they were gathered. */
TF_INLINE void tf_dws_channel(const int8_t *const *rows, int32_t offset, const int8_t *gathered,
                              const int32_t *constants, int8_t *out, int32_t n, const tf_dws_shape *s)
{
    const int32_t bias = constants[0];
    const int32_t row_bytes = ((s->at_once - 1) * s->stride + s->kw) * s->step;
    int32_t acc[TF_DWS_MOST] = {bias, bias, bias, bias, bias};
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
        if (rows != NULL && rows[ky] == NULL) {
            const int32_t padded = sum * s->zero;
            acc[0] += padded;
            acc[1] += padded;
            acc[2] += padded;
            acc[3] += padded;
            acc[4] += padded;
            continue;
        }
        const int8_t *p = rows != NULL ? rows[ky] + offset : gathered + ky * row_bytes;
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
    TF_DWS_OUT(4)
}

/* `count` channels of `columns` columns of the kh rows, from column `first` and channel c on; zero for what is outside
 * [0, last): padding, and what the outputs wanted do not need and may not be stored. slice: bytes of a column there,
 * pitch: here. */
TF_SHARED void tf_dws_gather(int8_t *to, const int8_t *const *rows, int32_t in_x0, int32_t first, int32_t columns,
                             int32_t last, int32_t kh, int32_t pitch, int32_t c, int32_t count, int32_t slice,
                             int32_t zero)
{
    for (int32_t ky = 0; ky < kh; ++ky) {
        for (int32_t column = first; column < first + columns; ++column, to += slice) {
            if (rows[ky] != NULL && column >= 0 && column < last) {
                tf_copy_s8(to, rows[ky] + (column - in_x0) * pitch + c, count);
            } else {
                tf_fill_s8(to, zero, count);
            }
        }
    }
}

TF_INLINE void tf_depthwise_scalar_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                      const int32_t *packed, void *scratch, int32_t kh, int32_t kw, int32_t in_w,
                                      int32_t in_c, int32_t out_step, int32_t stride_w, int32_t pad_left,
                                      int32_t in_zero, int32_t words, int32_t at_once, int32_t slice, int32_t rounding,
                                      int32_t lo, int32_t hi)
{
    const tf_dws_shape here = {kh, kw, stride_w, at_once, in_c, out_step, in_zero, words, rounding, lo, hi};
    const tf_dws_shape one = {kh, kw, stride_w, 1, in_c, out_step, in_zero, words, rounding, lo, hi};
    const tf_dws_shape there = {kh, kw, stride_w, at_once, slice, out_step, in_zero, words, rounding, lo, hi};
    const int32_t columns = (at_once - 1) * stride_w + kw;
    int8_t *const gathered = scratch;
    for (int32_t x = x0; x < x1; x += at_once, out += at_once * out_step) {
        const int32_t n = tf_min(at_once, x1 - x);
        const int32_t first = x * stride_w - pad_left;
        const int32_t offset = (first - in_x0) * in_c;
        const int32_t *table = packed;
        if (n == at_once && first >= 0 && first + columns <= in_w) {
            for (int32_t c = 0; c < in_c; ++c, table += words) {
                tf_dws_channel(rows, offset + c, NULL, table, out + c, n, &here);
            }
            continue;
        }
        if (slice == 0) { /* nothing outside: what is left over comes one by one */
            for (int32_t i = 0; i < n; ++i) {
                const int32_t column = offset + i * stride_w * in_c;
                table = packed;
                for (int32_t c = 0; c < in_c; ++c, table += words) {
                    tf_dws_channel(rows, column + c, NULL, table, out + i * out_step + c, 1, &one);
                }
            }
            continue;
        }
        const int32_t last = tf_min(first + (n - 1) * stride_w + kw, in_w);
        for (int32_t c = 0; c < in_c; c += slice) {
            const int32_t count = tf_min(slice, in_c - c);
            tf_dws_gather(gathered, rows, in_x0, first, columns, last, kh, in_c, c, count, slice, in_zero);
            for (int32_t i = 0; i < count; ++i, table += words) {
                tf_dws_channel(NULL, 0, gathered + i, table, out + c + i, n, &there);
            }
        }
    }
}

/* No columns of padding. */
TF_INLINE void tf_depthwise_inside_scalar_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0,
                                             int32_t x1, const int32_t *packed, int32_t kh, int32_t kw, int32_t in_w,
                                             int32_t in_c, int32_t out_step, int32_t stride_w, int32_t pad_left,
                                             int32_t in_zero, int32_t words, int32_t at_once, int32_t rounding,
                                             int32_t lo, int32_t hi)
{
    tf_depthwise_scalar_s8(rows, in_x0, out, x0, x1, packed, NULL, kh, kw, in_w, in_c, out_step, stride_w, pad_left,
                           in_zero, words, at_once, 0, rounding, lo, hi);
}

#endif
