// SPDX-License-Identifier: MIT
// The client's side of RFC 6455, see wsload_frame.h. The handshake's key is fixed, so that its answer is too; masking
// keys change with each frame, from a generator that is good enough for a load and for nothing else.
#define _GNU_SOURCE
#include "wsload_frame.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

// Both from section 1.3.
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

size_t handshake_put(char *out, const char *host, const char *path) {
    int len = snprintf(out, HANDSHAKE_CAP,
                       "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n\r\n",
                       path, host);
    return (size_t)len;
}

// Whether the head has the field `name` with this value; the value's case counts only for the key's answer, and none
// of these values has letters of which that would be true but that one.
static bool field_is(const char *head, size_t len, const char *name, const char *value, bool any_case) {
    size_t name_len = strlen(name);
    size_t value_len = strlen(value);
    const char *end = head + len;
    const char *line = memmem(head, len, "\r\n", 2);
    while (line != NULL && (size_t)(end - line) > 2 + name_len) {
        line += 2;
        const char *line_end = memmem(line, (size_t)(end - line), "\r\n", 2);
        if (line_end == NULL) {
            return false;
        }
        if ((size_t)(line_end - line) > name_len && strncasecmp(line, name, name_len) == 0 && line[name_len] == ':') {
            const char *text = line + name_len + 1;
            while (text < line_end && (*text == ' ' || *text == '\t')) {
                text++;
            }
            return (size_t)(line_end - text) == value_len &&
                   (any_case ? strncasecmp(text, value, value_len) : strncmp(text, value, value_len)) == 0;
        }
        line = line_end;
    }
    return false;
}

bool handshake_is_accepted(const char *head, size_t len) {
    static const char status[] = "HTTP/1.1 101";
    return len > sizeof status && memcmp(head, status, sizeof status - 1) == 0 &&
           field_is(head, len, "Upgrade", "websocket", true) && field_is(head, len, "Connection", "Upgrade", true) &&
           field_is(head, len, "Sec-WebSocket-Accept", ACCEPT, false);
}

void message_number_put(char *payload, uint64_t number) {
    static const char digits[] = "0123456789abcdef";
    for (int i = MESSAGE_NUMBER_LEN - 1; i >= 0; i--) {
        payload[i] = digits[number & 15];
        number >>= 4;
    }
}

size_t frame_put(char *out, uint8_t opcode, uint32_t seed, const char *payload, size_t len) {
    uint32_t mask = (seed + 1) * 2654435761u;
    char key[4] = {(char)(mask >> 24), (char)(mask >> 16), (char)(mask >> 8), (char)mask};
    size_t at = 0;
    out[at++] = (char)(0x80 | opcode);
    if (len < 126) {
        out[at++] = (char)(0x80 | len);
    } else {
        out[at++] = (char)(0x80 | 126);
        out[at++] = (char)(len >> 8);
        out[at++] = (char)len;
    }
    memcpy(out + at, key, sizeof key);
    at += sizeof key;
    for (size_t i = 0; i < len; i++) {
        out[at + i] = (char)(payload[i] ^ key[i & 3]);
    }
    return at + len;
}

bool frame_is_control(const struct frame *frame) {
    return (frame->opcode & 8) != 0;
}

static size_t head_wanted(const struct frame *frame) {
    if (frame->head_len < 2) {
        return 2;
    }
    uint8_t len = frame->head[1] & 0x7f;
    return len < 126 ? 2 : len == 126 ? 4 : 10;
}

// Whether a server may send a frame with this head here: no reserved bits, no mask, text or its continuation, control
// frames short and whole (sections 5.1, 5.2, 5.4, 5.5).
static bool head_is_good(const struct frame *frame) {
    uint8_t first = frame->head[0];
    if ((first & 0x70) != 0 || (frame->head[1] & 0x80) != 0) {
        return false;
    }
    switch (frame->opcode) {
    case OPCODE_TEXT:
        return !frame->is_open;
    case OPCODE_CONTINUATION:
        return frame->is_open;
    case OPCODE_CLOSE:
    case OPCODE_PING:
    case OPCODE_PONG:
        return frame->is_final && frame->left <= CONTROL_CAP;
    default:
        return false;
    }
}

static bool head_end(struct frame *frame) {
    uint8_t len = frame->head[1] & 0x7f;
    frame->is_final = (frame->head[0] & 0x80) != 0;
    frame->opcode = frame->head[0] & 0x0f;
    frame->left = len;
    if (len >= 126) {
        frame->left = 0;
        for (size_t i = 2; i < frame->head_len; i++) {
            frame->left = frame->left << 8 | frame->head[i];
        }
    }
    if (!head_is_good(frame)) {
        return false;
    }
    if (!frame_is_control(frame)) {
        frame->is_open = !frame->is_final;
    }
    frame->has_payload = true;
    frame->control_len = 0;
    return true;
}

static void payload_take(struct frame *frame, const char *data, size_t len) {
    frame->got = data;
    frame->got_len = len < frame->left ? len : (size_t)frame->left;
    frame->left -= frame->got_len;
    if (frame_is_control(frame)) {
        memcpy(frame->control + frame->control_len, data, frame->got_len);
        frame->control_len += frame->got_len;
    }
}

long frame_feed(struct frame *frame, const char *data, size_t len) {
    long used;
    frame->got_len = 0;
    frame->is_whole = false;
    if (frame->has_payload) {
        payload_take(frame, data, len);
        used = (long)frame->got_len;
    } else {
        size_t want = head_wanted(frame) - frame->head_len;
        size_t step = len < want ? len : want;
        memcpy(frame->head + frame->head_len, data, step);
        frame->head_len = (uint8_t)(frame->head_len + step);
        used = (long)step;
        if (frame->head_len == head_wanted(frame) && frame->head_len >= 2 && !head_end(frame)) {
            return -1;
        }
    }
    if (frame->has_payload && frame->left == 0) {
        frame->is_whole = true;
        frame->has_payload = false;
        frame->head_len = 0;
    }
    return used;
}
