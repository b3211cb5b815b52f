/* Fully connected on constants packed for cores that multiply one pair of values at a time (tf_matmul_scalar_s8.h),
 * int8. in: batch x in_n, out: batch x out_n; two rows of a batch at a time. */
#ifndef TF_FULLY_CONNECTED_SCALAR_S8_H
#define TF_FULLY_CONNECTED_SCALAR_S8_H

#include "tf_matmul_scalar_s8.h"

TF_INLINE void tf_fully_connected_scalar_s8(const int8_t *in, int8_t *out, const int32_t *packed, int32_t batch,
                                            int32_t in_n, int32_t out_n, int32_t rounding, int32_t lo, int32_t hi)
{
    for (int32_t left = batch; left > 0;) {
        const int32_t rows = batch >= 2 && left >= 2 ? 2 : 1;
        tf_matmul_scalar(in, in + (rows - 1) * in_n, out, packed, rows, in_n, out_n, rounding, lo, hi);
        left -= rows;
        in += rows * in_n;
        out += rows * out_n;
    }
}

#endif
