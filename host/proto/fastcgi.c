// SPDX-License-Identifier: MIT
// FastCGI records (specification, sections 3.3, 4, 5, 8): a stream of bytes to events, and the few records that a
// server of applications writes. Comes in: the engine, with the bytes a connection has. Owns nothing. Lengths are
// 16 bits of content and 8 of padding on the wire and are kept in wider types, so that no sum can wrap.
#include "proto/fastcgi.h"

enum {
    VERSION = 1,
    BEGIN_LEN = 8, // FCGI_BeginRequestBody
    KEEP_CONN = 1, // flag of FCGI_BEGIN_REQUEST
};

static uint16_t read_u16(const char *ptr) {
    return (uint16_t)((uint8_t)ptr[0] << 8 | (uint8_t)ptr[1]);
}

static void report_bad(struct sm_fcgi_event *event, const char *reason) {
    event->kind = SM_FCGI_EV_BAD;
    event->reason = reason;
}

static void report_begin(struct sm_fcgi_event *event, const char *body) {
    event->kind = SM_FCGI_EV_BEGIN;
    event->role = read_u16(body);
    event->keep_conn = (body[2] & KEEP_CONN) != 0;
}

// Whether the record is reported only when all its content is there.
static bool is_whole_record(const struct sm_fcgi_reader *record) {
    return record->id == 0 ? record->type == SM_FCGI_GET_VALUES : record->type == SM_FCGI_BEGIN_REQUEST;
}

static bool is_stream(const struct sm_fcgi_reader *record) {
    return record->id != 0 &&
           (record->type == SM_FCGI_PARAMS || record->type == SM_FCGI_STDIN || record->type == SM_FCGI_DATA);
}

// NULL, or why this header ends the connection.
static const char *find_fault(const struct sm_fcgi_reader *record) {
    if (record->id == 0 && record->type >= SM_FCGI_BEGIN_REQUEST && record->type <= SM_FCGI_DATA) {
        return "application record with request id 0";
    }
    if (record->type == SM_FCGI_BEGIN_REQUEST && record->content != BEGIN_LEN) {
        return "BEGIN_REQUEST of a wrong length";
    }
    return NULL;
}

// Says what a record means whose header, and whose content if it is reported whole, has arrived. Records that are
// skipped leave `event` as it is: those of unknown type with an id, and those that only an application sends.
static void report_record(const struct sm_fcgi_reader *record, const char *content, struct sm_fcgi_event *event) {
    event->type = record->type;
    event->id = record->id;
    if (record->id == 0) {
        if (record->type == SM_FCGI_GET_VALUES) {
            event->kind = SM_FCGI_EV_VALUES;
            event->data = (struct sm_str){content, record->content};
        } else if (record->type != SM_FCGI_GET_VALUES_RESULT && record->type != SM_FCGI_UNKNOWN_TYPE) {
            event->kind = SM_FCGI_EV_UNKNOWN;
        }
    } else if (record->type == SM_FCGI_BEGIN_REQUEST) {
        report_begin(event, content);
    } else if (record->type == SM_FCGI_ABORT_REQUEST) {
        event->kind = SM_FCGI_EV_ABORT;
    } else if (is_stream(record) && record->content == 0) {
        event->kind = SM_FCGI_EV_STREAM; // the end of the stream
    }
}

// Reads a header from data[0, len). Returns the bytes taken: 0 when more are needed or the header is at fault.
static size_t begin_record(struct sm_fcgi_reader *reader, const char *data, size_t len, struct sm_fcgi_event *event) {
    if (len > 0 && data[0] != VERSION) {
        report_bad(event, "record of an unknown version");
        return 0;
    }
    if (len < SM_FCGI_HEADER_LEN) {
        return 0;
    }
    struct sm_fcgi_reader record = {
        .type = (uint8_t)data[1],
        .id = read_u16(data + 2),
        .content = read_u16(data + 4),
        .padding = (uint8_t)data[6],
    };
    const char *fault = find_fault(&record);
    if (fault != NULL) {
        report_bad(event, fault);
        return 0;
    }
    bool whole = is_whole_record(&record);
    if (whole && len - SM_FCGI_HEADER_LEN < record.content) {
        return 0;
    }
    report_record(&record, data + SM_FCGI_HEADER_LEN, event);
    size_t used = SM_FCGI_HEADER_LEN + (whole ? record.content : 0);
    if (whole) {
        record.content = 0;
    }
    record.in_record = record.content > 0 || record.padding > 0;
    *reader = record;
    return used;
}

// Takes content and padding of the current record from data[0, len); returns the bytes taken.
static size_t continue_record(struct sm_fcgi_reader *reader, const char *data, size_t len,
                              struct sm_fcgi_event *event) {
    size_t content = reader->content < len ? reader->content : len;
    reader->content -= (uint32_t)content;
    if (content > 0 && is_stream(reader)) {
        event->kind = SM_FCGI_EV_STREAM;
        event->type = reader->type;
        event->id = reader->id;
        event->data = (struct sm_str){data, content};
    }
    // Where content is still missing, it took all there was.
    size_t padding = len - content < reader->padding ? len - content : reader->padding;
    reader->padding = (uint8_t)(reader->padding - padding);
    reader->in_record = reader->content > 0 || reader->padding > 0;
    return content + padding;
}

void sm_fcgi_next(struct sm_fcgi_reader *reader, const char *data, size_t len, size_t *used_out,
                  struct sm_fcgi_event *event_out) {
    *event_out = (struct sm_fcgi_event){.kind = SM_FCGI_EV_MORE};
    size_t used = 0;
    while (event_out->kind == SM_FCGI_EV_MORE) {
        size_t taken;
        if (reader->in_record) {
            taken = continue_record(reader, data + used, len - used, event_out);
        } else {
            taken = begin_record(reader, data + used, len - used, event_out);
        }
        if (taken == 0) {
            break;
        }
        used += taken;
    }
    *used_out = used;
}

void sm_fcgi_put_header(char out[static SM_FCGI_HEADER_LEN], enum sm_fcgi_type type, uint16_t id,
                        uint16_t content_len, uint8_t padding) {
    out[0] = VERSION;
    out[1] = (char)type;
    out[2] = (char)(id >> 8);
    out[3] = (char)id;
    out[4] = (char)(content_len >> 8);
    out[5] = (char)content_len;
    out[6] = (char)padding;
    out[7] = 0;
}

void sm_fcgi_put_end(char out[static SM_FCGI_END_LEN], uint16_t id, uint32_t app_status, enum sm_fcgi_status status) {
    sm_fcgi_put_header(out, SM_FCGI_END_REQUEST, id, SM_FCGI_END_LEN - SM_FCGI_HEADER_LEN, 0);
    char *body = out + SM_FCGI_HEADER_LEN;
    body[0] = (char)(app_status >> 24);
    body[1] = (char)(app_status >> 16);
    body[2] = (char)(app_status >> 8);
    body[3] = (char)app_status;
    body[4] = (char)status;
    memset(body + 5, 0, 3);
}

void sm_fcgi_put_unknown(char out[static SM_FCGI_END_LEN], uint8_t type) {
    sm_fcgi_put_header(out, SM_FCGI_UNKNOWN_TYPE, 0, SM_FCGI_END_LEN - SM_FCGI_HEADER_LEN, 0);
    char *body = out + SM_FCGI_HEADER_LEN;
    body[0] = (char)type;
    memset(body + 1, 0, 7);
}
