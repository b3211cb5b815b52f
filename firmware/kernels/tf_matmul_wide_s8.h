/* Matrix cores of tf_matmul_s8.h on weights of 16 bits: what pairs of int8 cannot hold, which are weights with a zero
 * point, -128 before a negative one, and sums of 2^23 or more. Twice the flash, about the same instructions.
 *
 * packed: as there, but two words a channel and step, w0 and w2 of all channels of the group, then w1 and w3, each
 * times the layer's scale; sums are the accumulator times that scale. input:  x0 and x2, then x1 and x3 of a step as
 * signed 16-bit lanes, pixels side by side. Outputs as there; line 0 is for scale 2. */
#ifndef TF_MATMUL_WIDE_S8_H
#define TF_MATMUL_WIDE_S8_H

TF_INLINE void tf_matmul_wide_c(const uint32_t *x, const int32_t *w, int8_t *out, int32_t out_stride, int32_t steps,
                                int32_t lo, int32_t hi, int32_t pixels, int32_t group, int32_t line)
{
    int32_t offset;
    do {
        int32_t acc[4][3] = {{0}};
        for (int32_t g = 0; g < group; ++g) {
            for (int32_t p = 0; p < pixels; ++p) {
                acc[g][p] = w[g];
            }
        }
        w += group;
        const uint32_t *from = x;
        for (int32_t half = 0; half < 2 * steps; ++half) {
            for (int32_t g = 0; g < group; ++g) {
                for (int32_t p = 0; p < pixels; ++p) {
                    acc[g][p] = tf_smlad((uint32_t)w[g], from[p], acc[g][p]);
                }
            }
            from += pixels;
            w += group;
        }
        offset = *w++;
        for (int32_t g = 0; g < group; ++g) {
            for (int32_t p = 0; p < pixels; ++p) {
                const int32_t sum = acc[g][p];
                out[offset + g + p * out_stride] =
                    (int8_t)(line > 0 ? tf_matmul_out(sum, w, line, lo, hi)
                                      : tf_requant_short(sum, w[0], w[1], w[2], TF_ROUND_Q31_SIGNED, lo, hi));
            }
            w += line > 0 ? 2 : 3;
        }
    } while (offset != 0);
}

#if TF_DSP_NATIVE && defined(__thumb2__)
/* The loops of tf_matmul_s8_thumb2.h with a second load in place of two extensions. */
#define TF_WIDE_HALF_2X3(b0, b1, b2, b3, b4, b5)                                                                       \
    "ldrd r8, r9, [r1], #8\n"                                                                                          \
    "ldm r0!, {r10, r11, r12}\n"                                                                                       \
    "smlad r4, r8, r12, " b2 "\n"                                                                                      \
    "smlad r3, r8, r11, " b1 "\n"                                                                                      \
    "smlad r2, r8, r10, " b0 "\n"                                                                                      \
    "smlad r7, r9, r12, " b5 "\n"                                                                                      \
    "smlad r6, r9, r11, " b4 "\n"                                                                                      \
    "smlad r5, r9, r10, " b3 "\n"

#define TF_WIDE_STEP_2X3                                                                                               \
    TF_WIDE_HALF_2X3("r2", "r3", "r4", "r5", "r6", "r7") TF_WIDE_HALF_2X3("r2", "r3", "r4", "r5", "r6", "r7")

#define TF_WIDE_SUMS_2X3                                                                                               \
    TF_ENTER("64")                                                                                                     \
    "1: ldrd r2, r5, [r1], #8\n"                                                                                       \
    "ldrd r0, lr, [sp]\n" TF_WIDE_HALF_2X3("r2", "r2", "r2", "r5", "r5", "r5")                                         \
        TF_WIDE_HALF_2X3("r2", "r3", "r4", "r5", "r6", "r7") TF_LOOP(TF_WIDE_STEP_2X3)

#define TF_WIDE_STEP_2X2(b0, b1, b2, b3)                                                                               \
    "ldm r1!, {r6, r7, r8, r9}\n"                                                                                      \
    "ldrd r10, r11, [r0], #8\n"                                                                                        \
    "smlad r3, r6, r11, " b1 "\n"                                                                                      \
    "smlad r2, r6, r10, " b0 "\n"                                                                                      \
    "smlad r5, r7, r11, " b3 "\n"                                                                                      \
    "smlad r4, r7, r10, " b2 "\n"                                                                                      \
    "ldrd r10, r11, [r0], #8\n"                                                                                        \
    "smlad r2, r8, r10, r2\n"                                                                                          \
    "smlad r3, r8, r11, r3\n"                                                                                          \
    "smlad r4, r9, r10, r4\n"                                                                                          \
    "smlad r5, r9, r11, r5\n"

#define TF_WIDE_SUMS_2X2                                                                                               \
    TF_ENTER("44")                                                                                                     \
    "1: ldrd r2, r4, [r1], #8\n"                                                                                       \
    "ldrd r0, lr, [sp]\n" TF_WIDE_STEP_2X2("r2", "r2", "r4", "r4") TF_LOOP(TF_WIDE_STEP_2X2("r2", "r3", "r4", "r5"))

#define TF_WIDE_STEP_2X1                                                                                               \
    "ldm r1!, {r6, r7, r8, r9}\n"                                                                                      \
    "ldrd r10, r11, [r0], #8\n"                                                                                        \
    "smlad r2, r6, r10, r2\n"                                                                                          \
    "smlad r3, r7, r10, r3\n"                                                                                          \
    "smlad r2, r8, r11, r2\n"                                                                                          \
    "smlad r3, r9, r11, r3\n"

#define TF_WIDE_SUMS_2X1                                                                                               \
    TF_ENTER("24")                                                                                                     \
    "1: ldrd r2, r3, [r1], #8\n"                                                                                       \
    "ldrd r0, lr, [sp]\n" TF_WIDE_STEP_2X1                                                                             \
    TF_LOOP(TF_WIDE_STEP_2X1)

#define TF_WIDE_STEP_4X1                                                                                               \
    "ldm r1!, {r6, r7, r8, r9}\n"                                                                                      \
    "ldrd r10, r11, [r0], #8\n"                                                                                        \
    "smlad r2, r6, r10, r2\n"                                                                                          \
    "smlad r3, r7, r10, r3\n"                                                                                          \
    "smlad r4, r8, r10, r4\n"                                                                                          \
    "smlad r5, r9, r10, r5\n"                                                                                          \
    "ldm r1!, {r6, r7, r8, r9}\n"                                                                                      \
    "smlad r2, r6, r11, r2\n"                                                                                          \
    "smlad r3, r7, r11, r3\n"                                                                                          \
    "smlad r4, r8, r11, r4\n"                                                                                          \
    "smlad r5, r9, r11, r5\n"

#define TF_WIDE_SUMS_4X1                                                                                               \
    TF_ENTER("44")                                                                                                     \
    "1: ldm.w r1!, {r2, r3, r4, r5}\n"                                                                                 \
    "ldrd r0, lr, [sp]\n" TF_WIDE_STEP_4X1                                                                             \
    TF_LOOP(TF_WIDE_STEP_4X1)

#define TF_HALF_OF_2(r)

#define TF_WIDE_EVEN(x) "sxtb16 " x ", " x "\n"
#define TF_WIDE_ODD(to, x) "sxtb16 " to ", " x ", ror #8\n"

TF_WIDENER(tf_widen_wide_p1, TF_WIDEN_1(TF_WIDE_EVEN, TF_WIDE_ODD))
TF_WIDENER(tf_widen_wide_p2, TF_WIDEN_2(TF_WIDE_EVEN, TF_WIDE_ODD))
TF_WIDENER(tf_widen_wide_p3, TF_WIDEN_3(TF_WIDE_EVEN, TF_WIDE_ODD))

TF_MATMUL_CORES(tf_matmul_wide_2x3, TF_LINE_2X3, TF_SHORT_2X3, TF_WIDE_SUMS, TF_HALF_OF_2)
TF_MATMUL_CORES(tf_matmul_wide_2x2, TF_LINE_2X2, TF_SHORT_2X2, TF_WIDE_SUMS, TF_HALF_OF_2)
TF_MATMUL_CORES(tf_matmul_wide_2x1, TF_LINE_2X1, TF_SHORT_2X1, TF_WIDE_SUMS, TF_HALF_OF_2)
TF_MATMUL_CORES(tf_matmul_wide_4x1, TF_LINE_4X1, TF_SHORT_4X1, TF_WIDE_SUMS, TF_HALF_OF_2)
#else
TF_SHARED void tf_widen_wide_p1(uint32_t *to, const int8_t *from, int32_t pixel_bytes, int32_t bytes)
{
    tf_widen_s8(to, from, pixel_bytes, bytes, 1, 16);
}

TF_SHARED void tf_widen_wide_p2(uint32_t *to, const int8_t *from, int32_t pixel_bytes, int32_t bytes)
{
    tf_widen_s8(to, from, pixel_bytes, bytes, 2, 16);
}

TF_SHARED void tf_widen_wide_p3(uint32_t *to, const int8_t *from, int32_t pixel_bytes, int32_t bytes)
{
    tf_widen_s8(to, from, pixel_bytes, bytes, 3, 16);
}

#undef TF_MATMUL_BODY
#define TF_MATMUL_BODY(pixels, group, line) tf_matmul_wide_c(x, w, out, out_stride, steps, lo, hi, pixels, group, line)
TF_MATMUL_CORES(tf_matmul_wide_2x3, 3, 2)
TF_MATMUL_CORES(tf_matmul_wide_2x2, 2, 2)
TF_MATMUL_CORES(tf_matmul_wide_2x1, 1, 2)
TF_MATMUL_CORES(tf_matmul_wide_4x1, 1, 4)
#endif

#endif
