/* Fully connected on packed weights, int8 (tf_matmul_s8.h has the layouts). in: batch x in_n, out: batch x out_n;
 * scratch: 8 bytes, 4-byte aligned, for every four inputs begun; group: output channels at a time, 2 or 4. */
#ifndef TF_FULLY_CONNECTED_PACKED_S8_H
#define TF_FULLY_CONNECTED_PACKED_S8_H

#include "tf_matmul_s8.h"

TF_INLINE void tf_fully_connected_packed_s8(const int8_t *in, int8_t *out, const int32_t *packed, void *scratch,
                                            int32_t batch, int32_t in_n, int32_t out_n, int32_t group, int32_t line,
                                            int32_t lo, int32_t hi)
{
    uint32_t *const wide = scratch;
    for (int32_t b = 0; b < batch; ++b) {
        tf_widen_s8_p1(wide, in, 0, in_n / 4);
        if (in_n % 4 != 0) {
            uint32_t rest = 0;
            for (int32_t i = in_n / 4 * 4; i < in_n; ++i) {
                rest |= (uint32_t)(uint8_t)in[i] << (8 * (i & 3));
            }
            tf_widen_s8(wide + 2 * (in_n / 4), (const int8_t *)&rest, 0, 1, 1);
        }
        tf_matmul_pick(wide, packed, out, 0, (in_n + 3) / 4, 1, group, line, lo, hi);
        in += in_n;
        out += out_n;
    }
}

#endif
