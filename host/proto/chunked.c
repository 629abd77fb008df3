// SPDX-License-Identifier: MIT
// Chunked bodies (RFC 9112 7.1): chunk sizes, extensions, data, trailers. Comes in: http1.c with whatever bytes
// there are; every byte is taken at once, so the caller keeps nothing back. The grammar is a table of transitions;
// what it does not list is refused. Extensions and trailers are checked, counted and dropped.
// The parser's `line` counts extension bytes here, `scan` trailer bytes.
#include "proto/http1_parse.h"

enum {
    EXTENSION_MAX = 4096, // bytes of chunk extensions in one request (RFC 9112 7.1.1 asks for a limit)
    SIZE_DIGITS_MAX = 16, // what fits in 64 bits
};

enum state {
    REFUSED = 0,
    SIZE,         // digits of chunk-size
    BEFORE_SEMI,  // BWS that must lead to ";"
    BEFORE_NAME,  // after ";"
    NAME,         // chunk-ext-name
    AFTER_NAME,   // BWS that must lead to "=" or ";"
    BEFORE_VALUE, // after "="
    VALUE,        // chunk-ext-val as token
    QUOTED,       // chunk-ext-val as quoted-string
    QUOTED_PAIR,  // after a backslash
    AFTER_QUOTED, // after the closing quote
    SIZE_LF,      // the LF of the size line
    SIZE_DONE,
    DATA,    // chunk-data: not in the table
    DATA_CR, // CR LF after chunk-data
    DATA_LF,
    TRAILER, // first byte of a trailer line
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF,
    DONE,
    N_STATES,
};

enum kind { OTHER = 0, HEX, TCHAR, SPACE, SEMI, EQUALS, QUOTE, BACKSLASH, COLON, TEXT, CR, LF, N_KINDS };

#define TOKEN_TO(state) [HEX] = (state), [TCHAR] = (state)
#define TEXT_TO(state)                                                                                               \
    TOKEN_TO(state), [SPACE] = (state), [SEMI] = (state), [EQUALS] = (state), [COLON] = (state), [TEXT] = (state)

static const uint8_t next_state[N_STATES][N_KINDS] = {
    [SIZE] = {[HEX] = SIZE, [SPACE] = BEFORE_SEMI, [SEMI] = BEFORE_NAME, [CR] = SIZE_LF},
    [BEFORE_SEMI] = {[SPACE] = BEFORE_SEMI, [SEMI] = BEFORE_NAME},
    [BEFORE_NAME] = {TOKEN_TO(NAME), [SPACE] = BEFORE_NAME},
    [NAME] = {TOKEN_TO(NAME), [SPACE] = AFTER_NAME, [SEMI] = BEFORE_NAME, [EQUALS] = BEFORE_VALUE, [CR] = SIZE_LF},
    [AFTER_NAME] = {[SPACE] = AFTER_NAME, [SEMI] = BEFORE_NAME, [EQUALS] = BEFORE_VALUE},
    [BEFORE_VALUE] = {TOKEN_TO(VALUE), [SPACE] = BEFORE_VALUE, [QUOTE] = QUOTED},
    [VALUE] = {TOKEN_TO(VALUE), [SPACE] = BEFORE_SEMI, [SEMI] = BEFORE_NAME, [CR] = SIZE_LF},
    [QUOTED] = {TEXT_TO(QUOTED), [QUOTE] = AFTER_QUOTED, [BACKSLASH] = QUOTED_PAIR},
    [QUOTED_PAIR] = {TEXT_TO(QUOTED), [QUOTE] = QUOTED, [BACKSLASH] = QUOTED},
    [AFTER_QUOTED] = {[SPACE] = BEFORE_SEMI, [SEMI] = BEFORE_NAME, [CR] = SIZE_LF},
    [SIZE_LF] = {[LF] = SIZE_DONE},
    [DATA_CR] = {[CR] = DATA_LF},
    [DATA_LF] = {[LF] = SIZE},
    [TRAILER] = {TOKEN_TO(TRAILER_NAME), [CR] = LAST_LF},
    [TRAILER_NAME] = {TOKEN_TO(TRAILER_NAME), [COLON] = TRAILER_VALUE},
    [TRAILER_VALUE] =
        {TEXT_TO(TRAILER_VALUE), [QUOTE] = TRAILER_VALUE, [BACKSLASH] = TRAILER_VALUE, [CR] = TRAILER_LF},
    [TRAILER_LF] = {[LF] = TRAILER},
    [LAST_LF] = {[LF] = DONE},
};

static inline enum kind kind_of(char byte) {
    switch (byte) {
    case '\r':
        return CR;
    case '\n':
        return LF;
    case ' ':
    case '\t':
        return SPACE;
    case ';':
        return SEMI;
    case '=':
        return EQUALS;
    case '"':
        return QUOTE;
    case '\\':
        return BACKSLASH;
    case ':':
        return COLON;
    default:
        break;
    }
    if (sm_byte_is(byte, SM_BYTE_HEX)) {
        return HEX;
    }
    return sm_byte_is(byte, SM_BYTE_TOKEN) ? TCHAR : sm_byte_is(byte, SM_BYTE_VALUE) ? TEXT : OTHER;
}

static const char *reason_for(enum state state) {
    if (state == SIZE) {
        return "invalid chunk size";
    }
    if (state < SIZE_LF) {
        return "invalid chunk extension";
    }
    if (state == SIZE_LF) {
        return "bare CR after a chunk size";
    }
    return state <= DATA_LF ? "chunk longer than its size" : "invalid trailer";
}

static inline unsigned hex_value(char digit) {
    return digit <= '9' ? (unsigned)(digit - '0') : (unsigned)((digit | 0x20) - 'a' + 10);
}

static int take_size(struct sm_http1 *parser) {
    uint64_t room = parser->limits->max_body_size - parser->body_len;
    if (parser->remaining > room) {
        return sm_http1_refuse(parser, 413, "chunked body over max_body_size");
    }
    parser->phase = parser->remaining > 0 ? DATA : TRAILER;
    return 0;
}

// Counts what the byte that led from one state to the other costs. The phase is already the new one.
static int count_byte(struct sm_http1 *parser, enum state from, char byte) {
    switch (parser->phase) {
    case SIZE:
        if (from != SIZE) { // the LF after chunk-data
            parser->remaining = 0;
            parser->chunk_digits = 0;
            return 0;
        }
        if (parser->chunk_digits++ == SIZE_DIGITS_MAX) {
            return sm_http1_refuse(parser, 400, "chunk size of more than 16 digits");
        }
        parser->remaining = parser->remaining << 4 | hex_value(byte);
        return 0;
    case SIZE_DONE:
        return take_size(parser);
    case TRAILER_VALUE:
        if (from == TRAILER_NAME && parser->trailer_fields++ >= parser->limits->max_headers) {
            return sm_http1_refuse(parser, 431, "more trailers than max_headers");
        }
        break;
    default:
        break;
    }
    if (parser->phase < SIZE_LF && ++parser->line > EXTENSION_MAX) {
        return sm_http1_refuse(parser, 400, "chunk extensions of more than 4096 bytes");
    }
    if (parser->phase >= TRAILER && ++parser->scan > parser->limits->max_header_size) {
        return sm_http1_refuse(parser, 431, "trailers larger than max_header_size");
    }
    return 0;
}

static inline int take_byte(struct sm_http1 *parser, char byte) {
    enum state from = parser->phase;
    enum state to = next_state[from][kind_of(byte)];
    if (to == REFUSED || (from == SIZE && to != SIZE && parser->chunk_digits == 0)) {
        return sm_http1_refuse(parser, 400, reason_for(from));
    }
    parser->phase = (uint8_t)to;
    return count_byte(parser, from, byte);
}

void sm_chunked_begin(struct sm_http1 *parser) {
    parser->phase = SIZE;
    parser->line = 0;
    parser->scan = 0;
}

static enum sm_http1_event take_data(struct sm_http1 *parser, const char *data, size_t len, struct sm_str *body_out) {
    size_t taken = parser->remaining < len ? (size_t)parser->remaining : len;
    parser->remaining -= taken;
    parser->body_len += taken;
    if (parser->remaining == 0) {
        parser->phase = DATA_CR;
    }
    *body_out = (struct sm_str){data, taken};
    return SM_HTTP1_BODY;
}

enum sm_http1_event sm_chunked_next(struct sm_http1 *parser, const char *data, size_t len, size_t *used_out,
                                    struct sm_str *body_out) {
    size_t used = 0;
    enum sm_http1_event event = SM_HTTP1_MORE;
    while (used < len && event == SM_HTTP1_MORE) {
        if (parser->phase == DATA) {
            event = take_data(parser, data + used, len - used, body_out);
            used += body_out->len;
        } else if (take_byte(parser, data[used++]) != 0) {
            event = SM_HTTP1_BAD;
        } else if (parser->phase == DONE) {
            parser->phase = SM_HTTP1_AT_END;
            event = SM_HTTP1_END;
        }
    }
    *used_out = used;
    return event;
}
