/* Sum or mean over any axes, flat: the input is k0 x r0 x k1 x r1 x k2 elements, those of r0 and r1 are summed.
 *
 * offset = -zero_point * r0 * r1; the sum is rescaled as the reference does. */
#ifndef TF_SUM_S8_H
#define TF_SUM_S8_H

#include "tf_fixed_point.h"
#include "tf_runtime.h"

TF_INLINE int32_t tf_sum_of(const int8_t *x, int32_t r0, int32_t step0, int32_t r1, int32_t step1)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < r0; ++i) {
        for (int32_t j = 0; j < r1; ++j) {
            sum += x[j * step1];
        }
        x += step0;
    }
    return sum;
}

TF_INLINE void tf_sum_s8(const int8_t *in, int8_t *out, int32_t k0, int32_t r0, int32_t k1, int32_t r1, int32_t k2,
                         int32_t offset, int32_t multiplier, int32_t shift, int32_t out_zero)
{
    for (int32_t a = 0; a < k0; ++a) {
        for (int32_t b = 0; b < k1; ++b) {
            const int8_t *x = in + (a * r0 * k1 + b) * r1 * k2;
            for (int32_t c = 0; c < k2; ++c) {
                const int32_t sum = tf_sum_of(x + c, r0, k1 * r1 * k2, r1, k2) + offset;
                *out++ = (int8_t)tf_clamp(tf_requantize(sum, multiplier, shift) + out_zero, -128, 127);
            }
        }
    }
}

#endif
