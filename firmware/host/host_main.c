/* Runs a model natively on samples from standard input: host_main SAMPLES PAINT [TRACE_FILE]
 *
 * stdin: per sample all inputs, one after the other. stdout: per sample all outputs, then for each part
 * of the arena its high water as a 32-bit little-endian number: one more than the offset of its last byte that is not
 * PAINT. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tfb_model.h"

enum { EXIT_USAGE = 2, EXIT_SHORT_INPUT = 3, EXIT_OUTPUT = 4 };

static FILE *trace_file;
static uint32_t trace_sample;

/* Bytes [offset, offset + n) of the whole output tensor `output` of operator `op`. */
void tf_trace(int32_t op, int32_t output, const void *data, int32_t offset, int32_t n);
void tf_trace(int32_t op, int32_t output, const void *data, int32_t offset, int32_t n)
{
    if (trace_file != NULL && n > 0) {
        const int32_t head[5] = {(int32_t)trace_sample, op, output, offset, n};
        fwrite(head, sizeof head, 1u, trace_file);
        fwrite(data, 1u, (size_t)n, trace_file);
    }
}

static void read_exact(void *to, size_t n)
{
    if (fread(to, 1u, n, stdin) != n) {
        fprintf(stderr, "host_main: standard input ended early\n");
        exit(EXIT_SHORT_INPUT);
    }
}

static void run_whole(const tfb_model *model, uint8_t *const *samples)
{
    for (uint32_t i = 0u; i < model->input_count; i++) {
        memcpy(model->inputs[i].data(), samples[i], model->inputs[i].nbytes);
    }
    model->invoke();
}

static void run_rows(const tfb_row_input *rows, const uint8_t *sample)
{
    rows->begin();
    for (uint32_t row = 0u; row < rows->rows; row++) {
        memcpy(rows->row, sample + (size_t)row * rows->row_bytes, rows->row_bytes);
        rows->feed(rows->row, 1);
    }
    rows->end();
}

static uint8_t **make_buffers(const tfb_model *model)
{
    uint8_t **buffers = calloc((size_t)model->input_count + 1u, sizeof *buffers);
    for (uint32_t i = 0u; buffers != NULL && i < model->input_count; i++) {
        buffers[i] = malloc((size_t)model->inputs[i].nbytes + 1u);
        if (buffers[i] == NULL) {
            buffers = NULL;
        }
    }
    if (buffers == NULL) {
        fprintf(stderr, "host_main: out of memory\n");
        exit(EXIT_OUTPUT);
    }
    return buffers;
}

static void run_sample(const tfb_model *model, uint8_t **buffers)
{
    for (uint32_t i = 0u; i < model->input_count; i++) {
        read_exact(buffers[i], model->inputs[i].nbytes);
    }
    if (model->row_input != NULL) {
        run_rows(model->row_input, buffers[0]);
    } else {
        run_whole(model, buffers);
    }
    for (uint32_t i = 0u; i < model->output_count; i++) {
        fwrite(model->outputs[i].data(), 1u, model->outputs[i].nbytes, stdout);
    }
}

static void write_high_water(const tfb_arena *arena, uint8_t paint)
{
    uint32_t n = arena->nbytes;
    while (n != 0u && arena->data[n - 1u] == paint) {
        n--;
    }
    const uint8_t bytes[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)};
    fwrite(bytes, 1u, sizeof bytes, stdout);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: host_main SAMPLES PAINT [TRACE_FILE]\n");
        return EXIT_USAGE;
    }
    const tfb_model *model = &tfb_the_model;
    const uint32_t samples = (uint32_t)strtoul(argv[1], NULL, 10);
    const uint8_t paint = (uint8_t)strtoul(argv[2], NULL, 10);
    if (argc > 3) {
        trace_file = fopen(argv[3], "wb");
    }
    uint8_t **buffers = make_buffers(model);
    for (uint32_t i = 0u; i < model->arena_count; i++) {
        memset(model->arenas[i].data, paint, model->arenas[i].nbytes);
    }
    for (trace_sample = 0u; trace_sample < samples; trace_sample++) {
        run_sample(model, buffers);
    }
    for (uint32_t i = 0u; i < model->arena_count; i++) {
        write_high_water(&model->arenas[i], paint);
    }
    if (trace_file != NULL) {
        fclose(trace_file);
    }
    for (uint32_t i = 0u; i < model->input_count; i++) {
        free(buffers[i]);
    }
    free(buffers);
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : EXIT_OUTPUT;
}
