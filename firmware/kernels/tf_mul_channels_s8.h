/* Product of a feature map and one value a channel (squeeze-and-excite), int8.
 *
 * rows_a: one pointer to pixel column a_x0 of the map's row; rows_b: one pointer to the channel values; out: pixel x0,
 * may be the map. With a' = a + offset_a and b' = b + offset_b the compiler of the model has proven for all pairs that
 *   wide 0: (a' * (b' * factor) + add) >> shift
 *   wide 1: (high(a' << left, high(b' << left, factor)) + add) >> shift, high = high word of the product
 * clamped to [lo, hi] is what the reference computes. b's part is computed once a channel. */
#ifndef TF_MUL_CHANNELS_S8_H
#define TF_MUL_CHANNELS_S8_H

#include "tf_fixed_point.h"
#include "tf_lanes.h"
#include "tf_runtime.h"

typedef struct {
    int32_t wide, offset_a, offset_b, left, factor, add, shift, lo, hi;
} tf_channel_product;

/* What stays the same over the pixels of a channel: t = a * slope + constant, or high(a << left + constant, slope). */
typedef struct {
    int32_t slope;
    int32_t constant;
} tf_channel_scale;

TF_INLINE tf_channel_scale tf_channel_scale_of(int32_t b, const tf_channel_product *p)
{
    tf_channel_scale s;
    if (p->wide != 0) {
        s.slope = tf_smmul((b + p->offset_b) * (1 << p->left), p->factor);
        s.constant = p->offset_a * (1 << p->left);
    } else {
        s.slope = (b + p->offset_b) * p->factor;
        s.constant = p->offset_a * s.slope + p->add;
    }
    return s;
}

TF_INLINE int8_t tf_channel_point(int32_t a, tf_channel_scale s, const tf_channel_product *p)
{
    const int32_t t =
        p->wide != 0 ? tf_smmla(a * (1 << p->left) + s.constant, s.slope, p->add) : a * s.slope + s.constant;
    const int32_t y = tf_ssat8_asr(t, p->shift);
    return (int8_t)((p->lo > -128 || p->hi < 127) ? tf_clamp(y, p->lo, p->hi) : y);
}

TF_INLINE void tf_channel_column(const int8_t *a, int8_t *out, int32_t pixels, int32_t channels, tf_channel_scale s,
                                 const tf_channel_product *p)
{
    for (int32_t x = 0; x < pixels; ++x) {
        *out = tf_channel_point(*a, s, p);
        a += channels;
        out += channels;
    }
}

TF_INLINE void tf_channel_columns(const int8_t *a, const int8_t *b, int8_t *out, int32_t pixels, int32_t channels,
                                  const tf_channel_product *p)
{
    const tf_channel_scale s0 = tf_channel_scale_of(b[0], p), s1 = tf_channel_scale_of(b[1], p);
    const tf_channel_scale s2 = tf_channel_scale_of(b[2], p), s3 = tf_channel_scale_of(b[3], p);
    for (int32_t x = 0; x < pixels; ++x) {
        const int32_t a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3];
        out[0] = tf_channel_point(a0, s0, p);
        out[1] = tf_channel_point(a1, s1, p);
        out[2] = tf_channel_point(a2, s2, p);
        out[3] = tf_channel_point(a3, s3, p);
        a += channels;
        out += channels;
    }
}

TF_INLINE void tf_mul_channels_s8(const int8_t *const *rows_a, int32_t a_x0, const int8_t *const *rows_b, int32_t b_x0,
                                  int8_t *out, int32_t x0, int32_t x1, int32_t channels, int32_t wide, int32_t offset_a,
                                  int32_t offset_b, int32_t left, int32_t factor, int32_t add, int32_t shift,
                                  int32_t lo, int32_t hi)
{
    const tf_channel_product product = {wide, offset_a, offset_b, left, factor, add, shift, lo, hi};
    const int8_t *a = rows_a[0] + (x0 - a_x0) * channels;
    const int8_t *b = rows_b[0];
    int32_t c = 0;
    (void)b_x0;
    for (; c + 4 <= channels; c += 4) {
        tf_channel_columns(a + c, b + c, out + c, x1 - x0, channels, &product);
    }
    for (; c < channels; ++c) {
        tf_channel_column(a + c, out + c, x1 - x0, channels, tf_channel_scale_of(b[c], &product), &product);
    }
}

#endif
