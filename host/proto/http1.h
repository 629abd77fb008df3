// SPDX-License-Identifier: MIT
// HTTP/1.1 requests: bytes to events (RFC 9112), strictly. No allocation, no I/O, no clock, no globals.
// The caller keeps the bytes: in the head phase it passes everything from the head's first byte each time;
// the parser remembers how far it looked, so feeding byte by byte costs no more than feeding all at once.
#pragma once

#include "proto/message.h"

enum sm_http1_event {
    SM_HTTP1_MORE, // nothing to report before more bytes come; `used` bytes may be dropped
    SM_HTTP1_HEAD, // the head is complete; its spans are relative to the `data` of this call
    SM_HTTP1_BODY, // body bytes in `body_out` (they lie in `data`, are not copied)
    SM_HTTP1_END,  // the request is complete, trailers included; the parser wants sm_http1_init
    SM_HTTP1_BAD,  // refused: `status` and `reason` say why; the connection cannot go on
};

struct sm_http1_limits {
    uint32_t max_header_size; // bytes of request line and fields together, also of the trailers
    uint32_t max_headers;     // fields, also of the trailers; at most the head's max_fields
    uint64_t max_body_size;   // bytes
};

struct sm_http1 {
    const struct sm_http1_limits *limits; // borrowed
    struct sm_head *head;                 // borrowed; filled in the head phase
    // Results, valid from SM_HTTP1_HEAD on.
    uint8_t minor;        // HTTP/1.minor: 0 or 1 (higher minors are answered as 1)
    bool keep_alive;      // what the client asked for (RFC 9112 9.3)
    bool chunked;         // the body comes chunked; head->content_length is -1
    bool expect_continue; // "Expect: 100-continue" of an HTTP/1.1 client that has a body to send
    // Why it was refused, valid after SM_HTTP1_BAD.
    uint16_t status;    // 400 413 414 417 431 501 505
    const char *reason; // static text for the log
    // Private.
    uint8_t phase;
    uint8_t seen; // bit set of singleton fields
    uint8_t chunk_digits;
    uint32_t line; // where the line under inspection begins; in a chunked body: extension bytes so far
    uint32_t scan; // how far it was searched for its end; in a chunked body: trailer bytes so far
    uint32_t trailer_fields;
    uint64_t remaining; // body bytes of the body or chunk still to come
    uint64_t body_len;  // body bytes delivered so far
};

// Prepares for one request. Borrows `limits` and `head` (base ignored; fields and max_fields must be set).
void sm_http1_init(struct sm_http1 *parser, const struct sm_http1_limits *limits, struct sm_head *head);

// Next event from data[0, len). `used_out` says how many bytes the caller must drop before the next call: 0 in
// the head phase until SM_HTTP1_HEAD. One empty line (CRLF) before a request line is skipped (RFC 9112 2.2).
// `body_out` is set for SM_HTTP1_BODY only. A request without a body gives HEAD, then END with used 0.
enum sm_http1_event sm_http1_next(struct sm_http1 *parser, const char *data, size_t len, size_t *used_out,
                                  struct sm_str *body_out);

// Whether a field name is a token, and whether a field value has no CR, LF, NUL (RFC 9110 5.1, 5.5).
bool sm_http1_name_ok(struct sm_str name);
bool sm_http1_value_ok(struct sm_str value);

// The registered reason phrase for a status (RFC 9110 15 and others), "" where there is none. Static.
const char *sm_http1_reason(int status);
