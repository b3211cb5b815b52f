/* Helium (Armv8.1-M with the M-profile vector extension): TF_MVE is 1 where kernels take their vector path. All their
 * tables are read by plain C as well, which host builds, and builds for cores without Helium, run. */
#ifndef TF_MVE_H
#define TF_MVE_H

#include "tf_requant.h"

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define TF_MVE 1
#include <arm_mve.h>
#else
#define TF_MVE 0
#endif

/* n bytes, n >= 0; regions do not overlap. Best with a literal n. */
TF_INLINE void tf_copy_vector(int8_t *to, const int8_t *from, int32_t n)
{
#if TF_MVE
    for (; n >= 16; n -= 16) {
        vst1q_s8(to, vld1q_s8(from));
        to += 16;
        from += 16;
    }
    if (n > 0) {
        const mve_pred16_t some = vctp8q((uint32_t)n);
        vst1q_p_s8(to, vld1q_z_s8(from, some), some);
    }
#else
    for (int32_t i = 0; i < n; ++i) {
        to[i] = from[i];
    }
#endif
}

TF_INLINE void tf_fill_vector(int8_t *to, int32_t value, int32_t n)
{
#if TF_MVE
    const int8x16_t all = vdupq_n_s8((int8_t)value);
    for (; n >= 16; n -= 16) {
        vst1q_s8(to, all);
        to += 16;
    }
    if (n > 0) {
        vst1q_p_s8(to, all, vctp8q((uint32_t)n));
    }
#else
    for (int32_t i = 0; i < n; ++i) {
        to[i] = (int8_t)value;
    }
#endif
}

#endif
