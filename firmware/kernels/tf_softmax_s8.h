/* Softmax over the last axis, integer for integer as the reference: Q12 sum of Q0 exponentials, Newton reciprocal.
 *
 * exp: exp of (x - max) at index max - x, Q0; `entries` of them, 0 beyond. rows x depth elements; out may be in. */
#ifndef TF_SOFTMAX_S8_H
#define TF_SOFTMAX_S8_H

#include "tf_fixed_functions.h"
#include "tf_fixed_point.h"
#include "tf_runtime.h"

TF_INLINE int32_t tf_softmax_max(const int8_t *in, int32_t depth)
{
    int32_t largest = in[0];
    for (int32_t c = 1; c < depth; ++c) {
        largest = tf_max(largest, in[c]);
    }
    return largest;
}

/* Q0 exponential of one difference. */
TF_INLINE int32_t tf_softmax_exp(const int32_t *exp, int32_t entries, int32_t below)
{
    return below < entries ? exp[below] : 0;
}

/* Sum of the row's exponentials in Q12. */
TF_INLINE int32_t tf_softmax_sum(const int8_t *in, int32_t depth, int32_t largest, const int32_t *exp, int32_t entries)
{
    int32_t sum = 0;
    for (int32_t c = 0; c < depth; ++c) {
        const int32_t e = tf_softmax_exp(exp, entries, largest - in[c]);
        sum += (e >> 12) + ((e >> 11) & 1); /* e >= 0 */
    }
    return sum;
}

/* One output above the type's minimum; shift is that of the row. Everything is >= 0 here. */
TF_INLINE int32_t tf_softmax_point(int32_t exp, int32_t scale, int32_t shift)
{
    if (shift > 31) {
        return 0;
    }
    return tf_rounding_shift_right((int32_t)(((int64_t)exp * scale + ((int64_t)1 << 30)) >> 31), shift);
}

TF_INLINE void tf_softmax_s8(const int8_t *in, int8_t *out, const int32_t *exp, int32_t entries, int32_t rows,
                             int32_t depth)
{
    for (int32_t r = 0; r < rows; ++r) {
        const int32_t largest = tf_softmax_max(in, depth);
        int32_t bits;
        const int32_t scale = tf_reciprocal(tf_softmax_sum(in, depth, largest, exp, entries), 12, &bits);
        for (int32_t c = 0; c < depth; ++c) {
            const int32_t y = tf_softmax_point(tf_softmax_exp(exp, entries, largest - in[c]), scale, bits + 23) - 128;
            out[c] = (int8_t)tf_min(y, 127);
        }
        in += depth;
        out += depth;
    }
}

TF_INLINE void tf_softmax_s8_s16(const int8_t *in, int16_t *out, const int32_t *exp, int32_t entries, int32_t rows,
                                 int32_t depth)
{
    for (int32_t r = 0; r < rows; ++r) {
        const int32_t largest = tf_softmax_max(in, depth);
        int32_t bits;
        const int32_t scale = tf_reciprocal(tf_softmax_sum(in, depth, largest, exp, entries), 12, &bits);
        for (int32_t c = 0; c < depth; ++c) {
            const int32_t y = tf_softmax_point(tf_softmax_exp(exp, entries, largest - in[c]), scale, bits + 15) - 32768;
            out[c] = (int16_t)tf_min(y, 32767);
        }
        in += depth;
        out += depth;
    }
}

#endif
