/* What every generated model uses: windows, row pointers, tracing hook. No state, no library calls. */
#ifndef TF_RUNTIME_H
#define TF_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

/* One function an operator, never inlined: a profile can be read off the symbol table of any build. */
#define TF_OP __attribute__((noinline))
#define TF_INLINE static inline __attribute__((always_inline))

/* Trace builds report every piece of every operator's output: bytes [offset, offset + n) of the whole tensor. */
#ifdef TINYFORGE_TRACE
void tf_trace(int32_t op, int32_t output, const void *data, int32_t offset, int32_t n);
#define TF_TRACE(op, output, data, offset, n) tf_trace((op), (output), (data), (offset), (n))
#else
#define TF_TRACE(op, output, data, offset, n) ((void)0)
#endif

/* A region of a feature map, half open, in coordinates of the whole tensor. */
typedef struct {
    int32_t y0;
    int32_t y1;
    int32_t x0;
    int32_t x1;
} tf_window;

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

#endif
