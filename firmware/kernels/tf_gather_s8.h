/* Input values of convolution windows, copied side by side: what im2col does, for a few pixels at a time. */
#ifndef TF_GATHER_S8_H
#define TF_GATHER_S8_H

#include "tf_dsp.h"

#ifndef TF_SHARED
#define TF_SHARED static __attribute__((noinline, unused))
#endif

/* Whether words can be read and written at both places: always, or where they are aligned (Armv6-M, RISC-V). */
TF_INLINE int tf_takes_words(const int8_t *a, const int8_t *b)
{
#if TF_STRICT_ALIGNMENT
    return (((uintptr_t)a | (uintptr_t)b) & 3u) == 0u;
#else
    (void)a;
    (void)b;
    return 1;
#endif
}

#if TF_STRICT_ALIGNMENT
#define TF_WORD(p) __builtin_assume_aligned(p, 4)
#else
#define TF_WORD(p) (p)
#endif

/* n bytes; four at a time while they last. */
TF_INLINE void tf_copy_s8(int8_t *to, const int8_t *from, int32_t n)
{
    if (tf_takes_words(to, from)) {
        for (; n >= 4; n -= 4) {
            tf_store32(TF_WORD(to), tf_load32(TF_WORD(from)));
            to += 4;
            from += 4;
        }
    }
    for (; n > 0; --n) {
        *to++ = *from++;
    }
}

TF_INLINE void tf_fill_s8(int8_t *to, int32_t value, int32_t n)
{
    const uint32_t word = ((uint32_t)value & 0xffu) * 0x01010101u;
    if (tf_takes_words(to, to)) {
        for (; n >= 4; n -= 4) {
            tf_store32(TF_WORD(to), word);
            to += 4;
        }
    }
    for (; n > 0; --n) {
        *to++ = (int8_t)value;
    }
}

/* The columns first, first + dilation, ... (count of them) of one row, c values each; columns outside [0, width) and
 * a NULL row read as zero. row: the pixel of column in_x0. */
TF_SHARED void tf_gather_s8(int8_t *to, const int8_t *row, int32_t in_x0, int32_t first, int32_t count,
                            int32_t dilation, int32_t width, int32_t c, int32_t zero)
{
    if (row == NULL) {
        tf_fill_s8(to, zero, count * c);
        return;
    }
    for (int32_t k = 0; k < count; ++k) {
        const int32_t column = first + k * dilation;
        if (column >= 0 && column < width) {
            tf_copy_s8(to, row + (column - in_x0) * c, c);
        } else {
            tf_fill_s8(to, zero, c);
        }
        to += c;
    }
}

#endif
