/* Armv6-M (and v8-M baseline) form of tf_matmul_s8.h: no SMLAD, eight low registers. Two channels of one pixel at a
 * time; the dot products in assembly, since compilers spill here, the rest in C. tf_matmul_c is the oracle. */
#ifndef TF_MATMUL_S8_THUMB1_H
#define TF_MATMUL_S8_THUMB1_H

/* Sums of two channels over all steps, biases first, in one return value: first channel low, second high.
 * r0 widened input of one pixel, r1 packed weights, r2 steps >= 1, r3 bytes from a pair of words to the next. */
__attribute__((naked, noinline, unused)) static uint64_t tf_matmul_pair(__attribute__((unused)) const uint32_t *x,
                                                                        __attribute__((unused)) const int32_t *w,
                                                                        __attribute__((unused)) int32_t steps,
                                                                        __attribute__((unused)) int32_t skip)
{
    __asm__ volatile(".syntax unified\n" /* gcc assumes the divided syntax for Armv6-M */
                     "push {r4-r7, lr}\n"
                     "mov r4, r8\n"
                     "mov r5, r9\n"
                     "mov r6, r10\n"
                     "push {r4-r6}\n"
                     "mov r10, r3\n"
                     "lsls r2, r2, #3\n"
                     "adds r2, r2, r0\n"
                     "mov r12, r2\n"
                     "ldm r1!, {r4, r5}\n"
                     "mov r8, r4\n"
                     "mov r9, r5\n"
                     "add r1, r10\n"
                     "1:\n"
                     "ldm r0!, {r2, r3}\n" /* o, e */
                     "ldm r1!, {r4, r5}\n"
                     "add r1, r10\n"
                     "uxth r6, r2\n"
                     "lsrs r2, r2, #16\n"
                     "sxth r7, r4\n"
                     "muls r7, r6, r7\n"
                     "add r8, r7\n"
                     "asrs r7, r4, #16\n"
                     "muls r7, r2, r7\n"
                     "add r8, r7\n"
                     "sxth r7, r5\n"
                     "muls r6, r7, r6\n"
                     "add r9, r6\n"
                     "asrs r7, r5, #16\n"
                     "muls r7, r2, r7\n"
                     "add r9, r7\n"
                     "sxth r6, r3\n"
                     "asrs r2, r3, #16\n"
                     "sxtb r7, r4\n"
                     "muls r7, r6, r7\n"
                     "add r8, r7\n"
                     "lsrs r4, r4, #16\n"
                     "sxtb r4, r4\n"
                     "muls r4, r2, r4\n"
                     "add r8, r4\n"
                     "sxtb r7, r5\n"
                     "muls r7, r6, r7\n"
                     "add r9, r7\n"
                     "lsrs r5, r5, #16\n"
                     "sxtb r5, r5\n"
                     "muls r5, r2, r5\n"
                     "add r9, r5\n"
                     "cmp r0, r12\n"
                     "bne 1b\n"
                     "mov r0, r8\n"
                     "mov r1, r9\n"
                     "pop {r4-r6}\n"
                     "mov r8, r4\n"
                     "mov r9, r5\n"
                     "mov r10, r6\n"
                     "pop {r4-r7, pc}\n");
}

TF_INLINE void tf_matmul_thumb1(const uint32_t *x, const int32_t *w, int8_t *out, int32_t steps, int32_t lo, int32_t hi,
                                int32_t group, int32_t line)
{
    int32_t offset;
    do {
        int32_t sums[4];
        for (int32_t g = 0; g < group; g += 2) {
            const uint64_t pair = tf_matmul_pair(x, w + g, steps, 4 * (group - 2));
            sums[g] = (int32_t)(uint32_t)pair;
            sums[g + 1] = (int32_t)(uint32_t)(pair >> 32);
        }
        w += group * (steps + 1);
        offset = *w++;
        for (int32_t g = 0; g < group; ++g) {
            out[offset + g] = (int8_t)tf_matmul_out(sums[g], w, line, lo, hi);
            w += line > 0 ? 2 : 3;
        }
    } while (offset != 0);
}

#endif
