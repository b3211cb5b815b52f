/* Depthwise convolution of one output row segment for Helium, int8, up to 64 taps, channel multiplier 1, no column
 * dilation. The input is turned into channel planes, column by column, so that the window of an output is one run of
 * kh * kw bytes: one VMLADAV for 16 taps. Eight channels are turned at a time (scattered stores), four are requantised
 * at a time.
 *
 * rows: kh pointers to pixel column in_x0 of the input rows, NULL for padding rows; out: pixel x0 of the output row.
 * scratch: 8 planes of `plane` bytes, and 16 more that windows read without effect. A plane holds what `block` outputs
 * need: ((block - 1) * stride_w + kw) columns of kh bytes.
 * packed (tinyforge/ops/packing_mve.py), int32 words, for each group of four channels: for each channel `vectors` times
 * 16 weights, column by column with zeros behind them, the last vector first; then 4 biases, multipliers, addends and
 * shifts as tf_matmul_mve_s8.h has them. Channels that are no multiple of four: the last two groups overlap. */
#ifndef TF_DEPTHWISE_MVE_S8_H
#define TF_DEPTHWISE_MVE_S8_H

#include "tf_matmul_mve_s8.h"

/* What a call is about; all literals, as parameters of their own: GCC does not always see through a struct, and the
 * assembly wants immediates. step: bytes from the window of one output to the next, out_step: from one output to the
 * next. */
#define TF_DWM_SHAPE                                                                                                   \
    int32_t taps, int32_t out_step, int32_t plane, int32_t step, int32_t vectors, int32_t rounding, int32_t lo,        \
        int32_t hi

/* Plain C form of the loops below: n outputs of four channels, `p` the first one's window in the first plane. */
TF_INLINE void tf_dwm_group_c(const int8_t *p, const int32_t *packed, int8_t *out, int32_t n, TF_DWM_SHAPE)
{
    const int8_t *const weights = (const int8_t *)packed;
    const int32_t *const tables = packed + 16 * vectors;
    for (int32_t i = 0; i < n; ++i, p += step, out += out_step) {
        for (int32_t c = 0; c < 4; ++c) {
            int32_t acc = tables[c];
            for (int32_t k = 0; k < taps; ++k) {
                acc += p[c * plane + k] * weights[(c * vectors + vectors - 1 - k / 16) * 16 + k % 16];
            }
            out[c] = (int8_t)tf_requant_short(2 * acc, tables[4 + c], tables[8 + c], -tables[12 + c], rounding, lo, hi);
        }
    }
}

/* Immediates of the assembly need an optimising build; the packer keeps channels to what an ADD takes. */
#if TF_MVE && defined(__OPTIMIZE__)
#define TF_DWM_NEXT(p, q) "vldrb.8 " q ", [" p "], %[step]\n"
#define TF_DWM_SIGN_no ""
#define TF_DWM_SIGN_yes "vshr.s32 q1, q0, #31\n"
#define TF_DWM_SIGNED_no ""
#define TF_DWM_SIGNED_yes "vadd.i32 q0, q0, q1\n"
#define TF_DWM_SUMS "vmov q0[2], q0[0], r0, r4\n\tvmov q0[3], q0[1], r2, r6\n"
#define TF_DWM_STORE "vstrb.32 q0, [r5]\n\tadd r5, r5, %[out_step]\n\tle lr, 1b\n"
#define TF_DWM_LIMITS "mov r0, %[lo]\n\tvdup.32 q2, r0\n\tmov r0, %[hi]\n\tvdup.32 q3, r0\n"
#define TF_DWM_LIMIT "vmax.s32 q0, q0, q2\n\tvmin.s32 q0, q0, q3\n"

/* One vector of taps: the weights of four channels stay in q4..q7. */
#define TF_DWM_ENTER_1                                                                                                 \
    "vldrb.8 q4, [r1], #16\n\tvldrb.8 q5, [r1], #16\n\tvldrb.8 q6, [r1], #16\n\tvldrb.8 q7, [r1], #16\n"
#define TF_DWM_TAPS_1                                                                                                  \
    "dls lr, lr\n1:\n" TF_DWM_NEXT("r3", "q0") TF_DWM_NEXT("r8", "q1") "vmladav.s8 r0, q0, q4\n" TF_DWM_NEXT(          \
        "r9", "q0") "vmladav.s8 r2, q1, q5\n" TF_DWM_NEXT("r10", "q1") "vmladav.s8 r4, q0, q6\n\tvmladav.s8 r6, q1, "  \
                                                                       "q7\n" TF_DWM_SUMS                              \
                                                                       "vldrw.32 q1, [r1]\n\tvadd.i32 q0, q0, q1\n"

/* Outputs of the whole int8 range: multipliers and addends stay in q2 and q3, saturation clamps. */
#define TF_DWM_FULL(sign)                                                                                              \
    TF_DWM_ENTER_1 "vldrw.32 q2, [r1, #16]\n\tvldrw.32 q3, [r1, #32]\n" TF_DWM_TAPS_1 TF_DWM_SIGN_##sign               \
        "vqrdmulh.s32 q0, q0, q2\n" TF_DWM_SIGNED_##sign                                                               \
        "vldrw.32 q1, [r1, #48]\n\tvadd.i32 q0, q0, q3\n\tvshl.s32 q0, q0, q1\n"                                       \
        "vqmovnb.s32 q0, q0\n\tvqmovnb.s16 q0, q0\n" TF_DWM_STORE

/* Any range, outputs on one side of the zero point. */
#define TF_DWM_CLAMPED                                                                                                 \
    TF_DWM_ENTER_1 TF_DWM_LIMITS TF_DWM_TAPS_1 "vldrw.32 q1, [r1, #16]\n\tvqrdmulh.s32 q0, q0, q1\n"                   \
                                               "vldrw.32 q1, [r1, #32]\n\tvadd.i32 q0, q0, q1\n\tvldrw.32 q1, "        \
                                               "[r1, #48]\n\tvshl.s32 q0, q0, q1\n" TF_DWM_LIMIT TF_DWM_STORE

/* More vectors: the tables stay in q4..q7, weights are read again for every output. */
#define TF_DWM_MAC(mla, a) "vldrb.8 q1, [r1], #16\n\t" mla ".s8 " a ", q0, q1\n"
#define TF_DWM_AT(p, at, mla, a) "vldrb.8 q0, [" p ", #" at "]\n" TF_DWM_MAC(mla, a)
#define TF_DWM_LAST(p, a) TF_DWM_NEXT(p, "q0") TF_DWM_MAC("vmladava", a)
#define TF_DWM_TAPS_2(p, a) TF_DWM_AT(p, "16", "vmladav", a) TF_DWM_LAST(p, a)
#define TF_DWM_TAPS_3(p, a) TF_DWM_AT(p, "32", "vmladav", a) TF_DWM_AT(p, "16", "vmladava", a) TF_DWM_LAST(p, a)
#define TF_DWM_TAPS_4(p, a)                                                                                            \
    TF_DWM_AT(p, "48", "vmladav", a)                                                                                   \
    TF_DWM_AT(p, "32", "vmladava", a) TF_DWM_AT(p, "16", "vmladava", a) TF_DWM_LAST(p, a)
#define TF_DWM_MANY(taps, sign)                                                                                        \
    "add r0, r1, %[weights]\n\tvldrw.32 q4, [r0]\n\tvldrw.32 q5, [r0, #16]\n"                                          \
    "vldrw.32 q6, [r0, #32]\n\tvldrw.32 q7, [r0, #48]\n" TF_DWM_LIMITS "dls lr, lr\n1:\n" taps("r3", "r0")             \
        taps("r8", "r2") taps("r9", "r4") taps("r10", "r6") TF_DWM_SUMS                                                \
        "sub r1, r1, %[weights]\n\tvadd.i32 q0, q0, q4\n" TF_DWM_SIGN_##sign                                           \
        "vqrdmulh.s32 q0, q0, q5\n" TF_DWM_SIGNED_##sign                                                               \
        "vadd.i32 q0, q0, q6\n\tvshl.s32 q0, q0, q7\n" TF_DWM_LIMIT TF_DWM_STORE

/* The assembly knows the order: windows in the four planes, constants, output, outputs to make. */
typedef struct {
    const int8_t *p[4];
    const int32_t *w;
    int8_t *out;
    int32_t n;
} tf_dwm_job;

/* One operand, and registers chosen here: GCC finds none for more in some functions. */
#define TF_DWM_LOAD                                                                                                    \
    "ldrd r3, r8, [%[job]]\n\tldrd r9, r10, [%[job], #8]\n\tldrd r1, r5, [%[job], #16]\n\tldr lr, [%[job], #24]\n"
#define TF_DWM_RUN(text)                                                                                               \
    __asm__ volatile(TF_DWM_LOAD text                                                                                  \
                     :                                                                                                 \
                     : [job] "r"(&job), [out_step] "i"(out_step), [step] "i"(step), [weights] "i"(64 * vectors),       \
                       [lo] "i"(lo), [hi] "i"(hi)                                                                      \
                     : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "lr", "q0", "q1", "q2", "q3",      \
                       "q4", "q5", "q6", "q7", "memory", "cc")
#define TF_DWM_BOTH(taps)                                                                                              \
    if (rounding == TF_ROUND_Q31_SIGNED) {                                                                             \
        TF_DWM_RUN(TF_DWM_MANY(taps, yes));                                                                            \
    } else {                                                                                                           \
        TF_DWM_RUN(TF_DWM_MANY(taps, no));                                                                             \
    }

/* n >= 1 outputs of four channels; the packer gives no signed rounding with a narrow range for one vector. */
TF_INLINE void tf_dwm_group(const int8_t *p0, const int32_t *w, int8_t *out, int32_t n, TF_DWM_SHAPE)
{
    (void)taps;
    const tf_dwm_job job = {{p0, p0 + plane, p0 + 2 * plane, p0 + 3 * plane}, w, out, n};
    if (vectors == 1 && (lo != -128 || hi != 127)) {
        TF_DWM_RUN(TF_DWM_CLAMPED);
    } else if (vectors == 1 && rounding == TF_ROUND_Q31_SIGNED) {
        TF_DWM_RUN(TF_DWM_FULL(yes));
    } else if (vectors == 1) {
        TF_DWM_RUN(TF_DWM_FULL(no));
    } else if (vectors == 2) {
        TF_DWM_BOTH(TF_DWM_TAPS_2)
    } else if (vectors == 3) {
        TF_DWM_BOTH(TF_DWM_TAPS_3)
    } else {
        TF_DWM_BOTH(TF_DWM_TAPS_4)
    }
}
#else
TF_INLINE void tf_dwm_group(const int8_t *p0, const int32_t *w, int8_t *out, int32_t n, TF_DWM_SHAPE)
{
    tf_dwm_group_c(p0, w, out, n, taps, out_step, plane, step, vectors, rounding, lo, hi);
}
#endif

/* One value of each of `lanes` <= 8 planes. */
TF_INLINE void tf_dwm_fill(int8_t *to, int32_t value, int32_t plane, int32_t lanes)
{
    for (int32_t c = 0; c < lanes; ++c) {
        to[c * plane] = (int8_t)value;
    }
}

/* n columns of kh rows, from pixels in_c bytes apart, to columns of the planes; NULL rows read as zero. */
TF_INLINE void tf_dwm_turn(int8_t *to, const int8_t *const *rows, int32_t at, int32_t n, int32_t kh, int32_t in_c,
                           int32_t plane, int32_t lanes, int32_t zero)
{
    for (int32_t ky = 0; ky < kh; ++ky) {
        int8_t *column = to + ky;
        if (rows[ky] == NULL) {
            for (int32_t x = 0; x < n; ++x, column += kh) {
                tf_dwm_fill(column, zero, plane, lanes);
            }
            continue;
        }
        const int8_t *from = rows[ky] + at;
#if TF_MVE
        const uint16x8_t places = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)plane);
        if (lanes == 8) {
            for (int32_t x = 0; x < n; ++x, column += kh, from += in_c) {
                vstrbq_scatter_offset_s16(column, places, vldrbq_s16(from));
            }
        } else {
            const mve_pred16_t some = vctp16q((uint32_t)lanes);
            for (int32_t x = 0; x < n; ++x, column += kh, from += in_c) {
                vstrbq_scatter_offset_p_s16(column, places, vldrbq_z_s16(from, some), some);
            }
        }
#else
        for (int32_t x = 0; x < n; ++x, column += kh, from += in_c) {
            for (int32_t c = 0; c < lanes; ++c) {
                column[c * plane] = from[c];
            }
        }
#endif
    }
}

TF_INLINE void tf_depthwise_mve_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                   const int32_t *packed, void *scratch, int32_t kh, int32_t kw, int32_t in_w,
                                   int32_t in_c, int32_t out_step, int32_t stride_w, int32_t pad_left, int32_t in_zero,
                                   int32_t block, int32_t plane, int32_t rounding, int32_t lo, int32_t hi)
{
    const int32_t vectors = (kh * kw + 15) / 16;
    int8_t *const planes = scratch;
    for (int32_t x = x0; x < x1; x += block) {
        const int32_t n = tf_min(block, x1 - x);
        const int32_t left = x * stride_w - pad_left;
        const int32_t count = (n - 1) * stride_w + kw;
        const int32_t first = tf_min(tf_max(-left, 0), count);
        const int32_t last = tf_max(tf_min(in_w - left, count), first);
        for (int32_t i = 0; i < kh * first; ++i) {
            tf_dwm_fill(planes + i, in_zero, plane, tf_min(in_c, 8));
        }
        for (int32_t i = kh * last; i < kh * count; ++i) {
            tf_dwm_fill(planes + i, in_zero, plane, tf_min(in_c, 8));
        }
        const int32_t *w = packed;
        for (int32_t c = 0; c < in_c; c += 8) {
            const int32_t from = tf_min(c, in_c - 4); /* the last group may overlap the one before */
            const int32_t lanes = tf_min(8, in_c - from);
            tf_dwm_turn(planes + kh * first, rows, (left + first - in_x0) * in_c + from, last - first, kh, in_c, plane,
                        lanes, in_zero);
            for (int32_t g = 0; g < lanes; g += 4, w += 16 * (vectors + 1)) {
                const int32_t behind = tf_min(g, lanes - 4);
                tf_dwm_group(planes + behind * plane, w, out + (x - x0) * out_step + from + behind, n, kh * kw,
                             out_step, plane, kh * stride_w, vectors, rounding, lo, hi);
            }
        }
    }
}

#endif
