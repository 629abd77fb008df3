// SPDX-License-Identifier: MIT
// What the files of the HTTP/1 parser share: phases, the bits of `seen`, and one function for each job.
// Private to host/proto. Functions that give an int return 0, or the status they refused the request with
// (then `status` and `reason` of the parser are set). Pointers lie in the caller's bytes; a line's `end` points to
// its CR, which may be read and stops every scan.
#pragma once

#include "proto/byteclass.h"
#include "proto/http1.h"

// Chunked bodies use the values below SM_HTTP1_IN_START for states of their own (chunked.c).
enum sm_http1_phase {
    SM_HTTP1_IN_START = 64, // before the first byte of the request line
    SM_HTTP1_IN_REQUEST_LINE,
    SM_HTTP1_IN_FIELDS,
    SM_HTTP1_IN_BODY, // of known length
    SM_HTTP1_AT_END,
    SM_HTTP1_REFUSED,
};

enum sm_http1_seen {
    SM_SEEN_HOST = 1,
    SM_SEEN_LENGTH = 2,
    SM_SEEN_ENCODING = 4,
    SM_SEEN_TYPE = 8,
    SM_SEEN_CLOSE = 16,
    SM_SEEN_KEEP_ALIVE = 32,
    SM_SEEN_EXPECTATION = 64, // one that is not "100-continue"
};

static inline int sm_http1_refuse(struct sm_http1 *parser, uint16_t status, const char *reason) {
    parser->phase = SM_HTTP1_REFUSED;
    parser->status = status;
    parser->reason = reason;
    return status;
}

static inline struct sm_span sm_http1_span(const char *data, const char *from, const char *to) {
    return (struct sm_span){(uint32_t)(from - data), (uint32_t)(to - from)};
}

// --- http1_target.c ---

// Reads the request line [line, end) of `data` into the head.
int sm_http1_take_request_line(struct sm_http1 *parser, const char *data, const char *line, const char *end);
// Whether [ptr, end) is uri-host [ ":" port ] with a host that is not empty (RFC 3986 3.2.2, 3.2.3).
bool sm_http1_authority_ok(const char *ptr, const char *end);

// --- http1_fields.c ---

// Notes what a field says about the message. The field is already in the head's array.
int sm_http1_take_meaning(struct sm_http1 *parser, const char *data, const struct sm_field *field);
// Decides at the end of the head how the body comes and whether the connection lasts.
int sm_http1_conclude(struct sm_http1 *parser);

// --- chunked.c ---

void sm_chunked_begin(struct sm_http1 *parser);
// As sm_http1_next, within a chunked body. SM_HTTP1_MORE has always used every byte.
enum sm_http1_event sm_chunked_next(struct sm_http1 *parser, const char *data, size_t len, size_t *used_out,
                                    struct sm_str *body_out);
