// SPDX-License-Identifier: MIT
// FCGI_STDIN that is read while it comes (FastCGI 1.0, section 5.3): back pressure with one request and with several,
// lengths that differ, requests that break off in the middle.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <sys/socket.h>

#include "front.h"

static int setup_streaming(void **state) {
    int r = front_setup(state);
    struct front *front = *state;
    front->rig->app.base.streams = true;
    front->rig->app.request = probe_keep;
    return r;
}

#define STREAMED(name) cmocka_unit_test_setup_teardown(name, setup_streaming, front_teardown)

static void send_stdin(struct front *front, uint16_t id, const char *text) {
    put_record(&front->out, STDIN, id, text, strlen(text), 0);
    front_send(front);
}

static struct sm_exchange *begin(struct front *front, uint16_t id, long content_length) {
    struct probe *app = &front->rig->app;
    size_t n = app->n_held;
    put_head(&front->out, id, RESPONDER, KEEP_CONN, content_length);
    front_send(front);
    assert_int_equal(app->n_held, n + 1);
    return app->held[n];
}

static void expect_seen(const struct front *front, const char *text) {
    const struct sm_bytes *seen = &front->rig->app.seen;
    assert_int_equal(seen->len, strlen(text));
    assert_memory_equal(seen->data, text, seen->len);
}

static void test_stdin_is_read_as_it_comes(void **state) {
    struct front *front = *state;
    struct probe *app = &front->rig->app;
    struct sm_exchange *exchange = begin(front, 1, 6);
    assert_true(sm_exchange_body_coming(exchange));
    send_stdin(front, 1, "abc");
    assert_int_equal(app->notices, SM_NOTICE_BODY);
    probe_take(app, exchange);
    expect_seen(front, "abc");
    send_stdin(front, 1, "def");
    assert_true(sm_exchange_body_coming(exchange)); // its end is a record of its own
    app->notices = 0;
    send_stdin(front, 1, "");
    assert_int_equal(app->notices, SM_NOTICE_BODY);
    assert_false(sm_exchange_body_coming(exchange));
    probe_take(app, exchange);
    expect_seen(front, "abcdef");
    probe_finish(exchange, "done");
    front_expect(front, 1, "200", "done");
    front_expect_open(front);
}

static void test_streams_of_two_requests_do_not_mix(void **state) {
    struct front *front = *state;
    struct probe *app = &front->rig->app;
    struct sm_exchange *one = begin(front, 1, -1);
    struct sm_exchange *two = begin(front, 2, -1);
    send_stdin(front, 2, "two");
    send_stdin(front, 1, "one");
    send_stdin(front, 2, "");
    assert_true(sm_exchange_body_coming(one));
    assert_false(sm_exchange_body_coming(two));
    probe_take(app, two);
    probe_take(app, one);
    expect_seen(front, "twoone");
    probe_finish(two, "2");
    front_expect(front, 2, "200", "2");
    send_stdin(front, 1, "");
    probe_finish(one, "1");
    front_expect(front, 1, "200", "1");
}

static void test_filter_is_asked_when_both_streams_are_whole(void **state) {
    struct front *front = *state;
    put_head(&front->out, 1, FILTER, KEEP_CONN, 3);
    put_stream(&front->out, STDIN, 1, "abc");
    front_send(front);
    assert_int_equal(front->rig->app.requests, 0);
    put_stream(&front->out, DATA, 1, "data");
    front_send(front);
    assert_int_equal(front->rig->app.n_held, 1);
    assert_false(sm_exchange_body_coming(front->rig->app.held[0]));
    probe_finish(front->rig->app.held[0], "");
}

// Sends records of 1000 bytes until nobody takes any more; the bytes of STDIN that went.
static size_t push(struct front *front, uint16_t id, size_t most) {
    static const char piece[1000];
    size_t sent = 0;
    front->out.len = 0;
    put_record(&front->out, STDIN, id, piece, sizeof(piece), 0);
    for (int idle = 0; idle < 10 && sent < most;) {
        ssize_t n = send(front->fd, front->out.data, front->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        assert_true(n == (ssize_t)front->out.len || (n < 0 && errno == EAGAIN));
        sent += n > 0 ? sizeof(piece) : 0;
        idle = n > 0 ? 0 : idle + 1;
        rig_turn(front->rig);
    }
    front->out.len = 0;
    return sent;
}

static void test_one_request_stops_the_connection_until_it_is_read(void **state) {
    struct front *front = *state;
    struct probe *app = &front->rig->app;
    struct sm_exchange *exchange = begin(front, 1, 1000000);
    size_t sent = push(front, 1, 1000000);
    assert_true(sent < 1000000);
    uint64_t unread = sm_exchange_body_unread(exchange);
    assert_in_range(unread, 8192, 8192 + 1000);
    rig_pass(front->rig, front->rig->settings.body_timeout + RIG_TICK);
    assert_int_equal(app->aborts, 0);
    for (int i = 0; i < 1000 && app->seen.len < 1000000; i++) {
        probe_take(app, exchange);
        rig_turn(front->rig);
        sent += push(front, 1, 1000000 - sent);
    }
    assert_int_equal(app->seen.len, 1000000);
    send_stdin(front, 1, "");
    assert_false(sm_exchange_body_coming(exchange));
    probe_finish(exchange, "all");
    front_expect(front, 1, "200", "all");
}

static void test_one_of_several_requests_goes_to_a_file_instead(void **state) {
    struct front *front = *state;
    struct probe *app = &front->rig->app;
    struct sm_exchange *one = begin(front, 1, -1);
    struct sm_exchange *two = begin(front, 2, -1);
    assert_int_equal(push(front, 1, 500000), 500000);
    assert_int_equal(sm_exchange_body_unread(one), 500000);
    assert_true(sm_exchange_body(one)->fd >= 0);
    send_stdin(front, 2, "two"); // is not held up
    send_stdin(front, 2, "");
    assert_false(sm_exchange_body_coming(two));
    probe_finish(two, "2");
    front_expect(front, 2, "200", "2");
    probe_take(app, one);
    assert_int_equal(app->seen.len, 500000);
    send_stdin(front, 1, "");
    probe_finish(one, "1");
    front_expect(front, 1, "200", "1");
}

static void test_early_answer_lets_the_connection_go_on(void **state) {
    struct front *front = *state;
    struct sm_exchange *exchange = begin(front, 1, -1);
    push(front, 1, 1000000); // stopped
    probe_finish(exchange, "enough");
    front_expect(front, 1, "200", "enough");
    front_forget(front);
    send_stdin(front, 1, "nobody"); // section 3.3: of a request that is over
    send_stdin(front, 1, "");
    exchange = begin(front, 2, -1);
    send_stdin(front, 2, "");
    probe_finish(exchange, "next");
    front_expect(front, 2, "200", "next");
}

// The rest of STDIN lies in the socket behind the pause; a look at the client finds the abort there.
static void test_abort_that_a_look_finds_lets_the_connection_go_on(void **state) {
    struct front *front = *state;
    struct sm_exchange *exchange = begin(front, 1, -1);
    put_record(&front->out, STDIN, 1, (char[9000]){0}, 9000, 0);
    front_send(front);
    put_record(&front->out, ABORT, 1, NULL, 0, 0);
    assert_int_equal(send(front->fd, front->out.data, front->out.len, MSG_NOSIGNAL), front->out.len);
    front->out.len = 0;
    assert_true(sm_exchange_is_aborted(exchange));
    assert_int_equal(front_outcome(front, 1)->ends, 1);
    assert_int_equal(front->rig->app.aborts, 1);
    front_forget(front);
    exchange = begin(front, 1, -1);
    send_stdin(front, 1, "");
    probe_finish(exchange, "next");
    front_expect(front, 1, "200", "next");
}

// --- broken off ---

static void test_content_length_that_differs_aborts_and_is_answered_400(void **state) {
    struct front *front = *state;
    begin(front, 1, 6);
    put_stream(&front->out, STDIN, 1, "short");
    front_expect(front, 1, "400", NULL);
    assert_int_equal(front->rig->app.aborts, 1);
    front_expect_open(front);
}

static void commit_some(struct sm_exchange *exchange) {
    assert_int_equal(sm_exchange_start(exchange, 200, SM_STR("")), 0);
    assert_int_equal(sm_exchange_commit(exchange, -1), 0);
    assert_int_equal(sm_exchange_write(exchange, "some", 4), 0);
}

static void test_content_length_that_differs_behind_the_head_of_the_answer_closes(void **state) {
    struct front *front = *state;
    commit_some(begin(front, 1, 6));
    put_stream(&front->out, STDIN, 1, "short");
    const struct outcome *outcome = front_outcome(front, 1);
    assert_int_equal(outcome->ends, 0); // an END_REQUEST would pass the half for the whole
    assert_int_equal(outcome->out_ends, 0);
    assert_int_equal(front->rig->app.aborts, 1);
    front_expect_ended(front);
    assert_true(capture_has(&front->rig->log, "broke off while it was answered: CONTENT_LENGTH"));
}

static int end_to; // where the end of STDIN is to be sent

static void look_and_end(struct probe *app, struct sm_exchange *exchange, unsigned what) {
    struct sm_bytes end = {0};
    (void)what;
    put_record(&end, STDIN, 1, NULL, 0, 0);
    assert_int_equal(send(end_to, end.data, end.len, MSG_NOSIGNAL), end.len);
    sm_bytes_deinit(&end);
    app->outcome = sm_exchange_is_aborted(exchange);
    sm_exchange_end(exchange, 0);
}

static void test_bad_length_that_a_look_finds_is_answered_400(void **state) {
    struct front *front = *state;
    front->rig->app.notice = look_and_end;
    end_to = front->fd;
    begin(front, 1, 6);
    send_stdin(front, 1, "short");
    front_expect(front, 1, "400", NULL);
    assert_true(front->rig->app.outcome);
    assert_int_equal(front->rig->app.aborts, 0);
}

static void test_body_past_max_body_size_aborts_and_is_answered_413(void **state) {
    struct front *front = *state;
    front->rig->settings.max_body_size = 5;
    struct sm_exchange *exchange = begin(front, 1, -1);
    send_stdin(front, 1, "abcde");
    probe_take(&front->rig->app, exchange);
    send_stdin(front, 1, "f");
    front_expect(front, 1, "413", NULL);
    assert_int_equal(front->rig->app.aborts, 1);
}

static void test_body_that_stops_aborts_and_is_answered_408(void **state) {
    struct front *front = *state;
    begin(front, 1, -1);
    send_stdin(front, 1, "abc");
    rig_pass(front->rig, front->rig->settings.body_timeout + RIG_TICK);
    front_expect(front, 1, "408", NULL);
    assert_int_equal(front->rig->app.aborts, 1);
    front_expect_ended(front);
}

static void test_abort_request_in_the_body_aborts(void **state) {
    struct front *front = *state;
    begin(front, 1, -1);
    send_stdin(front, 1, "abc");
    put_record(&front->out, ABORT, 1, NULL, 0, 0);
    const struct outcome *outcome = front_outcome(front, 1);
    assert_int_equal(outcome->ends, 1);
    assert_int_equal(outcome->out.len, 0);
    assert_int_equal(front->rig->app.aborts, 1);
    front_expect_open(front);
}

static void test_front_that_leaves_in_the_body_aborts(void **state) {
    struct front *front = *state;
    begin(front, 1, -1);
    send_stdin(front, 1, "abc");
    shutdown(front->fd, SHUT_WR);
    front_expect_ended(front);
    assert_int_equal(front->rig->app.aborts, 1);
}

static void test_front_that_leaves_while_it_is_stopped_aborts_when_the_rest_is_read(void **state) {
    struct front *front = *state;
    struct sm_exchange *exchange = begin(front, 1, -1);
    assert_int_equal(push(front, 1, 20000), 20000);
    shutdown(front->fd, SHUT_WR);
    rig_pass(front->rig, 0);
    assert_int_equal(front->rig->app.aborts, 0);
    assert_int_equal(front->rig->app.notices & SM_NOTICE_HANGUP, 0);
    for (int i = 0; i < 100 && front->rig->app.aborts == 0; i++) {
        probe_take(&front->rig->app, exchange);
        rig_turn(front->rig);
    }
    assert_int_equal(front->rig->app.aborts, 1);
    assert_true(front->rig->app.seen.len >= 8192);
}

static void test_engine_that_closes_with_a_record_under_construction_lets_go(void **state) {
    struct front *front = *state;
    commit_some(begin(front, 1, -1)); // not flushed
    sm_engine_close(&front->rig->engine);
    assert_int_equal(front->rig->app.aborts, 1);
    rig_pass(front->rig, 0);
    assert_int_equal(front->rig->engine.n_sessions, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        STREAMED(test_stdin_is_read_as_it_comes),
        STREAMED(test_streams_of_two_requests_do_not_mix),
        STREAMED(test_filter_is_asked_when_both_streams_are_whole),
        STREAMED(test_one_request_stops_the_connection_until_it_is_read),
        STREAMED(test_one_of_several_requests_goes_to_a_file_instead),
        STREAMED(test_early_answer_lets_the_connection_go_on),
        STREAMED(test_abort_that_a_look_finds_lets_the_connection_go_on),
        STREAMED(test_content_length_that_differs_aborts_and_is_answered_400),
        STREAMED(test_content_length_that_differs_behind_the_head_of_the_answer_closes),
        STREAMED(test_bad_length_that_a_look_finds_is_answered_400),
        STREAMED(test_body_past_max_body_size_aborts_and_is_answered_413),
        STREAMED(test_body_that_stops_aborts_and_is_answered_408),
        STREAMED(test_abort_request_in_the_body_aborts),
        STREAMED(test_front_that_leaves_in_the_body_aborts),
        STREAMED(test_front_that_leaves_while_it_is_stopped_aborts_when_the_rest_is_read),
        STREAMED(test_engine_that_closes_with_a_record_under_construction_lets_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
