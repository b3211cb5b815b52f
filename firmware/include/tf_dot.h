/* Dot products of int8 values and weights with a zero point of their own: what the portable kernels are made of.
 *
 * With the DSP extension four values take 8 instructions: two loads, four extensions (the weights' with the zero point
 * taken off) and two multiply-accumulates of lane pairs. */
#ifndef TF_DOT_H
#define TF_DOT_H

#include "tf_dsp.h"

/* acc + sum(x[i] * (weights[i] - w_zero)), n values; w_zero in [-128, 127]. */
TF_INLINE int32_t tf_dot_s8(const int8_t *x, const int8_t *weights, int32_t n, int32_t w_zero, int32_t acc)
{
    int32_t i = 0;
#if TF_DSP
    const uint32_t offset = tf_pack16(-w_zero, -w_zero);
    for (; i + 4 <= n; i += 4) {
        const uint32_t a = tf_load32(x + i);
        const uint32_t b = tf_load32(weights + i);
        acc = tf_smlad(tf_sxtb16(a), tf_sxtab16(offset, b), acc);
        acc = tf_smlad(tf_sxtb16_ror8(a), tf_sxtab16(offset, tf_ror(b, 8u)), acc);
    }
#endif
    for (; i < n; ++i) {
        acc = tf_add32(acc, (weights[i] - w_zero) * x[i]);
    }
    return acc;
}

#endif
