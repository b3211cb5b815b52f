/* Log-mel features of sound in fixed point, integer for integer as tinyforge/search/log_mel_fixed.py.
 *
 * Samples are int16; a window of them times Hann's, a Fourier transform, powers, triangular bands, the logarithm, and
 * the network's int8 input. Nothing is kept between calls; `scratch` holds one window. */
#ifndef TF_LOG_MEL_H
#define TF_LOG_MEL_H

#include <stdint.h>

/* window, hop: samples. size: of the transform, 2^size_log2 >= window. fraction: bits below a sample's unit.
 * hann: Q15, `window` values. twiddles: Q30, cos and -sin of 2 pi k / size, k < size / 2. first, count: bins of each
 * band; weights: Q15, of all bands in a row. floor: added to a band's energy. log2_table: Q16, log2(1 + i / 128),
 * i <= 128. offset: Q16, subtracted from the natural logarithm. mean (Q16), multiplier, shift, zero: from there to
 * int8.
 */
typedef struct {
    int32_t window, hop, frames, bands, size_log2, fraction;
    const uint16_t *hann;
    const int32_t *twiddles;
    const uint16_t *first, *count, *weights;
    uint64_t floor;
    const int32_t *log2_table;
    int32_t offset, mean, multiplier, shift, zero;
} tf_log_mel;

/* a * b / 2^30 rounded, half up. */
static inline int32_t tf_log_mel_times(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 29)) >> 30);
}

/* The window that starts at `at`, in bit-reversed order; samples beyond `samples` are 0. re, im: interleaved. */
static inline void tf_log_mel_window(const tf_log_mel *front, const int16_t *pcm, int32_t samples, int32_t at,
                                     int32_t *out)
{
    const int32_t size = (int32_t)1 << front->size_log2, shift = 15 - front->fraction;
    int32_t reversed = 0;
    for (int32_t i = 0; i < size; ++i) {
        int32_t x = 0;
        if (i < front->window && at + i < samples) {
            x = (pcm[at + i] * (int32_t)front->hann[i] + ((int32_t)1 << (shift - 1))) >> shift;
        }
        out[2 * reversed] = x;
        out[2 * reversed + 1] = 0;
        int32_t bit = size >> 1;
        while (bit > 0 && (reversed & bit) != 0) {
            reversed ^= bit;
            bit >>= 1;
        }
        reversed |= bit;
    }
}

/* One butterfly: a, b = a + w b, a - w b. */
static inline void tf_log_mel_butterfly(int32_t *a, int32_t *b, const int32_t *w)
{
    const int32_t re = tf_log_mel_times(b[0], w[0]) - tf_log_mel_times(b[1], w[1]);
    const int32_t im = tf_log_mel_times(b[0], w[1]) + tf_log_mel_times(b[1], w[0]);
    b[0] = a[0] - re;
    b[1] = a[1] - im;
    a[0] += re;
    a[1] += im;
}

/* The transform of bit-reversed data, in place. Radix 2; values stay below 2^30, as `fraction` was chosen. */
static inline void tf_log_mel_transform(const tf_log_mel *front, int32_t *data)
{
    const int32_t size = (int32_t)1 << front->size_log2;
    for (int32_t half = 1; half < size; half *= 2) {
        const int32_t step = size / (2 * half);
        for (int32_t start = 0; start < size; start += 2 * half) {
            for (int32_t k = 0; k < half; ++k) {
                int32_t *a = data + 2 * (start + k);
                tf_log_mel_butterfly(a, a + 2 * half, front->twiddles + 2 * k * step);
            }
        }
    }
}

/* log2 of energy > 0, Q16: the highest bit, and a table of 128 steps with straight lines between. */
static inline int32_t tf_log_mel_log2(const int32_t *table, uint64_t energy)
{
    int32_t whole = 63;
    while ((energy >> 63) == 0) {
        energy <<= 1;
        --whole;
    }
    const int32_t index = (int32_t)((energy >> 56) & 127u);
    const int32_t part = (int32_t)((energy >> 40) & 0xFFFFu);
    const int32_t rise = table[index + 1] - table[index];
    return whole * 65536 + table[index] + (int32_t)(((int64_t)rise * part + 32768) >> 16);
}

/* Natural logarithm of a band's power, Q16; weights: the band's. */
static inline int32_t tf_log_mel_band(const tf_log_mel *front, const int32_t *spectrum, int32_t band,
                                      const uint16_t *weights)
{
    uint64_t energy = front->floor;
    for (int32_t i = 0; i < front->count[band]; ++i) {
        const int32_t *bin = spectrum + 2 * (front->first[band] + i);
        const uint64_t power = (uint64_t)((int64_t)bin[0] * bin[0]) + (uint64_t)((int64_t)bin[1] * bin[1]);
        energy += (power >> 12) * weights[i];
    }
    const int32_t log2 = tf_log_mel_log2(front->log2_table, energy);
    const int64_t natural = ((int64_t)log2 * 45426 + 32768) >> 16; /* ln 2, Q16 */
    return (int32_t)natural - front->offset;
}

/* A Q16 feature as the network's int8 input. */
static inline int8_t tf_log_mel_int8(const tf_log_mel *front, int32_t feature)
{
    const int64_t scaled = (int64_t)(feature - front->mean) * front->multiplier;
    const int64_t rounded = ((scaled + ((int64_t)1 << (front->shift - 1))) >> front->shift) + front->zero;
    return (int8_t)(rounded < -128 ? -128 : (rounded > 127 ? 127 : rounded));
}

/* frames x bands int8 of `samples` int16 samples, missing ones being silence. scratch: 2^(size_log2 + 1) int32. */
static inline void tf_log_mel_s8(const tf_log_mel *front, const int16_t *pcm, int32_t samples, int8_t *out,
                                 int32_t *scratch)
{
    for (int32_t frame = 0; frame < front->frames; ++frame) {
        tf_log_mel_window(front, pcm, samples, frame * front->hop, scratch);
        tf_log_mel_transform(front, scratch);
        const uint16_t *weights = front->weights;
        for (int32_t band = 0; band < front->bands; ++band) {
            *out++ = tf_log_mel_int8(front, tf_log_mel_band(front, scratch, band, weights));
            weights += front->count[band];
        }
    }
}

#endif
