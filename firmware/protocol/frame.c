/* Framing: COBS, CRC-32, and the way back into step after anything at all on the line. */
#include "tfb_frame.h"

#include "tfb_port.h"

enum { OUTSIDE = 0, SYNC = 1, INSIDE = 2, SKIP = 3 };

uint32_t tfb_crc32(uint32_t crc, const uint8_t *data, uint32_t n)
{
    static const uint32_t table[16] = {0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u,
                                       0x4db26158u, 0x5005713cu, 0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu,
                                       0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu};
    crc = ~crc;
    for (; n != 0u; n--) {
        crc ^= *data++;
        crc = (crc >> 4) ^ table[crc & 15u];
        crc = (crc >> 4) ^ table[crc & 15u];
    }
    return ~crc;
}

static int append(tfb_receiver *receiver, uint8_t byte)
{
    if (receiver->length >= (uint16_t)TFB_FRAME_MAX) {
        receiver->state = SKIP;
        return 0;
    }
    receiver->data[receiver->length++] = byte;
    return 1;
}

static tfb_frame_event finish(tfb_receiver *receiver)
{
    const uint32_t crc_at = (uint32_t)receiver->length - (uint32_t)TFB_FRAME_CRC;
    receiver->state = SYNC;
    if (receiver->run != 0u || receiver->length < (uint16_t)(TFB_FRAME_HEADER + TFB_FRAME_CRC)) {
        return TFB_FRAME_DAMAGED;
    }
    const uint8_t *sent = &receiver->data[crc_at];
    const uint32_t crc = (uint32_t)sent[0] | (uint32_t)sent[1] << 8 | (uint32_t)sent[2] << 16 | (uint32_t)sent[3] << 24;
    if (crc != tfb_crc32(0u, receiver->data, crc_at)) {
        return TFB_FRAME_DAMAGED;
    }
    receiver->length = (uint16_t)crc_at;
    return TFB_FRAME_READY;
}

static tfb_frame_event inside(tfb_receiver *receiver, uint8_t byte)
{
    if (receiver->run != 0u) {
        receiver->run--;
        return append(receiver, byte) ? TFB_FRAME_NONE : TFB_FRAME_TOO_LONG;
    }
    if (receiver->zero_due != 0u && !append(receiver, 0u)) {
        return TFB_FRAME_TOO_LONG;
    }
    receiver->run = (uint8_t)(byte - 1u);
    receiver->zero_due = byte != 0xffu ? 1u : 0u;
    return TFB_FRAME_NONE;
}

tfb_frame_event tfb_receive(tfb_receiver *receiver, uint8_t byte)
{
    if (byte == 0u) {
        if (receiver->state == INSIDE) {
            return finish(receiver);
        }
        receiver->state = SYNC;
        return TFB_FRAME_NONE;
    }
    if (receiver->state == INSIDE) {
        return inside(receiver, byte);
    }
    if (receiver->state == SYNC && byte == (uint8_t)TFB_FRAME_MARK) {
        receiver->state = INSIDE;
        receiver->length = 0u;
        receiver->run = 0u;
        receiver->zero_due = 0u;
    } else {
        receiver->state = SKIP;
    }
    return TFB_FRAME_NONE;
}

int tfb_in_frame(const tfb_receiver *receiver)
{
    return receiver->state == INSIDE;
}

/* The COBS block being collected, and the CRC of the frame so far. */
static uint8_t block[254];
static uint8_t block_length;
static uint32_t sent_crc;

static void flush(uint8_t code)
{
    tfb_bsp_putc(code);
    for (uint32_t i = 0u; i < block_length; i++) {
        tfb_bsp_putc(block[i]);
    }
    block_length = 0u;
}

static void put(uint8_t byte)
{
    if (byte == 0u) {
        flush((uint8_t)(block_length + 1u));
        return;
    }
    block[block_length++] = byte;
    if (block_length == (uint8_t)sizeof block) {
        flush(0xffu);
    }
}

void tfb_send(const void *data, uint32_t n)
{
    const uint8_t *bytes = (const uint8_t *)data;
    sent_crc = tfb_crc32(sent_crc, bytes, n);
    for (uint32_t i = 0u; i < n; i++) {
        put(bytes[i]);
    }
}

void tfb_send_u8(uint8_t value)
{
    tfb_send(&value, 1u);
}

void tfb_send_u16(uint32_t value)
{
    const uint8_t bytes[2] = {(uint8_t)(value & 0xffu), (uint8_t)((value >> 8) & 0xffu)};
    tfb_send(bytes, 2u);
}

void tfb_send_u32(uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)(value & 0xffu), (uint8_t)((value >> 8) & 0xffu),
                              (uint8_t)((value >> 16) & 0xffu), (uint8_t)(value >> 24)};
    tfb_send(bytes, 4u);
}

void tfb_send_begin(uint8_t type, uint16_t seq)
{
    tfb_bsp_putc(0u);
    tfb_bsp_putc((uint8_t)TFB_FRAME_MARK);
    block_length = 0u;
    sent_crc = 0u;
    tfb_send_u8(type);
    tfb_send_u16(seq);
}

void tfb_send_end(void)
{
    tfb_send_u32(sent_crc);
    flush((uint8_t)(block_length + 1u));
    tfb_bsp_putc(0u);
}
