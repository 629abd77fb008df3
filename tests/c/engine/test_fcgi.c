// SPDX-License-Identifier: MIT
// FastCGI 1.0 served: one request at a time, in every role; what is refused; how the output looks.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdlib.h>
#include <sys/socket.h>

#include "front.h"

// --- answers ---

static void test_responder_is_answered_byte_for_byte(void **state) {
    struct front *front = *state;
    // The specification's sections 3.3, 5.3 and 5.5, and RFC 3875 6: one STDOUT record, its end, END_REQUEST.
    static const char head[] =
        "Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";
    struct sm_bytes expected = {0};
    put_record(&expected, STDOUT, 1, head, sizeof(head) - 1, 0);
    assert_int_equal(sizeof(head) - 1, 77);
    expected.data[6] = 3; // padding to a multiple of 8, its bytes not looked at
    put_request(&front->out, 1, KEEP_CONN, "");
    front_outcome(front, 1);
    assert_int_equal(front->inbox.bytes.len, expected.len + 3 + 8 + 16);
    assert_memory_equal(front->inbox.bytes.data, expected.data, expected.len);
    assert_memory_equal(front->inbox.bytes.data + expected.len + 3,
                        "\1\6\0\1\0\0\0\0"
                        "\1\3\0\1\0\10\0\0"
                        "\0\0\0\0\0\0\0\0",
                        24);
    sm_bytes_deinit(&expected);
}

static void test_small_answer_comes_in_one_piece(void **state) {
    struct front *front = *state;
    char out[4096];
    put_request(&front->out, 1, KEEP_CONN, "");
    assert_int_equal(send(front->fd, front->out.data, front->out.len, 0), front->out.len);
    front->out.len = 0;
    rig_turn(front->rig);
    ssize_t n = recv(front->fd, out, sizeof(out), MSG_DONTWAIT);
    assert_int_equal(sm_bytes_append(&front->inbox.bytes, out, (size_t)n), 0);
    front_expect(front, 1, "200 OK", "Hello, world!");
    assert_int_equal(front->inbox.bytes.len, n);
}

static void test_kept_connection_serves_again(void **state) {
    struct front *front = *state;
    for (uint16_t i = 0; i < 20; i++) {
        put_request(&front->out, i % 2 == 0 ? 1 : 65535, KEEP_CONN, "x");
        front_expect(front, i % 2 == 0 ? 1 : 65535, "200", "Hello, world!");
        front_forget(front);
    }
    front_expect_open(front);
}

static void test_connection_that_is_not_kept_ends_after_the_answer(void **state) {
    struct front *front = *state;
    put_request(&front->out, 1, 0, "x");
    front_expect(front, 1, "200", "Hello, world!");
    front_expect_ended(front);
    assert_int_equal(front->rig->engine.n_sessions, 0);
}

static void test_request_byte_by_byte_is_the_same(void **state) {
    struct front *front = *state;
    front->rig->app.request = probe_echo;
    put_request(&front->out, 258, KEEP_CONN, "the body");
    for (size_t i = 0; i < front->out.len; i++) {
        rig_send(front->rig, front->fd, front->out.data + i, 1);
    }
    front->out.len = 0;
    front_expect(front, 258, "200", "the body");
    assert_int_equal(front->rig->app.requests, 1);
    assert_memory_equal(front->rig->app.seen.data, "POST /258 the body\n", 19);
}

static void test_streams_in_one_byte_records_with_padding_are_the_same(void **state) {
    struct front *front = *state;
    struct sm_bytes pairs = {0};
    front->rig->app.request = probe_echo;
    put_pair(&pairs, "REQUEST_METHOD", "PUT");
    put_pair(&pairs, "REQUEST_URI", "/split");
    put_begin(&front->out, 1, RESPONDER, KEEP_CONN);
    for (size_t i = 0; i < pairs.len; i++) {
        put_record(&front->out, PARAMS, 1, pairs.data + i, 1, (uint8_t)(i * 37));
    }
    put_record(&front->out, PARAMS, 1, NULL, 0, 255);
    for (const char *at = "body"; *at != '\0'; at++) {
        put_record(&front->out, STDIN, 1, at, 1, 255);
    }
    put_record(&front->out, STDIN, 1, NULL, 0, 1);
    sm_bytes_deinit(&pairs);
    front_expect(front, 1, "200", "body");
    assert_memory_equal(front->rig->app.seen.data, "PUT /split body\n", 16);
}

static void test_largest_records_make_a_body(void **state) {
    struct front *front = *state;
    char *body = calloc(1, 65535 * 3 + 1);
    assert_non_null(body);
    for (size_t i = 0; i < 65535 * 3; i++) {
        body[i] = (char)('a' + i % 26);
    }
    front->rig->app.request = probe_echo;
    put_head(&front->out, 1, RESPONDER, KEEP_CONN, 65535 * 3);
    for (size_t i = 0; i < 3; i++) {
        put_record(&front->out, STDIN, 1, body + i * 65535, 65535, 1);
    }
    put_record(&front->out, STDIN, 1, NULL, 0, 0);
    front_expect(front, 1, "200", body);
    assert_true(front->outcome.out_records >= 3);
    free(body);
}

static void test_stream_larger_than_all_buffers_is_resumed(void **state) {
    struct front *front = *state;
    enum { LEN = 2000000 };
    front->rig->app.request = probe_stream;
    front->rig->app.stream_len = LEN;
    put_request(&front->out, 1, KEEP_CONN, "");
    const struct outcome *outcome = front_outcome(front, 1);
    assert_int_equal(outcome->ends, 1);
    assert_true(outcome->out.len > LEN);
    for (size_t i = 0; i < LEN; i++) {
        assert_int_equal(outcome->out.data[outcome->out.len - LEN + i], probe_byte(i));
    }
    assert_true(front->rig->app.resumes > 10);
    front_expect_open(front);
}

static unsigned released;

static void release(void *owner) {
    (void)owner;
    released++;
}

static void write_large_ref(struct probe *app, struct sm_exchange *exchange) {
    static char large[300000];
    (void)app;
    memset(large, 'r', sizeof(large));
    assert_int_equal(sm_exchange_start(exchange, 200, SM_STR("")), 0);
    assert_int_equal(sm_exchange_commit(exchange, sizeof(large)), 0);
    assert_int_equal(sm_exchange_write_ref(exchange, large, sizeof(large), release, NULL), SM_EXCHANGE_FULL);
    sm_exchange_end(exchange, 0);
}

static void test_borrowed_bytes_over_many_records_arrive_and_are_released_once(void **state) {
    struct front *front = *state;
    released = 0;
    front->rig->app.request = write_large_ref;
    put_request(&front->out, 1, KEEP_CONN, "");
    const struct outcome *outcome = front_outcome(front, 1);
    assert_int_equal(outcome->ends, 1);
    assert_true(outcome->out_records >= 300000 / 65535);
    assert_int_equal(strspn(strstr(outcome->out.data, "\r\n\r\n") + 4, "r"), 300000);
    assert_int_equal(released, 1);
}

static void end_with_status(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    assert_int_equal(sm_exchange_start(exchange, 204, SM_STR("")), 0);
    assert_int_equal(sm_exchange_commit(exchange, 0), 0);
    sm_exchange_end(exchange, 0xdeadbeef);
}

static void test_application_status_reaches_end_request(void **state) {
    struct front *front = *state;
    front->rig->app.request = end_with_status;
    put_request(&front->out, 1, KEEP_CONN, "");
    const struct outcome *outcome = front_outcome(front, 1);
    assert_string_equal(outcome->out.data, "Status: 204 No Content\r\n\r\n");
    assert_true(outcome->app_status == 0xdeadbeef);
    assert_int_equal(outcome->protocol_status, REQUEST_COMPLETE);
}

static void fail_it(struct probe *app, struct sm_exchange *exchange) {
    if (app->outcome != 0) {
        assert_int_equal(sm_exchange_start(exchange, 200, SM_STR("")), 0);
        assert_int_equal(sm_exchange_commit(exchange, -1), 0);
        assert_int_equal(sm_exchange_write(exchange, "half", 4), 0);
    }
    sm_exchange_fail(exchange);
}

static void test_fail_before_the_head_is_500_and_keeps_the_connection(void **state) {
    struct front *front = *state;
    front->rig->app.request = fail_it;
    put_request(&front->out, 1, KEEP_CONN, "");
    front_expect(front, 1, "500", NULL);
    front_expect_open(front);
}

static void test_fail_after_the_head_does_not_look_complete(void **state) {
    struct front *front = *state;
    front->rig->app.request = fail_it;
    front->rig->app.outcome = 1;
    put_request(&front->out, 1, KEEP_CONN, "");
    const struct outcome *outcome = front_outcome(front, 1);
    assert_int_equal(outcome->out_ends, 0);
    assert_true(outcome->ends == 0 || outcome->app_status != 0);
    front_expect_ended(front);
}

// --- FCGI_STDERR ---

static void log_lines(struct probe *app, struct sm_exchange *exchange) {
    char text[5000];
    memset(text, 'e', sizeof(text));
    sm_exchange_log(exchange, SM_STR("bad\nthing\x1b"));
    sm_exchange_log(exchange, (struct sm_str){text, sizeof(text)});
    probe_hello(app, exchange);
}

static void test_log_goes_to_stderr_sanitised_before_end_request(void **state) {
    struct front *front = *state;
    front->rig->app.request = log_lines;
    put_request(&front->out, 1, KEEP_CONN, "");
    front_expect(front, 1, "200", "Hello, world!");
    const struct outcome *outcome = &front->outcome;
    static const char first[] = "bad\\x0athing\\x1b\n";
    assert_int_equal(strncmp(outcome->err.data, first, sizeof(first) - 1), 0);
    assert_int_equal(strspn(outcome->err.data + sizeof(first) - 1, "e"), 5000);
    assert_string_equal(outcome->err.data + sizeof(first) - 1 + 5000, "\n");
    assert_int_equal(outcome->err_ends, 1);
    assert_int_equal(capture_lines(&front->rig->log), 2);
}

static void test_without_log_there_is_no_stderr_record(void **state) {
    struct front *front = *state;
    put_request(&front->out, 1, KEEP_CONN, "");
    assert_int_equal(front_outcome(front, 1)->err_ends, 0);
}

// --- roles ---

static void answer_role(struct probe *app, struct sm_exchange *exchange) {
    const struct sm_body *data = sm_exchange_filter_data(exchange);
    char text[200];
    probe_note(app, exchange);
    size_t len = data->len < 100 ? (size_t)data->len : 100;
    text[0] = (char)('0' + (int)sm_exchange_role(exchange));
    if (len > 0) {
        assert_non_null(data->data);
        memcpy(text + 1, data->data, len);
    }
    text[1 + len] = '\0';
    probe_finish(exchange, text);
}

static void test_authorizer_is_asked_before_stdin(void **state) {
    struct front *front = *state;
    front->rig->app.request = answer_role;
    put_head(&front->out, 1, AUTHORIZER, KEEP_CONN, 4); // CONTENT_LENGTH speaks of what the responder will get
    front_expect(front, 1, "200", "2");
    put_stream(&front->out, STDIN, 1, "late"); // some servers send it all the same: ignored
    front_send(front);
    front_forget(front);
    put_head(&front->out, 2, AUTHORIZER, KEEP_CONN, -1);
    put_stream(&front->out, STDIN, 2, "");
    front_expect(front, 2, "200", "2");
    front_expect_open(front);
}

static void test_filter_gets_stdin_and_data(void **state) {
    struct front *front = *state;
    front->rig->app.request = answer_role;
    put_head(&front->out, 1, FILTER, KEEP_CONN, 4);
    put_stream(&front->out, STDIN, 1, "body");
    front_send(front);
    assert_int_equal(front->rig->app.requests, 0);
    put_record(&front->out, DATA, 1, "da", 2, 6);
    put_stream(&front->out, DATA, 1, "ta");
    front_expect(front, 1, "200", "3data");
    assert_memory_equal(front->rig->app.seen.data, "POST /1 body\n", 13);
}

static void test_filter_with_empty_data_is_served(void **state) {
    struct front *front = *state;
    front->rig->app.request = answer_role;
    put_head(&front->out, 1, FILTER, KEEP_CONN, 0);
    put_stream(&front->out, STDIN, 1, "");
    put_stream(&front->out, DATA, 1, "");
    front_expect(front, 1, "200", "3");
}

static void test_unknown_role_is_said_and_the_connection_goes_on(void **state) {
    struct front *front = *state;
    static const uint16_t roles[] = {0, 4, 256, 65535};
    for (size_t i = 0; i < 4; i++) {
        put_begin(&front->out, 7, roles[i], KEEP_CONN);
        put_record(&front->out, PARAMS, 7, NULL, 0, 0); // of an id that is not alive: ignored
        const struct outcome *outcome = front_outcome(front, 7);
        assert_int_equal(outcome->ends, 1);
        assert_int_equal(outcome->protocol_status, UNKNOWN_ROLE);
        assert_int_equal(outcome->out.len, 0);
        front_forget(front);
    }
    put_request(&front->out, 7, KEEP_CONN, "");
    front_expect(front, 7, "200", "Hello, world!");
}

static void test_unknown_role_unkept_ends_the_connection(void **state) {
    struct front *front = *state;
    put_begin(&front->out, 7, 9, 0);
    assert_int_equal(front_outcome(front, 7)->protocol_status, UNKNOWN_ROLE);
    front_expect_ended(front);
}

// --- lengths and limits ---

static void expect_length(struct front *front, long announced, const char *body, const char *status) {
    front->rig->app.request = probe_echo;
    put_head(&front->out, 1, RESPONDER, KEEP_CONN, announced);
    put_stream(&front->out, STDIN, 1, body);
    front_expect(front, 1, status, status[0] == '2' ? body : NULL);
    front_forget(front);
}

static void test_content_length_decides_with_stdin(void **state) {
    struct front *front = *state;
    expect_length(front, 4, "body", "200");
    expect_length(front, 0, "", "200");
    expect_length(front, -1, "", "200");
    expect_length(front, -1, "unannounced", "200");
    assert_int_equal(front->rig->app.requests, 4);
    expect_length(front, 5, "body", "400");
    expect_length(front, 3, "body", "400");
    expect_length(front, 0, "body", "400");
    expect_length(front, 4, "", "400");
    assert_int_equal(front->rig->app.requests, 4);
    assert_int_equal(capture_lines(&front->rig->log), 4);
    front_expect_open(front);
}

static void test_body_past_the_limit_is_413(void **state) {
    struct front *front = *state;
    static char part[65528];
    put_head(&front->out, 1, RESPONDER, KEEP_CONN, 1048577);
    front_expect(front, 1, "413", NULL);
    front_forget(front);
    put_head(&front->out, 2, RESPONDER, KEEP_CONN, -1);
    for (int i = 0; i < 20; i++) {
        put_record(&front->out, STDIN, 2, part, sizeof(part), 0);
    }
    put_record(&front->out, STDIN, 2, NULL, 0, 0);
    front_expect(front, 2, "413", NULL);
    front_forget(front);
    assert_int_equal(front->rig->app.requests, 0);
    put_request(&front->out, 3, KEEP_CONN, "");
    front_expect(front, 3, "200", "Hello, world!");
}

static void test_params_past_the_limit_are_431(void **state) {
    struct front *front = *state;
    static char value[5000];
    struct sm_bytes pairs = {0};
    memset(value, 'v', sizeof(value) - 1);
    put_pair(&pairs, "REQUEST_URI", value);
    put_begin(&front->out, 1, RESPONDER, KEEP_CONN);
    put_record(&front->out, PARAMS, 1, pairs.data, pairs.len, 0);
    put_record(&front->out, PARAMS, 1, NULL, 0, 0);
    put_stream(&front->out, STDIN, 1, "");
    front_expect(front, 1, "431", NULL);
    front_forget(front);
    sm_bytes_deinit(&pairs);
    put_request(&front->out, 1, KEEP_CONN, "");
    front_expect(front, 1, "200", "Hello, world!");
    assert_int_equal(front->rig->app.requests, 1);
}

static void expect_params(struct front *front, const char *content, size_t len, const char *status) {
    put_begin(&front->out, 1, RESPONDER, KEEP_CONN);
    put_record(&front->out, PARAMS, 1, content, len, 0);
    put_record(&front->out, PARAMS, 1, NULL, 0, 0);
    put_stream(&front->out, STDIN, 1, "");
    front_expect(front, 1, status, NULL);
    front_forget(front);
}

static void test_malformed_params_are_400(void **state) {
    struct front *front = *state;
    expect_params(front, "\x05\x05short", 7, "400");
    expect_params(front, "\x80", 1, "400");
    expect_params(front, "\x00\x01x", 3, "400");      // no name
    expect_params(front, "\x01\x02X\x00y", 5, "400"); // NUL in a value
    expect_params(front,
                  "\x0e\x02"
                  "CONTENT_LENGTH"
                  "1x",
                  18, "400");
    expect_params(front,
                  "\x0e\x01"
                  "CONTENT_LENGTH"
                  "0"
                  "\x0e\x01"
                  "CONTENT_LENGTH"
                  "1",
                  34, "400");
    assert_int_equal(front->rig->app.requests, 0);
    assert_int_equal(capture_lines(&front->rig->log), 6);
    expect_params(front, "\x01\x00X", 3, "200");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FRONTED(test_responder_is_answered_byte_for_byte),
        FRONTED(test_small_answer_comes_in_one_piece),
        FRONTED(test_kept_connection_serves_again),
        FRONTED(test_connection_that_is_not_kept_ends_after_the_answer),
        FRONTED(test_request_byte_by_byte_is_the_same),
        FRONTED(test_streams_in_one_byte_records_with_padding_are_the_same),
        FRONTED(test_largest_records_make_a_body),
        FRONTED(test_stream_larger_than_all_buffers_is_resumed),
        FRONTED(test_borrowed_bytes_over_many_records_arrive_and_are_released_once),
        FRONTED(test_application_status_reaches_end_request),
        FRONTED(test_fail_before_the_head_is_500_and_keeps_the_connection),
        FRONTED(test_fail_after_the_head_does_not_look_complete),
        FRONTED(test_log_goes_to_stderr_sanitised_before_end_request),
        FRONTED(test_without_log_there_is_no_stderr_record),
        FRONTED(test_authorizer_is_asked_before_stdin),
        FRONTED(test_filter_gets_stdin_and_data),
        FRONTED(test_filter_with_empty_data_is_served),
        FRONTED(test_unknown_role_is_said_and_the_connection_goes_on),
        FRONTED(test_unknown_role_unkept_ends_the_connection),
        FRONTED(test_content_length_decides_with_stdin),
        FRONTED(test_body_past_the_limit_is_413),
        FRONTED(test_params_past_the_limit_are_431),
        FRONTED(test_malformed_params_are_400),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
