/* Log-softmax over the last axis, integer for integer as the reference.
 *
 * exp: exp of (x - max) at index max - x, Q12; `entries` of them, 0 beyond. multiplier and left_shift take differences
 * to Q5, reverse_* back; differences below diff_min count as exp = 0. rows x depth elements; out may be in. */
#ifndef TF_LOG_SOFTMAX_S8_H
#define TF_LOG_SOFTMAX_S8_H

#include "tf_fixed_functions.h"
#include "tf_fixed_point.h"
#include "tf_runtime.h"

TF_INLINE int32_t tf_log_softmax_largest(const int8_t *in, int32_t depth)
{
    int32_t largest = in[0];
    for (int32_t c = 1; c < depth; ++c) {
        largest = tf_max(largest, in[c]);
    }
    return largest;
}

TF_INLINE void tf_log_softmax_s8(const int8_t *in, int8_t *out, const int32_t *exp, int32_t entries, int32_t rows,
                                 int32_t depth, int32_t multiplier, int32_t left_shift, int32_t reverse_multiplier,
                                 int32_t reverse_shift, int32_t diff_min)
{
    for (int32_t r = 0; r < rows; ++r) {
        const int32_t largest = tf_log_softmax_largest(in, depth);
        int32_t sum = 0;
        for (int32_t c = 0; c < depth; ++c) {
            const int32_t below = largest - in[c];
            sum += below < entries ? exp[below] : 0;
        }
        const int32_t log_sum = tf_log_of_at_least_one(sum, 12, 5);
        const int32_t reverse = tf_requantize(log_sum + INT32_MIN, reverse_multiplier, reverse_shift);
        const int32_t smallest = tf_max(diff_min - 1, reverse);
        for (int32_t c = 0; c < depth; ++c) {
            const int32_t diff = in[c] - largest;
            int32_t y = -128;
            if (diff > smallest) {
                const int32_t q5 = tf_requantize(diff, multiplier, left_shift);
                y = tf_clamp(tf_rounding_shift_right(q5 - log_sum, 22) + 127, -128, 127);
            }
            out[c] = (int8_t)y;
        }
        in += depth;
        out += depth;
    }
}

#endif
