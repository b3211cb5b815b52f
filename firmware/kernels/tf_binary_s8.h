/* Elementwise functions of two int8 operands with broadcasting: add, sub, mul, maximum, minimum, prelu.
 *
 * `form` and p0..p9 say how one output is computed from one pair (a, b); both are literals at the call, so each
 * instance compiles to one formula. The compiler of the model has proven over all reachable pairs that the formula
 * equals the reference arithmetic and that nothing overflows int32.
 *   0  t = floor(a*p0 / 256) + floor(b*p1 / 256) + p2: t >> p3
 *   1  the same t, ties away from zero: (t + (t >> 31) + p4) >> p3
 *   2  q = (a + p0) * (b + p1) << p2: (round(q * p3 / 2^32) + p4) >> p5
 *   3  the same, ties away from zero: one less before the shift where q < 0
 *   4  ((a + p0) * (b + p1) * p2 + p3) >> p4
 *   5  the reference's addition: p0..p2 offset, multiplier, shift of a; p3..p5 of b; p6, p7 of the sum; p8 zero point
 *   6  the reference's product: offsets p0, p1; multiplier p2, shift p3; zero point p4
 *   7  max(a, b)      8  min(a, b)
 *   9  the reference's PRELU: x = a + p0, rescaled by p2, p3 where x >= 0, else x * (b + p1) by p4, p5; zero point p6
 * The result is clamped to [lo, hi]. *_pixel and *_channel: elements from one pixel or channel of an operand to the
 * next, 0 where it is broadcast. out may be an operand of the output's shape. */
#ifndef TF_BINARY_S8_H
#define TF_BINARY_S8_H

#include "tf_fixed_point.h"
#include "tf_lanes.h"
#include "tf_mve.h"
#include "tf_runtime.h"

typedef struct {
    int32_t form, p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, lo, hi;
} tf_point;

#define TF_POINT_PARAMETERS                                                                                            \
    int32_t form, int32_t p0, int32_t p1, int32_t p2, int32_t p3, int32_t p4, int32_t p5, int32_t p6, int32_t p7,      \
        int32_t p8, int32_t p9, int32_t lo, int32_t hi
#define TF_POINT                                                                                                       \
    {                                                                                                                  \
        form, p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, lo, hi                                                           \
    }

/* int32 shifted left as the reference does, wrapping. */
TF_INLINE int32_t tf_shifted_left(int32_t x, int32_t shift)
{
    return (int32_t)((uint32_t)x << (uint32_t)shift);
}

TF_INLINE int32_t tf_point_sum(int32_t a, int32_t b, const tf_point *p)
{
    const int32_t x = tf_requantize(tf_shifted_left(a + p->p0, 20), p->p1, p->p2);
    const int32_t y = tf_requantize(tf_shifted_left(b + p->p3, 20), p->p4, p->p5);
    return tf_requantize(x + y, p->p6, p->p7) + p->p8;
}

/* acc + floor(a * factor / 256), wrapping; a is int8. */
TF_INLINE int32_t tf_scaled_sum(int32_t a, int32_t factor, int32_t acc)
{
    return tf_add32(acc, a * (factor >> 8) + ((a * (factor & 255)) >> 8));
}

/* The value before the shift of tf_point_shift. */
TF_INLINE int32_t tf_point_raw(int32_t a, int32_t b, const tf_point *p)
{
    int32_t t;
    switch (p->form) {
    case 0:
        return tf_scaled_sum(a, p->p0, tf_scaled_sum(b, p->p1, p->p2));
    case 1:
        t = tf_scaled_sum(a, p->p0, tf_scaled_sum(b, p->p1, p->p2));
        return tf_add32(t, (t >> 31) + p->p4);
    case 2:
        return tf_smmlar((a + p->p0) * ((b + p->p1) * (1 << p->p2)), p->p3, p->p4);
    case 3:
        t = (a + p->p0) * ((b + p->p1) * (1 << p->p2));
        return tf_smmlar(t, p->p3, p->p4) + (t >> 31);
    case 4:
        return (a + p->p0) * (b + p->p1) * p->p2 + p->p3;
    case 5:
        return tf_point_sum(a, b, p);
    case 6:
        return tf_requantize((a + p->p0) * (b + p->p1), p->p2, p->p3) + p->p4;
    case 7:
        return a > b ? a : b;
    case 8:
        return a < b ? a : b;
    default:
        t = a + p->p0;
        return (t >= 0 ? tf_requantize(t, p->p2, p->p3) : tf_requantize(t * (b + p->p1), p->p4, p->p5)) + p->p6;
    }
}

TF_INLINE int32_t tf_point_shift(const tf_point *p)
{
    switch (p->form) {
    case 0:
    case 1:
        return p->p3;
    case 2:
    case 3:
        return p->p5;
    case 4:
        return p->p4;
    default:
        return 0;
    }
}

/* The rest of the way from such a value to the output. */
TF_INLINE int8_t tf_point_end(int32_t raw, const tf_point *p)
{
    const int32_t y = tf_ssat8_asr(raw, tf_point_shift(p));
    return (int8_t)((p->lo > -128 || p->hi < 127) ? tf_clamp(y, p->lo, p->hi) : y);
}

TF_INLINE int8_t tf_point_s8(int32_t a, int32_t b, const tf_point *p)
{
    return tf_point_end(tf_point_raw(a, b, p), p);
}

#if TF_MVE
/* Forms 0 and 1 for four elements: bytes in the high quarter of 32-bit lanes, so VMULH drops the 8 bits below. */
TF_INLINE int32x4_t tf_linear_vector(int32x4_t a, int32x4_t b, const tf_point *p)
{
    int32x4_t t = vaddq_s32(vmulhq_s32(vshlq_n_s32(a, 24), vdupq_n_s32(p->p0)),
                            vmulhq_s32(vshlq_n_s32(b, 24), vdupq_n_s32(p->p1)));
    t = vaddq_n_s32(t, p->p2);
    if (p->form == 1) {
        t = vaddq_n_s32(vaddq_s32(t, vshrq_n_s32(t, 31)), p->p4);
    }
    t = vshlq_r_s32(t, -p->p3);
    return vminq_s32(vmaxq_s32(t, vdupq_n_s32(p->lo)), vdupq_n_s32(p->hi));
}

TF_INLINE void tf_linear_run(const int8_t *a, const int8_t *b, int8_t *out, int32_t n, const tf_point *p)
{
    for (; n >= 4; n -= 4) {
        vstrbq_s32(out, tf_linear_vector(vldrbq_s32(a), vldrbq_s32(b), p));
        a += 4;
        b += 4;
        out += 4;
    }
    if (n > 0) {
        const mve_pred16_t some = vctp32q((uint32_t)n);
        vstrbq_p_s32(out, tf_linear_vector(vldrbq_z_s32(a, some), vldrbq_z_s32(b, some), p), some);
    }
}
#elif TF_DSP
/* Ties away from zero where the form has them. */
TF_INLINE int8_t tf_linear_end(int32_t t, const tf_point *p)
{
    return tf_point_end(p->form == 1 ? tf_add32(t, (t >> 31) + p->p4) : t, p);
}

/* Forms 0 and 1 for four elements: bytes in the high halves of 16-bit lanes, so SMLAW drops the 8 bits below. */
TF_INLINE void tf_linear_four(const int8_t *a, const int8_t *b, int8_t *out, const tf_point *p)
{
    const uint32_t high = 0xff00ff00u;
    const uint32_t a4 = tf_load32(a);
    const uint32_t b4 = tf_load32(b);
    const uint32_t a_even = (a4 << 8) & high, a_odd = a4 & high;
    const uint32_t b_even = (b4 << 8) & high, b_odd = b4 & high;
    const int32_t t0 = tf_smlawb(p->p0, a_even, tf_smlawb(p->p1, b_even, p->p2));
    const int32_t t1 = tf_smlawb(p->p0, a_odd, tf_smlawb(p->p1, b_odd, p->p2));
    const int32_t t2 = tf_smlawt(p->p0, a_even, tf_smlawt(p->p1, b_even, p->p2));
    const int32_t t3 = tf_smlawt(p->p0, a_odd, tf_smlawt(p->p1, b_odd, p->p2));
    out[0] = tf_linear_end(t0, p);
    out[1] = tf_linear_end(t1, p);
    out[2] = tf_linear_end(t2, p);
    out[3] = tf_linear_end(t3, p);
}
#endif

/* n outputs of operands that advance by a_step and b_step (0 or 1, or more for transposed operands). */
TF_INLINE void tf_binary_run(const int8_t *a, int32_t a_step, const int8_t *b, int32_t b_step, int8_t *out, int32_t n,
                             const tf_point *p)
{
#if TF_MVE
    if (p->form <= 1 && a_step == 1 && b_step == 1) {
        tf_linear_run(a, b, out, n, p);
        return;
    }
#elif TF_DSP
    if (p->form <= 1 && a_step == 1 && b_step == 1) {
        for (; n >= 4; n -= 4) {
            tf_linear_four(a, b, out, p);
            a += 4;
            b += 4;
            out += 4;
        }
    }
#endif
    for (; n >= 4; n -= 4) {
        const int8_t y0 = tf_point_s8(a[0], b[0], p);
        const int8_t y1 = tf_point_s8(a[a_step], b[b_step], p);
        const int8_t y2 = tf_point_s8(a[2 * a_step], b[2 * b_step], p);
        const int8_t y3 = tf_point_s8(a[3 * a_step], b[3 * b_step], p);
        out[0] = y0;
        out[1] = y1;
        out[2] = y2;
        out[3] = y3;
        a += 4 * a_step;
        b += 4 * b_step;
        out += 4;
    }
    for (; n > 0; --n) {
        *out++ = tf_point_s8(*a, *b, p);
        a += a_step;
        b += b_step;
    }
}

TF_INLINE void tf_binary_pixels(const int8_t *a, int32_t a_pixel, int32_t a_channel, const int8_t *b, int32_t b_pixel,
                                int32_t b_channel, int8_t *out, int32_t pixels, int32_t channels, const tf_point *p)
{
    if (a_pixel == a_channel * channels && b_pixel == b_channel * channels) {
        tf_binary_run(a, a_channel, b, b_channel, out, pixels * channels, p);
        return;
    }
    if (channels == 1) {
        tf_binary_run(a, a_pixel, b, b_pixel, out, pixels, p);
        return;
    }
    for (int32_t x = 0; x < pixels; ++x) {
        tf_binary_run(a, a_channel, b, b_channel, out, channels, p);
        a += a_pixel;
        b += b_pixel;
        out += channels;
    }
}

/* Two activations; rows_*: one pointer to pixel column *_x0 of the operand's row. */
TF_INLINE void tf_binary_s8(const int8_t *const *rows_a, int32_t a_x0, const int8_t *const *rows_b, int32_t b_x0,
                            int8_t *out, int32_t x0, int32_t x1, int32_t channels, int32_t a_pixel, int32_t a_channel,
                            int32_t b_pixel, int32_t b_channel, TF_POINT_PARAMETERS)
{
    const tf_point point = TF_POINT;
    const int8_t *a = rows_a[0] + (a_pixel != 0 ? (x0 - a_x0) * a_pixel : 0);
    const int8_t *b = rows_b[0] + (b_pixel != 0 ? (x0 - b_x0) * b_pixel : 0);
    tf_binary_pixels(a, a_pixel, a_channel, b, b_pixel, b_channel, out, x1 - x0, channels, &point);
}

/* One activation x and a constant operand t; swap != 0: t is the first operand. table_row: elements of a row of t. */
TF_INLINE void tf_binary_table_s8(const int8_t *const *rows, int32_t in_x0, int8_t *out, int32_t x0, int32_t x1,
                                  int32_t y, const int8_t *operand, int32_t swap, int32_t channels, int32_t x_pixel,
                                  int32_t x_channel, int32_t table_row, int32_t t_pixel, int32_t t_channel,
                                  TF_POINT_PARAMETERS)
{
    const tf_point point = TF_POINT;
    const int8_t *x = rows[0] + (x_pixel != 0 ? (x0 - in_x0) * x_pixel : 0);
    const int8_t *t = operand + y * table_row + x0 * t_pixel;
    if (swap != 0) {
        tf_binary_pixels(t, t_pixel, t_channel, x, x_pixel, x_channel, out, x1 - x0, channels, &point);
    } else {
        tf_binary_pixels(x, x_pixel, x_channel, t, t_pixel, t_channel, out, x1 - x0, channels, &point);
    }
}

/* Any broadcast: four nested loops of n0..n3 with steps x* of the first and t* of the second operand. */
TF_INLINE void tf_binary_flat_s8(const int8_t *a, const int8_t *b, int8_t *out, int32_t n0, int32_t x0, int32_t t0,
                                 int32_t n1, int32_t x1, int32_t t1, int32_t n2, int32_t x2, int32_t t2, int32_t n3,
                                 int32_t x3, int32_t t3, TF_POINT_PARAMETERS)
{
    const tf_point point = TF_POINT;
    for (int32_t i = 0; i < n0; ++i) {
        for (int32_t j = 0; j < n1; ++j) {
            for (int32_t k = 0; k < n2; ++k) {
                tf_binary_run(a + i * x0 + j * x1 + k * x2, x3, b + i * t0 + j * t1 + k * t2, t3, out, n3, &point);
                out += n3;
            }
        }
    }
}

/* The same with a constant operand t; swap != 0: t is the first operand of the function. */
TF_INLINE void tf_binary_flat_table_s8(const int8_t *x, int8_t *out, const int8_t *operand, int32_t swap, int32_t n0,
                                       int32_t x0, int32_t t0, int32_t n1, int32_t x1, int32_t t1, int32_t n2,
                                       int32_t x2, int32_t t2, int32_t n3, int32_t x3, int32_t t3, TF_POINT_PARAMETERS)
{
    if (swap != 0) {
        tf_binary_flat_s8(operand, x, out, n0, t0, x0, n1, t1, x1, n2, t2, x2, n3, t3, x3, form, p0, p1, p2, p3, p4, p5,
                          p6, p7, p8, p9, lo, hi);
    } else {
        tf_binary_flat_s8(x, operand, out, n0, x0, t0, n1, x1, t1, n2, x2, t2, n3, x3, t3, form, p0, p1, p2, p3, p4, p5,
                          p6, p7, p8, p9, lo, hi);
    }
}

#endif
