/* Thumb-2 cores of tf_matmul_s8.h: the loop that a network spends its time in, with every register accounted for.
 * In assembly because no compiler keeps six sums, three inputs, two weights, two pointers and a counter in registers;
 * tf_matmul_c is the same in C and the oracle. Each core uses 68 bytes of stack.
 *
 *   r0 input  r1 weights  r2.. sums  lr loops left;  sp: +0 x, +4 loops, +8 entry, +12 out, +16 out_stride, +20 lo, +24 hi
 *
 * The first step of a group takes the bias as its addend; the others are unrolled TF_MATMUL_UNROLL times and entered in
 * the middle, so that any number of steps runs without a remainder loop. Every instruction of a step has four bytes. */
#ifndef TF_MATMUL_S8_THUMB2_H
#define TF_MATMUL_S8_THUMB2_H

#define TF_MATMUL_UNROLL "8"

/* Arguments: r0 x, r1 w, r2 out, r3 out_stride, [sp] steps, lo, hi. step_bytes: size of one unrolled step. */
#define TF_MATMUL_ENTER(step_bytes)                                                                                    \
    "push {r4-r11, lr}\n"                                                                                              \
    "ldr r4, [sp, #36]\n"                                                                                              \
    "ldrd r5, r6, [sp, #40]\n"                                                                                         \
    "sub sp, #28\n"                                                                                                    \
    "strd r2, r3, [sp, #12]\n"                                                                                         \
    "strd r5, r6, [sp, #20]\n"                                                                                         \
    "subs r4, #1\n"                                                                                                    \
    "rsb r7, r4, #0\n"                                                                                                 \
    "and r7, r7, #(" TF_MATMUL_UNROLL " - 1)\n"                                                                        \
    "adr.w r8, 2f\n"                                                                                                   \
    "mov r9, #" step_bytes "\n"                                                                                        \
    "mla r8, r7, r9, r8\n"                                                                                             \
    "add r5, r4, #(" TF_MATMUL_UNROLL " - 1)\n"                                                                        \
    "mov r6, #" TF_MATMUL_UNROLL "\n"                                                                                  \
    "udiv r5, r5, r6\n"                                                                                                \
    "cmp r4, #0\n"                                                                                                     \
    "it eq\n"                                                                                                          \
    "adreq.w r8, 3f\n"                                                                                                 \
    "orr r8, r8, #1\n"                                                                                                 \
    "strd r0, r5, [sp]\n"                                                                                              \
    "str r8, [sp, #8]\n"                                                                                               \
    ".balign 4\n"

#define TF_MATMUL_LOOP(step)                                                                                           \
    "ldr pc, [sp, #8]\n"                                                                                               \
    ".balign 4\n"                                                                                                      \
    "2:\n"                                                                                                             \
    ".rept " TF_MATMUL_UNROLL "\n" step ".endr\n"                                                                      \
    "subs lr, #1\n"                                                                                                    \
    "bne 2b\n"                                                                                          \
    "3:\n"

#define TF_MATMUL_LEAVE                                                                                                \
    "cmp r0, #0\n"                                                                                                     \
    "bne.w 1b\n"                                                                                                       \
    "add sp, #28\n"                                                                                                    \
    "pop {r4-r11, pc}\n"

/* One output: sum in acc, tables in m (multiplier), a (add), s (shift); stored at `to`. */
#define TF_SAT "ssat lr, #8, lr\n"
#define TF_SAT_CLAMP(acc)                                                                                              \
    "ldr " acc ", [sp, #20]\n"                                                                                         \
    "cmp lr, " acc "\n"                                                                                                \
    "it lt\n"                                                                                                          \
    "movlt lr, " acc "\n"                                                                                              \
    "ldr " acc ", [sp, #24]\n"                                                                                         \
    "cmp lr, " acc "\n"                                                                                                \
    "it gt\n"                                                                                                          \
    "movgt lr, " acc "\n"
#define TF_OUT(acc, m, a, s, mul, sign, sat, to)                                                                       \
    "asr " acc ", " acc ", #7\n" mul " lr, " acc ", " m ", " a "\n" sign "asr lr, lr, " s "\n" sat "strb lr, " to "\n"

#define TF_SIGN_Q31(acc) ""
#define TF_SIGN_Q31S(acc) "add lr, lr, " acc ", asr #31\n"
#define TF_MUL_Q31 "smmlar"
#define TF_MUL_Q31S "smmlar"
#define TF_SIGN_REAL(acc) ""
#define TF_MUL_REAL "smmla"
#define TF_SAT_FULL(acc) TF_SAT

/* 2 channels x 3 pixels: sums r2 r3 r4 and r5 r6 r7 */
#define TF_STEP_2X3(b0, b1, b2, b3, b4, b5)                                                                            \
    "ldrd r8, r9, [r1], #8\n"                                                                                          \
    "ldm r0!, {r10, r11, r12}\n"                                                                                       \
    "smlad r4, r8, r12, " b2 "\n"                                                                                      \
    "smlad r3, r8, r11, " b1 "\n"                                                                                      \
    "smlad r2, r8, r10, " b0 "\n"                                                                                      \
    "smlad r7, r9, r12, " b5 "\n"                                                                                      \
    "smlad r6, r9, r11, " b4 "\n"                                                                                      \
    "smlad r5, r9, r10, " b3 "\n"                                                                                      \
    "ldm r0!, {r10, r11, r12}\n"                                                                                       \
    "sxtb16 r8, r8\n"                                                                                                  \
    "sxtb16 r9, r9\n"                                                                                                  \
    "smlad r2, r8, r10, r2\n"                                                                                          \
    "smlad r3, r8, r11, r3\n"                                                                                          \
    "smlad r4, r8, r12, r4\n"                                                                                          \
    "smlad r5, r9, r10, r5\n"                                                                                          \
    "smlad r6, r9, r11, r6\n"                                                                                          \
    "smlad r7, r9, r12, r7\n"

#define TF_CORE_2X3(MUL, SIGN, SAT)                                                                                    \
    TF_MATMUL_ENTER("68")                                                                                              \
    "1: ldrd r2, r5, [r1], #8\n"                                                                                       \
    "ldrd r0, lr, [sp]\n" TF_STEP_2X3("r2", "r2", "r2", "r5", "r5", "r5")                                              \
        TF_MATMUL_LOOP(TF_STEP_2X3("r2", "r3", "r4", "r5", "r6", "r7")) "ldm r1!, {r0, r8, r9, r10}\n"                 \
                                                                        "ldrd r11, r12, [sp, #12]\n"                   \
                                                                        "add r11, r11, r0\n"                           \
        TF_OUT("r2", "r8", "r9", "r10", MUL, SIGN("r2"), SAT("r2"), "[r11]")                                           \
        TF_OUT("r3", "r8", "r9", "r10", MUL, SIGN("r3"), SAT("r3"), "[r11, r12]")                                      \
        TF_OUT("r4", "r8", "r9", "r10", MUL, SIGN("r4"), SAT("r4"), "[r11, r12, lsl #1]")                              \
    "ldm r1!, {r8, r9, r10}\n"                                                                                         \
    "add r11, r11, #1\n"                                                                                               \
        TF_OUT("r5", "r8", "r9", "r10", MUL, SIGN("r5"), SAT("r5"), "[r11]")                                           \
        TF_OUT("r6", "r8", "r9", "r10", MUL, SIGN("r6"), SAT("r6"), "[r11, r12]")                                      \
        TF_OUT("r7", "r8", "r9", "r10", MUL, SIGN("r7"), SAT("r7"), "[r11, r12, lsl #1]") TF_MATMUL_LEAVE

/* 2 channels x 2 pixels: sums r2 r3 and r4 r5 */
#define TF_STEP_2X2(b0, b1, b2, b3)                                                                                    \
    "ldrd r8, r9, [r1], #8\n"                                                                                          \
    "ldrd r10, r11, [r0], #8\n"                                                                                        \
    "smlad r3, r8, r11, " b1 "\n"                                                                                      \
    "smlad r2, r8, r10, " b0 "\n"                                                                                      \
    "smlad r5, r9, r11, " b3 "\n"                                                                                      \
    "smlad r4, r9, r10, " b2 "\n"                                                                                      \
    "ldrd r10, r11, [r0], #8\n"                                                                                        \
    "sxtb16 r8, r8\n"                                                                                                  \
    "sxtb16 r9, r9\n"                                                                                                  \
    "smlad r2, r8, r10, r2\n"                                                                                          \
    "smlad r3, r8, r11, r3\n"                                                                                          \
    "smlad r4, r9, r10, r4\n"                                                                                          \
    "smlad r5, r9, r11, r5\n"

#define TF_CORE_2X2(MUL, SIGN, SAT)                                                                                    \
    TF_MATMUL_ENTER("52")                                                                                              \
    "1: ldrd r2, r4, [r1], #8\n"                                                                                       \
    "ldrd r0, lr, [sp]\n" TF_STEP_2X2("r2", "r2", "r4", "r4")                                                          \
        TF_MATMUL_LOOP(TF_STEP_2X2("r2", "r3", "r4", "r5")) "ldm r1!, {r0, r8, r9, r10}\n"                             \
                                                            "ldrd r11, r12, [sp, #12]\n"                               \
                                                            "add r11, r11, r0\n"                                       \
        TF_OUT("r2", "r8", "r9", "r10", MUL, SIGN("r2"), SAT("r2"), "[r11]")                                           \
        TF_OUT("r3", "r8", "r9", "r10", MUL, SIGN("r3"), SAT("r3"), "[r11, r12]")                                      \
    "ldm r1!, {r8, r9, r10}\n"                                                                                         \
    "add r11, r11, #1\n"                                                                                               \
        TF_OUT("r4", "r8", "r9", "r10", MUL, SIGN("r4"), SAT("r4"), "[r11]")                                           \
        TF_OUT("r5", "r8", "r9", "r10", MUL, SIGN("r5"), SAT("r5"), "[r11, r12]") TF_MATMUL_LEAVE

/* 2 channels x 1 pixel: sums r2 and r3 */
#define TF_STEP_2X1                                                                                                    \
    "ldrd r8, r9, [r1], #8\n"                                                                                          \
    "ldrd r10, r11, [r0], #8\n"                                                                                        \
    "smlad r2, r8, r10, r2\n"                                                                                          \
    "smlad r3, r9, r10, r3\n"                                                                                          \
    "sxtb16 r8, r8\n"                                                                                                  \
    "sxtb16 r9, r9\n"                                                                                                  \
    "smlad r2, r8, r11, r2\n"                                                                                          \
    "smlad r3, r9, r11, r3\n"

#define TF_CORE_2X1(MUL, SIGN, SAT)                                                                                    \
    TF_MATMUL_ENTER("32")                                                                                              \
    "1: ldrd r2, r3, [r1], #8\n"                                                                                       \
    "ldrd r0, lr, [sp]\n" TF_STEP_2X1 TF_MATMUL_LOOP(TF_STEP_2X1) "ldm r1!, {r0, r8, r9, r10}\n"                       \
                                                                  "ldr r11, [sp, #12]\n"                               \
                                                                  "add r11, r11, r0\n"                                 \
        TF_OUT("r2", "r8", "r9", "r10", MUL, SIGN("r2"), SAT("r2"), "[r11]")                                           \
    "ldm r1!, {r8, r9, r10}\n"                                                                                         \
        TF_OUT("r3", "r8", "r9", "r10", MUL, SIGN("r3"), SAT("r3"), "[r11, #1]") TF_MATMUL_LEAVE

/* 4 channels x 1 pixel: sums r2..r5 */
#define TF_STEP_4X1                                                                                                    \
    "ldm r1!, {r6, r7, r8, r9}\n"                                                                                      \
    "ldrd r10, r11, [r0], #8\n"                                                                                        \
    "smlad r2, r6, r10, r2\n"                                                                                          \
    "smlad r3, r7, r10, r3\n"                                                                                          \
    "smlad r4, r8, r10, r4\n"                                                                                          \
    "smlad r5, r9, r10, r5\n"                                                                                          \
    "sxtb16 r6, r6\n"                                                                                                  \
    "sxtb16 r7, r7\n"                                                                                                  \
    "sxtb16 r8, r8\n"                                                                                                  \
    "sxtb16 r9, r9\n"                                                                                                  \
    "smlad r2, r6, r11, r2\n"                                                                                          \
    "smlad r3, r7, r11, r3\n"                                                                                          \
    "smlad r4, r8, r11, r4\n"                                                                                          \
    "smlad r5, r9, r11, r5\n"

#define TF_CORE_4X1(MUL, SIGN, SAT)                                                                                    \
    TF_MATMUL_ENTER("56")                                                                                              \
    "1: ldm.w r1!, {r2, r3, r4, r5}\n"                                                                                 \
    "ldrd r0, lr, [sp]\n" TF_STEP_4X1 TF_MATMUL_LOOP(TF_STEP_4X1) "ldm r1!, {r0, r8, r9, r10}\n"                       \
                                                                  "ldr r11, [sp, #12]\n"                               \
                                                                  "add r11, r11, r0\n"                                 \
        TF_OUT("r2", "r8", "r9", "r10", MUL, SIGN("r2"), SAT("r2"), "[r11]")                                           \
    "ldm r1!, {r8, r9, r10}\n"                                                                                         \
        TF_OUT("r3", "r8", "r9", "r10", MUL, SIGN("r3"), SAT("r3"), "[r11, #1]")                                       \
    "ldm r1!, {r8, r9, r10}\n"                                                                                         \
        TF_OUT("r4", "r8", "r9", "r10", MUL, SIGN("r4"), SAT("r4"), "[r11, #2]")                                       \
    "ldm r1!, {r8, r9, r10}\n"                                                                                         \
        TF_OUT("r5", "r8", "r9", "r10", MUL, SIGN("r5"), SAT("r5"), "[r11, #3]") TF_MATMUL_LEAVE

#define TF_UNUSED __attribute__((unused))
#define TF_MATMUL_CORE(name, core)                                                                                     \
    __attribute__((naked, noinline, unused)) static void name(                                                         \
        TF_UNUSED const uint32_t *x, TF_UNUSED const int32_t *w, TF_UNUSED int8_t *out, TF_UNUSED int32_t out_stride,  \
        TF_UNUSED int32_t steps, TF_UNUSED int32_t lo, TF_UNUSED int32_t hi)                                           \
    {                                                                                                                  \
        __asm__ volatile(core);                                                                                        \
    }

TF_MATMUL_CORE(tf_matmul_2x3_q31, TF_CORE_2X3(TF_MUL_Q31, TF_SIGN_Q31, TF_SAT_FULL))
TF_MATMUL_CORE(tf_matmul_2x3_q31_clamp, TF_CORE_2X3(TF_MUL_Q31, TF_SIGN_Q31, TF_SAT_CLAMP))
TF_MATMUL_CORE(tf_matmul_2x3_q31s, TF_CORE_2X3(TF_MUL_Q31S, TF_SIGN_Q31S, TF_SAT_FULL))
TF_MATMUL_CORE(tf_matmul_2x3_q31s_clamp, TF_CORE_2X3(TF_MUL_Q31S, TF_SIGN_Q31S, TF_SAT_CLAMP))
TF_MATMUL_CORE(tf_matmul_2x2_q31, TF_CORE_2X2(TF_MUL_Q31, TF_SIGN_Q31, TF_SAT_FULL))
TF_MATMUL_CORE(tf_matmul_2x2_q31_clamp, TF_CORE_2X2(TF_MUL_Q31, TF_SIGN_Q31, TF_SAT_CLAMP))
TF_MATMUL_CORE(tf_matmul_2x2_q31s, TF_CORE_2X2(TF_MUL_Q31S, TF_SIGN_Q31S, TF_SAT_FULL))
TF_MATMUL_CORE(tf_matmul_2x2_q31s_clamp, TF_CORE_2X2(TF_MUL_Q31S, TF_SIGN_Q31S, TF_SAT_CLAMP))
TF_MATMUL_CORE(tf_matmul_2x1_q31, TF_CORE_2X1(TF_MUL_Q31, TF_SIGN_Q31, TF_SAT_FULL))
TF_MATMUL_CORE(tf_matmul_2x1_q31_clamp, TF_CORE_2X1(TF_MUL_Q31, TF_SIGN_Q31, TF_SAT_CLAMP))
TF_MATMUL_CORE(tf_matmul_2x1_q31s, TF_CORE_2X1(TF_MUL_Q31S, TF_SIGN_Q31S, TF_SAT_FULL))
TF_MATMUL_CORE(tf_matmul_2x1_q31s_clamp, TF_CORE_2X1(TF_MUL_Q31S, TF_SIGN_Q31S, TF_SAT_CLAMP))
TF_MATMUL_CORE(tf_matmul_2x1_real, TF_CORE_2X1(TF_MUL_REAL, TF_SIGN_REAL, TF_SAT_FULL))
TF_MATMUL_CORE(tf_matmul_2x1_real_clamp, TF_CORE_2X1(TF_MUL_REAL, TF_SIGN_REAL, TF_SAT_CLAMP))
TF_MATMUL_CORE(tf_matmul_4x1_real, TF_CORE_4X1(TF_MUL_REAL, TF_SIGN_REAL, TF_SAT_FULL))
TF_MATMUL_CORE(tf_matmul_4x1_real_clamp, TF_CORE_4X1(TF_MUL_REAL, TF_SIGN_REAL, TF_SAT_CLAMP))

#endif
