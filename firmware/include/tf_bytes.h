/* Copying and filling runs of bytes: words where the core allows it, without calls into a C library.
 * Runs never overlap. Any alignment. */
#ifndef TF_BYTES_H
#define TF_BYTES_H

#include "tf_runtime.h"

/* n bytes; best with a literal n. */
TF_INLINE void tf_copy_bytes(int8_t *to, const int8_t *from, int32_t n)
{
    const int32_t words = n >= 4 && TF_WORDS_AT(to, from) ? n & ~3 : 0;
    for (int32_t i = 0; i < (words & ~15); i += 16) {
        tf_copy_word(to + i, from + i);
        tf_copy_word(to + i + 4, from + i + 4);
        tf_copy_word(to + i + 8, from + i + 8);
        tf_copy_word(to + i + 12, from + i + 12);
    }
    for (int32_t i = words & ~15; i < words; i += 4) {
        tf_copy_word(to + i, from + i);
    }
    for (int32_t i = words; i < n; ++i) {
        to[i] = from[i];
    }
}

/* n bytes of elements of 1, 2, 4 or 8 bytes that all hold `value` (its low bits, or sign-extended); n is a multiple of
 * the element. Wider elements lie at their natural alignment, single bytes anywhere. */
TF_INLINE void tf_fill_bytes(int8_t *to, int32_t n, int32_t element, int32_t value)
{
    const int16_t half = (int16_t)value;
    const int32_t low = element == 1 ? (int32_t)((uint32_t)(uint8_t)value * 0x01010101u) : value;
    const int32_t high = element == 8 ? -(int32_t)(value < 0) : low;
    const int32_t words = element != 2 && TF_WORDS_AT(to, to) ? n & ~3 : 0;
    if (element == 2) {
        for (int32_t i = 0; i < n; i += 2) {
            __builtin_memcpy(__builtin_assume_aligned(to + i, 2), &half, 2);
        }
        return;
    }
    for (int32_t i = 0; i < (words & ~7); i += 8) {
        tf_copy_word(to + i, (const int8_t *)&low);
        tf_copy_word(to + i + 4, (const int8_t *)&high);
    }
    if ((words & 4) != 0) {
        tf_copy_word(to + (words & ~7), (const int8_t *)&low);
    }
    for (int32_t i = words; i < n; ++i) {
        to[i] = (int8_t)value;
    }
}

#endif
