/* 3 x 3 depthwise convolution from channel planes, Armv7E-M / Armv8-M with DSP: whole functions in assembly, so that
 * every register can be used whatever the build reserves. gcc and clang spill five registers and do not pair the loads
 * when they compile the C twin, tf_dw_accumulate in tf_depthwise_planar_s8.h. */
#ifndef TF_DEPTHWISE_3X3_H
#define TF_DEPTHWISE_3X3_H

#include "tf_lanes.h"

#if TF_DSP_ASM

/* What one call does. From each plane: outputs two by two while the plane position moves by turn_bytes, then `odd` (0
 * or 1) one more. plane_step and out_step lead from there to the next channel. The assembly knows the order. */
typedef struct {
    int32_t odd, turn_bytes, plane_step, out_step, out_c, constants_bytes;
} tf_dw_run;

/* r0 plane position, r2 output, r3 out_c, r12 end, r4-r7 work, r8-r10 weights of the row pair, r11 (w0, w1) and lr
 * (w1, w2) of the last row, r1 start. Stack: 0 multiplier, 4 add, 8 odd, 12 turn_bytes, 16 constants, 20 their end, 24
 * plane_step, 28 out_step. Constants: eight words a channel. */
#define TF_DW33_ENTER                                                                                                  \
    "push {r4-r11, lr}\n\tsub sp, #32\n\tldm r3, {r4-r9}\n\tstrd r4, r5, [sp, #8]\n\tstrd r6, r7, [sp, #24]\n\t"       \
    "add r9, r9, r1\n\tstr r9, [sp, #20]\n\tmov r3, r8\n"                                                              \
    "1:\n\tldm r1!, {r8-r11, lr}\n\tldm r1!, {r4, r5, r6}\n\tstr r1, [sp, #16]\n\tstrd r5, r6, [sp]\n\tmov r1, r4\n\t" \
    "ldr r12, [sp, #12]\n\tadd r12, r12, r0\n\tcmp r0, r12\n\tbeq 3f\n"                                                \
    "2:\n\t"
#define TF_DW33_TURN "cmp r0, r12\n\tbne 2b\n3:\n\tldr r4, [sp, #8]\n\tcbz r4, 4f\n\t"
#define TF_DW33_LEAVE                                                                                                  \
    "4:\n\tldrd r4, r5, [sp, #24]\n\tadd r0, r0, r4\n\tadd r2, r2, r5\n\tldrd r1, r4, [sp, #16]\n\t"                   \
    "cmp r1, r4\n\tbne 1b\n\tadd sp, #32\n\tpop {r4-r11, pc}"
/* Sum in r6 -> output; sums in r6, r7 -> two outputs. */
#define TF_DW33_ONE(e) "ldrd r4, r5, [sp]\n\tsmmla r6, r6, r4, r5\n\tssat r6, #8, r6, asr #" #e "\n\tstrb r6, [r2]\n\t"
#define TF_DW33_TWO(e)                                                                                                 \
    "ldrd r4, r5, [sp]\n\tsmmla r6, r6, r4, r5\n\tsmmla r7, r7, r4, r5\n\tssat r6, #8, r6, asr #" #e                   \
    "\n\tssat r7, #8, r7, asr #" #e "\n\tstrb r6, [r2]\n\tstrb r7, [r2, r3]\n\tadd r2, r2, r3, lsl #1\n\t"
/* Two outputs of stride 1: columns at positions 0..3, and at 1..4. */
#define TF_DW33_EVEN1                                                                                                  \
    "ldrd r4, r5, [r0], #12\n\tsmlad r6, r4, r8, r1\n\tsmlad r6, r5, r9, r6\n\tsmlad r7, r5, r8, r1\n\t"               \
    "ldrd r4, r5, [r0, #-4]\n\tsmlad r6, r4, r11, r6\n\tsmlatb r7, r4, r11, r7\n\t"                                    \
    "smlad r6, r5, r10, r6\n\tsmlad r7, r5, r9, r7\n\t"                                                                \
    "ldrd r4, r5, [r0, #4]\n\tsmlad r7, r4, r10, r7\n\tsmlabt r6, r5, lr, r6\n\tsmlad r7, r5, lr, r7\n\t"
#define TF_DW33_ODD1                                                                                                   \
    "ldrd r4, r5, [r0, #4]\n\tsmlad r6, r4, r8, r1\n\tsmlatb r6, r5, r11, r6\n\t"                                      \
    "ldrd r4, r5, [r0, #12]!\n\tsmlad r6, r4, r9, r6\n\tsmlad r7, r4, r8, r1\n\t"                                      \
    "smlad r6, r5, r10, r6\n\tsmlad r7, r5, r9, r7\n\t"                                                                \
    "ldrd r4, r5, [r0, #8]\n\tsmlad r6, r4, lr, r6\n\tsmlad r7, r4, r11, r7\n\tsmlad r7, r5, r10, r7\n\t"              \
    "ldr r4, [r0, #20]\n\tsmlabt r7, r4, lr, r7\n\t"
/* One output of stride 2. */
#define TF_DW33_EVEN2(x)                                                                                               \
    "ldrd r4, r5, [r0], #12\n\tsmlad " x ", r4, r8, r1\n\tsmlad " x ", r5, r9, " x "\n\t"                              \
    "ldrd r4, r5, [r0, #-4]\n\tsmlad " x ", r4, r11, " x "\n\tsmlad " x ", r5, r10, " x "\n\t"                         \
    "ldr r4, [r0, #8]\n\tsmlabt " x ", r4, lr, " x "\n\t"
#define TF_DW33_ODD2(x)                                                                                                \
    "ldrd r4, r5, [r0, #4]\n\tsmlad " x ", r4, r8, r1\n\tsmlatb " x ", r5, r11, " x "\n\t"                             \
    "ldrd r4, r5, [r0, #12]!\n\tsmlad " x ", r4, r9, " x "\n\tsmlad " x ", r5, r10, " x "\n\t"                         \
    "ldr r4, [r0, #8]\n\tsmlad " x ", r4, lr, " x "\n\t"

#define TF_DW33_FUNCTION(name, e, two, one)                                                                            \
    static __attribute__((naked, noinline, unused)) void name##_##e(                                                   \
        __attribute__((unused)) const uint32_t *plane, __attribute__((unused)) const int32_t *constants,               \
        __attribute__((unused)) int8_t *out, __attribute__((unused)) const tf_dw_run *run)                             \
    {                                                                                                                  \
        __asm__ volatile(TF_DW33_ENTER two TF_DW33_TWO(e) TF_DW33_TURN one TF_DW33_ONE(e) TF_DW33_LEAVE);              \
    }

/* The shift is part of the instruction: one function for each that a model uses, shared by its layers. */
#define TF_DW33_SHIFTS(each)                                                                                           \
    each(4) each(5) each(6) each(7) each(8) each(9) each(10) each(11) each(12) each(13) each(14) each(15) each(16)
#define TF_DW33_FUNCTIONS(e)                                                                                           \
    TF_DW33_FUNCTION(tf_dw33_even1, e, TF_DW33_EVEN1, TF_DW33_EVEN2("r6"))                                             \
    TF_DW33_FUNCTION(tf_dw33_odd1, e, TF_DW33_ODD1, TF_DW33_ODD2("r6"))                                                \
    TF_DW33_FUNCTION(tf_dw33_even2, e, TF_DW33_EVEN2("r6") TF_DW33_EVEN2("r7"), TF_DW33_EVEN2("r6"))                   \
    TF_DW33_FUNCTION(tf_dw33_odd2, e, TF_DW33_ODD2("r6") TF_DW33_ODD2("r7"), TF_DW33_ODD2("r6"))
TF_DW33_SHIFTS(TF_DW33_FUNCTIONS)

#define TF_DW33_CASE(e)                                                                                                \
    case e:                                                                                                            \
        (stride == 1 ? (par == 0 ? tf_dw33_even1_##e : tf_dw33_odd1_##e)                                               \
                     : (par == 0 ? tf_dw33_even2_##e : tf_dw33_odd2_##e))(plane, w, out, run);                         \
        break;

/* stride, par, shift: literals. */
TF_INLINE void tf_dw33(const uint32_t *plane, const int32_t *w, int8_t *out, const tf_dw_run *run, int32_t stride,
                       int32_t par, int32_t shift)
{
    switch (shift) {
        TF_DW33_SHIFTS(TF_DW33_CASE)
    default:
        break;
    }
}
#endif

#endif
