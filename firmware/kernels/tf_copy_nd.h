/* Strided copy in up to six dimensions: transpose, slice, concatenation, ... of whole tensors of any rank and type.
 *
 * Index (i0, ..., i5), i_k in [0, n_k), moves `run` contiguous bytes from in + in_at + sum(i_k * is_k) to
 * out + out_at + sum(i_k * os_k). All strides in bytes, may be negative. */
#ifndef TF_COPY_ND_H
#define TF_COPY_ND_H

#include "tf_bytes.h"

TF_INLINE void tf_copy_2d(const int8_t *from, int8_t *to, int32_t n4, int32_t is4, int32_t os4, int32_t n5, int32_t is5,
                          int32_t os5, int32_t run)
{
    for (int32_t i4 = 0; i4 < n4; ++i4) {
        for (int32_t i5 = 0; i5 < n5; ++i5) {
            tf_copy_bytes(to + i5 * os5, from + i5 * is5, run);
        }
        from += is4;
        to += os4;
    }
}

TF_INLINE void tf_copy_nd(const void *in, void *out, int32_t in_at, int32_t out_at, int32_t n0, int32_t is0,
                          int32_t os0, int32_t n1, int32_t is1, int32_t os1, int32_t n2, int32_t is2, int32_t os2,
                          int32_t n3, int32_t is3, int32_t os3, int32_t n4, int32_t is4, int32_t os4, int32_t n5,
                          int32_t is5, int32_t os5, int32_t run)
{
    const int8_t *const from = (const int8_t *)in + in_at;
    int8_t *const to = (int8_t *)out + out_at;
    for (int32_t i0 = 0; i0 < n0; ++i0) {
        for (int32_t i1 = 0; i1 < n1; ++i1) {
            for (int32_t i2 = 0; i2 < n2; ++i2) {
                for (int32_t i3 = 0; i3 < n3; ++i3) {
                    const int8_t *const f = from + i0 * is0 + i1 * is1 + i2 * is2 + i3 * is3;
                    int8_t *const t = to + i0 * os0 + i1 * os1 + i2 * os2 + i3 * os3;
                    tf_copy_2d(f, t, n4, is4, os4, n5, is5, os5, run);
                }
            }
        }
    }
}

#endif
