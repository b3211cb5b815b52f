/* Fully connected, int8, portable form: out[b][o] = requantise(sum(in[b][i] * (weights[o][i] - w_zero)) + bias[o]).
 *
 * in: batch x in_n; weights: out_n x in_n; bias has -in_zero * sum(weights - w_zero) folded in. multiplier, add, shift
 * and rounding are those of tf_requant_short; the _steps form has hi - lo thresholds an output instead. */
#ifndef TF_FULLY_CONNECTED_S8_H
#define TF_FULLY_CONNECTED_S8_H

#include "tf_dot.h"
#include "tf_requant.h"

TF_INLINE void tf_fully_connected_s8(const int8_t *in, int8_t *out, const int8_t *weights, const int32_t *bias,
                                     const int32_t *multiplier, const int32_t *add, const int8_t *shift, int32_t batch,
                                     int32_t in_n, int32_t out_n, int32_t w_zero, int32_t rounding, int32_t lo,
                                     int32_t hi)
{
    for (int32_t b = 0; b < batch; ++b) {
        for (int32_t o = 0; o < out_n; ++o) {
            const int32_t acc = tf_dot_s8(in + b * in_n, weights + o * in_n, in_n, w_zero, bias[o]);
            *out++ = (int8_t)tf_requant_short(tf_add32(acc, acc), multiplier[o], add[o], shift[o], rounding, lo, hi);
        }
    }
}

TF_INLINE void tf_fully_connected_steps_s8(const int8_t *in, int8_t *out, const int8_t *weights, const int32_t *bias,
                                           const int32_t *steps, int32_t batch, int32_t in_n, int32_t out_n,
                                           int32_t w_zero, int32_t lo, int32_t hi)
{
    for (int32_t b = 0; b < batch; ++b) {
        for (int32_t o = 0; o < out_n; ++o) {
            const int32_t acc = tf_dot_s8(in + b * in_n, weights + o * in_n, in_n, w_zero, bias[o]);
            *out++ = (int8_t)tf_requant_steps(acc, steps + o * (hi - lo), lo, hi);
        }
    }
}

#endif
