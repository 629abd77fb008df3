// SPDX-License-Identifier: MIT
// The web server's side of FastCGI 1.0 for tests: writes its records, reads those of the application. Written from
// the specification; knows nothing of the code under test. Fails the test on what a strict server would refuse.
#pragma once

#include "base/bytes.h"

enum { // section 8
    BEGIN = 1,
    ABORT = 2,
    END = 3,
    PARAMS = 4,
    STDIN = 5,
    STDOUT = 6,
    STDERR = 7,
    DATA = 8,
    GET_VALUES = 9,
    GET_VALUES_RESULT = 10,
    UNKNOWN_TYPE = 11,
};
enum { RESPONDER = 1, AUTHORIZER = 2, FILTER = 3, KEEP_CONN = 1 };
enum { REQUEST_COMPLETE = 0, CANT_MPX_CONN = 1, OVERLOADED = 2, UNKNOWN_ROLE = 3 };

// --- writing ---

void put_record(struct sm_bytes *out, uint8_t type, uint16_t id, const void *content, size_t len, uint8_t padding);
void put_begin(struct sm_bytes *out, uint16_t id, uint16_t role, uint8_t flags);
// A name-value pair, without a record.
void put_pair(struct sm_bytes *out, const char *name, const char *value);
// BEGIN, PARAMS (REQUEST_METHOD, REQUEST_URI, and CONTENT_LENGTH unless negative), and the end of PARAMS.
void put_head(struct sm_bytes *out, uint16_t id, uint16_t role, uint8_t flags, long content_length);
// A stream with its end.
void put_stream(struct sm_bytes *out, uint8_t type, uint16_t id, const char *text);
// A whole Responder request with this body.
void put_request(struct sm_bytes *out, uint16_t id, uint8_t flags, const char *body);

// --- reading ---

struct record {
    uint8_t type;
    uint8_t padding;
    uint16_t id;
    size_t len;
    const uint8_t *content;
};

// The next record at data[*off, len): false at the end. Every record must be whole, of version 1, with a length that
// keeps the next one aligned to 8 bytes.
bool record_next(const struct sm_bytes *data, size_t *off, struct record *record_out);

// All that concerns one request.
struct outcome {
    struct sm_bytes out, err; // FCGI_STDOUT, FCGI_STDERR
    unsigned out_records, out_ends, err_ends, ends;
    uint32_t app_status;
    uint8_t protocol_status;
};

// Reads every record of request `id`, and checks the order: nothing behind an end.
void outcome_read(struct outcome *outcome, const struct sm_bytes *data, uint16_t id);
void outcome_deinit(struct outcome *outcome);
