/* Sum or mean over any axes, flat: the input is k0 x r0 x k1 x r1 x k2 elements, those of r0 and r1 are summed.
 *
 * offset = -zero_point * r0 * r1; the sum is rescaled as the reference does. */
#ifndef TF_SUM_S8_H
#define TF_SUM_S8_H

#include "tf_channel_sums_s8.h"
#include "tf_fixed_point.h"
#include "tf_runtime.h"
#include "tf_sum_scale.h"

/* The outputs of one index of k0 and k1: k2 channels over r0 x r1 pixels. */
TF_INLINE void tf_sum_channels(const int8_t *x, int8_t *out, int32_t r0, int32_t row, int32_t r1, int32_t k2,
                               int32_t offset, int32_t multiplier, int32_t shift, int32_t add, int32_t rounding)
{
    int32_t c = 0;
    for (; c + 4 <= k2; c += 4) {
        int32_t acc[4] = {offset, offset, offset, offset};
        for (int32_t i = 0; i < r0; ++i) {
            tf_sum_four(x + i * row + c, r1, k2, acc);
        }
        for (int32_t i = 0; i < 4; ++i) {
            out[c + i] = tf_sum_scaled(acc[i], multiplier, shift, add, rounding);
        }
    }
    if (k2 == 1) { /* r1 elements in a row: four sums side by side */
        int32_t acc[4] = {offset, 0, 0, 0};
        for (int32_t i = 0; i < r0; ++i) {
            tf_sum_four(x + i * row, r1 / 4, 4, acc);
            tf_sum_one(x + i * row + r1 / 4 * 4, r1 % 4, 1, acc);
        }
        out[0] = tf_sum_scaled(acc[0] + acc[1] + acc[2] + acc[3], multiplier, shift, add, rounding);
        return;
    }
    for (; c < k2; ++c) {
        int32_t acc = offset;
        for (int32_t i = 0; i < r0; ++i) {
            tf_sum_one(x + i * row + c, r1, k2, &acc);
        }
        out[c] = tf_sum_scaled(acc, multiplier, shift, add, rounding);
    }
}

TF_INLINE void tf_sum_s8(const int8_t *in, int8_t *out, int32_t k0, int32_t r0, int32_t k1, int32_t r1, int32_t k2,
                         int32_t offset, int32_t multiplier, int32_t shift, int32_t add, int32_t rounding)
{
    for (int32_t a = 0; a < k0; ++a) {
        for (int32_t b = 0; b < k1; ++b) {
            const int8_t *x = in + (a * r0 * k1 + b) * r1 * k2;
            tf_sum_channels(x, out, r0, k1 * r1 * k2, r1, k2, offset, multiplier, shift, add, rounding);
            out += k2;
        }
    }
}

#endif
