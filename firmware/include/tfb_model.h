/* How the firmware and the host harness see a compiled model: one constant table, made from its build info. */
#ifndef TFB_MODEL_H
#define TFB_MODEL_H

#include <stdint.h>

typedef enum {
    TFB_INT8 = 0,
    TFB_UINT8 = 1,
    TFB_INT16 = 2,
    TFB_INT32 = 3,
    TFB_FLOAT32 = 4,
    TFB_BOOL = 5,
    TFB_INT64 = 6
} tfb_dtype;

/* A model input or output. scale_bits: the IEEE-754 bits of the float32 scale (no float code needed here). */
typedef struct {
    const char *name;
    const int32_t *shape;
    uint32_t nbytes;
    uint32_t scale_bits;
    int32_t zero_point;
    uint8_t dtype;
    uint8_t rank;
    void *(*data)(void);
} tfb_tensor;

/* Row-fed input: `begin`, then `feed` with whole rows of `row_bytes` until all `rows` came, then `end`. */
typedef struct {
    uint32_t rows;
    uint32_t row_bytes;
    uint8_t *row; /* row_bytes of firmware RAM, outside the model's arena */
    void (*begin)(void);
    void (*feed)(const void *rows, int32_t count);
    void (*end)(void);
} tfb_row_input;

/* A part of the model's arena: one array a memory bank. */
typedef struct {
    uint8_t *data;
    uint32_t nbytes;
} tfb_arena;

typedef struct {
    const char *name;
    const uint8_t *digest; /* 32 bytes */
    const tfb_tensor *inputs;
    const tfb_tensor *outputs;
    uint8_t input_count;
    uint8_t output_count;
    const tfb_arena *arenas;
    uint8_t arena_count;
    uint32_t arena_bytes; /* of all parts together */
    void (*invoke)(void);
    const tfb_row_input *row_input; /* null where the input is written whole */
    uint64_t *profile;              /* ticks of every operator; null where the firmware was built without */
    uint16_t operators;
} tfb_model;

extern const tfb_model tfb_the_model;

#endif
