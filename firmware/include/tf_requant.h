/* Accumulator -> int8 output. One short form, proven equal to the reference when the C is written, and the full one.
 * Twin of tinyforge/ops/requant.py, which also makes the tables. */
#ifndef TF_REQUANT_H
#define TF_REQUANT_H

#include "tf_dsp.h"
#include "tf_fixed_point.h"

/* Clamp to [lo, hi]; literals, so that the full int8 range becomes one SSAT. */
TF_INLINE int32_t tf_clamp8(int32_t x, int32_t lo, int32_t hi)
{
#ifdef __thumb2__
    if (lo == -128 && hi == 127) {
        int32_t result;
        __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(x));
        return result;
    }
#endif
    return tf_clamp(x, lo, hi);
}

/* How the short form rounds; a literal. Q31: as the convolutions, which round twice (SIGNED where outputs below
 * out_zero are possible: there ties round away from zero). REAL: as FULLY_CONNECTED, which rounds once. */
#define TF_ROUND_REAL 0
#define TF_ROUND_Q31 1
#define TF_ROUND_Q31_SIGNED 3

/* Short form, unclamped. acc2: twice the accumulator; add: out_zero * 2^shift + 2^(shift - 1); shift in [0, 30]. */
TF_INLINE int32_t tf_requant_scale(int32_t acc2, int32_t multiplier, int32_t add, int32_t shift, int32_t rounding)
{
    int32_t t = rounding == TF_ROUND_REAL ? tf_smmla(acc2, multiplier, add) : tf_smmlar(acc2, multiplier, add);
    if (rounding == TF_ROUND_Q31_SIGNED) {
        t += acc2 >> 31;
    }
    return t >> shift;
}

TF_INLINE int32_t tf_requant_short(int32_t acc2, int32_t multiplier, int32_t add, int32_t shift, int32_t rounding,
                                   int32_t lo, int32_t hi)
{
    return tf_clamp8(tf_requant_scale(acc2, multiplier, add, shift, rounding), lo, hi);
}

/* Full form, for any multiplier and shift (> 0 is left). */
TF_INLINE int32_t tf_requant_full(int32_t acc, int32_t multiplier, int32_t shift, int32_t out_zero, int32_t lo,
                                  int32_t hi)
{
    return tf_clamp(tf_requantize(acc, multiplier, shift) + out_zero, lo, hi);
}

/* Table form: lo + how many of the hi - lo ascending steps are at or below the accumulator. */
TF_INLINE int32_t tf_requant_steps(int32_t acc, const int32_t *steps, int32_t lo, int32_t hi)
{
    int32_t from = 0, to = hi - lo;
    while (from < to) {
        const int32_t middle = (from + to) >> 1;
        if (steps[middle] <= acc) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return lo + from;
}

#endif
