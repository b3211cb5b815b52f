/* What every generated model uses: windows, row pointers, tracing hook. No state, no library calls. */
#ifndef TF_RUNTIME_H
#define TF_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

/* Functions that stay on their own. GCC 12 can take a function that writes memory only in loops for one without any
 * effect and drop its calls: once it has expressed one address by another it sees accesses at NULL, which it believes
 * never happen. noipa keeps it from concluding anything from the function's body. */
#if defined(__GNUC__) && !defined(__clang__)
#define TF_APART __attribute__((noinline, noipa))
#else
#define TF_APART __attribute__((noinline))
#endif

/* One function an operator, never inlined: a profile can be read off the symbol table of any build. */
#define TF_OP TF_APART
#define TF_INLINE static inline __attribute__((always_inline))

/* Trace builds report every piece of every operator's output: bytes [offset, offset + n) of the whole tensor. */
#ifdef TINYFORGE_TRACE
void tf_trace(int32_t op, int32_t output, const void *data, int32_t offset, int32_t n);
#define TF_TRACE(op, output, data, offset, n) tf_trace((op), (output), (data), (offset), (n))
#else
#define TF_TRACE(op, output, data, offset, n) ((void)0)
#endif

/* Profile builds are told which operator works from now on. */
#ifdef TINYFORGE_PROFILE
void tf_profile(int32_t op);
#define TF_PROFILE(op) tf_profile(op)
#else
#define TF_PROFILE(op) ((void)0)
#endif

/* [lo, hi) along one axis of a feature map, in coordinates of the whole tensor. */
typedef struct {
    int32_t lo;
    int32_t hi;
} tf_span;

/* The region of its output that an operator computes in the current piece of a fused stage, and the first row and
 * column of it that the piece needs: the origin of a buffer that holds just one piece. */
typedef struct {
    tf_span rows;
    tf_span cols;
    int32_t row0;
    int32_t col0;
} tf_window;

/* Larger than any position, small enough that sums do not overflow. */
#define TF_FAR (1 << 28)

/* Pointers to the rows first, first + dilation, ... of a tensor of `height` rows, NULL where outside (padding).
 * base holds row `origin` in slot 0; slots > 0: a ring, row y lies in slot (y - origin) % slots. */
TF_INLINE void tf_rows(const int8_t **rows, int32_t count, int32_t first, int32_t dilation, int32_t height,
                       const int8_t *base, int32_t row_bytes, int32_t origin, int32_t slots)
{
    for (int32_t k = 0; k < count; ++k) {
        const int32_t y = first + k * dilation;
        const int32_t from = y - origin;
        const int32_t slot = slots > 0 ? (int32_t)((uint32_t)from % (uint32_t)slots) : from;
        rows[k] = (y < 0 || y >= height) ? NULL : base + slot * row_bytes;
    }
}

/* floor(a / b), b > 0 */
TF_INLINE int32_t tf_floor_div(int32_t a, int32_t b)
{
    return a >= 0 ? a / b : -((b - 1 - a) / b);
}

TF_INLINE int32_t tf_min(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

TF_INLINE int32_t tf_max(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* One raster ring of a tensor swept column by column: the rows y, y + lanes, y + 2 * lanes, ... one after another in
 * `pixels` pixels from pixel `start` of the buffer on, with the first ones mirrored behind the end. */
typedef struct {
    int32_t start;
    int32_t pixels;
} tf_lane;

/* Place of pixel x of row y within its lane. */
TF_INLINE int32_t tf_in_lane(int32_t pixels, int32_t lanes, int32_t width, int32_t y, int32_t x)
{
    return (int32_t)((uint32_t)((y / lanes) * width + x) % (uint32_t)pixels);
}

/* Index of pixel (y, x) in the buffer. */
TF_INLINE int32_t tf_lane_pixel(const tf_lane *lane, int32_t lanes, int32_t width, int32_t y, int32_t x)
{
    const tf_lane own = lane[y % lanes];
    return own.start + tf_in_lane(own.pixels, lanes, width, y, x);
}

/* tf_rows for a tensor in lanes; the pointers are to column x. */
static TF_APART __attribute__((unused)) void tf_rows_in_lanes(const int8_t **rows, int32_t count, int32_t first,
                                                              int32_t dilation, int32_t height, const int8_t *base,
                                                              const tf_lane *lane, int32_t lanes, int32_t width,
                                                              int32_t pixel_bytes, int32_t x)
{
    for (int32_t k = 0; k < count; ++k) {
        const int32_t y = first + k * dilation;
        rows[k] = (y < 0 || y >= height) ? NULL : base + tf_lane_pixel(lane, lanes, width, y, x) * pixel_bytes;
    }
}

/* Cores that load words from any address copy words at once; others look at the addresses first. */
#if defined(__ARM_FEATURE_UNALIGNED) || defined(TF_FORCE_DSP)
#define TF_WORDS_AT(to, from) 1
#else
#define TF_WORDS_AT(to, from) ((((uintptr_t)(to) | (uintptr_t)(from)) & 3u) == 0u)
#endif

TF_INLINE void tf_copy_word(int8_t *to, const int8_t *from)
{
#if defined(__ARM_FEATURE_UNALIGNED) || defined(TF_FORCE_DSP)
    __builtin_memcpy(to, from, 4);
#else
    __builtin_memcpy(__builtin_assume_aligned(to, 4), __builtin_assume_aligned(from, 4), 4);
#endif
}

/* n bytes to a lower or the same address; where they overlap each word is read before it is overwritten. */
static TF_APART __attribute__((unused)) void tf_move_down(int8_t *to, const int8_t *from, int32_t n)
{
    int32_t i = 0;
    if (TF_WORDS_AT(to, from)) {
        for (; i + 16 <= n; i += 16) {
            tf_copy_word(to + i, from + i);
            tf_copy_word(to + i + 4, from + i + 4);
            tf_copy_word(to + i + 8, from + i + 8);
            tf_copy_word(to + i + 12, from + i + 12);
        }
        for (; i + 4 <= n; i += 4) {
            tf_copy_word(to + i, from + i);
        }
    }
    for (; i < n; ++i) {
        to[i] = from[i];
    }
}

/* After columns [x0, x1) of row y were written straight on: what went past the lane's end belongs to its start too,
 * what went to its start belongs behind its end too. */
static TF_APART __attribute__((unused)) void tf_lane_mirror(int8_t *base, const tf_lane *lane, int32_t lanes,
                                                            int32_t width, int32_t guard, int32_t pixel_bytes,
                                                            int32_t y, int32_t x0, int32_t x1)
{
    const tf_lane own = lane[y % lanes];
    const int32_t at = tf_in_lane(own.pixels, lanes, width, y, x0);
    const int32_t end = at + x1 - x0;
    int8_t *const start = base + own.start * pixel_bytes;
    int8_t *const behind = start + own.pixels * pixel_bytes;
    tf_move_down(start, behind, (end - own.pixels) * pixel_bytes);
    if (at < guard) {
        const int32_t n = (end < guard ? end : guard) - at;
        tf_move_down(behind + at * pixel_bytes, start + at * pixel_bytes, n * pixel_bytes);
    }
}

/* Columns [*origin, done) are in a buffer of `rows` rows; those from span.lo on move to its left edge. */
static TF_APART __attribute__((unused)) void tf_slide(int8_t *base, int32_t rows, int32_t row_bytes,
                                                      int32_t pixel_bytes, tf_span span, int32_t *origin, int32_t done)
{
    const int32_t to = tf_max(span.lo, 0);
    if (span.hi > span.lo) {
        for (int32_t r = 0; r < rows && done > to && to > *origin; ++r) {
            int8_t *const row = base + r * row_bytes;
            tf_move_down(row, row + (to - *origin) * pixel_bytes, (done - to) * pixel_bytes);
        }
        *origin = to;
    }
}

/* The empty span: neutral for tf_join. */
TF_INLINE tf_span tf_none(void)
{
    const tf_span none = {TF_FAR, -TF_FAR};
    return none;
}

/* Input span that an output span needs, cut at the end of the tensor but not at 0; twin of AxisMap.needed. */
static inline tf_span tf_needed(tf_span out, int32_t num, int32_t den, int32_t lo, int32_t hi, int32_t extent)
{
    if (out.hi <= out.lo) {
        return tf_none();
    }
    const tf_span needed = {tf_floor_div(out.lo * num + lo, den),
                            tf_min(tf_floor_div((out.hi - 1) * num + hi, den) + 1, extent)};
    return needed.hi > needed.lo ? needed : tf_none();
}

/* The smallest span holding both. */
TF_INLINE tf_span tf_join(tf_span a, tf_span b)
{
    const tf_span both = {tf_min(a.lo, b.lo), tf_max(a.hi, b.hi)};
    return both;
}

/* What of a needed span is not there yet when everything below *done is; moves *done on. */
TF_INLINE tf_span tf_new(tf_span needed, int32_t *done)
{
    const tf_span fresh = {tf_max(needed.lo, *done), needed.hi};
    *done = tf_max(*done, needed.hi);
    return fresh.hi > fresh.lo ? fresh : tf_none();
}

/* The part of a span from 0 on, empty unless `wanted`. */
TF_INLINE tf_span tf_inside(tf_span span, int wanted)
{
    const tf_span inside = {tf_max(span.lo, 0), span.hi};
    const tf_span nothing = {0, 0};
    return wanted && inside.hi > inside.lo ? inside : nothing;
}

/* Where a buffer of a span begins: inside the tensor, 0 for an empty span. */
TF_INLINE int32_t tf_origin(tf_span span)
{
    return span.hi > span.lo && span.lo > 0 ? span.lo : 0;
}

TF_INLINE int tf_any(tf_span span)
{
    return span.hi > span.lo;
}

#endif
