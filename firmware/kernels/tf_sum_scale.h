/* Sum -> int8 output of MEAN and SUM. rounding >= 0: the proven short form of tf_requant.h; below 0: the reference's
 * arithmetic, where shift > 0 is left and add is the output's zero point. */
#ifndef TF_SUM_SCALE_H
#define TF_SUM_SCALE_H

#include "tf_requant.h"

TF_INLINE int8_t tf_sum_scaled(int32_t sum, int32_t multiplier, int32_t shift, int32_t add, int32_t rounding)
{
    if (rounding >= 0) {
        return (int8_t)tf_requant_short(sum * 2, multiplier, add, shift, rounding, -128, 127);
    }
    return (int8_t)tf_requant_full(sum, multiplier, shift, add, -128, 127);
}

#endif
