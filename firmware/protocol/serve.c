/* The server: one request, one answer. Requests are idempotent, or are recognised by their seq when repeated. */
#include "tfb_serve.h"

#include <string.h>

#include "tfb_frame.h"
#ifdef TFB_MLPERF
#include "tfb_mlperf.h"
#endif
#include "tfb_model.h"
#include "tfb_port.h"
#include "tfb_profile.h"

static tfb_receiver receiver;

static struct {
    uint32_t frames;
    uint32_t damaged;
    uint32_t too_long;
    uint32_t refused;
} stats;

/* The last INVOKE, so that a repeated one is answered without running on inputs that are no longer there. */
static struct {
    uint64_t cycles;
    uint16_t seq;
    uint8_t known;
} last_invoke;

static uint8_t greeted;     /* HELLO came since reset */
static uint32_t written;    /* bit i: input i was written since the last run */
static uint32_t fed_bytes;  /* row-fed input taken so far */
static uint64_t fed_cycles; /* spent on it */
static uint8_t paint;       /* arena paint; 0: none */

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void send_u64(uint64_t value)
{
    tfb_send_u32((uint32_t)value);
    tfb_send_u32((uint32_t)(value >> 32));
}

static void send_text(const char *text)
{
    uint32_t n = 0u;
    while (n < 63u && text[n] != '\0') {
        n++;
    }
    tfb_send_u8((uint8_t)n);
    tfb_send(text, n);
}

static void begin_reply(tfb_status status)
{
    const uint16_t seq = (uint16_t)((uint32_t)receiver.data[1] | (uint32_t)receiver.data[2] << 8);
    tfb_send_begin((uint8_t)(receiver.data[0] | (uint8_t)TFB_REPLY), seq);
    tfb_send_u8((uint8_t)status);
}

static void reply(tfb_status status)
{
    if (status != TFB_OK) {
        stats.refused++;
    }
    begin_reply(status);
    tfb_send_end();
}

/* Tensor `number`: inputs first, outputs behind them; null where there is none. */
static const tfb_tensor *find_tensor(uint32_t number)
{
    const tfb_model *model = &tfb_the_model;
    if (number < model->input_count) {
        return &model->inputs[number];
    }
    number -= model->input_count;
    return number < model->output_count ? &model->outputs[number] : 0;
}

static int outside(uint32_t offset, uint32_t n, uint32_t size)
{
    return offset > size || n > size - offset;
}

/* body: empty. A new session: what an earlier host did is forgotten. */
static void do_hello(void)
{
    const tfb_model *model = &tfb_the_model;
    greeted = 1u;
    last_invoke.known = 0u;
    written = 0u;
    fed_bytes = 0u;
    begin_reply(TFB_OK);
    tfb_send_u8((uint8_t)TFB_PROTOCOL_VERSION);
    tfb_send_u8(model->row_input != 0 ? (uint8_t)TFB_FLAG_ROWS : 0u);
    tfb_send_u16((uint32_t)TFB_FRAME_MAX_BODY);
    tfb_send_u32(tfb_bsp_clock_hz());
    tfb_send_u32(tfb_cycles_hz());
    tfb_send_u8((uint8_t)tfb_cycles_source());
    tfb_send_u8(model->input_count);
    tfb_send_u8(model->output_count);
    tfb_send_u32(model->row_input != 0 ? model->row_input->rows : 0u);
    tfb_send_u32(model->row_input != 0 ? model->row_input->row_bytes : 0u);
    tfb_send(model->digest, 32u);
    send_text(model->name);
    tfb_send_end();
}

/* body: tensor u8 */
static void do_tensor(const uint8_t *body, uint32_t n)
{
    const tfb_tensor *tensor = n == 1u ? find_tensor(body[0]) : 0;
    if (tensor == 0) {
        reply(n == 1u ? TFB_BAD_TENSOR : TFB_BAD_LENGTH);
        return;
    }
    begin_reply(TFB_OK);
    tfb_send_u8(tensor->dtype);
    tfb_send_u32(tensor->nbytes);
    tfb_send_u32(tensor->scale_bits);
    tfb_send_u32((uint32_t)tensor->zero_point);
    tfb_send_u8(tensor->rank);
    for (uint32_t i = 0u; i < tensor->rank; i++) {
        tfb_send_u32((uint32_t)tensor->shape[i]);
    }
    send_text(tensor->name);
    tfb_send_end();
}

static uint32_t high_water(const tfb_arena *arena)
{
    uint32_t n = paint != 0u ? arena->nbytes : 0u;
    while (n != 0u && arena->data[n - 1u] == paint) {
        n--;
    }
    return n;
}

static uint32_t arena_high_water(void)
{
    uint32_t n = 0u;
    for (uint32_t i = 0u; i < tfb_the_model.arena_count; i++) {
        n += high_water(&tfb_the_model.arenas[i]);
    }
    return n;
}

/* body: empty */
static void do_memory(void)
{
    begin_reply(TFB_OK);
    tfb_send_u32(tfb_the_model.arena_bytes);
    tfb_send_u32(arena_high_water());
    tfb_send_u32(tfb_stack_bytes());
    tfb_send_u32(tfb_stack_high_water());
    tfb_send_u32(tfb_static_ram_bytes());
    for (uint32_t i = 0u; i < tfb_the_model.arena_count; i++) {
        tfb_send_u32(high_water(&tfb_the_model.arenas[i]));
    }
    tfb_send_end();
}

/* body: paint u8, not 0. Fills the arena, so inputs must be written afterwards. */
static void do_paint(const uint8_t *body, uint32_t n)
{
    if (n != 1u || body[0] == 0u) {
        reply(TFB_BAD_LENGTH);
        return;
    }
    paint = body[0];
    written = 0u;
    fed_bytes = 0u;
    last_invoke.known = 0u;
    for (uint32_t i = 0u; i < tfb_the_model.arena_count; i++) {
        memset(tfb_the_model.arenas[i].data, (int)paint, tfb_the_model.arenas[i].nbytes);
    }
    reply(TFB_OK);
}

/* body: tensor u8, offset u32, data */
static void do_write(const uint8_t *body, uint32_t n)
{
    if (n < 5u) {
        reply(TFB_BAD_LENGTH);
        return;
    }
    const uint32_t number = body[0];
    const uint32_t offset = get_u32(&body[1]);
    if (number >= tfb_the_model.input_count) {
        reply(TFB_BAD_TENSOR);
    } else if (tfb_the_model.row_input != 0) {
        reply(TFB_BAD_STATE);
    } else if (outside(offset, n - 5u, tfb_the_model.inputs[number].nbytes)) {
        reply(TFB_BAD_RANGE);
    } else {
        memcpy((uint8_t *)tfb_the_model.inputs[number].data() + offset, &body[5], n - 5u);
        written |= 1u << (number & 31u);
        last_invoke.known = 0u; /* its outputs may be gone, and its seq may come round again */
        reply(TFB_OK);
    }
}

/* Time the model takes; what the protocol does between its calls is not counted. */
static void feed_row(void)
{
    const tfb_row_input *rows = tfb_the_model.row_input;
    const uint64_t before = tfb_cycles();
    rows->feed(rows->row, 1);
    tfb_profile_pause();
    fed_cycles += tfb_cycles() - before;
}

static void begin_rows(void)
{
    tfb_profile_clear();
    const uint64_t before = tfb_cycles();
    tfb_the_model.row_input->begin();
    tfb_profile_pause();
    fed_cycles = tfb_cycles() - before;
    last_invoke.known = 0u;
}

/* Bytes of a row are collected outside the arena; a whole row goes to the model at once. */
static void feed(const uint8_t *data, uint32_t n)
{
    const tfb_row_input *rows = tfb_the_model.row_input;
    if (fed_bytes == 0u && n != 0u) {
        begin_rows();
    }
    while (n != 0u) {
        const uint32_t at = fed_bytes % rows->row_bytes;
        const uint32_t room = rows->row_bytes - at;
        const uint32_t part = n < room ? n : room;
        memcpy(&rows->row[at], data, part);
        data += part;
        n -= part;
        fed_bytes += part;
        if (part == room) {
            feed_row();
        }
    }
}

/* body: offset u32 in the whole input, data. In order; a repeated piece is acknowledged and not fed again. */
static void do_feed(const uint8_t *body, uint32_t n)
{
    const tfb_row_input *rows = tfb_the_model.row_input;
    if (n < 5u || rows == 0) {
        reply(rows == 0 ? TFB_BAD_STATE : TFB_BAD_LENGTH);
        return;
    }
    const uint32_t offset = get_u32(body);
    if (outside(offset, n - 4u, rows->rows * rows->row_bytes)) {
        reply(TFB_BAD_RANGE);
    } else if (offset == fed_bytes) {
        feed(&body[4], n - 4u);
        reply(TFB_OK);
    } else {
        reply(offset + (n - 4u) <= fed_bytes ? TFB_OK : TFB_BAD_STATE);
    }
}

static int inputs_ready(void)
{
    const tfb_row_input *rows = tfb_the_model.row_input;
    if (rows != 0) {
        return fed_bytes == rows->rows * rows->row_bytes;
    }
    const uint32_t count = tfb_the_model.input_count;
    const uint32_t all = count >= 32u ? 0xffffffffu : (1u << count) - 1u;
    return (written & all) == all;
}

static uint64_t run_model(void)
{
    const tfb_row_input *rows = tfb_the_model.row_input;
    if (rows == 0) {
        tfb_profile_clear();
    }
    const uint64_t before = tfb_cycles();
    if (rows != 0) {
        rows->end();
    } else {
        tfb_the_model.invoke();
    }
    tfb_profile_pause();
    const uint64_t spent = tfb_cycles() - before;
    return rows != 0 ? spent + fed_cycles : spent;
}

/* body: empty. Answers the cycles; a repeated seq gets the first answer again. */
static void do_invoke(uint16_t seq)
{
    if (last_invoke.known == 0u || last_invoke.seq != seq) {
        if (!inputs_ready()) {
            reply(TFB_BAD_STATE);
            return;
        }
        last_invoke.known = 0u;
        last_invoke.cycles = run_model();
        last_invoke.seq = seq;
        last_invoke.known = 1u;
        written = 0u;
        fed_bytes = 0u;
    }
    begin_reply(TFB_OK);
    send_u64(last_invoke.cycles);
    tfb_send_end();
}

/* body: tensor u8, offset u32, n u16 */
static void do_read(const uint8_t *body, uint32_t n)
{
    if (n != 7u) {
        reply(TFB_BAD_LENGTH);
        return;
    }
    const tfb_tensor *tensor = find_tensor(body[0]);
    const uint32_t offset = get_u32(&body[1]);
    const uint32_t count = (uint32_t)body[5] | (uint32_t)body[6] << 8;
    if (tensor == 0) {
        reply(TFB_BAD_TENSOR);
    } else if (count > (uint32_t)TFB_FRAME_MAX_BODY - 1u || outside(offset, count, tensor->nbytes)) {
        reply(TFB_BAD_RANGE);
    } else if (last_invoke.known == 0u) {
        reply(TFB_BAD_STATE); /* outputs exist only between a run and the next input */
    } else {
        begin_reply(TFB_OK);
        tfb_send((const uint8_t *)tensor->data() + offset, count);
        tfb_send_end();
    }
}

/* body: first operator u16. Answers how many there are, and ticks from the first on, as many as fit. */
static void do_profile(const uint8_t *body, uint32_t n)
{
    const uint32_t most = ((uint32_t)TFB_FRAME_MAX_BODY - 3u) / 8u;
    const uint32_t count = tfb_the_model.operators;
    const uint32_t first = n == 2u ? (uint32_t)body[0] | (uint32_t)body[1] << 8 : 0u;
    if (n != 2u) {
        reply(TFB_BAD_LENGTH);
    } else if (tfb_the_model.profile == 0 || last_invoke.known == 0u) {
        reply(TFB_BAD_STATE);
    } else if (first > count) {
        reply(TFB_BAD_RANGE);
    } else {
        begin_reply(TFB_OK);
        tfb_send_u16(count);
        for (uint32_t i = first; i < count && i - first < most; i++) {
            send_u64(tfb_the_model.profile[i]);
        }
        tfb_send_end();
    }
}

static void do_stats(void)
{
    begin_reply(TFB_OK);
    tfb_send_u32(stats.frames);
    tfb_send_u32(stats.damaged);
    tfb_send_u32(stats.too_long);
    tfb_send_u32(stats.refused);
    tfb_send_u32(tfb_bsp_uart_errors());
    tfb_send_end();
}

static void do_echo(const uint8_t *body, uint32_t n)
{
    begin_reply(TFB_OK);
    tfb_send(body, n < (uint32_t)TFB_FRAME_MAX_BODY ? n : (uint32_t)TFB_FRAME_MAX_BODY - 1u);
    tfb_send_end();
}

/* What depends on earlier requests. After a reset in the middle of a session they are gone, and the host must not take
 * a run on half an input, or the marks of another run, for its own. */
static int needs_session(uint8_t type)
{
    return type == (uint8_t)TFB_MEMORY || type == (uint8_t)TFB_WRITE || type == (uint8_t)TFB_INVOKE ||
           type == (uint8_t)TFB_READ || type == (uint8_t)TFB_PROFILE || type == (uint8_t)TFB_FEED ||
           type == (uint8_t)TFB_PAINT;
}

static void dispatch(void)
{
    const uint8_t *body = &receiver.data[TFB_FRAME_HEADER];
    const uint32_t n = (uint32_t)receiver.length - (uint32_t)TFB_FRAME_HEADER;
    if (greeted == 0u && needs_session(receiver.data[0])) {
        reply(TFB_BAD_STATE);
        return;
    }
    switch (receiver.data[0]) {
    case TFB_HELLO:
        do_hello();
        break;
    case TFB_TENSOR:
        do_tensor(body, n);
        break;
    case TFB_MEMORY:
        do_memory();
        break;
    case TFB_WRITE:
        do_write(body, n);
        break;
    case TFB_INVOKE:
        do_invoke((uint16_t)((uint32_t)receiver.data[1] | (uint32_t)receiver.data[2] << 8));
        break;
    case TFB_READ:
        do_read(body, n);
        break;
    case TFB_PROFILE:
        do_profile(body, n);
        break;
    case TFB_STATS:
        do_stats();
        break;
    case TFB_ECHO:
        do_echo(body, n);
        break;
    case TFB_FEED:
        do_feed(body, n);
        break;
    case TFB_PAINT:
        do_paint(body, n);
        break;
    default:
        reply(TFB_BAD_TYPE);
        break;
    }
}

/* Nothing in a damaged frame can be trusted, its seq neither: the host takes this as "send again". */
static void refuse_frame(tfb_status status)
{
    tfb_send_begin((uint8_t)TFB_NAK, 0u);
    tfb_send_u8((uint8_t)status);
    tfb_send_end();
}

void tfb_serve_byte(uint8_t byte)
{
    switch (tfb_receive(&receiver, byte)) {
    case TFB_FRAME_READY:
        stats.frames++;
        dispatch();
        break;
    case TFB_FRAME_DAMAGED:
        stats.damaged++;
        refuse_frame(TFB_BAD_CRC);
        break;
    case TFB_FRAME_TOO_LONG:
        stats.too_long++;
        refuse_frame(TFB_OVERFLOW);
        break;
    case TFB_FRAME_NONE:
    default:
#ifdef TFB_MLPERF
        if (byte != 0u && !tfb_in_frame(&receiver)) {
            tfb_mlperf_byte(byte);
        }
#endif
        break;
    }
}

__attribute__((noreturn)) void tfb_serve(void)
{
#ifdef TFB_MLPERF
    tfb_mlperf_boot();
#endif
    for (;;) {
        const int32_t byte = tfb_bsp_getc();
        if (byte >= 0) {
            tfb_serve_byte((uint8_t)byte);
        }
    }
}
