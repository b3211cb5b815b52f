/* MLPerf Tiny's device side: commands end with '%', every one is answered with lines and then "m-ready". Written from
 * the benchmark's published command list; numbers are printed with integers only. */
#include "tfb_mlperf.h"

#include <string.h>

#include "tfb_model.h"
#include "tfb_port.h"

enum { COMMAND_BYTES = 80, MOST_WORDS = 4, DEFAULT_WARMUPS = 10 };

static char command[COMMAND_BYTES + 1];
static uint32_t length;
static uint32_t expected; /* bytes that `db load` announced */
static uint32_t loaded;

static void text(const char *words)
{
    while (*words != '\0') {
        tfb_bsp_putc((uint8_t)*words++);
    }
}

static int is(const char *word, const char *name)
{
    while (*word == *name && *word != '\0') {
        word++;
        name++;
    }
    return *word == *name;
}

static void number(uint32_t value)
{
    char digits[10];
    uint32_t n = 0u;
    do {
        digits[n++] = (char)('0' + value % 10u);
        value /= 10u;
    } while (value != 0u);
    while (n != 0u) {
        tfb_bsp_putc((uint8_t)digits[--n]);
    }
}

/* Thousandths with three decimals. */
static void thousandths(int32_t milli)
{
    const uint32_t size = milli < 0 ? 0u - (uint32_t)milli : (uint32_t)milli;
    text(milli < 0 ? "-" : "");
    number(size / 1000u);
    text(".");
    tfb_bsp_putc((uint8_t)('0' + size / 100u % 10u));
    tfb_bsp_putc((uint8_t)('0' + size / 10u % 10u));
    tfb_bsp_putc((uint8_t)('0' + size % 10u));
}

static void line(const char *words)
{
    text(words);
    text("\r\n");
}

static void line_with(const char *before, uint32_t value, const char *after)
{
    text(before);
    number(value);
    line(after);
}

/* By shifts and subtractions: not every core has 64-bit division without a library. */
static uint64_t divide(uint64_t value, uint32_t by)
{
    uint64_t quotient = 0u;
    uint64_t rest = 0u;
    for (int32_t bit = 63; bit >= 0; bit--) {
        rest = rest << 1 | (value >> bit & 1u);
        if (rest >= by) {
            rest -= by;
            quotient |= (uint64_t)1 << bit;
        }
    }
    return quotient;
}

static void timestamp(void)
{
    const uint32_t hz = tfb_cycles_hz();
    line_with("m-lap-us-", (uint32_t)divide(tfb_cycles() * 1000000u, hz != 0u ? hz : 1u), "");
}

static void infer_once(void)
{
    const tfb_row_input *rows = tfb_the_model.row_input;
    if (rows == 0) {
        tfb_the_model.invoke();
        return;
    }
    rows->end();
}

#if defined(TFB_MLPERF_FLOAT)
static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float stimulus(uint32_t i)
{
    uint32_t bits;
    memcpy(&bits, &tfb_the_benchmark.buffer[4u * i], sizeof bits);
    return float_of(bits);
}

static void quantise(int8_t *to, uint32_t n)
{
    const float scale = float_of(tfb_the_model.inputs[0].scale_bits);
    for (uint32_t i = 0u; i < n; i++) {
        const float real = stimulus(i) / scale;
        const int32_t near = (int32_t)(real + (real < 0.0f ? -0.5f : 0.5f)) + tfb_the_model.inputs[0].zero_point;
        to[i] = (int8_t)(near < -128 ? -128 : near > 127 ? 127 : near);
    }
}

static int32_t mean_squared_error(void)
{
    const tfb_tensor *out = &tfb_the_model.outputs[0];
    const int8_t *values = (const int8_t *)out->data();
    const float scale = float_of(out->scale_bits);
    float sum = 0.0f;
    for (uint32_t i = 0u; i < out->nbytes; i++) {
        const float difference = (float)(values[i] - out->zero_point) * scale - stimulus(i);
        sum += difference * difference;
    }
    return (int32_t)(1000.0f * sum / (float)out->nbytes + 0.5f);
}
#else
static void quantise(int8_t *to, uint32_t n)
{
    (void)to;
    (void)n;
}

static int32_t mean_squared_error(void)
{
    return 0;
}
#endif

static void convert(int8_t *to, const uint8_t *from, uint32_t n)
{
    const uint8_t flip = tfb_the_benchmark.input == TFB_MLPERF_PIXELS ? 0x80u : 0u;
    for (uint32_t i = 0u; i < n; i++) {
        to[i] = (int8_t)(uint8_t)(from[i] ^ flip);
    }
}

/* The input's memory is reused in every inference, so it is written before each. */
static void load_input(void)
{
    const tfb_row_input *rows = tfb_the_model.row_input;
    if (rows != 0) {
        rows->begin();
        for (uint32_t y = 0u; y < rows->rows; y++) {
            convert((int8_t *)rows->row, &tfb_the_benchmark.buffer[y * rows->row_bytes], rows->row_bytes);
            rows->feed(rows->row, 1);
        }
        return;
    }
    const tfb_tensor *input = &tfb_the_model.inputs[0];
    if (tfb_the_benchmark.input == TFB_MLPERF_FLOATS) {
        quantise((int8_t *)input->data(), input->nbytes);
    } else {
        convert((int8_t *)input->data(), tfb_the_benchmark.buffer, input->nbytes);
    }
}

static void results(void)
{
    const tfb_tensor *out = &tfb_the_model.outputs[0];
    const int8_t *values = (const int8_t *)out->data();
    text("m-results-[");
    if (tfb_the_benchmark.input == TFB_MLPERF_FLOATS) {
        thousandths(mean_squared_error());
    } else {
        for (uint32_t i = 0u; i < out->nbytes; i++) {
            text(i != 0u ? "," : "");
            thousandths(tfb_the_benchmark.milli[values[i] + 128]);
        }
    }
    line("]");
}

static uint32_t whole_number(const char *word, uint32_t otherwise)
{
    uint32_t value = 0u;
    if (word == 0) {
        return otherwise;
    }
    for (; *word >= '0' && *word <= '9' && value < 100000000u; word++) {
        value = value * 10u + (uint32_t)(*word - '0');
    }
    return value;
}

static void do_infer(const char *count_word, const char *warmup_word)
{
    const uint32_t count = whole_number(count_word, 1u);
    const uint32_t warmups = whole_number(warmup_word, DEFAULT_WARMUPS);
    line_with("m-warmup-start-", warmups, "");
    for (uint32_t i = 0u; i < warmups; i++) {
        load_input();
        infer_once();
    }
    line("m-warmup-done");
    line_with("m-infer-start-", count, "");
    timestamp();
    for (uint32_t i = 0u; i < count; i++) {
        load_input();
        infer_once();
    }
    timestamp();
    line("m-infer-done");
    results();
}

static int32_t hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static void do_load(const char *word)
{
    const uint32_t n = whole_number(word, 0u);
    if (n == 0u || n > tfb_the_benchmark.buffer_bytes) {
        line_with("e-[Expected 1 to ", tfb_the_benchmark.buffer_bytes, " bytes]");
        return;
    }
    expected = n;
    loaded = 0u;
    line_with("m-[Expecting ", n, " bytes]");
}

static void do_hex(const char *digits)
{
    for (; digits[0] != '\0' && loaded < expected; digits += 2) {
        if (digits[1] == '\0') {
            line("e-[Insufficent number of hex digits]");
            return;
        }
        const int32_t high = hex_digit(digits[0]);
        const int32_t low = hex_digit(digits[1]);
        if (high < 0 || low < 0) {
            text("e-[Invalid hex digit '");
            tfb_bsp_putc((uint8_t)digits[0]);
            tfb_bsp_putc((uint8_t)digits[1]);
            line("']");
            return;
        }
        tfb_the_benchmark.buffer[loaded++] = (uint8_t)((uint32_t)high << 4 | (uint32_t)low);
        if (loaded == expected) {
            line("m-load-done");
        }
    }
}

static void do_print(void)
{
    static const char hex[] = "0123456789abcdef";
    for (uint32_t i = 0u; i < expected; i++) {
        text(i % 8u == 0u ? "m-buffer" : "");
        text("-");
        tfb_bsp_putc((uint8_t)hex[tfb_the_benchmark.buffer[i] >> 4]);
        tfb_bsp_putc((uint8_t)hex[tfb_the_benchmark.buffer[i] & 15u]);
        text(i % 8u == 7u || i + 1u == expected ? "\r\n" : "");
    }
}

static void do_db(const char *first, const char *second)
{
    if (first == 0) {
        line("e-[Command 'db' requires a subcommand]");
    } else if (is(first, "load")) {
        do_load(second);
    } else if (is(first, "print")) {
        do_print();
    } else {
        do_hex(first);
    }
}

/* Cuts the command into words at its blanks. */
static uint32_t split(char *words[MOST_WORDS])
{
    uint32_t count = 0u;
    int inside = 0;
    for (char *at = command; *at != '\0'; at++) {
        if (*at == ' ') {
            *at = '\0';
            inside = 0;
        } else if (!inside && count < (uint32_t)MOST_WORDS) {
            words[count++] = at;
            inside = 1;
        }
    }
    return count;
}

static void run_command(void)
{
    char *words[MOST_WORDS] = {0};
    const char *name = split(words) != 0u ? words[0] : "";
    if (is(name, "name")) {
        line("m-name-dut-[tinyforge]");
    } else if (is(name, "profile")) {
        line("m-profile-[ULPMark for tinyML Firmware V0.0.1]");
        text("m-model-[");
        text(tfb_the_benchmark.id);
        line("]");
    } else if (is(name, "timestamp")) {
        timestamp();
    } else if (is(name, "help")) {
        line("name% profile% timestamp% db load N% db HEX% db print% infer N W% results%");
    } else if (is(name, "db")) {
        do_db(words[1], words[2]);
    } else if (is(name, "infer")) {
        do_infer(words[1], words[2]);
    } else if (is(name, "results")) {
        results();
    } else {
        text("e-[Unknown command: ");
        text(name);
        line("]");
    }
}

void tfb_mlperf_boot(void)
{
    line("m-timestamp-mode-performance");
    timestamp();
    line("m-init-done");
    line("m-ready");
}

void tfb_mlperf_byte(uint8_t byte)
{
    if (byte == (uint8_t)'%') {
        command[length] = '\0';
        length = 0u;
        run_command();
        line("m-ready");
    } else if (length < (uint32_t)COMMAND_BYTES) {
        command[length++] = (char)byte;
    } else {
        length = 0u; /* too long for any command */
    }
}
