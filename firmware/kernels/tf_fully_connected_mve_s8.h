/* Fully connected on constants packed for Helium (tf_matmul_mve_s8.h), int8. in: batch x in_n, out: batch x out_n. */
#ifndef TF_FULLY_CONNECTED_MVE_S8_H
#define TF_FULLY_CONNECTED_MVE_S8_H

#include "tf_matmul_mve_s8.h"

TF_INLINE void tf_fully_connected_mve_s8(const int8_t *in, int8_t *out, const int32_t *packed, int32_t batch,
                                         int32_t in_n, int32_t out_n, int32_t rounding, int32_t lo, int32_t hi)
{
    for (int32_t b = 0; b < batch; ++b) {
        tf_matmul_mve(in, in, out, packed, 1, in_n, out_n, rounding, lo, hi);
        in += in_n;
        out += out_n;
    }
}

#endif
