/* Frames on the serial line: 00 A5 COBS(type seq body crc) 00
 *
 * After any 00 a byte A5 opens a frame, another 00 changes nothing, anything else is text and is skipped up to
 * the next 00. type: 1 byte. seq: 2 bytes. crc: CRC-32 (zlib) over type, seq, body. All numbers little-endian. */
#ifndef TFB_FRAME_H
#define TFB_FRAME_H

#include <stdint.h>

enum {
    TFB_FRAME_MAX_BODY = 480,
    TFB_FRAME_HEADER = 3,
    TFB_FRAME_CRC = 4,
    TFB_FRAME_MAX = TFB_FRAME_HEADER + TFB_FRAME_MAX_BODY + TFB_FRAME_CRC,
    TFB_FRAME_MARK = 0xa5
};

typedef enum {
    TFB_FRAME_NONE,    /* nothing complete yet */
    TFB_FRAME_READY,   /* a frame whose CRC is right */
    TFB_FRAME_DAMAGED, /* a frame whose CRC or coding is wrong: nothing in it can be trusted */
    TFB_FRAME_TOO_LONG /* more bytes than fit */
} tfb_frame_event;

typedef struct {
    uint8_t data[TFB_FRAME_MAX]; /* decoded type, seq, body, crc */
    uint16_t length;             /* decoded so far */
    uint8_t state;
    uint8_t run;      /* literal bytes left in the present COBS block */
    uint8_t zero_due; /* the block ends with an implied zero */
} tfb_receiver;

/* Takes one received byte; after READY `data` holds the frame and `length` its bytes without the CRC. */
tfb_frame_event tfb_receive(tfb_receiver *receiver, uint8_t byte);

/* Whether the bytes that come now belong to a frame. */
int tfb_in_frame(const tfb_receiver *receiver);

/* Sends a frame piece by piece; the body needs no buffer beyond one COBS block. */
void tfb_send_begin(uint8_t type, uint16_t seq);
void tfb_send(const void *data, uint32_t n);
void tfb_send_u8(uint8_t value);
void tfb_send_u16(uint32_t value);
void tfb_send_u32(uint32_t value);
void tfb_send_end(void);

uint32_t tfb_crc32(uint32_t crc, const uint8_t *data, uint32_t n);

#endif
