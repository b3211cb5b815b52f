/* RV32IM cores of tf_matmul_scalar_s8.h. In assembly because gcc and clang load everything that is unrolled first and
 * spill it: twice the instructions; tf_matmul_scalar_c is the same in C, the oracle. A core needs 32 bytes of stack. */
#ifndef TF_MATMUL_SCALAR_S8_RV32_H
#define TF_MATMUL_SCALAR_S8_RV32_H

/* a0 job, a1 constants, s2 and s3 outputs, s4 values beyond a multiple of four, s5 whether there are others, s6 a half.
 * Values beyond come first, the others are unrolled four times. */
#define TF_SCALAR_ENTER                                                                                                \
    "addi sp, sp, -32\n"                                                                                               \
    "sw s0, 0(sp)\n"                                                                                                   \
    "sw s1, 4(sp)\n"                                                                                                   \
    "sw s2, 8(sp)\n"                                                                                                   \
    "sw s3, 12(sp)\n"                                                                                                  \
    "sw s4, 16(sp)\n"                                                                                                  \
    "sw s5, 20(sp)\n"                                                                                                  \
    "sw s6, 24(sp)\n"                                                                                                  \
    "sw s7, 28(sp)\n"                                                                                                  \
    "lw a1, 16(a0)\n"                                                                                                  \
    "lw s2, 8(a0)\n"                                                                                                   \
    "lw s3, 12(a0)\n"                                                                                                  \
    "lw s4, 24(a0)\n"                                                                                                  \
    "srli s5, s4, 2\n"                                                                                                 \
    "andi s4, s4, 3\n"                                                                                                 \
    "lui s6, 0x40000\n"                                                                                                \
    "1:\n"

#define TF_SCALAR_LEAVE                                                                                                \
    "lw t5, 20(a0)\n"                                                                                                  \
    "bne a1, t5, 1b\n"                                                                                                 \
    "lw s0, 0(sp)\n"                                                                                                   \
    "lw s1, 4(sp)\n"                                                                                                   \
    "lw s2, 8(sp)\n"                                                                                                   \
    "lw s3, 12(sp)\n"                                                                                                  \
    "lw s4, 16(sp)\n"                                                                                                  \
    "lw s5, 20(sp)\n"                                                                                                  \
    "lw s6, 24(sp)\n"                                                                                                  \
    "lw s7, 28(sp)\n"                                                                                                  \
    "addi sp, sp, 32\n"                                                                                                \
    "ret\n"

/* t2 and t3 pixels, t4 the first one's end. */
#define TF_SCALAR_LOOP(value)                                                                                          \
    "lw t2, 0(a0)\n"                                                                                                   \
    "lw t3, 4(a0)\n"                                                                                                   \
    "lw t4, 24(a0)\n"                                                                                                  \
    "addi a1, a1, 16\n"                                                                                                \
    "add t3, t3, t2\n"                                                                                                 \
    "add t4, t4, t2\n"                                                                                                 \
    "beqz s4, 3f\n"                                                                                                    \
    "add s7, t2, s4\n"                                                                                                 \
    "2:\n"                                                                                                             \
    ".irp i, 0\n" value ".endr\n"                                                                                      \
    "addi t2, t2, 1\n"                                                                                                 \
    "addi t3, t3, 1\n"                                                                                                 \
    "addi a1, a1, 4\n"                                                                                                 \
    "bne t2, s7, 2b\n"                                                                                                 \
    "3:\n"                                                                                                             \
    "beqz s5, 4f\n"                                                                                                    \
    "2:\n"                                                                                                             \
    ".irp i, 0, 1, 2, 3\n" value ".endr\n"                                                                             \
    "addi t2, t2, 4\n"                                                                                                 \
    "addi t3, t3, 4\n"                                                                                                 \
    "addi a1, a1, 16\n"                                                                                                \
    "bne t2, t4, 2b\n"                                                                                                 \
    "4:\n"                                                                                                             \
    "lw s0, 28(a0)\n"                                                                                                  \
    "lw s1, 32(a0)\n"

#define TF_SCALAR_SINGLE(a, w)                                                                                         \
    "lb s0, 4*\\i+" w "(a1)\n"                                                                                         \
    "mul s1, s0, t5\n"                                                                                                 \
    "add " a ", " a ", s1\n"
#define TF_SCALAR_PAIR(a, b, w)                                                                                        \
    TF_SCALAR_SINGLE(a, w)                                                                                             \
    "mul s1, s0, t6\n"                                                                                                 \
    "add " b ", " b ", s1\n"

/* Two pixels: sums a2 a3, a4 a5, a6 a7, t0 t1. */
#define TF_SCALAR_VALUE_2                                                                                              \
    "lb t5, \\i(t2)\n"                                                                                                 \
    "lb t6, \\i(t3)\n" TF_SCALAR_PAIR("a2", "a3", "0") TF_SCALAR_PAIR("a4", "a5", "1") TF_SCALAR_PAIR("a6", "a7", "2") \
        TF_SCALAR_PAIR("t0", "t1", "3")
#define TF_SCALAR_BIASES                                                                                               \
    "lw a2, 0(a1)\n"                                                                                                   \
    "lw a4, 4(a1)\n"                                                                                                   \
    "lw a6, 8(a1)\n"                                                                                                   \
    "lw t0, 12(a1)\n"
#define TF_SCALAR_SUMS_2                                                                                               \
    TF_SCALAR_ENTER                                                                                                    \
    TF_SCALAR_BIASES                                                                                                   \
    "mv a3, a2\n"                                                                                                      \
    "mv a5, a4\n"                                                                                                      \
    "mv a7, a6\n"                                                                                                      \
    "mv t1, t0\n" TF_SCALAR_LOOP(TF_SCALAR_VALUE_2)

/* One pixel: sums a2 a4 a6 t0. */
#define TF_SCALAR_VALUE_1                                                                                              \
    "lb t5, \\i(t2)\n" TF_SCALAR_SINGLE("a2", "0") TF_SCALAR_SINGLE("a4", "1") TF_SCALAR_SINGLE("a6", "2")             \
        TF_SCALAR_SINGLE("t0", "3")
#define TF_SCALAR_SUMS_1 TF_SCALAR_ENTER TF_SCALAR_BIASES TF_SCALAR_LOOP(TF_SCALAR_VALUE_1)

/* One sum to an output; multiplier, add, shift in t2, t3, t4, the product in t6:t5, limits in s0, s1. */
#define TF_SCALAR_CARRY(a)                                                                                             \
    "add " a ", " a ", t5\n"                                                                                           \
    "sltu " a ", " a ", t5\n"                                                                                          \
    "add t6, t6, " a "\n"
#define TF_SCALAR_LOW(a) "mul t5, " a ", t2\n"
#define TF_SCALAR_HALF_q31(a) "mv " a ", s6\n" TF_SCALAR_CARRY(a)
#define TF_SCALAR_HALF_real(a)
#define TF_SCALAR_HALF_signed(a)                                                                                       \
    "srai " a ", " a ", 31\n"                                                                                          \
    "add t6, t6, " a "\n"                                                                                              \
    "slli " a ", " a ", 31\n"                                                                                          \
    "or " a ", " a ", s6\n" TF_SCALAR_CARRY(a)
#define TF_SCALAR_OUT(half, a, out, at)                                                                                \
    TF_SCALAR_LOW(a)                                                                                                   \
    "mulh t6, " a ", t2\n" half(a) "add t6, t6, t3\n"                                                                  \
                                   "sra t6, t6, t4\n"                                                                  \
                                   "bge t6, s0, 3f\n"                                                                  \
                                   "mv t6, s0\n"                                                                       \
                                   "3:\n"                                                                              \
                                   "bge s1, t6, 3f\n"                                                                  \
                                   "mv t6, s1\n"                                                                       \
                                   "3:\n"                                                                              \
                                   "sb t6, " at "(" out ")\n"
#define TF_SCALAR_OUT_1(half, a, b, at, m, add, shift)                                                                 \
    "lw t2, " m "(a1)\n"                                                                                               \
    "lw t3, " add "(a1)\n"                                                                                             \
    "lw t4, " shift "(a1)\n" TF_SCALAR_OUT(half, a, "s2", at)
#define TF_SCALAR_OUT_2(half, a, b, at, m, add, shift)                                                                 \
    TF_SCALAR_OUT_1(half, a, b, at, m, add, shift) TF_SCALAR_OUT(half, b, "s3", at)

#define TF_SCALAR_FULL
#define TF_SCALAR_CLAMP
#define TF_SCALAR_CORE(name, pixels, round, rounding, limit)                                                           \
    static __attribute__((naked, noinline, unused)) void name(__attribute__((unused)) const tf_scalar_job *job)        \
    {                                                                                                                  \
        __asm__ volatile(TF_SCALAR_SUMS_##pixels TF_SCALAR_OUT_##pixels(round, "a2", "a3", "0", "0", "4", "8")         \
                             TF_SCALAR_OUT_##pixels(round, "a4", "a5", "1", "12", "16", "20")                          \
                                 TF_SCALAR_OUT_##pixels(round, "a6", "a7", "2", "24", "28", "32")                      \
                                     TF_SCALAR_OUT_##pixels(round, "t0", "t1", "3", "36", "40",                        \
                                                            "44") "addi a1, a1, 48\n"                                  \
                                                                  "addi s2, s2, 4\n"                                   \
                                                                  "addi s3, s3, 4\n" TF_SCALAR_LEAVE ::                \
                                                                      : "memory");                                     \
    }

#endif
