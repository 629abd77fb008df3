// SPDX-License-Identifier: MIT
// WebSocket frames (RFC 6455 5), the server's half: bytes of a client become pieces of messages and control frames,
// unmasked in place and checked; headers for what the server sends. Comes in: whoever has bytes after the handshake.
// Owns nothing: no allocation, I/O, clock or globals; pieces point into the caller's bytes or into the parser.
#pragma once

#include "proto/utf8.h"

enum sm_websocket_opcode {
    SM_WEBSOCKET_CONTINUATION = 0,
    SM_WEBSOCKET_TEXT = 1,
    SM_WEBSOCKET_BINARY = 2,
    SM_WEBSOCKET_CLOSE = 8,
    SM_WEBSOCKET_PING = 9,
    SM_WEBSOCKET_PONG = 10,
};

// Close codes (section 7.4.1) that this side gives or reports.
enum sm_websocket_code {
    SM_WEBSOCKET_NORMAL = 1000,
    SM_WEBSOCKET_PROTOCOL_ERROR = 1002,
    SM_WEBSOCKET_NO_STATUS = 1005, // the close frame had no code; never sent
    SM_WEBSOCKET_ABNORMAL = 1006,  // the connection was lost; never sent
    SM_WEBSOCKET_BAD_DATA = 1007,
    SM_WEBSOCKET_TOO_BIG = 1009,
    SM_WEBSOCKET_INTERNAL_ERROR = 1011,
    SM_WEBSOCKET_RESTART = 1012,
};

enum {
    SM_WEBSOCKET_CONTROL_MAX = 125, // bytes in a control frame (section 5.5)
    SM_WEBSOCKET_REASON_MAX = 123,  // of them the reason of a close frame
    SM_WEBSOCKET_HEADER_MAX = 10,   // of a frame that is not masked
};

enum sm_websocket_event {
    SM_WEBSOCKET_MORE,    // all bytes were taken
    SM_WEBSOCKET_DATA,    // a piece of a message, in order; the last one may be empty
    SM_WEBSOCKET_CONTROL, // a control frame, whole
    SM_WEBSOCKET_BAD,     // `code` and `reason` of the parser say why; nothing may be fed any more
};

struct sm_websocket_piece {
    enum sm_websocket_opcode opcode; // of the message (text or binary), or of the control frame
    const char *data;                // of a close frame: its reason
    size_t len;
    uint64_t left;    // DATA: payload bytes of this frame still to come
    bool is_last;     // DATA: ends the message
    bool is_deflated; // DATA: the message is compressed (RFC 7692); its text was not looked at
    uint16_t code;    // close frame: its code, or SM_WEBSOCKET_NO_STATUS
};

struct sm_websocket {
    uint64_t max_size; // bytes of a message
    uint64_t left;     // payload bytes of the frame still to come
    uint64_t size;     // bytes of the message, as far as its frames have announced them
    struct sm_utf8 text;
    uint8_t header[14];
    uint8_t header_len;
    uint8_t mask_at;     // index of the mask byte for the next payload byte
    uint8_t message;     // opcode of the unfinished message; CONTINUATION: there is none
    uint8_t control_len; // bytes of the control frame that have come
    bool is_deflated;    // the unfinished message is
    bool may_deflate;    // permessage-deflate was agreed on
    uint16_t code;       // after BAD
    const char *reason;  // static
    char control[SM_WEBSOCKET_CONTROL_MAX];
};

// Ready for the first byte after the handshake. `max_size` counts inflated bytes where messages are compressed; their
// inflater must keep it too, here they get the room that incompressible data may take.
void sm_websocket_init(struct sm_websocket *websocket, uint64_t max_size, bool may_deflate);

// Takes bytes up to the next event. Writes the payload of data[0, *used_out), and nothing else, anew. The piece is
// valid until the bytes go or the next call.
enum sm_websocket_event sm_websocket_next(struct sm_websocket *websocket, char *data, size_t len, size_t *used_out,
                                          struct sm_websocket_piece *piece_out);

// Writes the header of an unfragmented frame with `len` bytes of payload to `out`; returns its length.
size_t sm_websocket_header(char out[static SM_WEBSOCKET_HEADER_MAX], enum sm_websocket_opcode opcode, bool deflated,
                           uint64_t len);

// Whether an endpoint may put this code into a close frame (section 7.4).
bool sm_websocket_code_ok(int64_t code);
