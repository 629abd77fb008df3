// SPDX-License-Identifier: MIT
// The request line (RFC 9112 3): method, request target in its four forms, version. Comes in: http1.c with one
// complete line. Strict where the standard offers leniency: exactly one SP between the parts, none around them.
#include "proto/http1_parse.h"

enum { METHOD_MAX = 32 };

static bool line_is(const char *from, const char *to, struct sm_str text) {
    return (size_t)(to - from) == text.len && memcmp(from, text.ptr, text.len) == 0;
}

// method = token; `ptr_inout` moves past the SP that follows it.
static int take_method(struct sm_http1 *parser, const char *data, const char **ptr_inout) {
    const char *start = *ptr_inout;
    const char *ptr = start;
    while (ptr - start <= METHOD_MAX && sm_byte_is(*ptr, SM_BYTE_TOKEN)) {
        ptr++;
    }
    if (ptr - start > METHOD_MAX) {
        return sm_http1_refuse(parser, 501, "method longer than 32 bytes");
    }
    if (ptr == start || *ptr != ' ') {
        return sm_http1_refuse(parser, 400, "method is not a token followed by one space");
    }
    parser->head->method = sm_http1_span(data, start, ptr);
    parser->head->is_head_method = line_is(start, ptr, SM_STR("HEAD"));
    *ptr_inout = ptr + 1;
    return 0;
}

// Finds target, path and query; `ptr_inout` moves past the SP that follows. The path still has the authority of an
// absolute-form in front.
static int take_target(struct sm_http1 *parser, const char *data, const char **ptr_inout) {
    struct sm_head *head = parser->head;
    const char *start = *ptr_inout;
    const char *ptr = start;
    while (sm_byte_is(*ptr, SM_BYTE_TARGET)) {
        ptr++;
    }
    head->path = sm_http1_span(data, start, ptr);
    if (*ptr == '?') {
        const char *query = ++ptr;
        while (sm_byte_is(*ptr, SM_BYTE_TARGET) || *ptr == '?') {
            ptr++;
        }
        head->has_query = true;
        head->query = sm_http1_span(data, query, ptr);
    }
    if (ptr == start) {
        return sm_http1_refuse(parser, 400, "request line has no target, or more than one space before it");
    }
    if (*ptr == '\r') {
        return sm_http1_refuse(parser, 400, "request line has no version (HTTP/0.9)");
    }
    if (*ptr != ' ') {
        bool fragment = *ptr == '#';
        return sm_http1_refuse(parser, 400, fragment ? "fragment in the target" : "control byte in the target");
    }
    head->target = sm_http1_span(data, start, ptr);
    *ptr_inout = ptr + 1;
    return 0;
}

// HTTP-version = "HTTP/" DIGIT "." DIGIT (RFC 9112 2.3), case-sensitive.
static int take_version(struct sm_http1 *parser, const char *data, const char *ptr, const char *end) {
    if (end - ptr != 8 || memcmp(ptr, "HTTP/", 5) != 0 || !sm_byte_is(ptr[5], SM_BYTE_DIGIT) || ptr[6] != '.' ||
        !sm_byte_is(ptr[7], SM_BYTE_DIGIT)) {
        return sm_http1_refuse(parser, 400, "request line does not end with an HTTP version");
    }
    parser->head->protocol = sm_http1_span(data, ptr, end);
    if (ptr[5] != '1') {
        return sm_http1_refuse(parser, 505, "HTTP version is not 1.x");
    }
    parser->minor = ptr[7] == '0' ? 0 : 1;
    return 0;
}

// uri-host of brackets: IPv6address (RFC 3986 3.2.2) as far as its alphabet goes. Past the "]", or NULL.
static const char *skip_ip_literal(const char *ptr, const char *end) {
    const char *start = ++ptr;
    while (ptr < end && (sm_byte_is(*ptr, SM_BYTE_HEX) || *ptr == ':' || *ptr == '.')) {
        ptr++;
    }
    return ptr < end && *ptr == ']' && ptr - start >= 2 ? ptr + 1 : NULL;
}

// reg-name or IPv4address; a "%" must begin a percent-encoded byte. NULL when it is empty or malformed.
static const char *skip_reg_name(const char *ptr, const char *end) {
    const char *start = ptr;
    while (ptr < end) {
        if (sm_byte_is(*ptr, SM_BYTE_HOST)) {
            ptr++;
        } else if (*ptr != '%') {
            break;
        } else if (end - ptr < 3 || !sm_byte_is(ptr[1], SM_BYTE_HEX) || !sm_byte_is(ptr[2], SM_BYTE_HEX)) {
            return NULL;
        } else {
            ptr += 3;
        }
    }
    return ptr == start ? NULL : ptr;
}

bool sm_http1_authority_ok(const char *ptr, const char *end) {
    if (ptr == end) {
        return false;
    }
    ptr = *ptr == '[' ? skip_ip_literal(ptr, end) : skip_reg_name(ptr, end);
    if (ptr == NULL || ptr == end) {
        return ptr != NULL;
    }
    if (*ptr++ != ':') {
        return false;
    }
    while (ptr < end && sm_byte_is(*ptr, SM_BYTE_DIGIT)) {
        ptr++;
    }
    return ptr == end;
}

// Bytes of "http://" or "https://" in front of [ptr, end), or 0.
static size_t scheme_len(const char *ptr, const char *end) {
    size_t len = (size_t)(end - ptr);
    if (len >= 7 && sm_str_ieq((struct sm_str){ptr, 7}, SM_STR("http://"))) {
        return 7;
    }
    return len >= 8 && sm_str_ieq((struct sm_str){ptr, 8}, SM_STR("https://")) ? 8 : 0;
}

// RFC 9112 3.2.2: the authority of the target is the host, whatever the Host field says.
static int split_absolute(struct sm_http1 *parser, const char *data) {
    struct sm_head *head = parser->head;
    const char *ptr = data + head->path.off;
    const char *end = ptr + head->path.len;
    size_t scheme = scheme_len(ptr, end);
    if (scheme == 0) {
        return sm_http1_refuse(parser, 400, "target is neither a path nor an http URI");
    }
    ptr += scheme;
    const char *slash = memchr(ptr, '/', (size_t)(end - ptr));
    const char *authority_end = slash == NULL ? end : slash;
    if (!sm_http1_authority_ok(ptr, authority_end)) {
        return sm_http1_refuse(parser, 400, "invalid authority in the target");
    }
    head->host = sm_http1_span(data, ptr, authority_end);
    head->path = sm_http1_span(data, authority_end, end);
    return 0;
}

static int check_form(struct sm_http1 *parser, const char *data) {
    struct sm_head *head = parser->head;
    const char *method = data + head->method.off;
    const char *target = data + head->target.off;
    if (line_is(method, method + head->method.len, SM_STR("CONNECT"))) {
        return sm_http1_refuse(parser, 501, "CONNECT is not supported");
    }
    if (*target == '/') {
        return 0;
    }
    if (line_is(target, target + head->target.len, SM_STR("*"))) {
        bool options = line_is(method, method + head->method.len, SM_STR("OPTIONS"));
        return options ? 0 : sm_http1_refuse(parser, 400, "target * without the method OPTIONS");
    }
    return split_absolute(parser, data);
}

int sm_http1_take_request_line(struct sm_http1 *parser, const char *data, const char *line, const char *end) {
    const char *ptr = line;
    int refused = take_method(parser, data, &ptr);
    if (refused == 0) {
        refused = take_target(parser, data, &ptr);
    }
    if (refused == 0) {
        refused = take_version(parser, data, ptr, end);
    }
    if (refused == 0) {
        refused = check_form(parser, data);
    }
    if (refused == 0) {
        parser->phase = SM_HTTP1_IN_FIELDS;
    }
    return refused;
}
