/* Fills the planes of tf_depthwise_planar_s8.h, where their layout is described: int8 NHWC rows -> int16 lanes, a plane
 * for each channel. */
#ifndef TF_DEPTHWISE_GATHER_H
#define TF_DEPTHWISE_GATHER_H

#include "tf_lanes.h"
#include "tf_runtime.h"

/* A row pair a, b (and the last row c) of four channels: bytes to the next column (0 in padding), how many times two
 * columns, whether one more; bytes to the next four channels. The assembly below knows the order. */
typedef struct {
    const int8_t *a, *b, *c;
    int32_t sa, sb, sc;
    uint32_t zeros;
    int32_t turns, odd;
    int32_t left;
    int32_t next_a, next_b, next_c;
} tf_dw_job;

/* Where a block's columns come from: positions [first, last) lie inside the tensor; a job for each row pair, and for
 * the row of a kernel of one. zeros: in_zero in four bytes. */
typedef struct {
    uint32_t zeros;
    int32_t first;
    int32_t last;
    tf_dw_job *jobs;
} tf_dw_source;

/* Writes the zero point into positions [from, to) of `planes` planes. */
static TF_APART __attribute__((unused)) void tf_dw_pad(uint32_t *scratch, int32_t kh, int32_t plane, int32_t planes,
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
                p[kh - 1] = (at & 1) != 0 ? tf_pkhtb(p[kh - 1] << 16, both) : tf_pkhtb(both << 16, p[kh - 1]);
            }
        }
    }
}

/* Four channels of two bytes each as words: plane c gets (p[c], q[c]). */
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
/* Whole functions, so that every register can be used whatever the build reserves: neither compiler pairs the stores,
 * and both spill. r0 job, r1 r3 r12 lr the four planes, r4 r5 r6 the rows. Two columns of a row pair: 24 instructions
 * for 16 values, of the last row: 14 for 8. */
#define TF_DW_GATHER_ENTER                                                                                             \
    "push {r4-r11, lr}\n\tadd r3, r1, r2\n\tadd r12, r3, r2\n\tadd lr, r12, r2\n\t"                                    \
    "ldm r0, {r4, r5, r6}\n\tldr r7, [r0, #40]\n\tldrd r8, r9, [r0, #44]\n\tadd r7, r7, r4\n\tadd r8, r8, r5\n\t"      \
    "add r9, r9, r6\n\tstm r0, {r7, r8, r9}\n\tldr r2, [r0, #28]\n\tcmp r2, #0\n\tbeq 2f\n\tstr r2, [r0, #36]\n"       \
    "1:\n\t"
#define TF_DW_GATHER_PAIR(next)                                                                                        \
    "ldr r2, [r4]\n\tldr r8, [r5]\n\t"                                                                                 \
    "pkhbt r10, r2, r8, lsl #16\n\tpkhtb r7, r8, r2, asr #16\n\t"                                                      \
    "ldrd r11, r9, [r0, #12]\n\tldr r2, [r4, r11]\n\tldr r8, [r5, r9]\n\t"                                             \
    "add r4, r4, r11, lsl #1\n\tadd r5, r5, r9, lsl #1\n\t"                                                            \
    "pkhbt r11, r2, r8, lsl #16\n\tpkhtb r8, r8, r2, asr #16\n\t"                                                      \
    "sxtb16 r2, r10\n\tsxtb16 r9, r11\n\tstrd r2, r9, [r1]" next                                                       \
    "sxtb16 r2, r10, ror #8\n\tsxtb16 r9, r11, ror #8\n\tstrd r2, r9, [r3]" next                                       \
    "sxtb16 r2, r7\n\tsxtb16 r9, r8\n\tstrd r2, r9, [r12]" next                                                        \
    "sxtb16 r2, r7, ror #8\n\tsxtb16 r9, r8, ror #8\n\tstrd r2, r9, [lr]" next
#define TF_DW_GATHER_LAST(next)                                                                                        \
    "ldr r9, [r0, #20]\n\tldr r2, [r6]\n\tldr r8, [r6, r9]\n\tadd r6, r6, r9, lsl #1\n\t"                              \
    "pkhbt r10, r2, r8, lsl #16\n\tpkhtb r7, r8, r2, asr #16\n\t"                                                      \
    "sxtb16 r2, r10\n\tstr r2, [r1]" next "sxtb16 r2, r10, ror #8\n\tstr r2, [r3]" next                                \
    "sxtb16 r2, r7\n\tstr r2, [r12]" next "sxtb16 r2, r7, ror #8\n\tstr r2, [lr]" next
/* One more column: a row pair, then the last row beside the zero point. */
#define TF_DW_GATHER_COUNT                                                                                             \
    "ldr r2, [r0, #36]\n\tsubs r2, r2, #1\n\tstr r2, [r0, #36]\n\tbne 1b\n"                                            \
    "2:\n\tldr r2, [r0, #32]\n\tcmp r2, #0\n\tbeq 3f\n\tldr r2, [r4]\n\tldr r8, [r5]\n\t"                              \
    "pkhbt r10, r2, r8, lsl #16\n\tpkhtb r7, r8, r2, asr #16\n\t"                                                      \
    "sxtb16 r2, r10\n\tstr r2, [r1]\n\tsxtb16 r2, r10, ror #8\n\tstr r2, [r3]\n\t"                                     \
    "sxtb16 r2, r7\n\tstr r2, [r12]\n\tsxtb16 r2, r7, ror #8\n\tstr r2, [lr]\n\t"
#define TF_DW_GATHER_ODD                                                                                               \
    "ldr r2, [r6]\n\tldr r8, [r0, #24]\n\t"                                                                            \
    "pkhbt r10, r2, r8, lsl #16\n\tpkhtb r7, r8, r2, asr #16\n\t"                                                      \
    "sxtb16 r2, r10\n\tstr r2, [r1, #8]\n\tsxtb16 r2, r10, ror #8\n\tstr r2, [r3, #8]\n\t"                             \
    "sxtb16 r2, r7\n\tstr r2, [r12, #8]\n\tsxtb16 r2, r7, ror #8\n\tstr r2, [lr, #8]\n"
#define TF_DW_UNUSED __attribute__((unused))

/* A row pair in blocks of `words` words, and the last rows of odd kernels behind their last pair. */
#define TF_DW_GATHER(name, body)                                                                                       \
    static __attribute__((naked, noinline, unused)) void name(TF_DW_UNUSED tf_dw_job *job, TF_DW_UNUSED uint32_t *dst, \
                                                              TF_DW_UNUSED int32_t plane_bytes)                        \
    {                                                                                                                  \
        __asm__ volatile(TF_DW_GATHER_ENTER body "3:\n\tpop {r4-r11, pc}");                                            \
    }
#define TF_DW_GATHER_PAIRS(words)                                                                                      \
    TF_DW_GATHER(tf_dw_gather_pair_##words, TF_DW_GATHER_PAIR(", #4*" #words "\n\t") TF_DW_GATHER_COUNT)
#define TF_DW_GATHER_LASTS(words)                                                                                      \
    TF_DW_GATHER(tf_dw_gather_last_##words, TF_DW_GATHER_PAIR(", #8\n\t") TF_DW_GATHER_LAST(", #4*" #words "-8\n\t")   \
                                                TF_DW_GATHER_COUNT TF_DW_GATHER_ODD)
TF_DW_GATHER_PAIRS(2)
TF_DW_GATHER_PAIRS(4)
TF_DW_GATHER_PAIRS(5)
TF_DW_GATHER_PAIRS(6)
TF_DW_GATHER_PAIRS(7)
TF_DW_GATHER_PAIRS(8)
TF_DW_GATHER_PAIRS(9)
TF_DW_GATHER_PAIRS(10)
TF_DW_GATHER_LASTS(3)
TF_DW_GATHER_LASTS(5)
TF_DW_GATHER_LASTS(7)
TF_DW_GATHER_LASTS(9)

#define TF_DW_GATHER_CASE(kind, words)                                                                                 \
    case words:                                                                                                        \
        tf_dw_gather_##kind##_##words(job, d, plane_bytes);                                                            \
        return 1;

/* Whether there is assembly for blocks of `words` (a literal), which has then been run. */
TF_INLINE int32_t tf_dw_gather(tf_dw_job *job, uint32_t *d, int32_t plane_bytes, int32_t with_last, int32_t words)
{
    if (with_last) {
        switch (words) {
            TF_DW_GATHER_CASE(last, 3)
            TF_DW_GATHER_CASE(last, 5)
            TF_DW_GATHER_CASE(last, 7)
            TF_DW_GATHER_CASE(last, 9)
        default:
            return 0;
        }
    }
    switch (words) {
        TF_DW_GATHER_CASE(pair, 2)
        TF_DW_GATHER_CASE(pair, 4)
        TF_DW_GATHER_CASE(pair, 5)
        TF_DW_GATHER_CASE(pair, 6)
        TF_DW_GATHER_CASE(pair, 7)
        TF_DW_GATHER_CASE(pair, 8)
        TF_DW_GATHER_CASE(pair, 9)
        TF_DW_GATHER_CASE(pair, 10)
    default:
        return 0;
    }
}
#endif

/* Copies what the job says into the blocks from d on and moves it to the next four channels. */
TF_INLINE void tf_dw_columns(tf_dw_job *r, uint32_t *d, int32_t with_last, int32_t plane, int32_t kh)
{
#if TF_DSP_ASM
    if (tf_dw_gather(r, d, 4 * plane, with_last, kh)) {
        return;
    }
#endif
    const int8_t *a = r->a, *b = r->b, *c = r->c;
    for (int32_t n = r->turns; n > 0; --n, d += kh) {
        tf_dw_four(a, b, d, plane);
        tf_dw_four(a + r->sa, b + r->sb, d + 1, plane);
        a += 2 * r->sa;
        b += 2 * r->sb;
        if (with_last) {
            tf_dw_four(c, c + r->sc, d + 2, plane);
            c += 2 * r->sc;
        }
    }
    if (r->odd) {
        tf_dw_four(a, b, d, plane);
        if (with_last) {
            tf_dw_four(c, (const int8_t *)&r->zeros, d + 2, plane);
        }
    }
    r->a += r->next_a;
    r->b += r->next_b;
    r->c += r->next_c;
}

/* A kernel of one row: words of two columns; `head`: the first column is at an odd position. */
TF_INLINE void tf_dw_one_row(tf_dw_job *r, uint32_t *d, int32_t head, int32_t plane)
{
    const int8_t *const zeros = (const int8_t *)&r->zeros;
    const int8_t *p = r->a;
    if (head) {
        tf_dw_four(zeros, p - r->sa, d++, plane);
    }
    for (int32_t n = r->turns; n > 0; --n, p += 2 * r->sa) {
        tf_dw_four(p, p + r->sa, d++, plane);
    }
    if (r->odd) {
        tf_dw_four(p, zeros, d, plane);
    }
    r->a += r->next_a;
}

/* One row of a block: column `at` of it, the bytes from column to column and from channels to channels. */
TF_INLINE const int8_t *tf_dw_row(const int8_t *row, int32_t at, int32_t in_c, const tf_dw_source *s, int32_t *step,
                                  int32_t *next)
{
    *step = row == NULL ? 0 : in_c;
    *next = row == NULL ? 0 : 4;
    return row == NULL ? (const int8_t *)&s->zeros : row + at * in_c;
}

/* Jobs of a block from channel 0 on. at: column of the rows' buffers at position s->first. */
TF_INLINE void tf_dw_plan(tf_dw_source *s, const int8_t *const *rows, int32_t at, int32_t kh, int32_t in_c)
{
    const int32_t n = s->last - s->first;
    const int32_t head = (s->first & 1) != 0 && n > 0 ? 1 : 0; /* that column is copied by itself */
    for (int32_t k = 0; k + 1 < kh || k == 0; k += 2) {
        tf_dw_job *const r = &s->jobs[k / 2];
        const int32_t below = kh == 1 ? 0 : k + 1, last = k + 3 == kh ? k + 2 : k;
        r->a = tf_dw_row(rows[k], at + head, in_c, s, &r->sa, &r->next_a);
        r->b = tf_dw_row(rows[below], at + head, in_c, s, &r->sb, &r->next_b);
        r->c = tf_dw_row(rows[last], at + head, in_c, s, &r->sc, &r->next_c);
        r->zeros = s->zeros;
        r->turns = (n - head) >> 1;
        r->odd = (n - head) & 1;
    }
}

/* Moves the jobs by some channels. */
TF_INLINE void tf_dw_shift(tf_dw_source *s, int32_t channels, int32_t kh)
{
    for (int32_t k = 0; k + 1 < kh || k == 0; k += 2) {
        tf_dw_job *const r = &s->jobs[k / 2];
        r->a += r->next_a != 0 ? channels : 0;
        r->b += r->next_b != 0 ? channels : 0;
        r->c += r->next_c != 0 ? channels : 0;
    }
}

/* The planes of four channels; the jobs then stand at the next four. kh, plane: literals. */
TF_INLINE void tf_dw_fill(tf_dw_source *s, uint32_t *lanes, int32_t kh, int32_t plane)
{
    const int32_t head = (s->first & 1) != 0 && s->last > s->first ? 1 : 0;
    uint32_t *d = lanes + (s->first >> 1) * kh;
    if (kh == 1) {
        tf_dw_one_row(&s->jobs[0], d, head, plane);
    }
    for (int32_t k = 0; k + 1 < kh; k += 2, d += 2) {
        const int32_t with_last = k + 3 == kh;
        tf_dw_job *const r = &s->jobs[k / 2];
        if (head) {
            tf_dw_four(r->a - r->sa, r->b - r->sb, d + 1, plane);
            if (with_last) {
                tf_dw_four((const int8_t *)&s->zeros, r->c - r->sc, d + 2, plane);
            }
        }
        tf_dw_columns(r, d + head * kh, with_last, plane, kh);
    }
}

/* Inputs of one to three channels: byte by byte. at: column of the rows' buffers at position s->first. */
static __attribute__((noinline, unused)) void tf_dw_fill_few(const tf_dw_source *s, const int8_t *const *rows,
                                                             int32_t at, uint32_t *lanes, int32_t kh, int32_t plane,
                                                             int32_t in_c)
{
    for (int32_t c = 0; c < in_c; ++c, lanes += plane) {
        for (int32_t k = 0; k < kh; ++k) {
            const int8_t *p = rows[k] == NULL ? (const int8_t *)&s->zeros : rows[k] + at * in_c + c;
            const int32_t step = rows[k] == NULL ? 0 : in_c;
            const int32_t last = (kh & 1) != 0 && k == kh - 1;
            for (int32_t x = s->first; x < s->last; ++x, p += step) {
                uint32_t *const word = lanes + (x >> 1) * kh + (last ? k : (k & ~1) + (x & 1));
                *word = ((last ? x : k) & 1) != 0 ? tf_pack16(tf_lane0(*word), *p) : tf_pack16(*p, tf_lane1(*word));
            }
        }
    }
}

#endif
