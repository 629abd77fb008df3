// SPDX-License-Identifier: MIT
// What the corpus cannot say about sm_http1_next: buffers that move, bytes that are not copied or looked at twice,
// limits that the caller's array sets, calls after the end.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdlib.h>

#include "../lib/guard.h"
#include "proto/http1.h"

enum { MAX_FIELDS = 4 };

static const struct sm_http1_limits limits = {.max_header_size = 65536, .max_headers = 100, .max_body_size = 1000};

struct request {
    struct sm_http1 parser;
    struct sm_head head;
    struct sm_field fields[MAX_FIELDS];
    size_t used;
    struct sm_str body;
};

static void begin(struct request *request, const struct sm_http1_limits *bounds) {
    *request = (struct request){.head = {.fields = request->fields, .max_fields = MAX_FIELDS}};
    sm_http1_init(&request->parser, bounds, &request->head);
}

static enum sm_http1_event feed(struct request *request, const char *data, size_t len) {
    return sm_http1_next(&request->parser, data, len, &request->used, &request->body);
}

static enum sm_http1_event feed_text(struct request *request, const char *text) {
    return feed(request, text, strlen(text));
}

static void assert_span(struct sm_span span, const char *base, const char *expected) {
    assert_int_equal(span.len, strlen(expected));
    assert_memory_equal(base + span.off, expected, span.len);
}

static void test_init_keeps_the_callers_array(void **state) {
    (void)state;
    struct request request;
    begin(&request, &limits);
    assert_ptr_equal(request.head.fields, request.fields);
    assert_int_equal(request.head.max_fields, MAX_FIELDS);
    assert_int_equal(request.head.n_fields, 0);
    assert_int_equal(request.head.content_length, -1);
}

static void test_head_spans_belong_to_the_last_buffer(void **state) {
    (void)state;
    const char first[] = "GET /path?q HTTP/1.1\r\nHost: exa";
    const char all[] = "GET /path?q HTTP/1.1\r\nHost: example\r\nContent-Type: t/s\r\n\r\nrest";
    struct request request;
    begin(&request, &limits);
    assert_int_equal(feed_text(&request, first), SM_HTTP1_MORE);
    assert_int_equal(request.used, 0);
    assert_int_equal(feed_text(&request, all), SM_HTTP1_HEAD);
    assert_int_equal(request.used, strlen(all) - 4);
    assert_ptr_equal(request.head.base, all);
    assert_span(request.head.method, all, "GET");
    assert_span(request.head.target, all, "/path?q");
    assert_span(request.head.path, all, "/path");
    assert_span(request.head.query, all, "q");
    assert_span(request.head.protocol, all, "HTTP/1.1");
    assert_span(request.head.host, all, "example");
    assert_span(request.head.content_type, all, "t/s");
}

// Each byte is searched once: after every call the whole input so far is known not to hold a line's end.
static void test_long_line_byte_by_byte_is_scanned_once(void **state) {
    (void)state;
    struct request request;
    size_t len = 60000;
    char *data = malloc(len);
    assert_non_null(data);
    memset(data, 'a', len);
    memcpy(data, "GET /", 5);
    begin(&request, &limits);
    for (size_t given = 1; given <= len; given++) {
        assert_int_equal(feed(&request, data, given), SM_HTTP1_MORE);
        assert_int_equal(request.parser.scan, given);
    }
    free(data);
}

static void test_more_fields_than_the_array_has_is_431(void **state) {
    (void)state;
    struct request request;
    begin(&request, &limits);
    assert_int_equal(feed_text(&request, "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n"),
                     SM_HTTP1_BAD);
    assert_int_equal(request.parser.status, 431);
    assert_int_equal(request.head.n_fields, MAX_FIELDS);
}

static void test_refused_request_stays_refused(void **state) {
    (void)state;
    struct request request;
    begin(&request, &limits);
    assert_int_equal(feed_text(&request, "GET / HTTP/3.0\r\n"), SM_HTTP1_BAD);
    assert_int_equal(request.parser.status, 505);
    assert_int_equal(feed_text(&request, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), SM_HTTP1_BAD);
    assert_int_equal(request.used, 0);
    assert_int_equal(request.parser.status, 505);
}

// The log entry of a refusal can name what was asked for.
static void test_refused_field_leaves_the_request_line(void **state) {
    (void)state;
    const char data[] = "GET /x HTTP/1.1\r\nHost: a\r\nBad Name: 1\r\n";
    struct request request;
    begin(&request, &limits);
    assert_int_equal(feed_text(&request, data), SM_HTTP1_BAD);
    assert_span(request.head.method, data, "GET");
    assert_span(request.head.target, data, "/x");
}

static void test_ended_request_takes_no_further_bytes(void **state) {
    (void)state;
    const char data[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    struct request request;
    begin(&request, &limits);
    assert_int_equal(feed_text(&request, data), SM_HTTP1_HEAD);
    assert_int_equal(request.used, strlen(data));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(feed_text(&request, data), SM_HTTP1_END);
        assert_int_equal(request.used, 0);
    }
}

static void test_body_is_not_copied(void **state) {
    (void)state;
    const char data[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbodyGET";
    struct request request;
    begin(&request, &limits);
    assert_int_equal(feed_text(&request, data), SM_HTTP1_HEAD);
    const char *rest = data + request.used;
    assert_int_equal(feed(&request, rest, 1), SM_HTTP1_BODY);
    assert_ptr_equal(request.body.ptr, rest);
    assert_int_equal(request.used, 1);
    assert_int_equal(feed(&request, rest + 1, 0), SM_HTTP1_MORE);
    assert_int_equal(feed_text(&request, rest + 1), SM_HTTP1_BODY);
    assert_ptr_equal(request.body.ptr, rest + 1);
    assert_int_equal(request.body.len, 3);
    assert_int_equal(feed_text(&request, rest + 4), SM_HTTP1_END);
    assert_int_equal(request.used, 0);
}

static void test_chunked_body_is_not_copied(void **state) {
    (void)state;
    const char data[] = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\nGET";
    struct request request;
    begin(&request, &limits);
    assert_int_equal(feed_text(&request, data), SM_HTTP1_HEAD);
    const char *rest = data + request.used;
    assert_int_equal(feed_text(&request, rest), SM_HTTP1_BODY);
    assert_ptr_equal(request.body.ptr, rest + 3);
    assert_int_equal(request.body.len, 4);
    assert_int_equal(request.used, 7);
    rest += request.used;
    assert_int_equal(feed_text(&request, rest), SM_HTTP1_END);
    assert_int_equal(request.used, strlen(rest) - 3);
}

static void test_chunked_body_holds_no_bytes_back(void **state) {
    (void)state;
    const char data[] = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    const char *const pieces[] = {"1", ";a=\"", "b\"\r", "\n", "", "0\r\nTrai", "ler: x\r", "\n\r"};
    struct request request;
    begin(&request, &limits);
    assert_int_equal(feed_text(&request, data), SM_HTTP1_HEAD);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(feed_text(&request, pieces[i]), SM_HTTP1_MORE);
        assert_int_equal(request.used, strlen(pieces[i]));
    }
    assert_int_equal(feed_text(&request, "x"), SM_HTTP1_BODY);
    assert_int_equal(feed_text(&request, "\r\n"), SM_HTTP1_MORE);
    for (size_t i = 4; i < sizeof pieces / sizeof pieces[0]; i++) {
        assert_int_equal(feed_text(&request, pieces[i]), SM_HTTP1_MORE);
        assert_int_equal(request.used, strlen(pieces[i]));
    }
    assert_int_equal(feed_text(&request, "\n"), SM_HTTP1_END);
    assert_int_equal(request.used, 1);
}

// Tiny limits must not make the parser wait for ever, or look outside.
static void test_any_header_limit_ends_the_wait(void **state) {
    (void)state;
    const char data[] = "\r\nGET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n";
    struct guard guard;
    assert_int_equal(guard_init(&guard, sizeof data), 0);
    for (uint32_t most = 0; most < strlen(data); most++) {
        struct sm_http1_limits small = {.max_header_size = most, .max_headers = 10, .max_body_size = 10};
        struct request request;
        begin(&request, &small);
        enum sm_http1_event event = SM_HTTP1_MORE;
        for (size_t given = 0; given <= strlen(data) && event == SM_HTTP1_MORE; given++) {
            event = feed(&request, guard_put(&guard, data, given), given);
        }
        assert_int_equal(event, SM_HTTP1_BAD);
        assert_true(request.parser.status == 414 || request.parser.status == 431);
        begin(&request, &small);
        assert_int_equal(feed_text(&request, data), SM_HTTP1_BAD);
    }
    guard_deinit(&guard);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init_keeps_the_callers_array),
        cmocka_unit_test(test_head_spans_belong_to_the_last_buffer),
        cmocka_unit_test(test_long_line_byte_by_byte_is_scanned_once),
        cmocka_unit_test(test_more_fields_than_the_array_has_is_431),
        cmocka_unit_test(test_refused_request_stays_refused),
        cmocka_unit_test(test_refused_field_leaves_the_request_line),
        cmocka_unit_test(test_ended_request_takes_no_further_bytes),
        cmocka_unit_test(test_body_is_not_copied),
        cmocka_unit_test(test_chunked_body_is_not_copied),
        cmocka_unit_test(test_chunked_body_holds_no_bytes_back),
        cmocka_unit_test(test_any_header_limit_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
