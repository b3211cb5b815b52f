/* Reciprocal and logarithm in Q31 fixed point, integer for integer as TensorFlow Lite's reference kernels compute them.
 * Twin of tinyforge/ir/fixed_functions.py, which gives the sources. "Qm": m integer bits, 1.0 is 2^(31 - m). */
#ifndef TF_FIXED_FUNCTIONS_H
#define TF_FIXED_FUNCTIONS_H

#include "tf_fixed_point.h"
#include "tf_runtime.h"

/* Leading zeros of a 32-bit value; 32 for 0. By halves: Armv6-M has no CLZ, and compilers turn a loop of single shifts
 * into a call of a library that firmware without one lacks. */
static inline int32_t tf_leading_zeros(uint32_t x)
{
    int32_t n = x == 0u ? 1 : 0;
    if ((x & 0xffff0000u) == 0u) {
        n += 16;
        x <<= 16;
    }
    if ((x & 0xff000000u) == 0u) {
        n += 8;
        x <<= 8;
    }
    if ((x & 0xf0000000u) == 0u) {
        n += 4;
        x <<= 4;
    }
    if ((x & 0xc0000000u) == 0u) {
        n += 2;
        x <<= 2;
    }
    return n + ((x & 0x80000000u) == 0u ? 1 : 0);
}

/* x * 2^exponent: saturating to the left, rounding to the right. */
static inline int32_t tf_times_power_of_two(int32_t x, int32_t exponent)
{
    if (exponent <= 0) {
        return tf_rounding_shift_right(x, -exponent);
    }
    const int32_t limit = (int32_t)((1u << (uint32_t)(31 - exponent)) - 1u);
    if (x > limit) {
        return INT32_MAX;
    }
    return x < -limit - 1 ? INT32_MIN : (int32_t)((uint32_t)x << (uint32_t)exponent);
}

/* 1 / (1 + a) for a in [0, 1), Q0 to Q0: three Newton-Raphson steps. */
static inline int32_t tf_one_over_one_plus(int32_t a)
{
    const int32_t half_denominator = (int32_t)(((int64_t)a + INT32_MAX + 1) / 2);
    int32_t x = 1515870810 + tf_doubling_high_mul(half_denominator, -1010580540);
    for (int32_t i = 0; i < 3; ++i) {
        const int32_t error = (1 << 29) - tf_doubling_high_mul(half_denominator, x);
        x += tf_times_power_of_two(tf_doubling_high_mul(x, error), 2);
    }
    return tf_times_power_of_two(x, 1);
}

/* The Q0 scale of 1 / x = scale * 2^-bits for x >= 1 in Q(integer_bits). */
static inline int32_t tf_reciprocal(int32_t x, int32_t integer_bits, int32_t *bits)
{
    const int32_t headroom = tf_leading_zeros((uint32_t)x);
    *bits = integer_bits - headroom;
    return tf_one_over_one_plus((int32_t)(((uint32_t)x << (uint32_t)headroom) - 0x80000000u));
}

static inline int32_t tf_saturated_sum(int32_t a, int32_t b)
{
    const int64_t sum = (int64_t)a + b;
    return sum > INT32_MAX ? INT32_MAX : (sum < INT32_MIN ? INT32_MIN : (int32_t)sum);
}

/* log around 2^-1/4 as numerator * (1 / denominator), for r in Q0. */
static inline int32_t tf_log_fraction(int32_t r, int32_t accumulator_bits)
{
    const int32_t centre = 1805811301;
    const int64_t total = (int64_t)r + centre;
    const int32_t p = (int32_t)((total + (total >= 0 ? 1 : -1)) / 2);
    const int32_t q = (r - centre) * 2;
    const int32_t squared = tf_doubling_high_mul(q, q);
    const int32_t cubed = tf_doubling_high_mul(tf_doubling_high_mul(q, squared), 117049297);
    const int32_t numerator = tf_doubling_high_mul(q, r) + cubed;
    const int32_t inner = 1057819769 + q + tf_doubling_high_mul(127690142, squared);
    const int32_t denominator = tf_doubling_high_mul(p, inner) + tf_doubling_high_mul(638450708, q);
    return tf_doubling_high_mul(tf_times_power_of_two(numerator, -accumulator_bits), tf_one_over_one_plus(denominator));
}

/* Natural logarithm of a Q(in_bits) value >= 1, as Q(out_bits). */
static inline int32_t tf_log_of_at_least_one(int32_t z, int32_t in_bits, int32_t out_bits)
{
    const int32_t sqrt_half = 1518500250;
    const int32_t bits = out_bits + 1;
    const int32_t quarter = tf_times_power_of_two(1 << 29, -bits);
    const int32_t headroom_a = tf_leading_zeros((uint32_t)z);
    const int32_t scaled = tf_doubling_high_mul(tf_times_power_of_two(z, headroom_a - 1), sqrt_half);
    const int32_t r_a = tf_times_power_of_two(scaled, 1);
    const int32_t power_a = tf_saturated_sum(tf_times_power_of_two(in_bits - headroom_a, 31 - bits), quarter);
    const int32_t headroom_b = tf_leading_zeros((uint32_t)tf_doubling_high_mul(z, sqrt_half)) - 1;
    const int32_t r_b = tf_times_power_of_two(z, headroom_b);
    const int32_t power_b = tf_saturated_sum(tf_times_power_of_two(in_bits - headroom_b, 31 - bits), -quarter);
    const int32_t power = tf_doubling_high_mul(tf_max(power_a, power_b), 1488522236);
    return tf_times_power_of_two(power + tf_log_fraction(tf_min(r_a, r_b), bits), bits - out_bits);
}

#endif
