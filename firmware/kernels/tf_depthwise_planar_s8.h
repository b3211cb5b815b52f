/* Depthwise convolution of one output row segment, int8, through channel planes: any kernel, stride and depth
 * multiplier, undilated columns.
 *
 * Four channels at a time are copied from the NHWC rows into planes of int16 lanes in scratch, so that one SMLAD does
 * two taps; padding is written into the planes as in_zero. Then every channel runs along its plane with its weights.
 * A plane holds kh words for every two columns: two for each pair of rows (one a column, upper row in lane 0), and
 * where kh is odd one for the last row (one column in each lane). A block's first column has the position `par`.
 *
 * rows: kh pointers to pixel column in_x0 of the input rows, NULL for padding rows; out: pixel x0 of the output row.
 * constants: for each output channel `words` words: kw words of weights for each row pair, the single row's (see
 * tf_dw_last_row), then what `form` asks for. block: outputs between two fills of the planes, a multiple of 4; plane:
 * words of a plane. out_step: from an output pixel to the next, more than in_c * depth_multiplier where those are a
 * slice of the output's channels. tinyforge/ops/depthwise_planes.py makes all of it. */
#ifndef TF_DEPTHWISE_PLANAR_S8_H
#define TF_DEPTHWISE_PLANAR_S8_H

#include "tf_depthwise_3x3.h"
#include "tf_depthwise_gather.h"
#include "tf_lanes.h"
#include "tf_requant.h"
#include "tf_runtime.h"

/* form: SCALED {start, multiplier, add}; SHORT {2 * bias, multiplier, add, shift}, on doubled weights; FULL {bias,
 * multiplier, shift}. */
#define TF_DW_SCALED 0
#define TF_DW_SHORT 1
#define TF_DW_FULL 2

/* Everything that is a literal at the call; gone once inlined. */
typedef struct {
    int32_t kh, kw, stride, par, out_step;
    int32_t form, shift, rounding, out_zero, lo, hi;
} tf_dw_shape;

typedef struct {
    int32_t a0, a1, a2, a3;
} tf_dw_sums;

TF_INLINE int32_t tf_dw_requant(int32_t acc, const int32_t *q, const tf_dw_shape *s)
{
    if (s->form == TF_DW_SCALED) {
        const int32_t value = tf_ssat8_asr(tf_smmla(acc, q[1], q[2]), s->shift);
        return s->lo == -128 && s->hi == 127 ? value : tf_clamp(value, s->lo, s->hi);
    }
    if (s->form == TF_DW_SHORT) {
        return tf_requant_short(acc, q[1], q[2], q[3], s->rounding, s->lo, s->hi);
    }
    return tf_requant_full(acc, q[1], q[2], s->out_zero, s->lo, s->hi);
}

/* Word of position `at` (a literal) in the plane of a row pair; of the last row where two positions share a word. */
#define TF_DW_PAIR_WORD(at) p[((at) >> 1) * s->kh + ((at)&1)]
#define TF_DW_LAST_WORD(at) p[((at) >> 1) * s->kh]

/* Column k of a row pair for g outputs. */
#define TF_DW_TAP(k)                                                                                                   \
    if ((k) < s->kw) {                                                                                                 \
        const uint32_t word = (uint32_t)w[k];                                                                          \
        t.a0 = tf_smlad(TF_DW_PAIR_WORD(s->par + (k)), word, t.a0);                                                    \
        if (g > 1) {                                                                                                   \
            t.a1 = tf_smlad(TF_DW_PAIR_WORD(s->par + s->stride + (k)), word, t.a1);                                    \
        }                                                                                                              \
        if (g > 2) {                                                                                                   \
            t.a2 = tf_smlad(TF_DW_PAIR_WORD(s->par + 2 * s->stride + (k)), word, t.a2);                                \
            t.a3 = tf_smlad(TF_DW_PAIR_WORD(s->par + 3 * s->stride + (k)), word, t.a3);                                \
        }                                                                                                              \
    }

/* Three columns of the last row for output i: weights (w0, w1), (w1, w2). */
#define TF_DW_THREE(i, sum)                                                                                            \
    if (g > (i)) {                                                                                                     \
        const uint32_t u = TF_DW_LAST_WORD(s->par + s->stride * (i));                                                  \
        const uint32_t v = TF_DW_LAST_WORD(s->par + s->stride * (i) + 2);                                              \
        if (((s->par + s->stride * (i)) & 1) == 0) {                                                                   \
            t.sum = tf_smlabt(v, (uint32_t)w[1], tf_smlad(u, (uint32_t)w[0], t.sum));                                  \
        } else {                                                                                                       \
            t.sum = tf_smlad(v, (uint32_t)w[1], tf_smlatb(u, (uint32_t)w[0], t.sum));                                  \
        }                                                                                                              \
    }

/* Word j of the last row's weights for output i, where it begins in lane `kind`. */
#define TF_DW_ONE(i, sum, j, kind)                                                                                     \
    if (g > (i) && ((s->par + s->stride * (i)) & 1) == (kind)) {                                                       \
        t.sum = tf_smlad(TF_DW_LAST_WORD(s->par + s->stride * (i) + 2 * (j)), word, t.sum);                            \
    }

#define TF_DW_LANES(j)                                                                                                 \
    if ((j) < count) {                                                                                                 \
        const uint32_t word = (uint32_t)w[j];                                                                          \
        TF_DW_ONE(0, a0, j, kind)                                                                                      \
        TF_DW_ONE(1, a1, j, kind)                                                                                      \
        TF_DW_ONE(2, a2, j, kind)                                                                                      \
        TF_DW_ONE(3, a3, j, kind)                                                                                      \
    }

/* The last row of an odd kernel. Weights: for kw 3 the two words of TF_DW_THREE; else, for outputs that begin in lane 0
 * (w0, w1), (w2, w3), ..., then for those that begin in lane 1 (0, w0), (w1, w2), ...; one kind if the stride is even.
 */
TF_INLINE tf_dw_sums tf_dw_last_row(const uint32_t *p, const int32_t *w, tf_dw_sums t, int32_t g, const tf_dw_shape *s)
{
    if (s->kw == 3) {
        TF_DW_THREE(0, a0)
        TF_DW_THREE(1, a1)
        TF_DW_THREE(2, a2)
        TF_DW_THREE(3, a3)
        return t;
    }
    for (int32_t kind = 0; kind < 2; ++kind) {
        const int32_t count = kind == 0 ? (s->kw + 1) / 2 : s->kw / 2 + 1;
        if ((s->stride & 1) == 0 && kind != s->par) {
            continue;
        }
        TF_DW_LANES(0)
        TF_DW_LANES(1)
        TF_DW_LANES(2)
        TF_DW_LANES(3)
        for (int32_t j = 4; j < count; ++j) {
            TF_DW_LANES(j)
        }
        w += count;
    }
    return t;
}

#if TF_DSP_ASM
/* Two neighbouring words; neither compiler pairs these loads. offset: bytes, a literal. */
TF_INLINE void tf_dw_load2(const void *p, int32_t offset, uint32_t *a, uint32_t *b)
{
    __asm__ volatile("ldrd %0, %1, [%2, %3]" : "=r"(*a), "=r"(*b) : "r"(p), "i"(offset));
}

/* Column k for four outputs of stride 1: loads what it is the first to need. */
#define TF_DW_WIDE_TAP(k)                                                                                              \
    if ((k) < s->kw) {                                                                                                 \
        if (((s->par + (k) + 3) & 1) == 0) {                                                                           \
            const int32_t at = s->par + (k) + 3;                                                                       \
            tf_dw_load2(p, at / 2 * 4 * s->kh, &d[at], &d[at + 1]);                                                    \
        }                                                                                                              \
        if (((k)&1) == 0) {                                                                                            \
            tf_dw_load2(w, 4 * (k), &v[k], &v[(k) + 1]);                                                               \
        }                                                                                                              \
        t.a0 = tf_smlad(d[s->par + (k)], v[k], t.a0);                                                                  \
        t.a1 = tf_smlad(d[s->par + (k) + 1], v[k], t.a1);                                                              \
        t.a2 = tf_smlad(d[s->par + (k) + 2], v[k], t.a2);                                                              \
        t.a3 = tf_smlad(d[s->par + (k) + 3], v[k], t.a3);                                                              \
    }

/* A row pair of 4 to 8 columns, four outputs, stride 1. */
TF_INLINE tf_dw_sums tf_dw_wide(const uint32_t *p, const int32_t *w, tf_dw_sums t, const tf_dw_shape *s)
{
    uint32_t d[14], v[8];
    tf_dw_load2(p, 0, &d[0], &d[1]);
    tf_dw_load2(p, 4 * s->kh, &d[2], &d[3]);
    TF_DW_WIDE_TAP(0)
    TF_DW_WIDE_TAP(1)
    TF_DW_WIDE_TAP(2)
    TF_DW_WIDE_TAP(3)
    TF_DW_WIDE_TAP(4)
    TF_DW_WIDE_TAP(5)
    TF_DW_WIDE_TAP(6)
    TF_DW_WIDE_TAP(7)
    return t;
}
#endif

/* Sums of g (1, 2 or 4) neighbouring outputs; p: position 0 of the first one's columns. */
TF_INLINE tf_dw_sums tf_dw_accumulate(const uint32_t *p, const int32_t *w, int32_t start, int32_t g,
                                      const tf_dw_shape *s)
{
    tf_dw_sums t = {start, start, start, start};
    for (int32_t j = 0; j < s->kh / 2; ++j, p += 2, w += s->kw) {
#if TF_DSP_ASM
        if (g == 4 && s->stride == 1 && s->kw >= 4 && s->kw <= 8) {
            t = tf_dw_wide(p, w, t, s);
            continue;
        }
#endif
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
    }
    return (s->kh & 1) != 0 ? tf_dw_last_row(p, w, t, g, s) : t;
}

/* n outputs of one channel from its plane. */
TF_INLINE void tf_dw_channel(const uint32_t *p, const int32_t *w, const int32_t *q, int8_t *out, int32_t n,
                             const tf_dw_shape *s)
{
    const int32_t start = q[0];
    /* Without DSP instructions fewer outputs at a time: smaller, and the registers are full anyway. */
    for (; TF_DSP && n >= 4; n -= 4) {
        const tf_dw_sums t = tf_dw_accumulate(p, w, start, 4, s);
        out[0] = (int8_t)tf_dw_requant(t.a0, q, s);
        out[s->out_step] = (int8_t)tf_dw_requant(t.a1, q, s);
        out[2 * s->out_step] = (int8_t)tf_dw_requant(t.a2, q, s);
        out[3 * s->out_step] = (int8_t)tf_dw_requant(t.a3, q, s);
        p += 2 * s->stride * s->kh;
        out += 4 * s->out_step;
    }
    for (; n >= 2; n -= 2) {
        const tf_dw_sums t = tf_dw_accumulate(p, w, start, 2, s);
        out[0] = (int8_t)tf_dw_requant(t.a0, q, s);
        out[s->out_step] = (int8_t)tf_dw_requant(t.a1, q, s);
        p += s->stride * s->kh;
        out += 2 * s->out_step;
    }
    if ((n & 1) != 0) {
        out[0] = (int8_t)tf_dw_requant(tf_dw_accumulate(p, w, start, 1, s).a0, q, s);
    }
}

/* `channels` channels (times depth_multiplier outputs each) from the planes at p on; the constants behind theirs. */
TF_INLINE const int32_t *tf_dw_channels(const uint32_t *p, const int32_t *w, int8_t *out, int32_t n, int32_t channels,
                                        int32_t depth_multiplier, int32_t plane, int32_t words, const tf_dw_shape *s)
{
    const int32_t tail = s->form == TF_DW_SHORT ? 4 : 3;
#if TF_DSP_ASM
    if (s->kh == 3 && s->kw == 3 && s->stride <= 2 && depth_multiplier == 1 && s->form == TF_DW_SCALED &&
        s->shift >= 4 && s->shift <= 16 && s->lo == -128 && s->hi == 127) {
        const int32_t turns = n >> 1, odd = n & 1;
        const tf_dw_run run = {odd,
                               turns * 12 * s->stride,
                               4 * plane - turns * 12 * s->stride - 12 * odd,
                               1 - 2 * turns * s->out_step,
                               s->out_step,
                               channels * 4 * words};
        tf_dw33(p, w, out, &run, s->stride, s->par, s->shift);
        return w + channels * words;
    }
#endif
#if TF_DSP_ASM
    __asm__ volatile("" ::: "memory"); /* the planes are complete before the assembly reads them, and read before ... */
#endif
    for (; channels > 0; --channels, p += plane) {
        for (int32_t m = 0; m < depth_multiplier; ++m, w += words) {
            tf_dw_channel(p, w, w + words - tail, out++, n, s);
        }
    }
#if TF_DSP_ASM
    __asm__ volatile("" ::: "memory"); /* ... the next ones are filled */
#endif
    return w;
}

TF_INLINE void tf_depthwise_planar_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                      const int32_t *constants, void *scratch, int32_t kh, int32_t kw, int32_t in_w,
                                      int32_t in_c, int32_t depth_multiplier, int32_t out_step, int32_t stride_w,
                                      int32_t pad_left, int32_t in_zero, int32_t words, int32_t block, int32_t plane,
                                      int32_t par, int32_t form, int32_t shift, int32_t rounding, int32_t out_zero,
                                      int32_t lo, int32_t hi)
{
    const tf_dw_shape s = {kh, kw, stride_w, par, out_step, form, shift, rounding, out_zero, lo, hi};
    uint32_t *const lanes = (uint32_t *)scratch;
    tf_dw_job one[1], two[2], four[4], sixteen[16]; /* kh is a literal: only one of them remains */
    tf_dw_source source;
    source.jobs = kh <= 3 ? one : (kh <= 5 ? two : (kh <= 9 ? four : sixteen));
    source.zeros = 0x01010101u * (uint32_t)(uint8_t)(int8_t)in_zero;
    lanes[tf_min(in_c, 4) * plane - 1] = source.zeros; /* cores read ahead to the planes' end: never what is not set */
    for (int32_t x = x0; x < x1; x += block) {
        const int32_t n = tf_min(block, x1 - x);
        const int32_t left = x * stride_w - pad_left;
        const int32_t count = (n - 1) * stride_w + kw;
        source.first = tf_min(tf_max(-left, 0), count) + par;
        if ((source.first & 1) != 0 && left + source.first - par > in_x0) {
            --source.first; /* an even start is quicker, and the column is there */
        }
        source.last = tf_max(tf_min(in_w - left, count) + par, source.first);
        const int32_t at = left + source.first - par - in_x0;
        tf_dw_plan(&source, rows, at, kh, in_c);
        if (source.first > par) {
            tf_dw_pad(lanes, kh, plane, in_c < 4 ? in_c : 4, par, source.first, source.zeros);
        }
        if (count + par > source.last) {
            tf_dw_pad(lanes, kh, plane, in_c < 4 ? in_c : 4, source.last, count + par, source.zeros);
        }
        const int32_t *w = constants;
        int8_t *to = out + (x - x0) * s.out_step;
        for (int32_t c = 0; c < in_c; c += 4) {
            const int32_t back = in_c < 4 ? 0 : tf_max(c + 4 - in_c, 0); /* the last four may overlap others */
            if (in_c < 4) {
                tf_dw_fill_few(&source, rows, at, lanes, kh, plane, in_c);
            } else {
                if (back > 0) {
                    tf_dw_shift(&source, -back, kh);
                }
                tf_dw_fill(&source, lanes, kh, plane);
            }
            const int32_t channels = tf_min(4, in_c - c);
            w = tf_dw_channels(lanes + back * plane, w, to, n, channels, depth_multiplier, plane, words, &s);
            to += channels * depth_multiplier;
        }
    }
}

#endif
