// SPDX-License-Identifier: MIT
// HTTP request bodies that are read while they come: order, back pressure, 100-continue (RFC 9110 10.1.1), early
// answers, and requests that break off in the middle.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "client.h"

#define POST(len) "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: " #len "\r\n\r\n"
#define CHUNKED "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#define WAITING "POST /p HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

enum { RECEIVED_AT_ONCE = 65536 }; // what one read of the server may add

static int setup_streaming(void **state) {
    int r = client_setup(state);
    struct client *client = *state;
    client->rig->app.base.streams = true;
    client->rig->app.request = probe_keep;
    return r;
}

#define STREAMED(name) cmocka_unit_test_setup_teardown(name, setup_streaming, client_teardown)

static struct sm_exchange *begin(struct client *client, const char *text) {
    client_send(client, text);
    assert_int_equal(client->rig->app.n_held, 1);
    return client->rig->app.held[0];
}

static void expect_seen(const struct client *client, const char *text) {
    const struct sm_bytes *seen = &client->rig->app.seen;
    assert_int_equal(seen->len, strlen(text));
    assert_memory_equal(seen->data, text, seen->len);
}

static void take_on_notice(struct probe *app, struct sm_exchange *exchange, unsigned what) {
    if ((what & SM_NOTICE_BODY) != 0) {
        probe_take(app, exchange);
        if (!sm_exchange_body_coming(exchange)) {
            probe_finish(exchange, "whole");
        }
    }
}

static void test_body_is_read_as_it_comes(void **state) {
    struct client *client = *state;
    struct sm_exchange *exchange = begin(client, POST(6));
    struct probe *app = &client->rig->app;
    assert_true(sm_exchange_body_coming(exchange));
    assert_int_equal(sm_exchange_body_unread(exchange), 0);
    client_send(client, "ab");
    assert_int_equal(app->notices, SM_NOTICE_BODY);
    assert_int_equal(sm_exchange_body_unread(exchange), 2);
    probe_take(app, exchange);
    assert_true(sm_exchange_body_coming(exchange));
    client_send(client, "cdef");
    assert_false(sm_exchange_body_coming(exchange));
    probe_take(app, exchange);
    expect_seen(client, "abcdef");
    probe_finish(exchange, "done");
    assert_null(answer_field(client_answer(client, false), "Connection"));
    client->rig->app.n_held = 0; // the connection goes on
    client->rig->app.notice = take_on_notice;
    begin(client, CHUNKED);
    client_ask(client, "3\r\nghi\r\n0\r\n\r\n", 200, "whole");
    expect_seen(client, "abcdefghi");
    client_expect_open(client);
}

static void test_body_that_came_with_the_head_needs_no_notice(void **state) {
    struct client *client = *state;
    struct sm_exchange *exchange = begin(client, POST(3) "abc");
    assert_false(sm_exchange_body_coming(exchange));
    assert_int_equal(client->rig->app.notices, 0);
    probe_take(&client->rig->app, exchange);
    expect_seen(client, "abc");
    probe_finish(exchange, "");
    client_answer(client, false);
    client_expect_open(client);
}

static void test_request_without_a_body_is_whole(void **state) {
    struct client *client = *state;
    struct sm_exchange *exchange = begin(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_false(sm_exchange_body_coming(exchange));
    assert_int_equal(sm_exchange_body_unread(exchange), 0);
    probe_finish(exchange, "");
    client_answer(client, false);
}

// Sends until nobody takes any more; what was sent of data[0, len).
static size_t push(struct client *client, const char *data, size_t len) {
    size_t sent = 0;
    for (int idle = 0; idle < 10 && sent < len;) {
        ssize_t n = send(client->fd, data + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        assert_true(n > 0 || errno == EAGAIN);
        sent += n > 0 ? (size_t)n : 0;
        idle = n > 0 ? 0 : idle + 1;
        rig_turn(client->rig);
    }
    return sent;
}

static void test_client_is_stopped_until_the_body_is_read(void **state) {
    struct client *client = *state;
    struct probe *app = &client->rig->app;
    enum { LEN = 1000000 };
    static char data[LEN];
    for (size_t i = 0; i < LEN; i++) {
        data[i] = probe_byte(i);
    }
    struct sm_exchange *exchange = begin(client, POST(1000000));
    size_t sent = push(client, data, LEN);
    assert_true(sent < LEN);
    uint64_t unread = sm_exchange_body_unread(exchange);
    assert_in_range(unread, client->rig->settings.request_body_memory,
                    client->rig->settings.request_body_memory + RECEIVED_AT_ONCE);
    rig_pass(client->rig, client->rig->settings.body_timeout + RIG_TICK); // it is not the client who is late
    assert_int_equal(sm_exchange_body_unread(exchange), unread);
    assert_int_equal(app->aborts, 0);
    for (int i = 0; i < 1000 && app->seen.len < LEN; i++) {
        probe_take(app, exchange);
        rig_turn(client->rig);
        sent += push(client, data + sent, LEN - sent);
    }
    assert_int_equal(app->seen.len, LEN);
    assert_memory_equal(app->seen.data, data, LEN);
    assert_false(sm_exchange_body_coming(exchange));
    probe_finish(exchange, "");
    client_answer(client, false);
}

// There is no byte behind the body that could make anybody look for its end.
static void test_body_whose_last_byte_stops_the_client_still_ends(void **state) {
    struct client *client = *state;
    static char data[8192];
    struct sm_exchange *exchange = begin(client, POST(8192));
    assert_int_equal(push(client, data, sizeof(data)), sizeof(data));
    probe_take(&client->rig->app, exchange);
    rig_pass(client->rig, 0);
    assert_false(sm_exchange_body_coming(exchange));
    probe_finish(exchange, "");
    assert_null(answer_field(client_answer(client, false), "Connection"));
}

static void test_body_of_any_size_streams_without_request_body_memory(void **state) {
    struct client *client = *state;
    client->rig->settings.request_body_memory = 0;
    client->rig->app.notice = take_on_notice;
    begin(client, POST(6));
    client_send(client, "abc");
    client_ask(client, "def", 200, "whole");
    expect_seen(client, "abcdef");
}

// --- 100 Continue ---

static void expect_raw(struct client *client, const char *text) {
    rig_collect(client->rig, client->fd, &client->inbox);
    assert_int_equal(client->inbox.bytes.len, strlen(text));
    assert_memory_equal(client->inbox.bytes.data, text, strlen(text));
    client->inbox.bytes.len = 0;
}

static void test_continue_is_said_when_the_body_is_read(void **state) {
    struct client *client = *state;
    struct sm_exchange *exchange = begin(client, WAITING);
    client_expect_open(client);
    rig_pass(client->rig, client->rig->settings.body_timeout + RIG_TICK); // nobody asked for it yet
    client_expect_open(client);
    assert_int_equal(client->rig->app.aborts, 0);
    assert_int_equal(sm_exchange_body_read(exchange, NULL, 0), 0);
    expect_raw(client, CONTINUE);
    assert_int_equal(sm_exchange_body_read(exchange, NULL, 0), 0);
    client_expect_open(client); // once
    client_send(client, "abcd");
    probe_take(&client->rig->app, exchange);
    expect_seen(client, "abcd");
    probe_finish(exchange, "");
    assert_null(answer_field(client_answer(client, false), "Connection"));
}

static void test_client_that_was_told_to_continue_and_does_not_is_answered_408(void **state) {
    struct client *client = *state;
    struct sm_exchange *exchange = begin(client, WAITING);
    rig_pass(client->rig, client->rig->settings.body_timeout - 1000);
    assert_int_equal(sm_exchange_body_read(exchange, NULL, 0), 0);
    expect_raw(client, CONTINUE);
    rig_pass(client->rig, client->rig->settings.body_timeout - 1000);
    client_expect_open(client);
    rig_pass(client->rig, 1000 + RIG_TICK);
    assert_int_equal(client_answer(client, false)->status, 408);
    assert_int_equal(client->rig->app.aborts, 1);
}

static void test_continue_is_not_said_to_a_client_that_did_not_wait(void **state) {
    struct client *client = *state;
    struct sm_exchange *exchange = begin(client, WAITING);
    client_send(client, "ab");
    probe_take(&client->rig->app, exchange);
    client_expect_open(client);
    client_send(client, "cd");
    probe_take(&client->rig->app, exchange);
    expect_seen(client, "abcd");
    probe_finish(exchange, "");
    assert_int_equal(client_answer(client, false)->status, 200);
}

static void test_continue_is_not_said_behind_the_head(void **state) {
    struct client *client = *state;
    struct sm_exchange *exchange = begin(client, WAITING);
    assert_int_equal(sm_exchange_start(exchange, 200, SM_STR("")), 0);
    assert_int_equal(sm_exchange_commit(exchange, 4), 0);
    assert_int_equal(sm_exchange_body_read(exchange, NULL, 0), 0);
    assert_int_equal(sm_exchange_write(exchange, "body", 4), 0);
    sm_exchange_end(exchange, 0);
    assert_string_equal(client_answer(client, false)->body, "body");
}

// --- answered before it was read ---

static void test_early_answer_closes_and_survives_what_the_client_still_sends(void **state) {
    struct client *client = *state;
    struct sm_exchange *exchange = begin(client, POST(100000));
    client_send(client, "some");
    probe_finish(exchange, "enough");
    const struct answer *answer = client_answer(client, false);
    assert_string_equal(answer->body, "enough");
    assert_string_equal(answer_field(answer, "Connection"), "close");
    char more[1000] = {0};
    assert_int_equal(push(client, more, sizeof(more)), sizeof(more));
    client_expect_ended(client); // our side, while the rest is read and dropped
    assert_int_equal(client->rig->engine.n_sessions, 1);
    rig_pass(client->rig, client->rig->settings.linger_timeout + RIG_TICK);
    assert_int_equal(client->rig->engine.n_sessions, 0);
    assert_int_equal(client->rig->app.aborts, 0);
}

static void test_early_answer_while_the_client_is_stopped_arrives(void **state) {
    struct client *client = *state;
    struct sm_exchange *exchange = begin(client, POST(1000000));
    static char data[1000000];
    size_t sent = push(client, data, 1000000);
    probe_finish(exchange, "enough");
    rig_turn(client->rig);
    assert_string_equal(client_answer(client, false)->body, "enough");
    sent += push(client, data + sent, 1000000 - sent);
    assert_int_equal(sent, 1000000);
}

// --- broken off ---

static void expect_denied(struct client *client, int status) {
    const struct answer *answer = client_answer(client, false);
    assert_int_equal(answer->status, status);
    assert_string_equal(answer_field(answer, "Connection"), "close");
    client_expect_ended(client);
    assert_int_equal(client->rig->app.aborts, 1);
    assert_int_equal(capture_lines(&client->rig->log), 1);
}

static void test_bad_chunk_aborts_and_is_answered_400(void **state) {
    struct client *client = *state;
    begin(client, CHUNKED "3\r\nabc\r\n");
    client_send(client, "zz\r\n");
    expect_denied(client, 400);
}

static void test_bad_chunk_right_behind_the_head_never_reaches_the_application(void **state) {
    struct client *client = *state;
    client_send(client, CHUNKED "zz\r\n");
    assert_int_equal(client_answer(client, false)->status, 400);
    client_expect_ended(client);
    assert_int_equal(client->rig->app.requests, 0);
    assert_int_equal(client->rig->app.aborts, 0);
}

static void commit_some(struct sm_exchange *exchange) {
    assert_int_equal(sm_exchange_start(exchange, 200, SM_STR("")), 0);
    assert_int_equal(sm_exchange_commit(exchange, -1), 0);
    assert_int_equal(sm_exchange_write(exchange, "some", 4), 0);
    assert_int_equal(sm_exchange_flush(exchange), 0);
}

static void test_bad_chunk_behind_the_head_of_the_answer_breaks_it_off(void **state) {
    struct client *client = *state;
    commit_some(begin(client, CHUNKED));
    client_send(client, "zz\r\n");
    rig_collect(client->rig, client->fd, &client->inbox);
    assert_true(client->inbox.ended);
    assert_non_null(memmem(client->inbox.bytes.data, client->inbox.bytes.len, "4\r\nsome\r\n", 9));
    assert_null(memmem(client->inbox.bytes.data, client->inbox.bytes.len, "0\r\n\r\n", 5));
    assert_null(memmem(client->inbox.bytes.data, client->inbox.bytes.len, "400", 3));
    assert_int_equal(client->rig->app.aborts, 1);
    assert_true(capture_has(&client->rig->log, "the request broke off while it was answered"));
    client->inbox.bytes.len = 0;
}

static void test_bad_chunk_behind_a_complete_answer_does_not_touch_it(void **state) {
    struct client *client = *state;
    struct sm_exchange *exchange = begin(client, CHUNKED);
    probe_finish(exchange, "enough"); // from outside of any call: the end waits for the turn in which this comes
    client_send(client, "zz\r\n");
    assert_string_equal(client_answer(client, false)->body, "enough");
    client_expect_ended(client);
    assert_int_equal(client->rig->app.aborts, 0);
    assert_int_equal(capture_lines(&client->rig->log), 0);
}

static void test_bad_chunk_after_the_head_was_taken_is_answered_400(void **state) {
    struct client *client = *state;
    free(sm_exchange_take_head(begin(client, CHUNKED)));
    client_send(client, "zz\r\n");
    expect_denied(client, 400);
    assert_true(capture_has(&client->rig->log, "\"- -\" answered 400"));
}

static void end_in_abort(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    sm_exchange_end(exchange, 0);
}

static void test_application_that_ends_in_the_abort_still_gets_one_answer(void **state) {
    struct client *client = *state;
    client->rig->app.abort = end_in_abort;
    begin(client, CHUNKED);
    client_send(client, "zz\r\n");
    expect_denied(client, 400);
}

static void test_body_past_max_body_size_aborts_and_is_answered_413(void **state) {
    struct client *client = *state;
    client->rig->settings.max_body_size = 5;
    begin(client, CHUNKED "5\r\nabcde\r\n");
    probe_take(&client->rig->app, client->rig->app.held[0]); // what was read counts
    client_send(client, "1\r\nf\r\n");
    expect_denied(client, 413);
}

static void test_body_that_stops_aborts_and_is_answered_408(void **state) {
    struct client *client = *state;
    begin(client, POST(6) "abc");
    rig_pass(client->rig, client->rig->settings.body_timeout - 1000);
    client_send(client, "d"); // progress
    rig_pass(client->rig, client->rig->settings.body_timeout - 1000);
    client_expect_open(client);
    rig_pass(client->rig, 1000 + RIG_TICK);
    expect_denied(client, 408);
}

static void test_client_that_leaves_in_the_body_is_aborted(void **state) {
    struct client *client = *state;
    begin(client, POST(6) "abc");
    client_close(client);
    assert_int_equal(client->rig->app.aborts, 1);
    assert_int_equal(client->rig->engine.n_sessions, 0);
}

static void test_client_that_leaves_while_it_is_stopped_is_aborted_when_the_rest_is_read(void **state) {
    struct client *client = *state;
    char data[20000] = {0};
    struct sm_exchange *exchange = begin(client, POST(30000));
    assert_int_equal(push(client, data, sizeof(data)), sizeof(data));
    shutdown(client->fd, SHUT_WR);
    rig_turn(client->rig);
    assert_int_equal(client->rig->app.aborts, 0);
    assert_int_equal(client->rig->app.notices & SM_NOTICE_HANGUP, 0);
    probe_take(&client->rig->app, exchange);
    assert_int_equal(client->rig->app.seen.len, sizeof(data));
    rig_pass(client->rig, 0);
    assert_int_equal(client->rig->app.aborts, 1);
    client_expect_ended(client);
}

// --- a look at the client in between ---

static void test_look_at_the_client_does_not_lose_the_body(void **state) {
    struct client *client = *state;
    struct sm_exchange *exchange = begin(client, POST(6));
    assert_int_equal(send(client->fd, "abcdef", 6, MSG_NOSIGNAL), 6);
    assert_false(sm_exchange_is_aborted(exchange)); // reads from the socket
    rig_pass(client->rig, 0);
    assert_false(sm_exchange_body_coming(exchange));
    probe_take(&client->rig->app, exchange);
    expect_seen(client, "abcdef");
    probe_finish(exchange, "");
    client_answer(client, false);
}

static void test_look_at_the_client_does_not_lose_the_end(void **state) {
    struct client *client = *state;
    char data[20000] = {0};
    struct sm_exchange *exchange = begin(client, POST(20000));
    assert_int_equal(push(client, data, 10000), 10000);
    assert_int_equal(send(client->fd, data, 10000, MSG_NOSIGNAL), 10000);
    shutdown(client->fd, SHUT_WR);
    rig_turn(client->rig);
    assert_true(sm_exchange_is_aborted(exchange)); // reads to the end, past what was handed on
    for (int i = 0; i < 10; i++) {
        probe_take(&client->rig->app, exchange);
        rig_turn(client->rig);
    }
    assert_int_equal(client->rig->app.seen.len, sizeof(data));
    assert_int_equal(client->rig->app.notices & SM_NOTICE_HANGUP, SM_NOTICE_HANGUP);
    probe_finish(exchange, "all");
    assert_string_equal(client_answer(client, false)->body, "all");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        STREAMED(test_body_is_read_as_it_comes),
        STREAMED(test_body_that_came_with_the_head_needs_no_notice),
        STREAMED(test_request_without_a_body_is_whole),
        STREAMED(test_client_is_stopped_until_the_body_is_read),
        STREAMED(test_body_whose_last_byte_stops_the_client_still_ends),
        STREAMED(test_body_of_any_size_streams_without_request_body_memory),
        STREAMED(test_continue_is_said_when_the_body_is_read),
        STREAMED(test_client_that_was_told_to_continue_and_does_not_is_answered_408),
        STREAMED(test_continue_is_not_said_to_a_client_that_did_not_wait),
        STREAMED(test_continue_is_not_said_behind_the_head),
        STREAMED(test_early_answer_closes_and_survives_what_the_client_still_sends),
        STREAMED(test_early_answer_while_the_client_is_stopped_arrives),
        STREAMED(test_bad_chunk_aborts_and_is_answered_400),
        STREAMED(test_bad_chunk_right_behind_the_head_never_reaches_the_application),
        STREAMED(test_bad_chunk_behind_the_head_of_the_answer_breaks_it_off),
        STREAMED(test_bad_chunk_behind_a_complete_answer_does_not_touch_it),
        STREAMED(test_bad_chunk_after_the_head_was_taken_is_answered_400),
        STREAMED(test_application_that_ends_in_the_abort_still_gets_one_answer),
        STREAMED(test_body_past_max_body_size_aborts_and_is_answered_413),
        STREAMED(test_body_that_stops_aborts_and_is_answered_408),
        STREAMED(test_client_that_leaves_in_the_body_is_aborted),
        STREAMED(test_client_that_leaves_while_it_is_stopped_is_aborted_when_the_rest_is_read),
        STREAMED(test_look_at_the_client_does_not_lose_the_body),
        STREAMED(test_look_at_the_client_does_not_lose_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
