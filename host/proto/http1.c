// SPDX-License-Identifier: MIT
// The HTTP/1.1 request parser's spine: finds lines, hands them to the files that know what they mean, delivers
// bodies of known length. Comes in: the engine, with the bytes a connection has. Owns nothing: limits, head and
// bytes belong to the caller. Lines end with CR LF only (RFC 9112 2.2 lets a server insist); a bare CR, a bare LF
// or another control byte refuses the request as soon as it is seen.
#include "proto/http1_parse.h"

void sm_http1_init(struct sm_http1 *parser, const struct sm_http1_limits *limits, struct sm_head *head) {
    *parser = (struct sm_http1){.limits = limits, .head = head, .phase = SM_HTTP1_IN_START};
    *head = (struct sm_head){
        .fields = head->fields,
        .max_fields = head->max_fields,
        .kind = SM_HEAD_HTTP,
        .content_length = -1,
    };
}

// Skips one empty line. A first byte that cannot begin a method is refused at once: TLS on a plain port is common,
// and such a client would wait for its answer until the deadline.
static int find_request_line(struct sm_http1 *parser, const char *data, size_t len) {
    if (parser->line == 0 && len > 0 && data[0] == '\r') {
        if (len == 1) {
            return 0;
        }
        if (data[1] != '\n') {
            return sm_http1_refuse(parser, 400, "bare CR before the request line");
        }
        parser->line = parser->scan = 2;
    }
    if (len <= parser->line) {
        return 0;
    }
    if (!sm_byte_is(data[parser->line], SM_BYTE_TOKEN)) {
        return sm_http1_refuse(parser, 400, "request line does not begin with a method");
    }
    parser->phase = SM_HTTP1_IN_REQUEST_LINE;
    return 0;
}

static int refuse_size(struct sm_http1 *parser) {
    if (parser->phase == SM_HTTP1_IN_REQUEST_LINE) {
        return sm_http1_refuse(parser, 414, "request line longer than max_header_size");
    }
    return sm_http1_refuse(parser, 431, "head larger than max_header_size");
}

static int refuse_control(struct sm_http1 *parser, char byte) {
    if (byte == '\r') {
        return sm_http1_refuse(parser, 400, "bare CR in the head");
    }
    if (byte == '\n') {
        return sm_http1_refuse(parser, 400, "bare LF in the head");
    }
    return sm_http1_refuse(parser, 400, "control byte in the head");
}

// Looks for the CR LF of the current line: `end_out` points to the CR, or is NULL while more bytes are wanted.
static inline int find_line_end(struct sm_http1 *parser, const char *data, size_t len, const char **end_out) {
    size_t most = parser->limits->max_header_size;
    size_t available = len < most ? len : most;
    *end_out = NULL;
    if (parser->scan < available) {
        const char *stop = data + available;
        const char *ptr = sm_scan_line(data + parser->scan, stop);
        if (ptr < stop && (*ptr != '\r' || (ptr + 1 < stop && ptr[1] != '\n'))) {
            return refuse_control(parser, *ptr);
        }
        if (stop - ptr >= 2) {
            *end_out = ptr;
            return 0;
        }
        parser->scan = (uint32_t)(ptr - data);
    }
    return len >= most ? refuse_size(parser) : 0;
}

static int take_field(struct sm_http1 *parser, const char *data, const char *line, const char *end) {
    struct sm_head *head = parser->head;
    const char *colon = line;
    while (sm_byte_is(*colon, SM_BYTE_TOKEN)) {
        colon++;
    }
    if (colon == line) {
        // RFC 9112 5.2: no obs-fold; also what stands between request line and first field.
        bool folded = sm_byte_is(*line, SM_BYTE_SPACE);
        return sm_http1_refuse(parser, 400, folded ? "folded field line" : "field without a name");
    }
    if (*colon != ':') {
        return sm_http1_refuse(parser, 400, "field name is not a token followed by a colon");
    }
    const char *value = colon + 1;
    while (sm_byte_is(*value, SM_BYTE_SPACE)) {
        value++;
    }
    while (end > value && sm_byte_is(end[-1], SM_BYTE_SPACE)) {
        end--;
    }
    if (head->n_fields >= head->max_fields || head->n_fields >= parser->limits->max_headers) {
        return sm_http1_refuse(parser, 431, "more fields than max_headers");
    }
    struct sm_field *field = &head->fields[head->n_fields++];
    field->name = sm_http1_span(data, line, colon);
    field->value = sm_http1_span(data, value, end);
    return sm_http1_take_meaning(parser, data, field);
}

static int end_head(struct sm_http1 *parser, const char *data) {
    parser->head->base = data;
    int refused = sm_http1_conclude(parser);
    if (refused != 0) {
        return refused;
    }
    if (parser->chunked) {
        sm_chunked_begin(parser);
        return 0;
    }
    parser->remaining = parser->head->content_length > 0 ? (uint64_t)parser->head->content_length : 0;
    parser->phase = SM_HTTP1_IN_BODY;
    return 0;
}

static enum sm_http1_event next_head(struct sm_http1 *parser, const char *data, size_t len, size_t *used_out) {
    int refused = 0;
    if (parser->phase == SM_HTTP1_IN_START) {
        refused = find_request_line(parser, data, len);
        if (parser->phase == SM_HTTP1_IN_START) {
            return SM_HTTP1_MORE;
        }
    }
    while (refused == 0) {
        const char *end;
        refused = find_line_end(parser, data, len, &end);
        if (refused != 0) {
            break;
        }
        if (end == NULL) {
            return SM_HTTP1_MORE;
        }
        const char *line = data + parser->line;
        parser->line = parser->scan = (uint32_t)(end + 2 - data);
        if (parser->phase == SM_HTTP1_IN_REQUEST_LINE) {
            refused = sm_http1_take_request_line(parser, data, line, end);
        } else if (line != end) {
            refused = take_field(parser, data, line, end);
        } else {
            *used_out = parser->line;
            return end_head(parser, data) == 0 ? SM_HTTP1_HEAD : SM_HTTP1_BAD;
        }
    }
    return SM_HTTP1_BAD;
}

static enum sm_http1_event next_body(struct sm_http1 *parser, const char *data, size_t len, size_t *used_out,
                                     struct sm_str *body_out) {
    if (parser->remaining == 0) {
        parser->phase = SM_HTTP1_AT_END;
        return SM_HTTP1_END;
    }
    if (len == 0) {
        return SM_HTTP1_MORE;
    }
    size_t taken = parser->remaining < len ? (size_t)parser->remaining : len;
    parser->remaining -= taken;
    parser->body_len += taken;
    *body_out = (struct sm_str){data, taken};
    *used_out = taken;
    return SM_HTTP1_BODY;
}

enum sm_http1_event sm_http1_next(struct sm_http1 *parser, const char *data, size_t len, size_t *used_out,
                                  struct sm_str *body_out) {
    enum sm_http1_event event;
    *used_out = 0;
    switch (parser->phase) {
    case SM_HTTP1_IN_START:
    case SM_HTTP1_IN_REQUEST_LINE:
    case SM_HTTP1_IN_FIELDS:
        event = next_head(parser, data, len, used_out);
        break;
    case SM_HTTP1_IN_BODY:
        return next_body(parser, data, len, used_out, body_out);
    case SM_HTTP1_AT_END:
        return SM_HTTP1_END;
    case SM_HTTP1_REFUSED:
        return SM_HTTP1_BAD;
    default:
        event = sm_chunked_next(parser, data, len, used_out, body_out);
        break;
    }
    if (event == SM_HTTP1_BAD) {
        *used_out = 0;
    }
    return event;
}

bool sm_http1_name_ok(struct sm_str name) {
    unsigned classes = SM_BYTE_TOKEN;
    for (size_t i = 0; i < name.len; i++) {
        classes &= sm_byte_classes[(uint8_t)name.ptr[i]];
    }
    return name.len > 0 && classes != 0;
}

bool sm_http1_value_ok(struct sm_str value) {
    const char *end = value.ptr + value.len;
    const char *ptr = sm_scan_line(value.ptr, end);
    while (ptr < end && *ptr != '\r' && *ptr != '\n' && *ptr != '\0') { // other controls are the application's affair
        ptr++;
    }
    return ptr == end;
}
