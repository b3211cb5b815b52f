/* Q31 arithmetic, integer for integer as TensorFlow Lite's reference kernels do it (double rounding).
 * Twin of tinyforge/ir/fixed_point.py. */
#ifndef TF_FIXED_POINT_H
#define TF_FIXED_POINT_H

#include <stdint.h>

/* a * b * 2 / 2^32 rounded to nearest, ties away from zero; saturates only for INT32_MIN * INT32_MIN.
 * Multipliers are >= 0 here, so that case cannot happen for them. */
static inline int32_t tf_doubling_high_mul(int32_t a, int32_t b)
{
    const int64_t product = (int64_t)a * b;
    const int64_t nudged = product + (product >= 0 ? (int64_t)1 << 30 : 1 - ((int64_t)1 << 30));
    /* C division truncates towards zero, as the reference's does; a plain shift would not. */
    return (a == b && a == INT32_MIN) ? INT32_MAX : (int32_t)(nudged / ((int64_t)1 << 31));
}

/* x / 2^exponent, ties away from zero; exponent in [0, 31]. */
static inline int32_t tf_rounding_shift_right(int32_t x, int32_t exponent)
{
    const int32_t mask = (int32_t)((1u << (uint32_t)exponent) - 1u);
    const int32_t remainder = x & mask;
    const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

/* x * multiplier * 2^(shift - 31); shift > 0 is left. Overflow of the left shift wraps. */
static inline int32_t tf_requantize(int32_t x, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    const int32_t shifted = (int32_t)((uint32_t)x << (uint32_t)left);
    return tf_rounding_shift_right(tf_doubling_high_mul(shifted, multiplier), right);
}

static inline int32_t tf_clamp(int32_t x, int32_t lo, int32_t hi)
{
    return x < lo ? lo : (x > hi ? hi : x);
}

#endif
