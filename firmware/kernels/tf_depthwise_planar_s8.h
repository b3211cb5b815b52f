/* Depthwise convolution of one output row segment, int8, through channel planes: any kernel, stride and depth
 * multiplier, undilated columns.
 *
 * Up to four channels at a time are copied from the NHWC rows into planes of int16 lanes in scratch, so that one SMLAD
 * does two taps: the rows in pairs, a word for each column (upper row in lane 0), and where kh is odd the last row by
 * itself, a word for two columns. Padding is written into the planes as in_zero. Then every channel runs along its plane
 * with its weights.
 *
 * rows: kh pointers to pixel column in_x0 of the input rows, NULL for padding rows; out: pixel x0 of the output row.
 * constants: for each output channel `words` words: for each row pair kw words of weights (two lanes), for a single row
 * the words of even outputs and then those of odd ones (only one kind where the stride is even); then what `form` asks for.
 * block: outputs between two fills of the planes, a multiple of 4; cols: columns of a pair plane; par: lane of the single
 * row's plane in which the first column of a block lies. See tinyforge/ops/depthwise_planes.py, which makes all of it. */
#ifndef TF_DEPTHWISE_PLANAR_S8_H
#define TF_DEPTHWISE_PLANAR_S8_H

#include "tf_lanes.h"
#include "tf_requant.h"
#include "tf_runtime.h"

/* form: SCALED {start, multiplier}, SCALED_ADD {start, multiplier, add}, SHORT {2 * bias, multiplier, add, shift}, on
 * doubled weights, FULL {bias, multiplier, shift}. */
#define TF_DW_SCALED 0
#define TF_DW_SCALED_ADD 1
#define TF_DW_SHORT 2
#define TF_DW_FULL 3

/* Everything that is a literal at the call; lives in registers or nowhere once inlined. */
typedef struct {
    int32_t kh, kw, stride, par, cols, plane, out_c;
    int32_t form, shift, rounding, out_zero, lo, hi;
} tf_dw_shape;

typedef struct {
    int32_t a0, a1, a2, a3;
} tf_dw_sums;

/* Four channels of n positions from two rows (or two columns of one row): dst[i] of plane c = (a[i], b[i]) as lanes. */
static __attribute__((noinline, unused)) void tf_dw_gather4(const int8_t *a, const int8_t *b, int32_t step_a,
                                                            int32_t step_b, uint32_t *dst, int32_t plane, int32_t n)
{
    uint32_t *d0 = dst, *d1 = dst + plane, *d2 = d1 + plane, *d3 = d2 + plane;
    for (; n > 0; --n) {
        const uint32_t u = tf_load32(a), v = tf_load32(b);
        const uint32_t lo = tf_pkhbt(u, v), hi = tf_pkhtb(u, v);
        *d0++ = tf_sxtb16(lo);
        *d1++ = tf_sxtb16_ror8(lo);
        *d2++ = tf_sxtb16(hi);
        *d3++ = tf_sxtb16_ror8(hi);
        a += step_a;
        b += step_b;
    }
}

/* The same for one channel. */
static __attribute__((noinline, unused)) void tf_dw_gather1(const int8_t *a, const int8_t *b, int32_t step_a,
                                                            int32_t step_b, uint32_t *dst, int32_t n)
{
    for (; n > 0; --n) {
        *dst++ = tf_pack16(*a, *b);
        a += step_a;
        b += step_b;
    }
}

TF_INLINE int32_t tf_dw_requant(int32_t acc, const int32_t *q, const tf_dw_shape *s)
{
    if (s->form == TF_DW_SCALED || s->form == TF_DW_SCALED_ADD) {
        const int32_t high = s->form == TF_DW_SCALED ? tf_smmul(acc, q[1]) : tf_smmla(acc, q[1], q[2]);
        const int32_t value = tf_ssat8_asr(high, s->shift);
        return s->lo == -128 && s->hi == 127 ? value : tf_clamp(value, s->lo, s->hi);
    }
    if (s->form == TF_DW_SHORT) {
        return tf_requant_short(acc, q[1], q[2], q[3], s->rounding, s->lo, s->hi);
    }
    return tf_requant_full(acc, q[1], q[2], s->out_zero, s->lo, s->hi);
}

/* One column of a row pair for g outputs. */
#define TF_DW_TAP(k)                                                         \
    if ((k) < s->kw) {                                                       \
        const uint32_t word = (uint32_t)w[k];                                \
        t.a0 = tf_smlad(p[k], word, t.a0);                                   \
        if (g > 1) {                                                         \
            t.a1 = tf_smlad(p[s->stride + (k)], word, t.a1);                 \
        }                                                                    \
        if (g > 2) {                                                         \
            t.a2 = tf_smlad(p[2 * s->stride + (k)], word, t.a2);             \
            t.a3 = tf_smlad(p[3 * s->stride + (k)], word, t.a3);             \
        }                                                                    \
    }

/* Word j of the single row's weights of one kind (0: output begins in lane 0, 1: in lane 1) for output i. */
#define TF_DW_ONE(i, sum, j, kind)                                                       \
    if (g > (i) && ((s->par + s->stride * (i)) & 1) == (kind)) {                         \
        t.sum = tf_smlad(p[((s->par + s->stride * (i)) >> 1) + (j)], word, t.sum);       \
    }

#define TF_DW_LANES(j, kind, count)           \
    if ((j) < (count)) {                      \
        const uint32_t word = (uint32_t)w[j]; \
        TF_DW_ONE(0, a0, j, kind)             \
        TF_DW_ONE(1, a1, j, kind)             \
        TF_DW_ONE(2, a2, j, kind)             \
        TF_DW_ONE(3, a3, j, kind)             \
    }

/* Sums of g (1, 2 or 4) neighbouring outputs; p: their first column in the plane, for the single row at p + single. */
TF_INLINE tf_dw_sums tf_dw_accumulate(const uint32_t *p, const uint32_t *single, const int32_t *w, int32_t start,
                                      int32_t g, const tf_dw_shape *s)
{
    tf_dw_sums t = {start, start, start, start};
    for (int32_t j = 0; j < s->kh / 2; ++j) {
        TF_DW_TAP(0)
        TF_DW_TAP(1)
        TF_DW_TAP(2)
        TF_DW_TAP(3)
        TF_DW_TAP(4)
        TF_DW_TAP(5)
        TF_DW_TAP(6)
        for (int32_t k = 7; k < s->kw; ++k) {
            TF_DW_TAP(k)
        }
        p += s->cols;
        w += s->kw;
    }
    if ((s->kh & 1) == 0) {
        return t;
    }
    p = single;
    for (int32_t kind = 0; kind < 2; ++kind) {
        const int32_t count = kind == 0 ? (s->kw + 1) / 2 : s->kw / 2 + 1;
        if ((s->stride & 1) == 0 && kind != s->par) {
            continue;
        }
        TF_DW_LANES(0, kind, count)
        TF_DW_LANES(1, kind, count)
        TF_DW_LANES(2, kind, count)
        TF_DW_LANES(3, kind, count)
        for (int32_t j = 4; j < count; ++j) {
            TF_DW_LANES(j, kind, count)
        }
        w += count;
    }
    return t;
}

/* n outputs of one channel from its plane. */
TF_INLINE void tf_dw_channel(const uint32_t *plane, const int32_t *w, const int32_t *q, int8_t *out, int32_t n,
                             const tf_dw_shape *s)
{
    const uint32_t *p = plane;
    const uint32_t *single = plane + s->kh / 2 * s->cols;
    const int32_t start = q[0];
    for (; n >= 4; n -= 4) {
        const tf_dw_sums t = tf_dw_accumulate(p, single, w, start, 4, s);
        out[0] = (int8_t)tf_dw_requant(t.a0, q, s);
        out[s->out_c] = (int8_t)tf_dw_requant(t.a1, q, s);
        out[2 * s->out_c] = (int8_t)tf_dw_requant(t.a2, q, s);
        out[3 * s->out_c] = (int8_t)tf_dw_requant(t.a3, q, s);
        p += 4 * s->stride;
        single += 2 * s->stride;
        out += 4 * s->out_c;
    }
    if (n >= 2) {
        const tf_dw_sums t = tf_dw_accumulate(p, single, w, start, 2, s);
        out[0] = (int8_t)tf_dw_requant(t.a0, q, s);
        out[s->out_c] = (int8_t)tf_dw_requant(t.a1, q, s);
        p += 2 * s->stride;
        single += s->stride;
        out += 2 * s->out_c;
    }
    if ((n & 1) != 0) {
        out[0] = (int8_t)tf_dw_requant(tf_dw_accumulate(p, single, w, start, 1, s).a0, q, s);
    }
}

/* What filling the planes needs to know; the same for every channel of a block. */
typedef struct {
    int32_t kh, cols, plane, par;
    int32_t first, last; /* valid columns of the block */
    int32_t planes;
} tf_dw_block;

/* Writes in_zero into the columns [from, to). */
static __attribute__((noinline, unused)) void tf_dw_pad(uint32_t *scratch, const tf_dw_block *b, int32_t from,
                                                        int32_t to, int32_t zero)
{
    for (int32_t c = 0; c < b->planes; ++c, scratch += b->plane) {
        uint32_t *p = scratch;
        for (int32_t j = 0; j < b->kh / 2; ++j, p += b->cols) {
            for (int32_t x = from; x < to; ++x) {
                p[x] = tf_pack16(zero, zero);
            }
        }
        for (int32_t x = from + b->par; (b->kh & 1) != 0 && x < to + b->par; ++x) {
            p[x >> 1] = (x & 1) != 0 ? tf_pack16(tf_lane0(p[x >> 1]), zero) : tf_pack16(zero, tf_lane1(p[x >> 1]));
        }
    }
}

/* n words from position i on of every plane, each from bytes a and b of a channel. */
TF_INLINE void tf_dw_gather(const int8_t *a, const int8_t *b, int32_t step_a, int32_t step_b, uint32_t *dst,
                            const tf_dw_block *block, int32_t n)
{
    if (block->planes == 4) {
        tf_dw_gather4(a, b, step_a, step_b, dst, block->plane, n);
        return;
    }
    for (int32_t i = 0; i < block->planes; ++i, dst += block->plane) {
        tf_dw_gather1(a + i, b + i, step_a, step_b, dst, n);
    }
}

/* One lane of every plane. */
TF_INLINE void tf_dw_gather_lane(const int8_t *a, uint32_t *dst, int32_t lane, const tf_dw_block *block)
{
    for (int32_t i = 0; i < block->planes; ++i, dst += block->plane) {
        *dst = lane != 0 ? tf_pack16(tf_lane0(*dst), a[i]) : tf_pack16(a[i], tf_lane1(*dst));
    }
}

/* Fills the planes from channel c on. rows[k]: column `first` of the row, step[k]: bytes to the next column, 0 where the
 * row is padding and rows[k] points to in_zero. */
static __attribute__((noinline, unused)) void tf_dw_fill(const int8_t *const *rows, const int32_t *step, int32_t c,
                                                         uint32_t *scratch, const tf_dw_block *block)
{
    uint32_t *dst = scratch + block->first;
    int32_t k = 0;
    for (; k + 1 < block->kh; k += 2, dst += block->cols) {
        const int8_t *a = rows[k] + (step[k] != 0 ? c : 0);
        const int8_t *b = rows[k + 1] + (step[k + 1] != 0 ? c : 0);
        tf_dw_gather(a, b, step[k], step[k + 1], dst, block, block->last - block->first);
    }
    if (k == block->kh) {
        return;
    }
    const int32_t by = step[k];
    const int8_t *a = rows[k] + (by != 0 ? c : 0);
    const int32_t end = block->last + block->par;
    int32_t x = block->first + block->par;
    dst = scratch + block->kh / 2 * block->cols;
    if ((x & 1) != 0 && x < end) {
        tf_dw_gather_lane(a, dst + (x >> 1), 1, block);
        ++x;
        a += by;
    }
    tf_dw_gather(a, a + by, 2 * by, 2 * by, dst + (x >> 1), block, (end - x) >> 1);
    if (((end - x) & 1) != 0) {
        tf_dw_gather_lane(a + (end - 1 - x) * by, dst + (end >> 1), 0, block);
    }
}

TF_INLINE void tf_depthwise_planar_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                      const int32_t *constants, void *scratch, int32_t kh, int32_t kw, int32_t in_w,
                                      int32_t in_c, int32_t depth_multiplier, int32_t stride_w, int32_t pad_left,
                                      int32_t in_zero, int32_t words, int32_t block, int32_t cols, int32_t plane,
                                      int32_t par, int32_t form, int32_t shift, int32_t rounding, int32_t out_zero,
                                      int32_t lo, int32_t hi)
{
    const tf_dw_shape s = {kh,   kw,    stride_w, par,      cols, plane, in_c * depth_multiplier,
                           form, shift, rounding, out_zero, lo,   hi};
    const uint32_t zeros = 0x01010101u * (uint32_t)(uint8_t)(int8_t)in_zero;
    const int32_t tail_words = form == TF_DW_SHORT ? 4 : (form == TF_DW_SCALED ? 2 : 3);
    uint32_t *const lanes = (uint32_t *)scratch;
    const int8_t *from[32];
    int32_t step[32];
    for (int32_t x = x0; x < x1; x += block) {
        const int32_t n = tf_min(block, x1 - x);
        const int32_t left = x * stride_w - pad_left;
        const int32_t count = (n - 1) * stride_w + kw;
        const int32_t first = tf_min(tf_max(-left, 0), count);
        const int32_t last = tf_max(tf_min(in_w - left, count), first);
        const tf_dw_block b = {kh, cols, plane, par, first, last, in_c < 4 ? in_c : 4};
        for (int32_t k = 0; k < kh; ++k) {
            from[k] = rows[k] == NULL ? (const int8_t *)&zeros : rows[k] + (left + first - in_x0) * in_c;
            step[k] = rows[k] == NULL ? 0 : in_c;
        }
        tf_dw_pad(lanes, &b, 0, first, in_zero);
        tf_dw_pad(lanes, &b, last, count, in_zero);
        const int32_t *w = constants;
        int8_t *to = out + (x - x0) * s.out_c;
        for (int32_t c = 0; c < in_c; c += 4) {
            const int32_t base = tf_max(tf_min(c, in_c - 4), 0); /* the last four channels may overlap others */
            tf_dw_fill(from, step, base, lanes, &b);
            const uint32_t *p = lanes + (c - base) * plane;
            for (int32_t i = tf_min(4, in_c - c); i > 0; --i, p += plane) {
                for (int32_t m = 0; m < depth_multiplier; ++m, w += words) {
                    tf_dw_channel(p, w, w + words - tail_words, to++, n, &s);
                }
            }
        }
    }
}

#endif
