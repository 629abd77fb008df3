// SPDX-License-Identifier: MIT
// What the fields of a request head say about the message itself: Host, Content-Length, Transfer-Encoding,
// Connection, Expect, Content-Type. Comes in: http1.c with one field at a time, then once at the end of the head.
// Everything that two recipients could read differently is refused (RFC 9112 6.3, 11.2), never repaired.
#include "proto/http1_parse.h"

// Next element of a comma-separated list (RFC 9110 5.6.1), empty ones left out. False at the end.
static bool next_element(struct sm_str *list, struct sm_str *element_out) {
    const char *ptr = list->ptr;
    const char *end = ptr + list->len;
    while (ptr < end && (*ptr == ',' || sm_byte_is(*ptr, SM_BYTE_SPACE))) {
        ptr++;
    }
    const char *start = ptr;
    while (ptr < end && *ptr != ',') {
        ptr++;
    }
    *list = (struct sm_str){ptr, (size_t)(end - ptr)};
    while (ptr > start && sm_byte_is(ptr[-1], SM_BYTE_SPACE)) {
        ptr--;
    }
    *element_out = (struct sm_str){start, (size_t)(ptr - start)};
    return ptr > start;
}

static void mark(struct sm_http1 *parser, enum sm_http1_seen bit) {
    parser->seen = (uint8_t)(parser->seen | bit);
}

// Marks a field that may come once; whether it was marked before.
static bool seen_before(struct sm_http1 *parser, enum sm_http1_seen bit) {
    bool before = (parser->seen & bit) != 0;
    mark(parser, bit);
    return before;
}

// RFC 9112 3.2. An empty value is valid: the target may have no authority.
static int take_host(struct sm_http1 *parser, struct sm_str value, struct sm_span span) {
    if (seen_before(parser, SM_SEEN_HOST)) {
        return sm_http1_refuse(parser, 400, "more than one Host");
    }
    if (value.len > 0 && !sm_http1_authority_ok(value.ptr, value.ptr + value.len)) {
        return sm_http1_refuse(parser, 400, "invalid Host");
    }
    if (parser->head->host.len == 0) { // else the authority of an absolute-form target stands
        parser->head->host = span;
    }
    return 0;
}

// RFC 9110 8.6: 1*DIGIT. A list of equal numbers may be accepted or refused; it is refused.
static int take_length(struct sm_http1 *parser, struct sm_str value) {
    if (seen_before(parser, SM_SEEN_LENGTH)) {
        return sm_http1_refuse(parser, 400, "more than one Content-Length");
    }
    int64_t length = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (!sm_byte_is(value.ptr[i], SM_BYTE_DIGIT)) {
            return sm_http1_refuse(parser, 400, "Content-Length is not a number");
        }
        int digit = value.ptr[i] - '0';
        if (length > (INT64_MAX - digit) / 10) {
            return sm_http1_refuse(parser, 400, "Content-Length does not fit in 63 bits");
        }
        length = length * 10 + digit;
    }
    if (value.len == 0) {
        return sm_http1_refuse(parser, 400, "Content-Length is empty");
    }
    parser->head->content_length = length;
    return 0;
}

// RFC 9112 6.1: unknown codings are answered 501; a version before 1.1 must not use the field.
static int take_encoding(struct sm_http1 *parser, struct sm_str value) {
    if (parser->minor == 0) {
        return sm_http1_refuse(parser, 400, "Transfer-Encoding in HTTP/1.0");
    }
    if (seen_before(parser, SM_SEEN_ENCODING) || !sm_str_ieq(value, SM_STR("chunked"))) {
        return sm_http1_refuse(parser, 501, "Transfer-Encoding is not just chunked");
    }
    parser->chunked = true;
    return 0;
}

static int take_connection(struct sm_http1 *parser, struct sm_str value) {
    struct sm_str option;
    while (next_element(&value, &option)) {
        if (sm_str_ieq(option, SM_STR("close"))) {
            mark(parser, SM_SEEN_CLOSE);
        } else if (sm_str_ieq(option, SM_STR("keep-alive"))) {
            mark(parser, SM_SEEN_KEEP_ALIVE);
        }
    }
    return 0;
}

// RFC 9110 10.1.1; expectations of an HTTP/1.0 client are ignored.
static int take_expect(struct sm_http1 *parser, struct sm_str value) {
    struct sm_str expectation;
    while (parser->minor > 0 && next_element(&value, &expectation)) {
        if (sm_str_ieq(expectation, SM_STR("100-continue"))) {
            parser->expect_continue = true;
        } else {
            mark(parser, SM_SEEN_EXPECTATION);
        }
    }
    return 0;
}

static int take_type(struct sm_http1 *parser, struct sm_span span) {
    if (seen_before(parser, SM_SEEN_TYPE)) {
        return sm_http1_refuse(parser, 400, "more than one Content-Type");
    }
    parser->head->content_type = span;
    return 0;
}

int sm_http1_take_meaning(struct sm_http1 *parser, const char *data, const struct sm_field *field) {
    struct sm_str name = sm_span_in(field->name, data);
    struct sm_str value = sm_span_in(field->value, data);
    switch (name.len) {
    case 4:
        return sm_str_ieq(name, SM_STR("Host")) ? take_host(parser, value, field->value) : 0;
    case 6:
        return sm_str_ieq(name, SM_STR("Expect")) ? take_expect(parser, value) : 0;
    case 10:
        return sm_str_ieq(name, SM_STR("Connection")) ? take_connection(parser, value) : 0;
    case 12:
        return sm_str_ieq(name, SM_STR("Content-Type")) ? take_type(parser, field->value) : 0;
    case 14:
        return sm_str_ieq(name, SM_STR("Content-Length")) ? take_length(parser, value) : 0;
    case 17:
        return sm_str_ieq(name, SM_STR("Transfer-Encoding")) ? take_encoding(parser, value) : 0;
    default:
        return 0;
    }
}

int sm_http1_conclude(struct sm_http1 *parser) {
    int64_t length = parser->head->content_length;
    if (parser->minor > 0 && !(parser->seen & SM_SEEN_HOST)) {
        return sm_http1_refuse(parser, 400, "HTTP/1.1 without Host");
    }
    if (parser->chunked && length >= 0) {
        return sm_http1_refuse(parser, 400, "both Content-Length and Transfer-Encoding");
    }
    if (parser->seen & SM_SEEN_EXPECTATION) {
        return sm_http1_refuse(parser, 417, "expectation other than 100-continue");
    }
    if (length > 0 && (uint64_t)length > parser->limits->max_body_size) {
        return sm_http1_refuse(parser, 413, "Content-Length over max_body_size");
    }
    parser->expect_continue = parser->expect_continue && (parser->chunked || length > 0);
    bool close = (parser->seen & SM_SEEN_CLOSE) != 0;
    parser->keep_alive = !close && (parser->minor > 0 || (parser->seen & SM_SEEN_KEEP_ALIVE));
    return 0;
}
