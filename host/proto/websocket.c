// SPDX-License-Identifier: MIT
// The client's frames: header, payload, header, … A header is collected in the parser, since it may come in pieces;
// payload is unmasked where it lies. Whatever the pieces, the same bytes give the same messages and the same refusal.
#include "proto/websocket.h"

#include <string.h>

enum { FIN = 0x80, RSV1 = 0x40, RSV = 0x70, OPCODE = 0x0f, MASKED = 0x80, LENGTH = 0x7f };
enum { LENGTH_16 = 126, LENGTH_64 = 127, MASK_LEN = 4 };

void sm_websocket_init(struct sm_websocket *websocket, uint64_t max_size, bool may_deflate) {
    *websocket = (struct sm_websocket){.max_size = max_size, .may_deflate = may_deflate};
}

static int refuse(struct sm_websocket *websocket, enum sm_websocket_code code, const char *reason) {
    websocket->code = (uint16_t)code;
    websocket->reason = reason;
    return -1;
}

static bool is_control(uint8_t opcode) {
    return opcode >= SM_WEBSOCKET_CLOSE;
}

static enum sm_websocket_opcode opcode_of(const struct sm_websocket *websocket) {
    return websocket->header[0] & OPCODE;
}

static bool is_final(const struct sm_websocket *websocket) {
    return (websocket->header[0] & FIN) != 0;
}

// --- the header ---

static int check_control(struct sm_websocket *websocket) {
    if (!is_final(websocket)) {
        return refuse(websocket, SM_WEBSOCKET_PROTOCOL_ERROR, "fragmented control frame");
    }
    if ((websocket->header[1] & LENGTH) > SM_WEBSOCKET_CONTROL_MAX) {
        return refuse(websocket, SM_WEBSOCKET_PROTOCOL_ERROR, "control frame of more than 125 bytes");
    }
    return 0;
}

// Whether a frame of this opcode may come now (section 5.4).
static int check_opcode(struct sm_websocket *websocket) {
    switch (opcode_of(websocket)) {
    case SM_WEBSOCKET_CONTINUATION:
        return websocket->message != SM_WEBSOCKET_CONTINUATION
                   ? 0
                   : refuse(websocket, SM_WEBSOCKET_PROTOCOL_ERROR, "continuation of no message");
    case SM_WEBSOCKET_TEXT:
    case SM_WEBSOCKET_BINARY:
        return websocket->message == SM_WEBSOCKET_CONTINUATION
                   ? 0
                   : refuse(websocket, SM_WEBSOCKET_PROTOCOL_ERROR, "new message within another");
    case SM_WEBSOCKET_CLOSE:
    case SM_WEBSOCKET_PING:
    case SM_WEBSOCKET_PONG:
        return check_control(websocket);
    default:
        return refuse(websocket, SM_WEBSOCKET_PROTOCOL_ERROR, "reserved opcode");
    }
}

// The first two bytes: all that can be wrong but the length.
static int check_start(struct sm_websocket *websocket) {
    uint8_t first = websocket->header[0];
    uint8_t opcode = first & OPCODE;
    // RFC 7692 6: RSV1 stands in the first frame of a message, and in no control frame.
    bool begins = opcode == SM_WEBSOCKET_TEXT || opcode == SM_WEBSOCKET_BINARY;
    uint8_t allowed = websocket->may_deflate && begins ? RSV1 : 0;
    if ((first & RSV & ~allowed) != 0) {
        return refuse(websocket, SM_WEBSOCKET_PROTOCOL_ERROR, "reserved bit set");
    }
    if ((websocket->header[1] & MASKED) == 0) {
        return refuse(websocket, SM_WEBSOCKET_PROTOCOL_ERROR, "frame without mask");
    }
    return check_opcode(websocket);
}

static size_t length_len(uint8_t second) {
    uint8_t length = second & LENGTH;
    return length == LENGTH_64 ? 8 : length == LENGTH_16 ? 2 : 0;
}

// Section 5.2: the shortest form, and at most 63 bits.
static int read_length(struct sm_websocket *websocket) {
    static const uint64_t least[] = {[0] = 0, [2] = LENGTH_16, [8] = 0x10000};
    size_t len = length_len(websocket->header[1]);
    uint64_t length = len == 0 ? websocket->header[1] & LENGTH : 0;
    for (size_t i = 0; i < len; i++) {
        length = length << 8 | websocket->header[2 + i];
    }
    if (length < least[len]) {
        return refuse(websocket, SM_WEBSOCKET_PROTOCOL_ERROR, "length not in its shortest form");
    }
    if (length > INT64_MAX) {
        return refuse(websocket, SM_WEBSOCKET_PROTOCOL_ERROR, "length of more than 63 bits");
    }
    websocket->left = length;
    return 0;
}

// Deflate in small blocks makes incompressible data longer by less than a quarter (and an empty message not empty).
static uint64_t room_for(const struct sm_websocket *websocket) {
    uint64_t slack = websocket->is_deflated ? websocket->max_size / 4 + 64 : 0;
    return websocket->max_size + slack - websocket->size;
}

static int begin_data(struct sm_websocket *websocket) {
    enum sm_websocket_opcode opcode = opcode_of(websocket);
    if (opcode != SM_WEBSOCKET_CONTINUATION) {
        websocket->message = (uint8_t)opcode;
        websocket->is_deflated = (websocket->header[0] & RSV1) != 0;
        websocket->size = 0;
        websocket->text = (struct sm_utf8){0};
    }
    if (websocket->left > room_for(websocket)) {
        return refuse(websocket, SM_WEBSOCKET_TOO_BIG, "message larger than ws_max_size");
    }
    websocket->size += websocket->left;
    return 0;
}

static int begin_frame(struct sm_websocket *websocket) {
    if (read_length(websocket) != 0) {
        return -1;
    }
    websocket->mask_at = 0;
    websocket->control_len = 0;
    return is_control(opcode_of(websocket)) ? 0 : begin_data(websocket);
}

static size_t header_need(const struct sm_websocket *websocket) {
    return websocket->header_len < 2 ? 2 : 2 + length_len(websocket->header[1]) + MASK_LEN;
}

static bool has_header(const struct sm_websocket *websocket) {
    return websocket->header_len >= 2 && websocket->header_len == header_need(websocket);
}

// Collects the header. 0: complete or no more bytes; -1: refused.
static int take_header(struct sm_websocket *websocket, const char *data, size_t len, size_t *used) {
    while (!has_header(websocket) && *used < len) {
        size_t missing = header_need(websocket) - websocket->header_len;
        size_t taken = missing < len - *used ? missing : len - *used;
        memcpy(websocket->header + websocket->header_len, data + *used, taken);
        bool starts = websocket->header_len < 2 && websocket->header_len + taken >= 2;
        websocket->header_len += (uint8_t)taken;
        *used += taken;
        if (starts && check_start(websocket) != 0) {
            return -1;
        }
        if (has_header(websocket) && begin_frame(websocket) != 0) {
            return -1;
        }
    }
    return 0;
}

// --- the payload ---

// Unmasks data[0, len) where it lies (section 5.3), eight bytes at a time.
static void unmask(struct sm_websocket *websocket, char *data, size_t len) {
    const uint8_t *mask = websocket->header + websocket->header_len - MASK_LEN;
    uint8_t turned[8];
    for (size_t i = 0; i < sizeof turned; i++) {
        turned[i] = mask[(websocket->mask_at + i) & 3];
    }
    uint64_t wide;
    memcpy(&wide, turned, sizeof wide);
    size_t at = 0;
    for (; len - at >= sizeof wide; at += sizeof wide) {
        uint64_t word;
        memcpy(&word, data + at, sizeof word);
        word ^= wide;
        memcpy(data + at, &word, sizeof word);
    }
    for (size_t i = 0; at < len; at++, i++) {
        data[at] = (char)((uint8_t)data[at] ^ turned[i]);
    }
    websocket->mask_at = (uint8_t)((websocket->mask_at + len) & 3);
}

static size_t take_payload(struct sm_websocket *websocket, char *data, size_t len) {
    size_t taken = websocket->left < len ? (size_t)websocket->left : len;
    unmask(websocket, data, taken);
    websocket->left -= taken;
    if (websocket->left == 0) {
        websocket->header_len = 0; // the first byte stays, for whoever still asks what frame this was
    }
    return taken;
}

static int check_text(struct sm_websocket *websocket, const struct sm_websocket_piece *piece) {
    if (piece->opcode != SM_WEBSOCKET_TEXT || piece->is_deflated) {
        return 0;
    }
    if (!sm_utf8_feed(&websocket->text, piece->data, piece->len) ||
        (piece->is_last && !sm_utf8_complete(&websocket->text))) {
        return refuse(websocket, SM_WEBSOCKET_BAD_DATA, "text that is not UTF-8");
    }
    return 0;
}

static enum sm_websocket_event take_data(struct sm_websocket *websocket, char *data, size_t len, size_t *used,
                                         struct sm_websocket_piece *piece) {
    size_t taken = take_payload(websocket, data, len);
    *used += taken;
    *piece = (struct sm_websocket_piece){
        .opcode = websocket->message,
        .data = data,
        .len = taken,
        .left = websocket->left,
        .is_last = websocket->left == 0 && is_final(websocket),
        .is_deflated = websocket->is_deflated,
    };
    if (check_text(websocket, piece) != 0) {
        return SM_WEBSOCKET_BAD;
    }
    if (piece->is_last) {
        websocket->message = SM_WEBSOCKET_CONTINUATION;
    }
    return taken > 0 || piece->is_last ? SM_WEBSOCKET_DATA : SM_WEBSOCKET_MORE;
}

bool sm_websocket_code_ok(int64_t code) {
    return (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) || (code >= 3000 && code <= 4999);
}

static int read_close(struct sm_websocket *websocket, struct sm_websocket_piece *piece) {
    struct sm_utf8 text = {0};
    if (piece->len == 0) {
        piece->code = SM_WEBSOCKET_NO_STATUS;
        return 0;
    }
    if (piece->len == 1) {
        return refuse(websocket, SM_WEBSOCKET_PROTOCOL_ERROR, "close frame of one byte");
    }
    piece->code = (uint16_t)((uint8_t)piece->data[0] << 8 | (uint8_t)piece->data[1]);
    piece->data += 2;
    piece->len -= 2;
    if (!sm_websocket_code_ok(piece->code)) {
        return refuse(websocket, SM_WEBSOCKET_PROTOCOL_ERROR, "close code that nobody may send");
    }
    if (!sm_utf8_feed(&text, piece->data, piece->len) || !sm_utf8_complete(&text)) {
        return refuse(websocket, SM_WEBSOCKET_BAD_DATA, "close reason that is not UTF-8");
    }
    return 0;
}

static enum sm_websocket_event take_control(struct sm_websocket *websocket, char *data, size_t len, size_t *used,
                                            struct sm_websocket_piece *piece) {
    size_t taken = take_payload(websocket, data, len);
    if (taken > 0) {
        memcpy(websocket->control + websocket->control_len, data, taken);
    }
    websocket->control_len += (uint8_t)taken;
    *used += taken;
    if (websocket->left > 0) {
        return SM_WEBSOCKET_MORE;
    }
    *piece = (struct sm_websocket_piece){
        .opcode = opcode_of(websocket), .data = websocket->control, .len = websocket->control_len};
    if (piece->opcode == SM_WEBSOCKET_CLOSE && read_close(websocket, piece) != 0) {
        return SM_WEBSOCKET_BAD;
    }
    return SM_WEBSOCKET_CONTROL;
}

enum sm_websocket_event sm_websocket_next(struct sm_websocket *websocket, char *data, size_t len, size_t *used_out,
                                          struct sm_websocket_piece *piece_out) {
    size_t used = 0;
    enum sm_websocket_event event = SM_WEBSOCKET_MORE;
    do {
        if (take_header(websocket, data, len, &used) != 0) {
            event = SM_WEBSOCKET_BAD;
        } else if (!has_header(websocket) || (used == len && websocket->left > 0)) {
            break;
        } else if (is_control(opcode_of(websocket))) {
            event = take_control(websocket, data + used, len - used, &used, piece_out);
        } else {
            event = take_data(websocket, data + used, len - used, &used, piece_out);
        }
    } while (event == SM_WEBSOCKET_MORE && used < len);
    *used_out = used;
    return event;
}

// --- what the server sends ---

size_t sm_websocket_header(char out[static SM_WEBSOCKET_HEADER_MAX], enum sm_websocket_opcode opcode, bool deflated,
                           uint64_t len) {
    size_t length_len = len < LENGTH_16 ? 0 : len <= UINT16_MAX ? 2 : 8;
    out[0] = (char)(FIN | (deflated ? RSV1 : 0) | opcode);
    out[1] = (char)(length_len == 0 ? len : length_len == 2 ? LENGTH_16 : LENGTH_64);
    for (size_t i = 0; i < length_len; i++) {
        out[2 + i] = (char)(len >> 8 * (length_len - 1 - i));
    }
    return 2 + length_len;
}
