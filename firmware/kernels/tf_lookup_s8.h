/* out = table[x] for every element of a row segment: any operator of one int8 input.
 *
 * rows: one pointer to pixel column in_x0 of the input row; out: pixel x0 of the output row, may be the input itself.
 * table: 256 entries in the order of the input's bits (0..127, then -128..-1). out_step: from an output pixel to the
 * next, more than `channels` where those are a slice of the output's. */
#ifndef TF_LOOKUP_S8_H
#define TF_LOOKUP_S8_H

#include "tf_runtime.h"

TF_INLINE void tf_lookup_run_s8(const uint8_t *x, int8_t *out, int32_t n, const int8_t *table)
{
    for (; n >= 4; n -= 4) {
        const int8_t y0 = table[x[0]];
        const int8_t y1 = table[x[1]];
        const int8_t y2 = table[x[2]];
        const int8_t y3 = table[x[3]];
        out[0] = y0;
        out[1] = y1;
        out[2] = y2;
        out[3] = y3;
        x += 4;
        out += 4;
    }
    for (; n > 0; --n) {
        *out++ = table[*x++];
    }
}

TF_INLINE void tf_lookup_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                            const int8_t *table, int32_t channels, int32_t out_step)
{
    const uint8_t *x = (const uint8_t *)rows[0] + (x0 - in_x0) * channels;
    if (out_step == channels) {
        tf_lookup_run_s8(x, out, (x1 - x0) * channels, table);
        return;
    }
    for (; x0 < x1; ++x0, x += channels, out += out_step) {
        tf_lookup_run_s8(x, out, channels, table);
    }
}

#endif
