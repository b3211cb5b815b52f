/* Thumb-2 cores of tf_matmul_scalar_s8.h. In assembly because eight sums, two pixels, a weight and three pointers are
 * every register there is, and compilers spill; tf_matmul_scalar_c is the same in C, the oracle. A core needs 72 bytes
 * of stack. */
#ifndef TF_MATMUL_SCALAR_S8_THUMB2_H
#define TF_MATMUL_SCALAR_S8_THUMB2_H

/* r0 job -> r1 constants; stack: x, apart, out, out, end of x, end of constants, entry, lo, hi. Values are unrolled
 * four times and entered in the middle; every instruction of a value has four bytes. */
#define TF_SCALAR_ENTER(value_bytes)                                                                                   \
    "push {r4-r11, lr}\n"                                                                                              \
    "sub sp, #36\n"                                                                                                    \
    "ldm r0, {r4-r12}\n" /* x, apart, out, out, packed, end, values, lo, hi */                                         \
    "mov r1, r8\n"                                                                                                     \
    "rsb r2, r10, #0\n"                                                                                                \
    "and r2, r2, #3\n"                                                                                                 \
    "mov r3, #" value_bytes "\n"                                                                                       \
    "adr.w r0, 2f\n"                                                                                                   \
    "mla r0, r2, r3, r0\n"                                                                                             \
    "orr r0, r0, #1\n"                                                                                                 \
    "add r8, r4, r10\n"                                                                                                \
    "mov r10, r0\n"                                                                                                    \
    "stm sp, {r4-r12}\n"                                                                                               \
    ".balign 4\n"                                                                                                      \
    "1:\n"

#define TF_SCALAR_LEAVE                                                                                                \
    "ldr r0, [sp, #20]\n"                                                                                              \
    "cmp r1, r0\n"                                                                                                     \
    "bne.w 1b\n"                                                                                                       \
    "add sp, #36\n"                                                                                                    \
    "pop {r4-r11, pc}\n"

#define TF_SCALAR_LOOP(value)                                                                                          \
    "ldr r0, [sp]\n"                                                                                                   \
    "ldr pc, [sp, #24]\n"                                                                                              \
    ".balign 4\n"                                                                                                      \
    "2:\n"                                                                                                             \
    ".rept 4\n" value ".endr\n"                                                                                        \
    "ldr lr, [sp, #16]\n"                                                                                              \
    "cmp r0, lr\n"                                                                                                     \
    "bne 2b\n"

/* Two pixels: sums r2 r3, r4 r5, r6 r7, r8 r9. */
#define TF_SCALAR_PAIR(a, b)                                                                                           \
    "ldrsb lr, [r1], #1\n"                                                                                             \
    "mla " a ", lr, r10, " a "\n"                                                                                      \
    "mla " b ", lr, r11, " b "\n"
#define TF_SCALAR_VALUE_2                                                                                              \
    "ldrsb.w r11, [r0, r12]\n"                                                                                         \
    "ldrsb r10, [r0], #1\n" TF_SCALAR_PAIR("r2", "r3") TF_SCALAR_PAIR("r4", "r5") TF_SCALAR_PAIR("r6", "r7")           \
        TF_SCALAR_PAIR("r8", "r9")
#define TF_SCALAR_SUMS_2                                                                                               \
    TF_SCALAR_ENTER("56")                                                                                              \
    "ldm r1!, {r2, r4, r6, r8}\n"                                                                                      \
    "mov r3, r2\n"                                                                                                     \
    "mov r5, r4\n"                                                                                                     \
    "mov r7, r6\n"                                                                                                     \
    "mov r9, r8\n"                                                                                                     \
    "ldr r12, [sp, #4]\n" TF_SCALAR_LOOP(TF_SCALAR_VALUE_2)

/* One pixel: sums r2 r4 r6 r8. */
#define TF_SCALAR_SINGLE(a)                                                                                            \
    "ldrsb lr, [r1], #1\n"                                                                                             \
    "mla " a ", lr, r10, " a "\n"
#define TF_SCALAR_VALUE_1                                                                                              \
    "ldrsb r10, [r0], #1\n" TF_SCALAR_SINGLE("r2") TF_SCALAR_SINGLE("r4") TF_SCALAR_SINGLE("r6") TF_SCALAR_SINGLE("r"  \
                                                                                                                  "8")
#define TF_SCALAR_SUMS_1                                                                                               \
    TF_SCALAR_ENTER("36")                                                                                              \
    "ldm r1!, {r2, r4, r6, r8}\n" TF_SCALAR_LOOP(TF_SCALAR_VALUE_1)

#define TF_SCALAR_FULL "ssat lr, #8, lr\n"
#define TF_SCALAR_CLAMP                                                                                                \
    "ldrd r0, r3, [sp, #28]\n"                                                                                         \
    "cmp lr, r0\n"                                                                                                     \
    "it lt\n"                                                                                                          \
    "movlt lr, r0\n"                                                                                                   \
    "cmp lr, r3\n"                                                                                                     \
    "it gt\n"                                                                                                          \
    "movgt lr, r3\n"

/* One sum to an output; multiplier, add, shift in r10, r11, r12. half: r0 and lr to what is added to the product. */
#define TF_SCALAR_HALF_q31(a)                                                                                          \
    "mov r0, #0x40000000\n"                                                                                            \
    "mov lr, r11\n"
#define TF_SCALAR_HALF_real(a)                                                                                         \
    "mov r0, #0\n"                                                                                                     \
    "mov lr, r11\n"
#define TF_SCALAR_HALF_signed(a)                                                                                       \
    "and r0, " a ", #0x80000000\n"                                                                                     \
    "orr r0, r0, #0x40000000\n"                                                                                        \
    "add lr, r11, " a ", asr #31\n"
#define TF_SCALAR_OUT(half, limit, a, out, at)                                                                         \
    half(a) "smlal r0, lr, " a ", r10\n"                                                                               \
            "asr lr, lr, r12\n" limit "ldr r0, [sp, #" out "]\n"                                                       \
            "strb lr, [r0, #" at "]\n"
#define TF_SCALAR_NEXT(out)                                                                                            \
    "ldr r0, [sp, #" out "]\n"                                                                                         \
    "add r0, #4\n"                                                                                                     \
    "str r0, [sp, #" out "]\n"
/* The second pixel first: its sum of the first channel is in r3, which clamping takes. */
#define TF_SCALAR_TABLES "ldm r1!, {r10, r11, r12}\n"
#define TF_SCALAR_OUT_1(half, limit, a, b, at) TF_SCALAR_TABLES TF_SCALAR_OUT(half, limit, a, "8", at)
#define TF_SCALAR_OUT_2(half, limit, a, b, at)                                                                         \
    TF_SCALAR_TABLES TF_SCALAR_OUT(half, limit, b, "12", at) TF_SCALAR_OUT(half, limit, a, "8", at)
#define TF_SCALAR_NEXT_1 TF_SCALAR_NEXT("8")
#define TF_SCALAR_NEXT_2 TF_SCALAR_NEXT("8") TF_SCALAR_NEXT("12")

#define TF_SCALAR_CORE(name, pixels, round, rounding, limit)                                                           \
    static __attribute__((naked, noinline, unused)) void name(__attribute__((unused)) const tf_scalar_job *job)        \
    {                                                                                                                  \
        __asm__ volatile(TF_SCALAR_SUMS_##pixels TF_SCALAR_OUT_##pixels(round, limit, "r2", "r3", "0")                 \
                             TF_SCALAR_OUT_##pixels(round, limit, "r4", "r5", "1")                                     \
                                 TF_SCALAR_OUT_##pixels(round, limit, "r6", "r7", "2")                                 \
                                     TF_SCALAR_OUT_##pixels(round, limit, "r8", "r9", "3")                             \
                                         TF_SCALAR_NEXT_##pixels TF_SCALAR_LEAVE ::                                    \
                                             : "memory");                                                              \
    }

#endif
