/* Thumb-2 cores of tf_matmul_s8.h: the loops that a network spends its time in, with every register accounted for.
 * In assembly because no compiler keeps six sums, three inputs, two weights, two pointers and a counter in registers;
 * tf_matmul_c is the same in C, the oracle. A core needs 64 bytes of stack and 12 of arguments.
 *
 *   r0 input  r1 weights  r2.. sums  lr loops left;  sp: +0 x, +4 loops, +8 entry, +12 out, +16 out_stride, +20 lo, +24 hi
 *
 * The first step of a group takes the bias as its addend; the others are unrolled TF_MATMUL_UNROLL times and entered in
 * the middle, so that any number of steps runs without a remainder loop. Every instruction of a step has four bytes. */
#ifndef TF_MATMUL_S8_THUMB2_H
#define TF_MATMUL_S8_THUMB2_H

#define TF_MATMUL_UNROLL "8"

/* Arguments: r0 x, r1 w, r2 out, r3 out_stride, [sp] steps, lo, hi. step_bytes: size of one unrolled step. */
#define TF_ENTER(step_bytes)                                                                                           \
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

#define TF_LOOP(step)                                                                                                  \
    "ldr pc, [sp, #8]\n"                                                                                               \
    ".balign 4\n"                                                                                                      \
    "2:\n"                                                                                                             \
    ".rept " TF_MATMUL_UNROLL "\n" step ".endr\n"                                                                      \
    "subs lr, #1\n"                                                                                                    \
    "bne 2b\n"                                                                                                         \
    "3:\n"

#define TF_LEAVE                                                                                                       \
    "cmp r0, #0\n"                                                                                                     \
    "bne.w 1b\n"                                                                                                       \
    "add sp, #28\n"                                                                                                    \
    "pop {r4-r11, pc}\n"

/* Shift and clamp to int8, or to [lo, hi] with a register to spare. */
#define TF_LIMIT_FULL(r, shift, spare)                                                                                 \
    "ssat " r ", #8, " r shift "\n"

#define TF_LIMIT_CLAMP(r, shift, spare)                                                                                \
    "ssat " r ", #16, " r shift "\n"                                                                                   \
    "ldr " spare ", [sp, #20]\n"                                                                                       \
    "cmp " r ", " spare "\n"                                                                                           \
    "it lt\n"                                                                                                          \
    "movlt " r ", " spare "\n"                                                                                         \
    "ldr " spare ", [sp, #24]\n"                                                                                       \
    "cmp " r ", " spare "\n"                                                                                           \
    "it gt\n"                                                                                                          \
    "movgt " r ", " spare "\n"

/* line: sums of 3, 2 or 1 pixels of a channel to outputs, multiplier and add in m, a: SMMLAR, SSAT, STRB each. */
#define TF_SCALE(r, m, a)                                                                                              \
    "smmlar " r ", " r ", " m ", " a "\n"

#define TF_LINE_3(p, q, r, m, a, limit, shift)                                                                         \
    TF_SCALE(p, m, a) TF_SCALE(q, m, a) TF_SCALE(r, m, a)                                                              \
    limit(p, shift, m) limit(q, shift, m) limit(r, shift, m)                                                           \
    "strb " p ", [r11]\n"                                                                                              \
    "strb " q ", [r11, r12]\n"                                                                                         \
    "strb " r ", [r11, r12, lsl #1]\n"

#define TF_LINE_2(p, q, m, a, limit, shift)                                                                            \
    TF_SCALE(p, m, a) TF_SCALE(q, m, a)                                                                                \
    limit(p, shift, m) limit(q, shift, m)                                                                              \
    "strb " p ", [r11]\n"                                                                                              \
    "strb " q ", [r11, r12]\n"

#define TF_LINE_1(p, m, a, limit, shift, at)                                                                           \
    TF_SCALE(p, m, a) limit(p, shift, m) "strb " p ", [r11, #" at "]\n"

/* short: one output; multiplier, add, shift in r8, r9, r10. `half` brings the sum to twice the accumulator first. */
#define TF_HALF_OF_256(r) "asr " r ", " r ", #7\n"
#define TF_SHORT(half, r, limit, to)                                                                                   \
    half(r)                                                                                                            \
    "smmlar lr, " r ", r8, r9\n"                                                                                       \
    "add " r ", lr, " r ", asr #31\n"                                                                                  \
    "asr " r ", " r ", r10\n" limit(r, "", "lr") "strb " r ", " to "\n"

#define TF_GROUP                                                                                                       \
    "ldm r1!, {r0, r8, r9, r10}\n"                                                                                     \
    "ldrd r11, r12, [sp, #12]\n"                                                                                       \
    "add r11, r11, r0\n"

/* 2 channels x 3 pixels: sums r2 r3 r4 and r5 r6 r7; b0..b5 are what the first products are added to */
#define TF_STEP_2X3(b0, b1, b2, b3, b4, b5)                                                                            \
    "ldrd r8, r9, [r1], #8\n"                                                                                          \
    "ldm r0!, {r10, r11, r12}\n"                                                                                       \
    "smlad r4, r8, r12, " b2 "\n"                                                                                      \
    "smlad r3, r8, r11, " b1 "\n"                                                                                      \
    "smlad r2, r8, r10, " b0 "\n"                                                                                      \
    "sxtb16 r8, r8\n"                                                                                                  \
    "smlad r7, r9, r12, " b5 "\n"                                                                                      \
    "smlad r6, r9, r11, " b4 "\n"                                                                                      \
    "smlad r5, r9, r10, " b3 "\n"                                                                                      \
    "ldm r0!, {r10, r11, r12}\n"                                                                                       \
    "sxtb16 r9, r9\n"                                                                                                  \
    "smlad r2, r8, r10, r2\n"                                                                                          \
    "smlad r3, r8, r11, r3\n"                                                                                          \
    "smlad r4, r8, r12, r4\n"                                                                                          \
    "smlad r5, r9, r10, r5\n"                                                                                          \
    "smlad r6, r9, r11, r6\n"                                                                                          \
    "smlad r7, r9, r12, r7\n"

#define TF_SUMS_2X3                                                                                                    \
    TF_ENTER("68")                                                                                                     \
    "1: ldrd r2, r5, [r1], #8\n"                                                                                       \
    "ldrd r0, lr, [sp]\n"                                                                                              \
    TF_STEP_2X3("r2", "r2", "r2", "r5", "r5", "r5")                                                                    \
    TF_LOOP(TF_STEP_2X3("r2", "r3", "r4", "r5", "r6", "r7"))

#define TF_LINE_2X3(sums, limit, shift)                                                                                      \
    sums##_2X3                                                                                                         \
    "ldm r1!, {r0, r8, r9, r10, lr}\n"                                                                                 \
    "ldrd r11, r12, [sp, #12]\n"                                                                                       \
    "add r11, r11, r0\n"                                                                                               \
    TF_LINE_3("r2", "r3", "r4", "r8", "r9", limit, shift)                                                              \
    "add r11, r11, #1\n"                                                                                               \
    TF_LINE_3("r5", "r6", "r7", "r10", "lr", limit, shift)                                                             \
    TF_LEAVE

#define TF_SHORT_2X3(sums, half, limit)                                                                                     \
    sums##_2X3 TF_GROUP                                                                                                \
    TF_SHORT(half, "r2", limit, "[r11]")                                                                               \
    TF_SHORT(half, "r3", limit, "[r11, r12]")                                                                          \
    TF_SHORT(half, "r4", limit, "[r11, r12, lsl #1]")                                                                  \
    "ldm r1!, {r8, r9, r10}\n"                                                                                         \
    "add r11, r11, #1\n"                                                                                               \
    TF_SHORT(half, "r5", limit, "[r11]")                                                                               \
    TF_SHORT(half, "r6", limit, "[r11, r12]")                                                                          \
    TF_SHORT(half, "r7", limit, "[r11, r12, lsl #1]")                                                                  \
    TF_LEAVE

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

#define TF_SUMS_2X2                                                                                                    \
    TF_ENTER("52")                                                                                                     \
    "1: ldrd r2, r4, [r1], #8\n"                                                                                       \
    "ldrd r0, lr, [sp]\n"                                                                                              \
    TF_STEP_2X2("r2", "r2", "r4", "r4")                                                                                \
    TF_LOOP(TF_STEP_2X2("r2", "r3", "r4", "r5"))

#define TF_LINE_2X2(sums, limit, shift)                                                                                      \
    sums##_2X2                                                                                                         \
    "ldm r1!, {r0, r8, r9, r10, lr}\n"                                                                                 \
    "ldrd r11, r12, [sp, #12]\n"                                                                                       \
    "add r11, r11, r0\n"                                                                                               \
    TF_LINE_2("r2", "r3", "r8", "r9", limit, shift)                                                                    \
    "add r11, r11, #1\n"                                                                                               \
    TF_LINE_2("r4", "r5", "r10", "lr", limit, shift)                                                                   \
    TF_LEAVE

#define TF_SHORT_2X2(sums, half, limit)                                                                                     \
    sums##_2X2 TF_GROUP                                                                                                \
    TF_SHORT(half, "r2", limit, "[r11]")                                                                               \
    TF_SHORT(half, "r3", limit, "[r11, r12]")                                                                          \
    "ldm r1!, {r8, r9, r10}\n"                                                                                         \
    "add r11, r11, #1\n"                                                                                               \
    TF_SHORT(half, "r4", limit, "[r11]")                                                                               \
    TF_SHORT(half, "r5", limit, "[r11, r12]")                                                                          \
    TF_LEAVE

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

#define TF_SUMS_2X1                                                                                                    \
    TF_ENTER("32")                                                                                                     \
    "1: ldrd r2, r3, [r1], #8\n"                                                                                       \
    "ldrd r0, lr, [sp]\n"                                                                                              \
    TF_STEP_2X1 TF_LOOP(TF_STEP_2X1)

#define TF_LINE_2X1(sums, limit, shift)                                                                                      \
    sums##_2X1                                                                                                         \
    "ldm r1!, {r0, r8, r9, r10, lr}\n"                                                                                 \
    "ldr r11, [sp, #12]\n"                                                                                             \
    "add r11, r11, r0\n"                                                                                               \
    TF_LINE_1("r2", "r8", "r9", limit, shift, "0")                                                                     \
    TF_LINE_1("r3", "r10", "lr", limit, shift, "1")                                                                    \
    TF_LEAVE

#define TF_SHORT_2X1(sums, half, limit)                                                                                     \
    sums##_2X1 TF_GROUP                                                                                                \
    TF_SHORT(half, "r2", limit, "[r11]")                                                                               \
    "ldm r1!, {r8, r9, r10}\n"                                                                                         \
    TF_SHORT(half, "r3", limit, "[r11, #1]")                                                                           \
    TF_LEAVE

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

#define TF_SUMS_4X1                                                                                                    \
    TF_ENTER("56")                                                                                                     \
    "1: ldm.w r1!, {r2, r3, r4, r5}\n"                                                                                 \
    "ldrd r0, lr, [sp]\n"                                                                                              \
    TF_STEP_4X1 TF_LOOP(TF_STEP_4X1)

#define TF_LINE_4X1(sums, limit, shift)                                                                                      \
    sums##_4X1                                                                                                         \
    "ldm r1!, {r0, r6, r7, r8, r9}\n"                                                                                  \
    "ldr r11, [sp, #12]\n"                                                                                             \
    "add r11, r11, r0\n"                                                                                               \
    TF_LINE_1("r2", "r6", "r7", limit, shift, "0")                                                                     \
    TF_LINE_1("r3", "r8", "r9", limit, shift, "1")                                                                     \
    "ldm r1!, {r6, r7, r8, r9}\n"                                                                                      \
    TF_LINE_1("r4", "r6", "r7", limit, shift, "2")                                                                     \
    TF_LINE_1("r5", "r8", "r9", limit, shift, "3")                                                                     \
    TF_LEAVE

#define TF_SHORT_4X1(sums, half, limit)                                                                                     \
    sums##_4X1 TF_GROUP                                                                                                \
    TF_SHORT(half, "r2", limit, "[r11]")                                                                               \
    "ldm r1!, {r8, r9, r10}\n"                                                                                         \
    TF_SHORT(half, "r3", limit, "[r11, #1]")                                                                           \
    "ldm r1!, {r8, r9, r10}\n"                                                                                         \
    TF_SHORT(half, "r4", limit, "[r11, #2]")                                                                           \
    "ldm r1!, {r8, r9, r10}\n"                                                                                         \
    TF_SHORT(half, "r5", limit, "[r11, #3]")                                                                           \
    TF_LEAVE

/* The two words of four bytes: x0 + 128 and x2 + 128 with r12, 256 * x1 + 127 - x0 and 256 * x3 + 127 - x2. */
#define TF_EVEN(x) "sxtab16 " x ", r12, " x "\n"
#define TF_ODD(to, x) "eor " to ", " x ", #0x007f007f\n"

/* Widening (tf_widen_s8) of 1, 2 or 3 pixels: r0 to, r1 from, r2 pixel_bytes, r3 bytes; two steps a round. */
#define TF_WIDEN_1_STEP(even, odd)                                                                                     \
    "ldr r6, [r1], #4\n"                                                                                               \
    odd("r9", "r6")                                                                                                    \
    even("r6")                                                                                                         \
    "stm r0!, {r6, r9}\n"

#define TF_WIDEN_1(even, odd)                                                                                          \
    "push {r4-r11, lr}\n"                                                                                              \
    "mov r12, #0x00800080\n"                                                                                           \
    "lsrs lr, r3, #3\n"                                                                                                \
    "beq 2f\n"                                                                                                         \
    "1:\n" TF_WIDEN_1_STEP(even, odd) TF_WIDEN_1_STEP(even, odd)                                                       \
    "subs lr, #1\n"                                                                                                    \
    "bne 1b\n"                                                                                                         \
    "2:\n"                                                                                                             \
    "tst r3, #4\n"                                                                                                     \
    "beq 3f\n"                                                                                                         \
    TF_WIDEN_1_STEP(even, odd)                                                                                         \
    "3:\n"                                                                                                             \
    "ands r3, r3, #3\n"                                                                                                \
    "beq 4f\n"                                                                                                         \
    "rsb r3, r3, #4\n"                                                                                                 \
    "sub r1, r1, r3\n"                                                                                                 \
    "lsl r3, r3, #3\n"                                                                                                 \
    "ldr r6, [r1]\n"                                                                                                   \
    "lsr r6, r6, r3\n"                                                                                                 \
    odd("r9", "r6")                                                                                                    \
    even("r6")                                                                                                         \
    "stm r0!, {r6, r9}\n"                                                                                              \
    "4:\n"                                                                                                             \
    "pop {r4-r11, pc}\n"

#define TF_WIDEN_2_STEP(even, odd)                                                                                     \
    "ldr r6, [r1], #4\n"                                                                                               \
    "ldr r7, [r4], #4\n"                                                                                               \
    odd("r9", "r6")                                                                                                    \
    odd("r10", "r7")                                                                                                   \
    even("r6")                                                                                                         \
    even("r7")                                                                                                         \
    "stm r0!, {r6, r7, r9, r10}\n"

#define TF_WIDEN_2(even, odd)                                                                                          \
    "push {r4-r11, lr}\n"                                                                                              \
    "add r4, r1, r2\n"                                                                                                 \
    "mov r12, #0x00800080\n"                                                                                           \
    "lsrs lr, r3, #3\n"                                                                                                \
    "beq 2f\n"                                                                                                         \
    "1:\n" TF_WIDEN_2_STEP(even, odd) TF_WIDEN_2_STEP(even, odd)                                                       \
    "subs lr, #1\n"                                                                                                    \
    "bne 1b\n"                                                                                                         \
    "2:\n"                                                                                                             \
    "tst r3, #4\n"                                                                                                     \
    "beq 3f\n"                                                                                                         \
    TF_WIDEN_2_STEP(even, odd)                                                                                         \
    "3:\n"                                                                                                             \
    "ands r3, r3, #3\n"                                                                                                \
    "beq 4f\n"                                                                                                         \
    "rsb r3, r3, #4\n"                                                                                                 \
    "sub r1, r1, r3\n"                                                                                                 \
    "sub r4, r4, r3\n"                                                                                                 \
    "lsl r3, r3, #3\n"                                                                                                 \
    "ldr r6, [r1]\n"                                                                                                   \
    "ldr r7, [r4]\n"                                                                                                   \
    "lsr r6, r6, r3\n"                                                                                                 \
    "lsr r7, r7, r3\n"                                                                                                 \
    odd("r9", "r6")                                                                                                    \
    odd("r10", "r7")                                                                                                   \
    even("r6")                                                                                                         \
    even("r7")                                                                                                         \
    "stm r0!, {r6, r7, r9, r10}\n"                                                                                     \
    "4:\n"                                                                                                             \
    "pop {r4-r11, pc}\n"

#define TF_WIDEN_3_STEP(even, odd)                                                                                     \
    "ldr r6, [r1], #4\n"                                                                                               \
    "ldr r7, [r4], #4\n"                                                                                               \
    "ldr r8, [r5], #4\n"                                                                                               \
    odd("r9", "r6")                                                                                                    \
    odd("r10", "r7")                                                                                                   \
    odd("r11", "r8")                                                                                                   \
    even("r6")                                                                                                         \
    even("r7")                                                                                                         \
    even("r8")                                                                                                         \
    "stm r0!, {r6, r7, r8, r9, r10, r11}\n"

#define TF_WIDEN_3(even, odd)                                                                                          \
    "push {r4-r11, lr}\n"                                                                                              \
    "add r4, r1, r2\n"                                                                                                 \
    "add r5, r4, r2\n"                                                                                                 \
    "mov r12, #0x00800080\n"                                                                                           \
    "lsrs lr, r3, #3\n"                                                                                                \
    "beq 2f\n"                                                                                                         \
    "1:\n" TF_WIDEN_3_STEP(even, odd) TF_WIDEN_3_STEP(even, odd)                                                       \
    "subs lr, #1\n"                                                                                                    \
    "bne 1b\n"                                                                                                         \
    "2:\n"                                                                                                             \
    "tst r3, #4\n"                                                                                                     \
    "beq 3f\n"                                                                                                         \
    TF_WIDEN_3_STEP(even, odd)                                                                                         \
    "3:\n"                                                                                                             \
    "ands r3, r3, #3\n"                                                                                                \
    "beq 4f\n"                                                                                                         \
    "rsb r3, r3, #4\n"                                                                                                 \
    "sub r1, r1, r3\n"                                                                                                 \
    "sub r4, r4, r3\n"                                                                                                 \
    "sub r5, r5, r3\n"                                                                                                 \
    "lsl r3, r3, #3\n"                                                                                                 \
    "ldr r6, [r1]\n"                                                                                                   \
    "ldr r7, [r4]\n"                                                                                                   \
    "ldr r8, [r5]\n"                                                                                                   \
    "lsr r6, r6, r3\n"                                                                                                 \
    "lsr r7, r7, r3\n"                                                                                                 \
    "lsr r8, r8, r3\n"                                                                                                 \
    odd("r9", "r6")                                                                                                    \
    odd("r10", "r7")                                                                                                   \
    odd("r11", "r8")                                                                                                   \
    even("r6")                                                                                                         \
    even("r7")                                                                                                         \
    even("r8")                                                                                                         \
    "stm r0!, {r6, r7, r8, r9, r10, r11}\n"                                                                            \
    "4:\n"                                                                                                             \
    "pop {r4-r11, pc}\n"

#define TF_UNUSED __attribute__((unused))
#define TF_MATMUL_CORE(name, text)                                                                                     \
    __attribute__((naked, noinline, unused)) static void name(                                                         \
        TF_UNUSED const uint32_t *x, TF_UNUSED const int32_t *w, TF_UNUSED int8_t *out, TF_UNUSED int32_t out_stride,  \
        TF_UNUSED int32_t steps, TF_UNUSED int32_t lo, TF_UNUSED int32_t hi)                                           \
    {                                                                                                                  \
        __asm__ volatile(text);                                                                                        \
    }

#define TF_WIDENER(name, text)                                                                                         \
    __attribute__((naked, noinline, unused)) static void name(TF_UNUSED uint32_t *to, TF_UNUSED const int8_t *from,    \
                                                                   TF_UNUSED int32_t pixel_bytes, TF_UNUSED int32_t bytes)\
    {                                                                                                                  \
        __asm__ volatile(text);                                                                                        \
    }

#define TF_MATMUL_CORES(name, line, short, sums, half)                                                                 \
    TF_MATMUL_CORE(name##_line12, line(sums, TF_LIMIT_FULL, ", asr #12"))                                              \
    TF_MATMUL_CORE(name##_line12_clamp, line(sums, TF_LIMIT_CLAMP, ", asr #12"))                                       \
    TF_MATMUL_CORE(name##_line14, line(sums, TF_LIMIT_FULL, ", asr #14"))                                              \
    TF_MATMUL_CORE(name##_line14_clamp, line(sums, TF_LIMIT_CLAMP, ", asr #14"))                                       \
    TF_MATMUL_CORE(name##_line10, line(sums, TF_LIMIT_FULL, ", asr #10"))                                              \
    TF_MATMUL_CORE(name##_line10_clamp, line(sums, TF_LIMIT_CLAMP, ", asr #10"))                                       \
    TF_MATMUL_CORE(name##_line8, line(sums, TF_LIMIT_FULL, ", asr #8"))                                                \
    TF_MATMUL_CORE(name##_line8_clamp, line(sums, TF_LIMIT_CLAMP, ", asr #8"))                                         \
    TF_MATMUL_CORE(name##_short, short(sums, half, TF_LIMIT_FULL))                                                     \
    TF_MATMUL_CORE(name##_short_clamp, short(sums, half, TF_LIMIT_CLAMP))

TF_WIDENER(tf_widen_s8_p1, TF_WIDEN_1(TF_EVEN, TF_ODD))
TF_WIDENER(tf_widen_s8_p2, TF_WIDEN_2(TF_EVEN, TF_ODD))
TF_WIDENER(tf_widen_s8_p3, TF_WIDEN_3(TF_EVEN, TF_ODD))

TF_MATMUL_CORES(tf_matmul_2x3, TF_LINE_2X3, TF_SHORT_2X3, TF_SUMS, TF_HALF_OF_256)
TF_MATMUL_CORES(tf_matmul_2x2, TF_LINE_2X2, TF_SHORT_2X2, TF_SUMS, TF_HALF_OF_256)
TF_MATMUL_CORES(tf_matmul_2x1, TF_LINE_2X1, TF_SHORT_2X1, TF_SUMS, TF_HALF_OF_256)
TF_MATMUL_CORES(tf_matmul_4x1, TF_LINE_4X1, TF_SHORT_4X1, TF_SUMS, TF_HALF_OF_256)

#endif
