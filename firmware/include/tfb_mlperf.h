/* MLPerf Tiny's text commands on the same serial line as the frames; in firmware built with --harness mlperf-tiny. */
#ifndef TFB_MLPERF_H
#define TFB_MLPERF_H

#include <stdint.h>

/* How the benchmark's bytes become the model's input. */
typedef enum {
    TFB_MLPERF_BYTES = 0, /* int8 as it is (kws01) */
    TFB_MLPERF_PIXELS,    /* uint8, 128 above the model's int8 (vww01, ic01) */
    TFB_MLPERF_FLOATS     /* float32, little-endian; the result is the mean squared error of output and input (ad01) */
} tfb_mlperf_input;

typedef struct {
    const char *id;        /* "ic01" */
    const int32_t *milli;  /* of output -128 .. 127, dequantised, in thousandths */
    uint8_t *buffer;       /* what `db` loads */
    uint32_t buffer_bytes; /* of one input in the benchmark's form */
    tfb_mlperf_input input;
} tfb_mlperf;

extern const tfb_mlperf tfb_the_benchmark;

void tfb_mlperf_boot(void);
void tfb_mlperf_byte(uint8_t byte); /* a byte that belongs to no frame */

#endif
