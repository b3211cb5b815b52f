/* int8, uint8 or int16 -> float32, flat: scale * (x - zero_point) rounded to nearest even, without floating-point
 * instructions or library calls. The scale is mantissa * 2^exponent, mantissa in [2^23, 2^24). */
#ifndef TF_DEQUANTIZE_F32_H
#define TF_DEQUANTIZE_F32_H

#include <string.h>

#include "tf_runtime.h"

/* Bits of the float32 nearest to d * mantissa * 2^exponent; |d| < 2^17, no denormals, no infinities. */
TF_INLINE uint32_t tf_scaled_float(int32_t d, int32_t mantissa, int32_t exponent)
{
    if (d == 0) {
        return 0u;
    }
    const uint32_t magnitude = (uint32_t)(d < 0 ? -d : d);
    uint64_t product = (uint64_t)magnitude * (uint32_t)mantissa;
    int32_t drop = 0;
    while ((product >> drop) >= (1u << 24)) {
        ++drop;
    }
    const uint64_t rest = product & (((uint64_t)1 << drop) - 1u);
    const uint64_t half = ((uint64_t)1 << drop) >> 1;
    product >>= drop;
    product += (drop > 0 && (rest > half || (rest == half && (product & 1u) != 0u))) ? 1u : 0u;
    /* A carry out of 24 bits leaves 2^24: its low bits are 0, and adding it below raises the exponent by one. */
    const uint32_t biased = (uint32_t)(exponent + drop + 150 - 1);
    return (d < 0 ? 0x80000000u : 0u) + (biased << 23) + (uint32_t)product;
}

TF_INLINE void tf_store_float(float *out, uint32_t bits)
{
    memcpy(out, &bits, sizeof bits);
}

TF_INLINE void tf_dequantize_s8_f32(const int8_t *in, float *out, int32_t n, int32_t zero_point, int32_t mantissa,
                                    int32_t exponent)
{
    for (int32_t i = 0; i < n; ++i) {
        tf_store_float(out + i, tf_scaled_float(in[i] - zero_point, mantissa, exponent));
    }
}

TF_INLINE void tf_dequantize_u8_f32(const uint8_t *in, float *out, int32_t n, int32_t zero_point, int32_t mantissa,
                                    int32_t exponent)
{
    for (int32_t i = 0; i < n; ++i) {
        tf_store_float(out + i, tf_scaled_float(in[i] - zero_point, mantissa, exponent));
    }
}

TF_INLINE void tf_dequantize_s16_f32(const int16_t *in, float *out, int32_t n, int32_t zero_point, int32_t mantissa,
                                     int32_t exponent)
{
    for (int32_t i = 0; i < n; ++i) {
        tf_store_float(out + i, tf_scaled_float(in[i] - zero_point, mantissa, exponent));
    }
}

#endif
