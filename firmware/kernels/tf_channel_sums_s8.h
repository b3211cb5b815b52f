/* Sums of each channel over all pixels, fed with row segments in any order: the heart of global pooling.
 *
 * acc: one int32 a channel. rows: one pointer, to pixel column in_x0 of the row. Sums of up to 2^23 pixels fit. */
#ifndef TF_CHANNEL_SUMS_S8_H
#define TF_CHANNEL_SUMS_S8_H

#include "tf_runtime.h"

TF_INLINE void tf_channel_sums_s8_begin(int32_t *acc, int32_t channels)
{
    for (int32_t c = 0; c < channels; ++c) {
        acc[c] = 0;
    }
}

TF_INLINE void tf_channel_sums_s8_rows(const int8_t *const *rows, int32_t in_x0, int32_t *acc, int32_t x0, int32_t x1,
                                       int32_t channels)
{
    const int8_t *const first = rows[0] + (x0 - in_x0) * channels;
    for (int32_t c = 0; c < channels; ++c) {
        const int8_t *p = first + c;
        int32_t sum = 0;
        for (int32_t x = x0; x < x1; ++x, p += channels) {
            sum += *p;
        }
        acc[c] += sum;
    }
}

#endif
