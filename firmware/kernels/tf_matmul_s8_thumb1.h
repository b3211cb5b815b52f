/* Armv6-M (and v8-M baseline) form of tf_matmul_s8.h: no SMLAD, eight low registers. Two channels of one pixel at a
 * time; the dot products in assembly, since compilers spill here, the rest in C. tf_matmul_c is the oracle.
 *
 * Groups of 2 channels take the input unpacked: four int32 words a step, o of x0 and x2, then e of x1 and x3
 * (tf_widen_s8_words). Groups of 4 take it as the other cores do: two words of two lanes. */
#ifndef TF_MATMUL_S8_THUMB1_H
#define TF_MATMUL_S8_THUMB1_H

TF_SHARED void tf_widen_s8_words(uint32_t *to, const int8_t *from, int32_t bytes)
{
    for (int32_t left = bytes; left > 0; left -= 4) {
        const int32_t first = from[0] + 128, second = (left > 2 ? from[2] : 0) + 128;
        to[0] = (uint32_t)first;
        to[1] = (uint32_t)second;
        to[2] = (uint32_t)((left > 1 ? from[1] : 0) * 256 + 255 - first);
        to[3] = (uint32_t)((left > 3 ? from[3] : 0) * 256 + 255 - second);
        to += 4;
        from += 4;
    }
}

/* r0 input, r1 weights, r2 steps >= 1, r3 bytes between the words of one pair and the next; sums in r8 and r9. */
#define TF_PAIR_ENTER(shift)                                                                                           \
    ".syntax unified\n"                                                                                                \
    "push {r4-r7, lr}\n"                                                                                               \
    "mov r4, r8\n"                                                                                                     \
    "mov r5, r9\n"                                                                                                     \
    "mov r6, r10\n"                                                                                                    \
    "push {r4-r6}\n"                                                                                                   \
    "mov r10, r3\n"                                                                                                    \
    "lsls r3, r2, #" shift "\n"                                                                                        \
    "adds r3, r3, r0\n"                                                                                                \
    "mov r12, r3\n"                                                                                                    \
    "ldm r1!, {r4, r5}\n"                                                                                              \
    "mov r8, r4\n"                                                                                                     \
    "mov r9, r5\n"                                                                                                     \
    "add r1, r10\n"                                                                                                    \
    "lsrs r2, r2, #1\n"                                                                                                \
    "bcs 2f\n"

#define TF_PAIR_LEAVE                                                                                                  \
    "cmp r0, r12\n"                                                                                                    \
    "bne 1b\n"                                                                                                         \
    "mov r0, r8\n"                                                                                                     \
    "mov r1, r9\n"                                                                                                     \
    "pop {r4-r6}\n"                                                                                                    \
    "mov r8, r4\n"                                                                                                     \
    "mov r9, r5\n"                                                                                                     \
    "mov r10, r6\n"                                                                                                    \
    "pop {r4-r7, pc}\n"

/* One step of two channels, unpacked input. */
#define TF_PAIR_WORDS                                                                                                  \
    "ldm r1!, {r4, r5}\n"                                                                                              \
    "ldm r0!, {r2, r3}\n"                                                                                              \
    "sxth r7, r4\n"                                                                                                    \
    "muls r7, r2, r7\n"                                                                                                \
    "add r8, r7\n"                                                                                                     \
    "asrs r7, r4, #16\n"                                                                                               \
    "muls r7, r3, r7\n"                                                                                                \
    "add r8, r7\n"                                                                                                     \
    "sxth r7, r5\n"                                                                                                    \
    "muls r7, r2, r7\n"                                                                                                \
    "add r9, r7\n"                                                                                                     \
    "asrs r7, r5, #16\n"                                                                                               \
    "muls r7, r3, r7\n"                                                                                                \
    "add r9, r7\n"                                                                                                     \
    "ldm r0!, {r2, r3}\n"                                                                                              \
    "sxtb r7, r4\n"                                                                                                    \
    "muls r7, r2, r7\n"                                                                                                \
    "add r8, r7\n"                                                                                                     \
    "lsrs r4, r4, #16\n"                                                                                               \
    "sxtb r4, r4\n"                                                                                                    \
    "muls r4, r3, r4\n"                                                                                                \
    "add r8, r4\n"                                                                                                     \
    "sxtb r7, r5\n"                                                                                                    \
    "muls r7, r2, r7\n"                                                                                                \
    "add r9, r7\n"                                                                                                     \
    "lsrs r5, r5, #16\n"                                                                                               \
    "sxtb r5, r5\n"                                                                                                    \
    "muls r5, r3, r5\n"                                                                                                \
    "add r9, r5\n"

/* One step of two channels of four, packed input. */
#define TF_PAIR_LANES                                                                                                  \
    "ldm r1!, {r4, r5}\n"                                                                                              \
    "add r1, r10\n"                                                                                                    \
    "ldm r0!, {r2, r3}\n"                                                                                              \
    "uxth r6, r2\n"                                                                                                    \
    "lsrs r2, r2, #16\n"                                                                                               \
    "sxth r7, r4\n"                                                                                                    \
    "muls r7, r6, r7\n"                                                                                                \
    "add r8, r7\n"                                                                                                     \
    "asrs r7, r4, #16\n"                                                                                               \
    "muls r7, r2, r7\n"                                                                                                \
    "add r8, r7\n"                                                                                                     \
    "sxth r7, r5\n"                                                                                                    \
    "muls r7, r6, r7\n"                                                                                                \
    "add r9, r7\n"                                                                                                     \
    "asrs r7, r5, #16\n"                                                                                               \
    "muls r7, r2, r7\n"                                                                                                \
    "add r9, r7\n"                                                                                                     \
    "sxth r6, r3\n"                                                                                                    \
    "asrs r2, r3, #16\n"                                                                                               \
    "sxtb r7, r4\n"                                                                                                    \
    "muls r7, r6, r7\n"                                                                                                \
    "add r8, r7\n"                                                                                                     \
    "lsrs r4, r4, #16\n"                                                                                               \
    "sxtb r4, r4\n"                                                                                                    \
    "muls r4, r2, r4\n"                                                                                                \
    "add r8, r4\n"                                                                                                     \
    "sxtb r7, r5\n"                                                                                                    \
    "muls r7, r6, r7\n"                                                                                                \
    "add r9, r7\n"                                                                                                     \
    "lsrs r5, r5, #16\n"                                                                                               \
    "sxtb r5, r5\n"                                                                                                    \
    "muls r5, r2, r5\n"                                                                                                \
    "add r9, r5\n"

/* Sums of two channels, biases first, in one return value: first channel low, second high. Two steps a round, the
 * first entered in the middle where their number is odd. */
#define TF_PAIR(name, shift, step)                                                                                     \
    __attribute__((naked, noinline, unused)) static uint64_t name(                                                     \
        __attribute__((unused)) const uint32_t *x, __attribute__((unused)) const int32_t *w,                           \
        __attribute__((unused)) int32_t steps, __attribute__((unused)) int32_t skip)                                   \
    {                                                                                                                  \
        __asm__ volatile(TF_PAIR_ENTER(shift) "1:\n" step "2:\n" step TF_PAIR_LEAVE);                                  \
    }

TF_PAIR(tf_matmul_pair_words, "4", TF_PAIR_WORDS)
TF_PAIR(tf_matmul_pair_lanes, "3", TF_PAIR_LANES)

/* Groups of 2 channels where there is no room for unpacked input: two words a step, as the other cores take it. */
TF_SHARED void tf_matmul_narrow(const uint32_t *x, const int32_t *w, int8_t *out, int32_t steps, int32_t line,
                                int32_t lo, int32_t hi)
{
    tf_matmul_c(x, w, out, 0, steps, lo, hi, 1, 2, line);
}

TF_INLINE void tf_matmul_thumb1(const uint32_t *x, const int32_t *w, int8_t *out, int32_t steps, int32_t lo, int32_t hi,
                                int32_t group, int32_t line)
{
    int32_t offset;
    do {
        int32_t sums[4];
        for (int32_t g = 0; g < group; g += 2) {
            const uint64_t pair =
                group == 2 ? tf_matmul_pair_words(x, w, steps, 0) : tf_matmul_pair_lanes(x, w + g, steps, 8);
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
