// SPDX-License-Identifier: MIT
// Encodes fcgiload's request as one run of bytes, laid out as nginx does it: BEGIN_REQUEST, all parameters in one
// record, the body in large ones, each stream ended. Called once, before the clock starts.
#include "fcgiload_request.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STDIN_RECORD = 65528, PARAMS_CAP = 2048, FIXED_CAP = 4096 };

static void record_put(struct bytes *out, uint8_t type, const char *content, size_t len) {
    uint8_t padding = (uint8_t)(-len & 7);
    char header[] = {1, (char)type, 0, REQUEST_ID, (char)(len >> 8), (char)len, (char)padding, 0};
    memcpy(out->ptr + out->len, header, sizeof header);
    out->len += sizeof header;
    if (len > 0) {
        memcpy(out->ptr + out->len, content, len);
    }
    memset(out->ptr + out->len + len, 0, padding);
    out->len += len + padding;
}

static void param_put(struct bytes *out, const char *name, const char *value) {
    size_t name_len = strlen(name);
    size_t value_len = strlen(value);
    out->ptr[out->len++] = (char)name_len;
    if (value_len < 128) {
        out->ptr[out->len++] = (char)value_len;
    } else {
        out->ptr[out->len++] = (char)(0x80 | value_len >> 24);
        out->ptr[out->len++] = (char)(value_len >> 16);
        out->ptr[out->len++] = (char)(value_len >> 8);
        out->ptr[out->len++] = (char)value_len;
    }
    memcpy(out->ptr + out->len, name, name_len);
    memcpy(out->ptr + out->len + name_len, value, value_len);
    out->len += name_len + value_len;
}

// What nginx's fastcgi_params and a browser's header fields come to.
static void params_put(struct bytes *out, size_t body_len) {
    char content_length[24] = "";
    if (body_len > 0) {
        snprintf(content_length, sizeof content_length, "%zu", body_len);
    }
    const char *params[][2] = {
        {"QUERY_STRING", ""},
        {"REQUEST_METHOD", body_len > 0 ? "POST" : "GET"},
        {"CONTENT_TYPE", body_len > 0 ? "application/octet-stream" : ""},
        {"CONTENT_LENGTH", content_length},
        {"SCRIPT_NAME", "/"},
        {"REQUEST_URI", "/"},
        {"DOCUMENT_URI", "/"},
        {"DOCUMENT_ROOT", "/usr/share/nginx/html"},
        {"SERVER_PROTOCOL", "HTTP/1.1"},
        {"REQUEST_SCHEME", "http"},
        {"GATEWAY_INTERFACE", "CGI/1.1"},
        {"SERVER_SOFTWARE", "nginx/1.22.1"},
        {"REMOTE_ADDR", "127.0.0.1"},
        {"REMOTE_PORT", "51234"},
        {"SERVER_ADDR", "127.0.0.1"},
        {"SERVER_PORT", "8080"},
        {"SERVER_NAME", "localhost"},
        {"REDIRECT_STATUS", "200"},
        {"PATH_INFO", "/"},
        {"HTTP_HOST", "localhost:8080"},
        {"HTTP_USER_AGENT", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
        {"HTTP_ACCEPT", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
        {"HTTP_ACCEPT_LANGUAGE", "en-US,en;q=0.5"},
        {"HTTP_ACCEPT_ENCODING", "gzip, deflate, br"},
        {"HTTP_CONNECTION", "keep-alive"},
    };
    for (size_t i = 0; i < sizeof params / sizeof params[0]; i++) {
        param_put(out, params[i][0], params[i][1]);
    }
}

static void body_put(struct bytes *out, size_t len) {
    static char content[STDIN_RECORD];
    memset(content, 'x', sizeof content);
    while (len > 0) {
        size_t step = len < sizeof content ? len : sizeof content;
        record_put(out, FCGI_STDIN, content, step);
        len -= step;
    }
}

int request_make(size_t body_len, bool keep_conn, struct bytes *out) {
    size_t body_records = body_len / STDIN_RECORD + 1;
    char text[PARAMS_CAP];
    struct bytes params = {text, 0};
    char begin[8] = {0, 1, keep_conn ? 1 : 0, 0, 0, 0, 0, 0};
    *out = (struct bytes){malloc(FIXED_CAP + body_len + 2 * FCGI_HEADER_LEN * body_records), 0};
    if (out->ptr == NULL) {
        return -ENOMEM;
    }
    record_put(out, FCGI_BEGIN, begin, sizeof begin);
    params_put(&params, body_len);
    record_put(out, FCGI_PARAMS, params.ptr, params.len);
    record_put(out, FCGI_PARAMS, NULL, 0);
    body_put(out, body_len);
    record_put(out, FCGI_STDIN, NULL, 0);
    return 0;
}
