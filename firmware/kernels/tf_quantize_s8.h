/* float32 -> int8, int16 -> int8 and int8 -> int16, flat. No floating-point instruction and no library call: the
 * division of the reference is monotone in its input, so the output is a count of thresholds. */
#ifndef TF_QUANTIZE_S8_H
#define TF_QUANTIZE_S8_H

#include <string.h>

#include "tf_fixed_point.h"
#include "tf_runtime.h"

/* steps: for the outputs -127..127 the key of the smallest input that reaches it. A key is the input's bits, with the
 * magnitude complemented below zero: integers in the order of the floats. NaN is the lowest or the highest output. */
TF_INLINE void tf_quantize_f32_s8(const float *in, int8_t *out, const int32_t *steps, int32_t n)
{
    for (int32_t i = 0; i < n; ++i) {
        int32_t key;
        memcpy(&key, in + i, sizeof key);
        key = key < 0 ? key ^ 0x7fffffff : key;
        int32_t reached = 0; /* 255 thresholds: 8 halvings */
        for (int32_t half = 128; half > 0; half >>= 1) {
            reached += key >= steps[reached + half - 1] ? half : 0;
        }
        out[i] = (int8_t)(reached - 128);
    }
}

TF_INLINE void tf_quantize_s16_s8(const int16_t *in, int8_t *out, int32_t n, int32_t in_zero, int32_t multiplier,
                                  int32_t shift, int32_t out_zero)
{
    for (int32_t i = 0; i < n; ++i) {
        out[i] = (int8_t)tf_clamp(tf_requantize(in[i] - in_zero, multiplier, shift) + out_zero, -128, 127);
    }
}

TF_INLINE void tf_quantize_s8_s16(const int8_t *in, int16_t *out, int32_t n, int32_t in_zero, int32_t multiplier,
                                  int32_t shift, int32_t out_zero)
{
    for (int32_t i = 0; i < n; ++i) {
        out[i] = (int16_t)tf_clamp(tf_requantize(in[i] - in_zero, multiplier, shift) + out_zero, -32768, 32767);
    }
}

#endif
