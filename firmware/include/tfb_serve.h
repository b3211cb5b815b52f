/* The protocol's server: answers requests for ever. */
#ifndef TFB_SERVE_H
#define TFB_SERVE_H

#include <stdint.h>

enum {
    TFB_PROTOCOL_VERSION = 1,
    TFB_REPLY = 0x80,    /* set in the type of every answer */
    TFB_NAK = 0xff,      /* answer to a frame that could not be read; its seq is 0 */
    TFB_FLAG_ROWS = 0x01 /* HELLO: the input is fed row by row */
};

/* Request types. tinyforge/device/protocol.py is the other end and states the bodies. */
typedef enum {
    TFB_HELLO = 1,
    TFB_TENSOR = 2,
    TFB_MEMORY = 3,
    TFB_WRITE = 4,
    TFB_INVOKE = 5,
    TFB_READ = 6,
    TFB_PROFILE = 7,
    TFB_STATS = 8,
    TFB_ECHO = 9,
    TFB_FEED = 10,
    TFB_PAINT = 11
} tfb_request;

/* First byte of every answer's body. */
typedef enum {
    TFB_OK = 0,
    TFB_BAD_CRC = 1,
    TFB_OVERFLOW = 2,
    TFB_BAD_TYPE = 3,
    TFB_BAD_LENGTH = 4,
    TFB_BAD_RANGE = 5,
    TFB_BAD_TENSOR = 6,
    TFB_BAD_STATE = 7
} tfb_status;

__attribute__((noreturn)) void tfb_serve(void);

/* One byte of input; the server's loop without the loop, for tests. */
void tfb_serve_byte(uint8_t byte);

#endif
