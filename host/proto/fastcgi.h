// SPDX-License-Identifier: MIT
// FastCGI 1.0 records: bytes to events and back. No allocation, no I/O, no clock, no globals.
// The reader knows records, not requests: which ids are alive is the engine's business.
#pragma once

#include "proto/message.h"

enum {
    SM_FCGI_HEADER_LEN = 8,
    SM_FCGI_MAX_CONTENT = 65535,
    SM_FCGI_END_LEN = 16, // an END_REQUEST record, header included
};

enum sm_fcgi_type {
    SM_FCGI_BEGIN_REQUEST = 1,
    SM_FCGI_ABORT_REQUEST = 2,
    SM_FCGI_END_REQUEST = 3,
    SM_FCGI_PARAMS = 4,
    SM_FCGI_STDIN = 5,
    SM_FCGI_STDOUT = 6,
    SM_FCGI_STDERR = 7,
    SM_FCGI_DATA = 8,
    SM_FCGI_GET_VALUES = 9,
    SM_FCGI_GET_VALUES_RESULT = 10,
    SM_FCGI_UNKNOWN_TYPE = 11,
};

enum sm_fcgi_role { SM_FCGI_RESPONDER = 1, SM_FCGI_AUTHORIZER = 2, SM_FCGI_FILTER = 3 };

enum sm_fcgi_status {
    SM_FCGI_REQUEST_COMPLETE = 0,
    SM_FCGI_CANT_MPX_CONN = 1,
    SM_FCGI_OVERLOADED = 2,
    SM_FCGI_UNKNOWN_ROLE = 3,
};

enum sm_fcgi_event_kind {
    SM_FCGI_EV_MORE,    // nothing to report before more bytes come
    SM_FCGI_EV_BEGIN,   // id, role, keep_conn
    SM_FCGI_EV_ABORT,   // id
    SM_FCGI_EV_STREAM,  // id, type (PARAMS, STDIN, DATA), data; len 0 ends that stream
    SM_FCGI_EV_VALUES,  // GET_VALUES with all its content in data
    SM_FCGI_EV_UNKNOWN, // a management record (id 0) of unknown type: answer UNKNOWN_TYPE with `type`
    SM_FCGI_EV_BAD,     // not FastCGI: `reason` says why; the connection cannot go on
};

struct sm_fcgi_event {
    enum sm_fcgi_event_kind kind;
    uint8_t type;
    bool keep_conn;
    uint16_t id;
    uint16_t role;
    struct sm_str data; // lies in the caller's bytes
    const char *reason; // static text for the log
};

struct sm_fcgi_reader {
    uint32_t content; // content bytes of the current record still to come
    uint8_t padding;  // padding bytes still to come
    uint8_t type;
    uint16_t id;
    bool in_record;
};

// Next event from data[0, len); `used_out` bytes must be dropped before the next call. Content of stream records is
// reported as it comes, in pieces; BEGIN_REQUEST and GET_VALUES wait until the record is whole, so the caller must
// be able to hold SM_FCGI_HEADER_LEN + SM_FCGI_MAX_CONTENT bytes. Application records (id not 0) of unknown or
// server-only type are skipped; a wrong version, a wrong BEGIN_REQUEST length, id 0 on a stream are BAD.
void sm_fcgi_next(struct sm_fcgi_reader *reader, const char *data, size_t len, size_t *used_out,
                  struct sm_fcgi_event *event_out);

// One name-value pair (section 3.4) from data[*off, len): 1 a pair, 0 the end, -1 lengths that do not fit.
int sm_fcgi_pair_next(const char *data, size_t len, size_t *off, struct sm_str *name_out, struct sm_str *value_out);

// Appends a pair to out[0, cap); returns its encoded length, or 0 when it does not fit.
size_t sm_fcgi_pair_put(char *out, size_t cap, struct sm_str name, struct sm_str value);

// Padding that aligns a record with this content length to 8 bytes.
static inline uint8_t sm_fcgi_padding(size_t content_len) {
    return (uint8_t)(-content_len & 7);
}

// Write one record header / END_REQUEST record / UNKNOWN_TYPE record (16 bytes).
void sm_fcgi_put_header(char out[static SM_FCGI_HEADER_LEN], enum sm_fcgi_type type, uint16_t id,
                        uint16_t content_len, uint8_t padding);
void sm_fcgi_put_end(char out[static SM_FCGI_END_LEN], uint16_t id, uint32_t app_status, enum sm_fcgi_status status);
void sm_fcgi_put_unknown(char out[static SM_FCGI_END_LEN], uint8_t type);

// Reads a whole params block into `head` (kind CGI; base = block; fields and max_fields set by the caller).
// Positive outcomes, for the caller's switch:
enum sm_fcgi_params {
    SM_FCGI_PARAMS_OK = 0,
    SM_FCGI_PARAMS_MALFORMED = 1,  // lengths that run past the block
    SM_FCGI_PARAMS_TOO_MANY = 2,   // more than max_fields
    SM_FCGI_PARAMS_BAD_LENGTH = 3, // CONTENT_LENGTH is not a number, or given twice with different values
    SM_FCGI_PARAMS_BAD_BYTES = 4,  // a NUL in a name or value, an empty name
};
enum sm_fcgi_params sm_fcgi_params_parse(const char *block, size_t len, struct sm_head *head);

enum { SM_FCGI_PAST_BLOCK = 2048, SM_FCGI_PAST_FIELDS = 64 };

// A block that came twice, and its head: the third time it need not be parsed. Begins zeroed.
struct sm_fcgi_past {
    size_t len;          // of `block`; 0: none is known
    size_t last_len;     // of the block before this one, whether it was kept or not
    struct sm_head head; // of `block`; what belongs to the caller is not set
    struct sm_field fields[SM_FCGI_PAST_FIELDS];
    char block[SM_FCGI_PAST_BLOCK];
};
// As sm_fcgi_params_parse.
enum sm_fcgi_params sm_fcgi_params_read(struct sm_fcgi_past *past, const char *block, size_t len,
                                        struct sm_head *head);
