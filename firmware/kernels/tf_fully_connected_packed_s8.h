/* Fully connected on packed weights, int8 (tf_matmul_s8.h has the layouts). in: batch x in_n, out: batch x out_n;
 * scratch: 4-byte aligned, 8 * room bytes for every four inputs begun; group: output channels at a time, 2 or 4. The
 * cores of Armv6-M unpack the input of groups of 2 to twice the size: room 2 is for them, and slow there without. bits:
 * of a packed weight, 8 or 16. */
#ifndef TF_FULLY_CONNECTED_PACKED_S8_H
#define TF_FULLY_CONNECTED_PACKED_S8_H

#include "tf_matmul_s8.h"

TF_INLINE void tf_fully_connected_widen(uint32_t *to, const int8_t *in, int32_t bytes, int32_t group, int32_t room,
                                        int32_t bits)
{
    if (bits == 16) {
        tf_widen_wide_p1(to, in, 0, bytes);
        return;
    }
#if TF_MATMUL_WORDS == 4
    if (group == 2 && room > 1) {
        tf_widen_s8_words(to, in, bytes);
        return;
    }
#else
    (void)group;
    (void)room;
#endif
    tf_widen_s8_p1(to, in, 0, bytes);
}

TF_INLINE void tf_fully_connected_matmul(const uint32_t *x, const int32_t *w, int8_t *out, int32_t steps, int32_t group,
                                         int32_t room, int32_t bits, int32_t line, int32_t lo, int32_t hi)
{
#if TF_MATMUL_WORDS == 4
    if (group == 2 && room == 1 && bits == 8) {
        tf_matmul_narrow(x, w, out, steps, line, lo, hi);
        return;
    }
#else
    (void)room;
#endif
    tf_matmul_pick(x, w, out, 0, steps, 1, group, bits, line, lo, hi);
}

TF_INLINE void tf_fully_connected_packed_s8(const int8_t *in, int8_t *out, const int32_t *packed, void *scratch,
                                            int32_t batch, int32_t in_n, int32_t out_n, int32_t group, int32_t room,
                                            int32_t bits, int32_t line, int32_t lo, int32_t hi)
{
    uint32_t *const wide = scratch;
    for (int32_t b = 0; b < batch; ++b) {
        if (in_n < 4) {
            int8_t few[4] = {0, 0, 0, 0};
            for (int32_t i = 0; i < in_n; ++i) {
                few[i] = in[i];
            }
            tf_fully_connected_widen(wide, few, 4, group, room, bits);
        } else {
            tf_fully_connected_widen(wide, in, in_n, group, room, bits);
        }
        tf_fully_connected_matmul(wide, packed, out, (in_n + 3) / 4, group, room, bits, line, lo, hi);
        in += in_n;
        out += out_n;
    }
}

#endif
