/* Fills the planes of tf_depthwise_planar_s8.h, where their layout is described: int8 NHWC rows -> int16 lanes, a plane
 * for each channel. */
#ifndef TF_DEPTHWISE_GATHER_H
#define TF_DEPTHWISE_GATHER_H

#include "tf_lanes.h"
#include "tf_runtime.h"

#define TF_DW_MAX_ROWS 32

/* Where a block's columns come from: positions [first, last) lie inside the tensor, rows[k] points to position `first`,
 * NULL where row k is padding. zeros: in_zero in four bytes. */
typedef struct {
    uint32_t zeros;
    int32_t first;
    int32_t last;
    const int8_t *rows[TF_DW_MAX_ROWS];
} tf_dw_source;

/* Writes the zero point into positions [from, to) of `planes` planes. */
static __attribute__((noinline, unused)) void tf_dw_pad(uint32_t *scratch, int32_t kh, int32_t plane, int32_t planes,
                                                        int32_t from, int32_t to, uint32_t zeros)
{
    const uint32_t both = tf_sxtb16(zeros);
    for (int32_t c = 0; c < planes; ++c, scratch += plane) {
        for (int32_t at = from; at < to; ++at) {
            uint32_t *const p = scratch + (at >> 1) * kh;
            for (int32_t j = 0; j + 1 < kh; j += 2) {
                p[j + (at & 1)] = both;
            }
            if ((kh & 1) != 0) {
                p[kh - 1] = (at & 1) != 0 ? tf_pkhtb(p[kh - 1] << 16, both) : tf_pkhtb(both, p[kh - 1]);
            }
        }
    }
}

/* One position of three or fewer rows of a channel group while it is copied. */
typedef struct {
    const int8_t *a, *b, *c; /* a row pair and the last row */
    int32_t sa, sb, sc;      /* bytes to the next column, 0 in padding */
} tf_dw_cursor;

/* Four channels of two bytes each as words: plane c gets (u[c], v[c]). */
TF_INLINE void tf_dw_four(const int8_t *p, const int8_t *q, uint32_t *dst, int32_t plane)
{
    const uint32_t u = tf_load32(p), v = tf_load32(q);
    const uint32_t lo = tf_pkhbt(u, v), hi = tf_pkhtb(u, v);
    dst[0] = tf_sxtb16(lo);
    dst[plane] = tf_sxtb16_ror8(lo);
    dst[2 * plane] = tf_sxtb16(hi);
    dst[3 * plane] = tf_sxtb16_ror8(hi);
}

#if TF_DSP_ASM
/* Two columns of two rows a turn: 25 instructions for 16 values. Neither compiler pairs the stores. */
#define TF_DW_TWO_ROWS                                                                             \
    "ldr %[t], [%[a]]\n\tldr %[v], [%[b]]\n\t"                                                     \
    "pkhbt %[x], %[t], %[v], lsl #16\n\tpkhtb %[u], %[v], %[t], asr #16\n\t"                       \
    "ldr %[t], [%[a], %[sa]]\n\tldr %[w], [%[b], %[sb]]\n\t"                                       \
    "add %[a], %[a], %[sa], lsl #1\n\tadd %[b], %[b], %[sb], lsl #1\n\t"                           \
    "pkhbt %[y], %[t], %[w], lsl #16\n\tpkhtb %[v], %[w], %[t], asr #16\n\t"                       \
    "sxtb16 %[t], %[x]\n\tsxtb16 %[w], %[y]\n\tstrd %[t], %[w], [%[d]]\n\t"                        \
    "sxtb16 %[t], %[x], ror #8\n\tsxtb16 %[w], %[y], ror #8\n\tstrd %[t], %[w], [%[d], %[o1]]\n\t" \
    "sxtb16 %[t], %[u]\n\tsxtb16 %[w], %[v]\n\tstrd %[t], %[w], [%[d], %[o2]]\n\t"                 \
    "sxtb16 %[t], %[u], ror #8\n\tsxtb16 %[w], %[v], ror #8\n\tstrd %[t], %[w], [%[d], %[o3]]\n\t"
#define TF_DW_NEXT "add %[d], %[d], %[by]\n\tsubs %[n], %[n], #1\n\tbne 1b"
/* And two columns of the last row: 14 for 8 values. */
#define TF_DW_ONE_ROW                                                                              \
    "ldr %[w], %[sc]\n\tldr %[t], [%[c]]\n\tldr %[v], [%[c], %[w]]\n\t"                              \
    "add %[c], %[c], %[w], lsl #1\n\t"                                                            \
    "pkhbt %[x], %[t], %[v], lsl #16\n\tpkhtb %[u], %[v], %[t], asr #16\n\t"                       \
    "sxtb16 %[t], %[x]\n\tstr %[t], [%[d], #8]\n\t"                                                \
    "sxtb16 %[t], %[x], ror #8\n\tstr %[t], [%[d], %[l1]]\n\t"                                     \
    "sxtb16 %[t], %[u]\n\tstr %[t], [%[d], %[l2]]\n\t"                                             \
    "sxtb16 %[t], %[u], ror #8\n\tstr %[t], [%[d], %[l3]]\n\t"
#endif

/* `turns` times two columns of a row pair, and of the last row too if `with_last`, into the blocks from d on. */
TF_INLINE void tf_dw_columns(tf_dw_cursor *r, uint32_t *d, int32_t turns, int32_t with_last, int32_t plane, int32_t kh)
{
#if TF_DSP_ASM
    if (12 * plane + 16 < 1020) {
        uint32_t t, u, v, w, x, y;
        if (turns > 0 && with_last) {
            __asm__ volatile("1:\n\t" TF_DW_TWO_ROWS TF_DW_ONE_ROW TF_DW_NEXT
                             : [a] "+r"(r->a), [b] "+r"(r->b), [c] "+r"(r->c), [d] "+r"(d), [n] "+r"(turns),
                               [t] "=&r"(t), [u] "=&r"(u), [v] "=&r"(v), [w] "=&r"(w), [x] "=&r"(x), [y] "=&r"(y)
                             : [sa] "r"(r->sa), [sb] "r"(r->sb), [sc] "m"(r->sc), [o1] "i"(4 * plane),
                               [o2] "i"(8 * plane), [o3] "i"(12 * plane), [l1] "i"(4 * plane + 8),
                               [l2] "i"(8 * plane + 8), [l3] "i"(12 * plane + 8), [by] "i"(4 * kh)
                             : "memory", "cc");
        } else if (turns > 0) {
            __asm__ volatile("1:\n\t" TF_DW_TWO_ROWS TF_DW_NEXT
                             : [a] "+r"(r->a), [b] "+r"(r->b), [d] "+r"(d), [n] "+r"(turns), [t] "=&r"(t),
                               [u] "=&r"(u), [v] "=&r"(v), [w] "=&r"(w), [x] "=&r"(x), [y] "=&r"(y)
                             : [sa] "r"(r->sa), [sb] "r"(r->sb), [o1] "i"(4 * plane), [o2] "i"(8 * plane),
                               [o3] "i"(12 * plane), [by] "i"(4 * kh)
                             : "memory", "cc");
        }
        return;
    }
#endif
    for (; turns > 0; --turns, d += kh) {
        tf_dw_four(r->a, r->b, d, plane);
        tf_dw_four(r->a + r->sa, r->b + r->sb, d + 1, plane);
        r->a += 2 * r->sa;
        r->b += 2 * r->sb;
        if (with_last) {
            tf_dw_four(r->c, r->c + r->sc, d + 2, plane);
            r->c += 2 * r->sc;
        }
    }
}

/* One column at lane `lane` of block d; the other lane of the last row becomes zero point. */
TF_INLINE void tf_dw_column(tf_dw_cursor *r, const int8_t *zeros, uint32_t *d, int32_t lane, int32_t with_last,
                            int32_t plane)
{
    tf_dw_four(r->a, r->b, d + lane, plane);
    if (with_last) {
        tf_dw_four(lane != 0 ? zeros : r->c, lane != 0 ? r->c : zeros, d + 2, plane);
    }
    r->a += r->sa;
    r->b += r->sb;
    r->c += r->sc;
}

TF_INLINE const int8_t *tf_dw_row(const tf_dw_source *s, int32_t k, int32_t channel)
{
    return s->rows[k] == NULL ? (const int8_t *)&s->zeros : s->rows[k] + channel;
}

/* A kernel of one row: words of two columns. */
TF_INLINE void tf_dw_fill_row(const tf_dw_source *s, uint32_t *d, int32_t channel, int32_t plane, int32_t in_c)
{
    const int8_t *const zeros = (const int8_t *)&s->zeros;
    const int8_t *p = tf_dw_row(s, 0, channel);
    const int32_t step = s->rows[0] == NULL ? 0 : in_c;
    int32_t at = s->first;
    if ((at & 1) != 0 && at < s->last) {
        tf_dw_four(zeros, p, d + (at >> 1), plane);
        p += step;
        ++at;
    }
    for (; at + 1 < s->last; at += 2, p += 2 * step) {
        tf_dw_four(p, p + step, d + (at >> 1), plane);
    }
    if (at < s->last) {
        tf_dw_four(p, zeros, d + (at >> 1), plane);
    }
}

/* The planes of channels [channel, channel + 4). kh, plane, in_c: literals. */
TF_INLINE void tf_dw_fill(const tf_dw_source *s, uint32_t *lanes, int32_t channel, int32_t kh, int32_t plane, int32_t in_c)
{
    const int8_t *const zeros = (const int8_t *)&s->zeros;
    if (kh == 1) {
        tf_dw_fill_row(s, lanes, channel, plane, in_c);
    }
    for (int32_t k = 0; k + 1 < kh; k += 2) {
        const int32_t with_last = k + 3 == kh;
        const int32_t l = with_last ? k + 2 : k;
        tf_dw_cursor r;
        r.a = tf_dw_row(s, k, channel);
        r.b = tf_dw_row(s, k + 1, channel);
        r.c = tf_dw_row(s, l, channel);
        r.sa = s->rows[k] == NULL ? 0 : in_c;
        r.sb = s->rows[k + 1] == NULL ? 0 : in_c;
        r.sc = s->rows[l] == NULL ? 0 : in_c;
        uint32_t *d = lanes + (s->first >> 1) * kh + k;
        int32_t n = s->last - s->first;
        if ((s->first & 1) != 0 && n > 0) {
            tf_dw_column(&r, zeros, d, 1, with_last, plane);
            d += kh;
            --n;
        }
        tf_dw_columns(&r, d, n >> 1, with_last, plane, kh);
        if ((n & 1) != 0) {
            tf_dw_column(&r, zeros, d + (n >> 1) * kh, 0, with_last, plane);
        }
    }
}

/* Inputs of one to three channels: byte by byte. */
static __attribute__((noinline, unused)) void tf_dw_fill_few(const tf_dw_source *s, uint32_t *lanes, int32_t kh,
                                                             int32_t plane, int32_t in_c)
{
    for (int32_t c = 0; c < in_c; ++c, lanes += plane) {
        for (int32_t k = 0; k < kh; ++k) {
            const int8_t *p = tf_dw_row(s, k, c);
            const int32_t step = s->rows[k] == NULL ? 0 : in_c;
            const int32_t last = (kh & 1) != 0 && k == kh - 1;
            for (int32_t at = s->first; at < s->last; ++at, p += step) {
                uint32_t *const word = lanes + (at >> 1) * kh + (last ? k : (k & ~1) + (at & 1));
                *word = ((last ? at : k) & 1) != 0 ? tf_pack16(tf_lane0(*word), *p) : tf_pack16(*p, tf_lane1(*word));
            }
        }
    }
}

#endif
