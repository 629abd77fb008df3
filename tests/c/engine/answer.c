// SPDX-License-Identifier: MIT
// The strict reader: status line, fields, and the body as RFC 9112 section 6.3 tells its length.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "answer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void take_field(struct answer *answer, char *line) {
    char *colon = strchr(line, ':');
    assert_non_null(colon);
    assert_true(colon > line);
    for (char *at = line; at < colon; at++) {
        assert_true(isalnum((unsigned char)*at) || strchr("!#$%&'*+-.^_`|~", *at) != NULL);
    }
    *colon++ = '\0';
    while (*colon == ' ' || *colon == '\t') {
        colon++;
    }
    assert_true(answer->n_fields < ANSWER_FIELDS);
    answer->names[answer->n_fields] = line;
    answer->values[answer->n_fields++] = colon;
}

// Returns the length of the head, its empty line included.
static size_t take_head(struct answer *answer, const char *data, size_t len) {
    const char *end = memmem(data, len, "\r\n\r\n", 4);
    if (end == NULL) {
        fail_msg("no whole response head in: %.*s", (int)len, data);
    }
    size_t head_len = (size_t)(end - data) + 4;
    answer->text = strndup(data, head_len - 2);
    assert_non_null(answer->text);
    assert_int_equal(strlen(answer->text), head_len - 2); // no NUL inside
    char *line = answer->text;
    for (bool first = true; *line != '\0'; first = false) {
        char *cr = strstr(line, "\r\n");
        assert_non_null(cr);
        *cr = '\0';
        assert_null(strpbrk(line, "\r\n"));
        if (first) {
            assert_int_equal(strncmp(line, "HTTP/1.1 ", 9), 0);
            assert_true(strlen(line) >= 13 && line[12] == ' ');
            answer->status = atoi(line + 9);
            answer->reason = line + 13;
        } else {
            take_field(answer, line);
        }
        line = cr + 2;
    }
    return head_len;
}

// Behind the last chunk: lines up to an empty one (RFC 9112 7.1.2).
static size_t take_trailers(struct answer *answer, const char *data, size_t len) {
    size_t at = 0;
    for (;;) {
        const char *eol = memmem(data + at, len - at, "\r\n", 2);
        assert_non_null(eol);
        if (eol == data + at) {
            break;
        }
        at = (size_t)(eol - data) + 2;
    }
    answer->trailers = strndup(data, at);
    answer->body = answer->body != NULL ? answer->body : calloc(1, 1);
    assert_non_null(answer->trailers);
    assert_non_null(answer->body);
    return at + 2;
}

static size_t take_chunks(struct answer *answer, const char *data, size_t len) {
    size_t at = 0;
    for (;;) {
        char *end;
        const char *eol = memmem(data + at, len - at, "\r\n", 2);
        assert_non_null(eol);
        assert_true(isxdigit((unsigned char)data[at]));
        size_t size = strtoul(data + at, &end, 16);
        assert_ptr_equal(end, eol); // no extensions from us
        at = (size_t)(eol - data) + 2;
        if (size == 0) {
            return at + take_trailers(answer, data + at, len - at);
        }
        assert_true(len - at >= size + 2);
        answer->body = realloc(answer->body, answer->body_len + size + 1);
        assert_non_null(answer->body);
        memcpy(answer->body + answer->body_len, data + at, size);
        answer->body_len += size;
        assert_memory_equal(data + at + size, "\r\n", 2);
        at += size + 2;
        answer->body[answer->body_len] = '\0';
    }
}

static size_t take_plain(struct answer *answer, const char *data, size_t len) {
    answer->body = calloc(1, len + 1);
    assert_non_null(answer->body);
    memcpy(answer->body, data, len);
    answer->body_len = len;
    return len;
}

size_t answer_read(struct answer *answer, const char *data, size_t len, bool to_head, bool ended) {
    *answer = (struct answer){0};
    size_t used = take_head(answer, data, len);
    const char *length = answer_field(answer, "Content-Length");
    const char *coding = answer_field(answer, "Transfer-Encoding");
    data += used;
    len -= used;
    if (to_head || answer->status < 200 || answer->status == 204 || answer->status == 304) {
        assert_true(coding == NULL || answer->status >= 200);
        return used + take_plain(answer, data, 0);
    }
    if (coding != NULL) {
        assert_string_equal(coding, "chunked");
        assert_null(length); // RFC 9112 6.2
        answer->chunked = true;
        return used + take_chunks(answer, data, len);
    }
    if (length != NULL) {
        size_t body_len = strtoul(length, NULL, 10);
        if (len < body_len) {
            fail_msg("%zu of %zu body bytes", len, body_len);
        }
        return used + take_plain(answer, data, body_len);
    }
    assert_true(ended);
    answer->until_close = true;
    return used + take_plain(answer, data, len);
}

const char *answer_field(const struct answer *answer, const char *name) {
    const char *value = NULL;
    for (unsigned i = 0; i < answer->n_fields; i++) {
        if (strcasecmp(answer->names[i], name) == 0) {
            assert_null(value);
            value = answer->values[i];
        }
    }
    return value;
}

void answer_deinit(struct answer *answer) {
    free(answer->text);
    free(answer->body);
    free(answer->trailers);
    *answer = (struct answer){0};
}
