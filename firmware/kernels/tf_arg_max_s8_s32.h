/* Index of the largest (sign 1) or smallest (sign -1) of `extent` elements, the first of equals: outer x extent x
 * inner elements, flat. */
#ifndef TF_ARG_MAX_S8_S32_H
#define TF_ARG_MAX_S8_S32_H

#include "tf_runtime.h"

TF_INLINE void tf_arg_max_s8_s32(const int8_t *in, int32_t *out, int32_t outer, int32_t extent, int32_t inner,
                                 int32_t sign)
{
    for (int32_t o = 0; o < outer; ++o) {
        for (int32_t i = 0; i < inner; ++i) {
            int32_t best = 0;
            int32_t largest = in[i] * sign;
            for (int32_t k = 1; k < extent; ++k) {
                const int32_t x = in[k * inner + i] * sign;
                if (x > largest) {
                    largest = x;
                    best = k;
                }
            }
            *out++ = best;
        }
        in += extent * inner;
    }
}

#endif
