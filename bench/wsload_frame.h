// SPDX-License-Identifier: MIT
// The client's side of RFC 6455 as far as wsload needs it: the handshake, frames out, frames in. No I/O, no state but
// that of the frame being read.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    OPCODE_CONTINUATION = 0,
    OPCODE_TEXT = 1,
    OPCODE_CLOSE = 8,
    OPCODE_PING = 9,
    OPCODE_PONG = 10,
};

enum {
    HANDSHAKE_CAP = 2048,     // a request, or a server's whole answer
    HANDSHAKE_TEXT_CAP = 512, // of that, for the address and the path
    FRAME_HEAD_CAP = 14,
    CONTROL_CAP = 125,       // payload of a control frame (section 5.5)
    MESSAGE_NUMBER_LEN = 16, // the number that a message begins with, in hexadecimal
};

// All zero before the first byte.
struct frame {
    uint8_t head[FRAME_HEAD_CAP];
    uint8_t head_len;
    bool is_open;     // a message has begun and not ended
    bool is_final;    // FIN of this frame
    uint8_t opcode;   // of this frame
    bool has_payload; // head read whole: what comes is payload
    uint64_t left;    // bytes of payload still to come
    const char *got;  // payload that this step brought, in the caller's buffer
    size_t got_len;
    bool is_whole; // this step was the frame's last
    size_t control_len;
    char control[CONTROL_CAP]; // a control frame's payload so far
};

// Writes the opening handshake to `out`, which has room for HANDSHAKE_CAP; returns its length. `host` and `path`
// together are at most HANDSHAKE_TEXT_CAP long.
size_t handshake_put(char *out, const char *host, const char *path);

// Whether this head, blank line included, accepts the handshake (section 4.2.2): 101, both fields, the key's answer.
bool handshake_is_accepted(const char *head, size_t len);

// Writes the message's number over the first MESSAGE_NUMBER_LEN bytes of `payload`.
void message_number_put(char *payload, uint64_t number);

// Writes a final frame, masked with a key made from `seed`, to `out`, which has room for FRAME_HEAD_CAP + `len`
// (at most 65,535); returns its length.
size_t frame_put(char *out, uint8_t opcode, uint32_t seed, const char *payload, size_t len);

bool frame_is_control(const struct frame *frame);

// Takes one step through the frame: some of its head, or some of its payload. Returns the bytes used, at least one,
// or -1 when no server may send this to a client that has agreed to no extension.
long frame_feed(struct frame *frame, const char *data, size_t len);
