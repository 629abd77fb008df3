// SPDX-License-Identifier: MIT
// Requests that the application never sees: each refusal with its status, "Connection: close", one log line, and
// the connection freed (RFC 9110 15.5, RFC 9112 9.6).
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "client.h"

static void refused(struct client *client, const char *text, int status) {
    client_expect_refused(client->rig, text, strlen(text), status);
}

static int setup(void **state) { // without the first client: refusals count sessions
    if (client_setup(state) != 0) {
        return -1;
    }
    client_close(*state);
    return 0;
}

static void test_malformed_request_is_400(void **state) {
    refused(*state, "GET / HTTP/1.1\r\n\r\n", 400); // no Host
    refused(*state, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400);
    refused(*state, "GET /\r\n\r\n", 400);
    refused(*state, "GET / HTTP/1.1\nHost: a\n\n", 400);
    refused(*state, "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400);
    refused(*state, "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n folded\r\n\r\n", 400);
    refused(*state, "\x16\x03\x01\x02\x00\x01", 400); // TLS
}

static void test_ambiguous_length_is_400(void **state) {
    refused(*state, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    refused(*state, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400);
    refused(*state, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", 400);
    refused(*state, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400);
}

static void test_unknown_coding_is_501_and_version_505(void **state) {
    refused(*state, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501);
    refused(*state, "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505);
}

static void test_unknown_expectation_is_417(void **state) {
    refused(*state, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: miracles\r\n\r\n", 417);
}

static void test_announced_body_past_the_limit_is_413(void **state) {
    refused(*state, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", 413);
    refused(*state, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n", 413);
}

static void test_chunked_body_past_the_limit_is_413_delivered_whole(void **state) {
    struct client *client = *state;
    static const char head[] = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    enum { CHUNK = 0x100000 }; // one is exactly the limit, the second is too much
    char *text = malloc(sizeof(head) + 3 * (CHUNK + 10));
    assert_non_null(text);
    char *at = text + sprintf(text, "%s", head);
    for (int i = 0; i < 3; i++) {
        at += sprintf(at, "100000\r\n");
        memset(at, 'x', CHUNK);
        at += CHUNK;
        at += sprintf(at, "\r\n");
    }
    client_expect_refused(client->rig, text, (size_t)(at - text), 413);
    free(text);
}

static void test_head_past_the_limits_is_431_or_414(void **state) {
    struct client *client = *state;
    char text[8192];
    size_t at = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 20; i++) { // with Host one more than max_headers
        at += (size_t)sprintf(text + at, "X-%d: y\r\n", i);
    }
    sprintf(text + at, "\r\n");
    refused(client, text, 431);
    memset(text, 'a', 5000);
    memcpy(text, "GET / HTTP/1.1\r\nHost: a\r\nX: ", 28);
    strcpy(text + 5000, "\r\n\r\n");
    refused(client, text, 431);
    memcpy(text, "GET /aaaaaaaaaaaaaaaaaaaaaaaa", 29);
    refused(client, text, 414);
}

static void test_answer_to_a_refused_head_request_has_no_body(void **state) {
    refused(*state, "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n", 413);
}

static void test_refusal_names_the_request_and_escapes_it(void **state) {
    struct client *client = *state;
    refused(client, "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", 413);
    assert_true(capture_has(&client->rig->log, "192.0.2.7:5000 \"PUT /x\" answered 413: "));
}

static void test_refusal_after_an_answer_ends_the_connection(void **state) {
    struct client client;
    client_open(&client, ((struct client *)*state)->rig);
    client_ask(&client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200, "Hello, world!");
    client_ask(&client, "GET / HTTP/1.1\r\nBad\r\n\r\n", 400, NULL);
    client_expect_ended(&client);
    client_close(&client);
}

// Everything that was asked before the refusal is answered before it.
static void test_refusal_behind_pipelined_requests_comes_last(void **state) {
    struct client client;
    client_open(&client, ((struct client *)*state)->rig);
    client_send(&client, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nNO\r\n\r\n");
    assert_int_equal(client_answer(&client, false)->status, 200);
    assert_int_equal(client_answer(&client, false)->status, 200);
    assert_int_equal(client_answer(&client, false)->status, 400);
    client_expect_ended(&client);
    client_close(&client);
}

static void test_overloaded_connection_is_503_although_it_sends(void **state) {
    struct client *other = *state;
    struct client client = {.rig = other->rig, .fd = rig_connect(other->rig, SM_PROTOCOL_HTTP, true)};
    client_send(&client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const struct answer *answer = client_answer(&client, false);
    assert_int_equal(answer->status, 503);
    assert_string_equal(answer_field(answer, "Connection"), "close");
    client_expect_ended(&client);
    assert_int_equal(other->rig->app.requests, 0);
    assert_int_equal(capture_lines(&other->rig->log), 1);
    client_close(&client);
    assert_int_equal(other->rig->engine.n_sessions, 0);
}

// --- deadlines ---

static void test_head_that_does_not_end_in_time_is_408(void **state) {
    struct client client;
    struct rig *rig = ((struct client *)*state)->rig;
    client_open(&client, rig);
    client_send(&client, "GET / HT");
    for (int i = 0; i < 9; i++) { // progress does not move this deadline: slowloris
        rig_pass(rig, 1100);
        client_send(&client, i == 0 ? "TP/1.1\r\nHost: a\r\nX: " : "y");
    }
    client_expect_open(&client);
    rig_pass(rig, 100 + RIG_TICK);
    const struct answer *answer = client_answer(&client, false);
    assert_int_equal(answer->status, 408);
    assert_string_equal(answer_field(answer, "Connection"), "close");
    client_expect_ended(&client);
    assert_int_equal(capture_lines(&rig->log), 1);
    client_close(&client);
}

static void test_body_without_progress_in_time_is_408(void **state) {
    struct client client;
    struct rig *rig = ((struct client *)*state)->rig;
    client_open(&client, rig);
    client_send(&client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    for (int i = 0; i < 5; i++) { // progress moves it
        rig_pass(rig, 25000);
        client_send(&client, "x");
    }
    client_expect_open(&client);
    rig_pass(rig, 30000 + RIG_TICK);
    const struct answer *answer = client_answer(&client, false);
    assert_int_equal(answer->status, 408);
    assert_string_equal(answer_field(answer, "Connection"), "close");
    client_expect_ended(&client);
    assert_int_equal(rig->app.requests, 0);
    client_close(&client);
}

static void test_fresh_connection_without_a_byte_is_closed_silently(void **state) {
    struct client client;
    struct rig *rig = ((struct client *)*state)->rig;
    client_open(&client, rig);
    rig_pass(rig, 9999);
    client_expect_open(&client);
    rig_pass(rig, 1 + RIG_TICK);
    client_expect_ended(&client);
    assert_int_equal(capture_lines(&rig->log), 0);
    client_close(&client);
}

static void test_idle_kept_connection_is_closed_silently(void **state) {
    struct client client;
    struct rig *rig = ((struct client *)*state)->rig;
    client_open(&client, rig);
    client_ask(&client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200, NULL);
    rig_pass(rig, 74999);
    client_expect_open(&client);
    rig_pass(rig, 1 + RIG_TICK);
    client_expect_ended(&client);
    assert_int_equal(capture_lines(&rig->log), 0);
    client_close(&client);
}

static void test_second_head_has_header_timeout_not_keepalive_timeout(void **state) {
    struct client client;
    struct rig *rig = ((struct client *)*state)->rig;
    client_open(&client, rig);
    client_ask(&client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200, NULL);
    rig_pass(rig, 60000);
    client_send(&client, "GET");
    rig_pass(rig, 9999);
    client_expect_open(&client);
    rig_pass(rig, 1 + RIG_TICK);
    assert_int_equal(client_answer(&client, false)->status, 408);
    client_close(&client);
}

static void test_application_has_no_deadline(void **state) {
    struct client client;
    struct rig *rig = ((struct client *)*state)->rig;
    rig->app.request = probe_hold;
    client_open(&client, rig);
    client_send(&client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    rig_pass(rig, 10000000);
    client_expect_open(&client);
    probe_finish(rig->app.held[0], "at last");
    assert_string_equal(client_answer(&client, false)->body, "at last");
    client_close(&client);
}

static void test_client_that_reads_nothing_is_closed_after_write_timeout(void **state) {
    struct client client;
    struct rig *rig = ((struct client *)*state)->rig;
    rig->app.request = probe_stream;
    rig->app.stream_len = 64 << 20;
    client_open(&client, rig);
    client_send(&client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for (int i = 0; i < 50; i++) { // until the socket is full too
        rig_turn(rig);
    }
    rig_pass(rig, 19999);
    assert_int_equal(rig->app.aborts, 0);
    rig_pass(rig, 1 + RIG_TICK);
    assert_int_equal(rig->app.aborts, 1);
    assert_int_equal(rig->engine.n_sessions, 0);
    assert_int_equal(capture_lines(&rig->log), 1);
    assert_true(capture_has(&rig->log, "write_timeout"));
    client_close(&client);
}

#define REFUSED(name) cmocka_unit_test_setup_teardown(name, setup, client_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        REFUSED(test_malformed_request_is_400),
        REFUSED(test_ambiguous_length_is_400),
        REFUSED(test_unknown_coding_is_501_and_version_505),
        REFUSED(test_unknown_expectation_is_417),
        REFUSED(test_announced_body_past_the_limit_is_413),
        REFUSED(test_chunked_body_past_the_limit_is_413_delivered_whole),
        REFUSED(test_head_past_the_limits_is_431_or_414),
        REFUSED(test_answer_to_a_refused_head_request_has_no_body),
        REFUSED(test_refusal_names_the_request_and_escapes_it),
        REFUSED(test_refusal_after_an_answer_ends_the_connection),
        REFUSED(test_refusal_behind_pipelined_requests_comes_last),
        REFUSED(test_overloaded_connection_is_503_although_it_sends),
        REFUSED(test_head_that_does_not_end_in_time_is_408),
        REFUSED(test_body_without_progress_in_time_is_408),
        REFUSED(test_fresh_connection_without_a_byte_is_closed_silently),
        REFUSED(test_idle_kept_connection_is_closed_silently),
        REFUSED(test_second_head_has_header_timeout_not_keepalive_timeout),
        REFUSED(test_application_has_no_deadline),
        REFUSED(test_client_that_reads_nothing_is_closed_after_write_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
