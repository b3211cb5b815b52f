/* The inner product of convolutions and fully-connected layers for Helium: one or two pixels x four channels at a time,
 * sixteen products an instruction (VMLADAV), requantised four channels at a time.
 *
 * Packed constants (tinyforge/ops/packing_mve.py), int32 words, for each group of four channels:
 *     weights: steps of 4 x 16 bytes, the 16 values of channel 0, of channel 1, ...; the first step holds the first
 *     `first` = 1..16 values of a pixel and zeros behind them, every other step the next 16;
 *     4 biases, 4 multipliers, 4 addends, 4 shifts (zero or negative): the short form of tf_requant.h.
 * Where the channels are no multiple of four the last group overlaps the one before.
 *
 * The loops are in assembly: sixteen registers hold eight sums (VMLADAV wants even ones), the pointers and the counter,
 * which no compiler manages. tf_matmul_mve_c is the same in C, the oracle. */
#ifndef TF_MATMUL_MVE_S8_H
#define TF_MATMUL_MVE_S8_H

#include "tf_mve.h"

#ifndef TF_SHARED
#define TF_SHARED static __attribute__((noinline, unused))
#endif

enum { TF_MVE_GROUP = 4, TF_MVE_STEP = 16 };

/* One call: pixels x[0] (and x[1]), outputs from out[0] (and out[1]) on, `groups` groups of constants. The assembly
 * knows the order. */
typedef struct {
    const int8_t *x[2];
    int8_t *out[2];
    const int32_t *packed;
    const int32_t *end; /* of the constants */
    int32_t first;      /* values of the first step */
    int32_t more;       /* steps behind it */
    int32_t lo;
    int32_t hi;
} tf_mve_job;

/* Words of one group. */
TF_INLINE int32_t tf_mve_words(int32_t more)
{
    return TF_MVE_GROUP * TF_MVE_STEP / 4 * (more + 1) + 4 * TF_MVE_GROUP;
}

TF_INLINE int32_t tf_mve_dot(const int8_t *x, const int8_t *w, int32_t first, int32_t more)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < first; ++i) {
        sum += x[i] * w[i];
    }
    for (int32_t s = 0; s < more; ++s) {
        w += TF_MVE_GROUP * TF_MVE_STEP;
        for (int32_t i = 0; i < TF_MVE_STEP; ++i) {
            sum += x[first + s * TF_MVE_STEP + i] * w[i];
        }
    }
    return sum;
}

/* Plain C form of the cores below. rounding: as tf_requant_short. */
TF_INLINE void tf_matmul_mve_c(const tf_mve_job *job, int32_t pixels, int32_t rounding)
{
    int32_t c = 0;
    for (const int32_t *at = job->packed; at != job->end; at += tf_mve_words(job->more), c += TF_MVE_GROUP) {
        const int32_t *tables = at + tf_mve_words(job->more) - 4 * TF_MVE_GROUP;
        for (int32_t g = 0; g < TF_MVE_GROUP; ++g) {
            const int8_t *w = (const int8_t *)at + g * TF_MVE_STEP;
            for (int32_t p = 0; p < pixels; ++p) {
                const int32_t acc = tf_add32(tf_mve_dot(job->x[p], w, job->first, job->more), tables[g]);
                job->out[p][c + g] = (int8_t)tf_requant_short(2 * acc, tables[4 + g], tables[8 + g], -tables[12 + g],
                                                              rounding, job->lo, job->hi);
            }
        }
    }
}

#if TF_MVE
/* r0 job -> r1 constants, r9 their end, r11 first, q4 and q5 limits; stack: x, x, out, out, more. VPR: the first step's
 * lanes; the loops leave it alone. */
#define TF_MVE_ENTER                                                                                                   \
    "push {r4-r11, lr}\n"                                                                                              \
    "vpush {d8-d11}\n"                                                                                                 \
    "sub sp, #24\n"                                                                                                    \
    "ldrd r2, r3, [r0]\n"                                                                                              \
    "ldrd r4, r5, [r0, #8]\n"                                                                                          \
    "ldrd r1, r9, [r0, #16]\n"                                                                                         \
    "ldrd r11, r6, [r0, #24]\n"                                                                                        \
    "ldrd r8, r10, [r0, #32]\n"                                                                                        \
    "strd r2, r3, [sp]\n"                                                                                              \
    "strd r4, r5, [sp, #8]\n"                                                                                          \
    "str r6, [sp, #16]\n"                                                                                              \
    "vdup.32 q4, r8\n"                                                                                                 \
    "vdup.32 q5, r10\n"                                                                                                \
    "vctp.8 r11\n"

#define TF_MVE_LEAVE                                                                                                   \
    "cmp r1, r9\n"                                                                                                     \
    "bne 1b\n"                                                                                                         \
    "add sp, #24\n"                                                                                                    \
    "vpop {d8-d11}\n"                                                                                                  \
    "pop {r4-r11, pc}\n"

/* Sixteen values of one channel times those of two pixels in q0, q1. */
#define TF_MVE_PAIR(mla, q, a, b) "vldrb.8 " q ", [r1], #16\n" mla ".s8 " a ", q0, " q "\n" mla ".s8 " b ", q1, " q "\n"
#define TF_MVE_STEP_2(mla)                                                                                             \
    TF_MVE_PAIR(mla, "q2", "r0", "r8")                                                                                 \
    TF_MVE_PAIR(mla, "q3", "r2", "r10") TF_MVE_PAIR(mla, "q2", "r4", "r12") TF_MVE_PAIR(mla, "q3", "r6", "lr")

/* Two pixels: steps two by two, an odd one before them. */
#define TF_MVE_LOAD_2 "vldrb.8 q0, [r3], #16\n\tvldrb.8 q1, [r5], #16\n" TF_MVE_STEP_2("vmladava")
#define TF_MVE_SUMS_2                                                                                                  \
    "1:\n"                                                                                                             \
    "ldrd r3, r5, [sp]\n"                                                                                              \
    "ldr r7, [sp, #16]\n"                                                                                              \
    "vpstt\n"                                                                                                          \
    "vldrbt.8 q0, [r3]\n"                                                                                              \
    "vldrbt.8 q1, [r5]\n"                                                                                              \
    "add r3, r3, r11\n"                                                                                                \
    "add r5, r5, r11\n" TF_MVE_STEP_2("vmladav") "lsrs r7, r7, #1\n"                                                   \
                                                 "bcc 4f\n" TF_MVE_LOAD_2 "4:\n"                                       \
                                                 "beq 3f\n"                                                            \
                                                 "2:\n" TF_MVE_LOAD_2 TF_MVE_LOAD_2 "subs r7, #1\n"                    \
                                                 "bne 2b\n"                                                            \
                                                 "3:\n"                                                                \
                                                 "vmov q0[2], q0[0], r0, r4\n"                                         \
                                                 "vmov q0[3], q0[1], r2, r6\n"                                         \
                                                 "vmov q1[2], q1[0], r8, r12\n"                                        \
                                                 "vmov q1[3], q1[1], r10, lr\n"

#define TF_MVE_SINGLE(mla, q, a) "vldrb.8 " q ", [r1], #16\n" mla ".s8 " a ", q0, " q "\n"
#define TF_MVE_STEP_1(mla)                                                                                             \
    TF_MVE_SINGLE(mla, "q2", "r0")                                                                                     \
    TF_MVE_SINGLE(mla, "q3", "r2") TF_MVE_SINGLE(mla, "q2", "r4") TF_MVE_SINGLE(mla, "q3", "r6")

#define TF_MVE_SUMS_1                                                                                                  \
    "1:\n"                                                                                                             \
    "ldr r3, [sp]\n"                                                                                                   \
    "ldr r7, [sp, #16]\n"                                                                                              \
    "vpst\n"                                                                                                           \
    "vldrbt.8 q0, [r3]\n"                                                                                              \
    "add r3, r3, r11\n" TF_MVE_STEP_1("vmladav") "wls lr, r7, 3f\n"                                                    \
                                                 "2:\n"                                                                \
                                                 "vldrb.8 q0, [r3], #16\n" TF_MVE_STEP_1(                              \
                                                     "vmladava") "le lr, 2b\n"                                         \
                                                                 "3:\n"                                                \
                                                                 "vmov q0[2], q0[0], r0, r4\n"                         \
                                                                 "vmov q0[3], q0[1], r2, r6\n"

/* Sums in x (and y) to outputs; each(op) repeats an operation for the pixels. */
#define TF_MVE_SIGN(x) "vshr.s32 q3, " x ", #31\n"
#define TF_MVE_SCALE(x, mul) mul ".s32 " x ", " x ", q2\n"
#define TF_MVE_SCALE_SIGNED(x, mul)                                                                                    \
    TF_MVE_SIGN(x)                                                                                                     \
    mul ".s32 " x ", " x ", q2\n"                                                                                      \
        "vadd.i32 " x ", " x ", q3\n"
#define TF_MVE_ADD(x, unused) "vadd.i32 " x ", " x ", q2\n"
#define TF_MVE_SHIFT(x, unused) "vshl.s32 " x ", " x ", q2\n"
#define TF_MVE_CLAMP(x, unused)                                                                                        \
    "vmax.s32 " x ", " x ", q4\n"                                                                                      \
    "vmin.s32 " x ", " x ", q5\n"
#define TF_MVE_NEXT "vldrw.32 q2, [r1], #16\n"
#define TF_MVE_EACH_1(op, mul) op("q0", mul)
#define TF_MVE_EACH_2(op, mul) op("q0", mul) op("q1", mul)
#define TF_MVE_REQUANT(each, scale, mul)                                                                               \
    TF_MVE_NEXT each(TF_MVE_ADD, "") TF_MVE_NEXT each(scale, mul)                                                      \
    TF_MVE_NEXT each(TF_MVE_ADD, "") TF_MVE_NEXT each(TF_MVE_SHIFT, "") each(TF_MVE_CLAMP, "")

#define TF_MVE_STORE_1                                                                                                 \
    "ldr r0, [sp, #8]\n"                                                                                               \
    "vstrb.32 q0, [r0], #4\n"                                                                                          \
    "str r0, [sp, #8]\n"
#define TF_MVE_STORE_2                                                                                                 \
    "ldrd r0, r2, [sp, #8]\n"                                                                                          \
    "vstrb.32 q0, [r0], #4\n"                                                                                          \
    "vstrb.32 q1, [r2], #4\n"                                                                                          \
    "strd r0, r2, [sp, #8]\n"

#define TF_MVE_CORE(name, pixels, scale, mul, rounding)                                                                \
    static __attribute__((naked, noinline, unused)) void name(__attribute__((unused)) const tf_mve_job *job)           \
    {                                                                                                                  \
        __asm__ volatile(TF_MVE_ENTER TF_MVE_SUMS_##pixels TF_MVE_REQUANT(TF_MVE_EACH_##pixels, scale, mul)            \
                             TF_MVE_STORE_##pixels TF_MVE_LEAVE ::                                                     \
                                 : "memory");                                                                          \
    }
#else
#define TF_MVE_CORE(name, pixels, scale, mul, rounding)                                                                \
    TF_SHARED void name(const tf_mve_job *job)                                                                         \
    {                                                                                                                  \
        tf_matmul_mve_c(job, pixels, rounding);                                                                        \
    }
#endif

TF_MVE_CORE(tf_matmul_mve_1_q31, 1, TF_MVE_SCALE, "vqrdmulh", TF_ROUND_Q31)
TF_MVE_CORE(tf_matmul_mve_2_q31, 2, TF_MVE_SCALE, "vqrdmulh", TF_ROUND_Q31)
TF_MVE_CORE(tf_matmul_mve_1_signed, 1, TF_MVE_SCALE_SIGNED, "vqrdmulh", TF_ROUND_Q31_SIGNED)
TF_MVE_CORE(tf_matmul_mve_2_signed, 2, TF_MVE_SCALE_SIGNED, "vqrdmulh", TF_ROUND_Q31_SIGNED)
TF_MVE_CORE(tf_matmul_mve_1_real, 1, TF_MVE_SCALE, "vqdmulh", TF_ROUND_REAL)
TF_MVE_CORE(tf_matmul_mve_2_real, 2, TF_MVE_SCALE, "vqdmulh", TF_ROUND_REAL)

TF_INLINE void tf_matmul_mve_pick(const tf_mve_job *job, int32_t pixels, int32_t rounding)
{
    if (rounding == TF_ROUND_Q31) {
        (pixels == 2 ? tf_matmul_mve_2_q31 : tf_matmul_mve_1_q31)(job);
    } else if (rounding == TF_ROUND_Q31_SIGNED) {
        (pixels == 2 ? tf_matmul_mve_2_signed : tf_matmul_mve_1_signed)(job);
    } else {
        (pixels == 2 ? tf_matmul_mve_2_real : tf_matmul_mve_1_real)(job);
    }
}

/* All `channels` >= 4 outputs of 1 or 2 pixels of `values` bytes; everything but the pointers and pixels is a literal.
 */
TF_INLINE void tf_matmul_mve(const int8_t *x0, const int8_t *x1, int8_t *out, const int32_t *packed, int32_t pixels,
                             int32_t values, int32_t channels, int32_t rounding, int32_t lo, int32_t hi)
{
    const int32_t more = (values - 1) / TF_MVE_STEP;
    int8_t *const second = pixels == 2 ? out + channels : out;
    const int32_t *const tail = packed + channels / TF_MVE_GROUP * tf_mve_words(more);
    tf_mve_job job = {{x0, x1}, {out, second}, packed, tail, values - TF_MVE_STEP * more, more, lo, hi};
    tf_matmul_mve_pick(&job, pixels, rounding);
    if (channels % TF_MVE_GROUP != 0) {
        job.out[0] = out + channels - TF_MVE_GROUP;
        job.out[1] = second + channels - TF_MVE_GROUP;
        job.packed = tail;
        job.end = tail + tf_mve_words(more);
        tf_matmul_mve_pick(&job, pixels, rounding);
    }
}

#endif
