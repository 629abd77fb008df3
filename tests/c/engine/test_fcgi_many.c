// SPDX-License-Identifier: MIT
// FastCGI connections: many requests at once, aborts in every phase, management records, records that do not belong,
// deadlines, draining (FastCGI 1.0, sections 3, 4, 5.4, 5.5).
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <sys/socket.h>

#include "front.h"

// --- many at once ---

static void test_interleaved_streams_make_separate_requests(void **state) {
    struct front *front = *state;
    front->rig->app.request = probe_echo;
    put_head(&front->out, 1, RESPONDER, KEEP_CONN, 6);
    put_head(&front->out, 2, RESPONDER, KEEP_CONN, 6);
    put_record(&front->out, STDIN, 1, "one", 3, 0);
    put_record(&front->out, STDIN, 2, "two", 3, 0);
    put_record(&front->out, STDIN, 1, "ONE", 3, 0);
    put_record(&front->out, STDIN, 2, "TWO", 3, 0);
    put_record(&front->out, STDIN, 2, NULL, 0, 0);
    put_record(&front->out, STDIN, 1, NULL, 0, 0);
    front_expect(front, 2, "200", "twoTWO");
    front_expect(front, 1, "200", "oneONE");
    assert_memory_equal(front->rig->app.seen.data, "POST /2 twoTWO\nPOST /1 oneONE\n", 30);
}

static void test_answers_come_in_any_order(void **state) {
    struct front *front = *state;
    struct probe *app = &front->rig->app;
    app->request = probe_hold;
    put_request(&front->out, 1, KEEP_CONN, "");
    put_request(&front->out, 2, KEEP_CONN, "");
    put_request(&front->out, 3, KEEP_CONN, "");
    front_send(front);
    assert_int_equal(app->n_held, 3);
    probe_finish(app->held[1], "two");
    front_expect(front, 2, "200", "two");
    assert_int_equal(front_outcome(front, 1)->ends, 0);
    probe_finish(app->held[2], "three");
    probe_finish(app->held[0], "one");
    front_expect(front, 3, "200", "three");
    front_expect(front, 1, "200", "one");
    front_expect_open(front);
}

static void test_streams_of_two_requests_share_the_connection(void **state) {
    struct front *front = *state;
    struct probe *app = &front->rig->app;
    enum { LEN = 300000 };
    app->request = probe_stream;
    app->stream_len = LEN;
    put_request(&front->out, 1, KEEP_CONN, "");
    put_request(&front->out, 2, KEEP_CONN, "");
    for (uint16_t id = 1; id <= 2; id++) {
        const struct outcome *outcome = front_outcome(front, id);
        assert_int_equal(outcome->ends, 1);
        for (size_t i = 0; i < LEN; i++) {
            assert_int_equal(outcome->out.data[outcome->out.len - LEN + i], probe_byte(i));
        }
    }
}

static void test_more_at_once_than_allowed_are_overloaded(void **state) {
    struct front *front = *state;
    struct probe *app = &front->rig->app;
    app->request = probe_hold;
    for (uint16_t id = 1; id <= 10; id++) {
        put_request(&front->out, id, KEEP_CONN, "");
    }
    front_send(front);
    assert_int_equal(app->n_held, 8);
    for (size_t i = 0; i < 8; i++) {
        probe_finish(app->held[i], "fine");
    }
    for (uint16_t id = 1; id <= 8; id++) {
        front_expect(front, id, "200", "fine");
    }
    for (uint16_t id = 9; id <= 10; id++) {
        assert_int_equal(front_outcome(front, id)->ends, 1);
        assert_int_equal(front->outcome.protocol_status, OVERLOADED);
        assert_int_equal(front->outcome.out.len, 0);
    }
    front_forget(front);
    app->request = probe_hello;
    put_request(&front->out, 9, KEEP_CONN, "");
    front_expect(front, 9, "200", "Hello, world!");
}

// A refusal does not wait for requests that are still with the application.
static void test_overloaded_is_said_at_once(void **state) {
    struct front *front = *state;
    front->rig->app.request = probe_hold;
    for (uint16_t id = 1; id <= 8; id++) {
        put_request(&front->out, id, KEEP_CONN, "");
    }
    front_send(front);
    put_request(&front->out, 9, KEEP_CONN, "");
    front_send(front);
    assert_int_equal(front_outcome(front, 9)->protocol_status, OVERLOADED);
    assert_int_equal(front->outcome.ends, 1);
}

static void test_overloaded_connection_says_so_and_ends(void **state) {
    struct front *front = *state;
    struct front other = {.rig = front->rig, .fd = rig_connect(front->rig, SM_PROTOCOL_FASTCGI, true)};
    put_request(&other.out, 1, KEEP_CONN, "body");
    assert_int_equal(front_outcome(&other, 1)->protocol_status, OVERLOADED);
    assert_int_equal(other.outcome.ends, 1);
    front_expect_ended(&other);
    assert_int_equal(front->rig->app.requests, 0);
    front_close(&other);
}

static void test_request_not_to_be_kept_lets_the_others_end_first(void **state) {
    struct front *front = *state;
    struct probe *app = &front->rig->app;
    app->request = probe_hold;
    put_request(&front->out, 1, KEEP_CONN, "");
    put_request(&front->out, 2, 0, "");
    front_send(front);
    probe_finish(app->held[1], "two");
    front_expect(front, 2, "200", "two");
    front_expect_open(front);
    probe_finish(app->held[0], "one");
    front_expect(front, 1, "200", "one");
    front_expect_ended(front);
}

// --- aborts (section 5.4) ---

static void put_abort(struct front *front, uint16_t id) {
    put_record(&front->out, ABORT, id, NULL, 0, 0);
}

static void expect_aborted(struct front *front, unsigned requests, unsigned aborts) {
    put_abort(front, 1);
    const struct outcome *outcome = front_outcome(front, 1);
    assert_int_equal(outcome->ends, 1);
    assert_int_equal(outcome->protocol_status, REQUEST_COMPLETE);
    assert_int_equal(front->rig->app.requests, requests);
    assert_int_equal(front->rig->app.aborts, aborts);
    front_forget(front);
    front->rig->app.request = probe_hello; // the connection goes on, with the same id too
    put_request(&front->out, 1, KEEP_CONN, "");
    front_expect(front, 1, "200", "Hello, world!");
}

static void test_abort_in_params_ends_the_request(void **state) {
    struct front *front = *state;
    put_begin(&front->out, 1, RESPONDER, KEEP_CONN);
    put_record(&front->out, PARAMS, 1, "\x05\x05half", 6, 0);
    expect_aborted(front, 0, 0);
}

static void test_abort_in_the_body_ends_the_request(void **state) {
    struct front *front = *state;
    put_head(&front->out, 1, RESPONDER, KEEP_CONN, 10);
    put_record(&front->out, STDIN, 1, "half", 4, 4);
    expect_aborted(front, 0, 0);
}

static void test_abort_with_the_application_ends_the_request(void **state) {
    struct front *front = *state;
    front->rig->app.request = probe_hold;
    put_request(&front->out, 1, KEEP_CONN, "");
    front_send(front);
    expect_aborted(front, 1, 1);
}

static void test_abort_right_behind_the_request_never_reaches_the_application(void **state) {
    struct front *front = *state;
    put_request(&front->out, 1, KEEP_CONN, "");
    expect_aborted(front, 0, 0);
}

static void test_abort_in_the_stream_ends_the_request_only(void **state) {
    struct front *front = *state;
    struct probe *app = &front->rig->app;
    app->request = probe_stream;
    app->stream_len = 64 << 20;
    put_request(&front->out, 1, KEEP_CONN, "");
    put_abort(front, 1);
    rig_send(front->rig, front->fd, front->out.data, front->out.len - 8);
    for (int i = 0; i < 20; i++) {
        rig_turn(front->rig);
    }
    assert_int_equal(app->aborts, 0);
    rig_send(front->rig, front->fd, front->out.data + front->out.len - 8, 8);
    front->out.len = 0;
    const struct outcome *outcome = front_outcome(front, 1);
    assert_int_equal(outcome->ends, 1);
    assert_int_equal(app->aborts, 1);
    front_forget(front);
    // FCGI_KEEP_CONN leaves the connection to the web server (section 5.1).
    app->request = probe_hello;
    front_expect_open(front);
    put_request(&front->out, 2, KEEP_CONN, "");
    front_expect(front, 2, "200", "Hello, world!");
}

static void test_abort_leaves_the_other_requests_alone(void **state) {
    struct front *front = *state;
    struct probe *app = &front->rig->app;
    app->request = probe_hold;
    put_request(&front->out, 1, KEEP_CONN, "");
    put_request(&front->out, 2, KEEP_CONN, "");
    put_abort(front, 1);
    put_abort(front, 1);
    put_abort(front, 77);
    front_send(front);
    size_t survivor = app->n_held - 1;
    probe_finish(app->held[survivor], "two");
    front_expect(front, 2, "200", "two");
    assert_int_equal(front_outcome(front, 1)->ends, 1);
    assert_int_equal(front_outcome(front, 77)->ends, 0);
}

static void look_for_abort(struct probe *app, struct sm_exchange *exchange) {
    struct sm_bytes more = {0};
    assert_false(sm_exchange_is_aborted(exchange));
    put_record(&more, ABORT, 1, NULL, 0, 0);
    assert_int_equal(send(app->outcome, more.data, more.len, 0), more.len);
    sm_bytes_deinit(&more);
    assert_true(sm_exchange_is_aborted(exchange));
    assert_int_equal(sm_exchange_start(exchange, 200, SM_STR("")), 0);
    assert_int_equal(sm_exchange_commit(exchange, 0), SM_EXCHANGE_GONE);
    sm_exchange_end(exchange, 0);
}

static void test_abort_during_the_call_is_seen_by_looking(void **state) {
    struct front *front = *state;
    front->rig->app.request = look_for_abort;
    front->rig->app.outcome = front->fd;
    put_request(&front->out, 1, KEEP_CONN, "");
    const struct outcome *outcome = front_outcome(front, 1);
    assert_int_equal(outcome->ends, 1);
    assert_int_equal(outcome->protocol_status, REQUEST_COMPLETE);
    assert_int_equal(front->rig->app.aborts, 0);
}

static void test_server_that_leaves_aborts_all(void **state) {
    struct front *front = *state;
    front->rig->app.request = probe_hold;
    put_request(&front->out, 1, KEEP_CONN, "");
    put_request(&front->out, 2, KEEP_CONN, "");
    put_head(&front->out, 3, RESPONDER, KEEP_CONN, 10);
    put_begin(&front->out, 4, RESPONDER, KEEP_CONN);
    front_send(front);
    front_close(front);
    assert_int_equal(front->rig->app.aborts, 2);
    assert_int_equal(front->rig->engine.n_sessions, 0);
}

static void test_half_closed_server_gets_its_answers(void **state) {
    struct front *front = *state;
    front->rig->app.request = probe_hold;
    put_request(&front->out, 1, KEEP_CONN, "");
    put_head(&front->out, 2, RESPONDER, KEEP_CONN, 10);
    front_send(front);
    shutdown(front->fd, SHUT_WR);
    front_expect_open(front);
    probe_finish(front->rig->app.held[0], "late");
    front_expect(front, 1, "200", "late");
    front_expect_ended(front);
}

// --- management (section 4) ---

static void expect_values(struct front *front, const struct sm_bytes *asked, const struct sm_bytes *answer) {
    struct record record;
    size_t off = 0;
    put_record(&front->out, GET_VALUES, 0, asked->data, asked->len, 7);
    front_send(front);
    rig_collect(front->rig, front->fd, &front->inbox);
    assert_true(record_next(&front->inbox.bytes, &off, &record));
    assert_int_equal(record.type, GET_VALUES_RESULT);
    assert_int_equal(record.id, 0);
    assert_int_equal(record.len, answer->len);
    if (answer->len > 0) {
        assert_memory_equal(record.content, answer->data, answer->len);
    }
    assert_false(record_next(&front->inbox.bytes, &off, &record));
    front_forget(front);
}

static void test_get_values_answers_what_it_knows(void **state) {
    struct front *front = *state;
    struct sm_bytes asked = {0};
    struct sm_bytes answer = {0};
    expect_values(front, &asked, &answer);
    put_pair(&asked, "FCGI_MAX_CONNS", "");
    put_pair(&asked, "FCGI_NO_SUCH_THING", "");
    put_pair(&asked, "FCGI_MAX_REQS", "");
    put_pair(&asked, "FCGI_MPXS_CONNS", "");
    put_pair(&answer, "FCGI_MAX_CONNS", "100");
    put_pair(&answer, "FCGI_MAX_REQS", "100");
    put_pair(&answer, "FCGI_MPXS_CONNS", "1");
    expect_values(front, &asked, &answer);
    for (int i = 0; i < 500; i++) { // asked again and again: answered once
        put_pair(&asked, "FCGI_MAX_CONNS", "");
    }
    expect_values(front, &asked, &answer);
    sm_bytes_deinit(&asked);
    sm_bytes_deinit(&answer);
    put_request(&front->out, 1, KEEP_CONN, "");
    front_expect(front, 1, "200", "Hello, world!");
}

static void test_get_values_is_answered_while_a_body_comes_in(void **state) {
    struct front *front = *state;
    struct sm_bytes nothing = {0};
    front->rig->app.request = probe_echo;
    put_head(&front->out, 1, RESPONDER, KEEP_CONN, 4);
    put_record(&front->out, STDIN, 1, "bo", 2, 0);
    expect_values(front, &nothing, &nothing);
    put_stream(&front->out, STDIN, 1, "dy");
    front_expect(front, 1, "200", "body");
}

static void test_server_that_asks_and_never_reads_stays_bounded(void **state) {
    struct front *front = *state;
    for (int i = 0; i < 1000; i++) {
        put_record(&front->out, 12, 0, NULL, 0, 0);
        put_begin(&front->out, 1, 9, KEEP_CONN);
    }
    size_t queued = rig_flood(front->rig, front->fd, front->out.data, front->out.len, 16 << 20);
    front->out.len = 0;
    assert_true(queued < (1 << 20));
}

static void test_unknown_management_type_is_named(void **state) {
    struct front *front = *state;
    static const uint8_t types[] = {12, 100, 255, 0};
    for (size_t i = 0; i < sizeof(types); i++) {
        struct record record;
        size_t off = 0;
        put_record(&front->out, types[i], 0, "content", 7, 1);
        front_send(front);
        rig_collect(front->rig, front->fd, &front->inbox);
        assert_true(record_next(&front->inbox.bytes, &off, &record));
        assert_int_equal(record.type, UNKNOWN_TYPE);
        assert_int_equal(record.id, 0);
        assert_int_equal(record.len, 8);
        assert_int_equal(record.content[0], types[i]);
        front_forget(front);
    }
    front_expect_open(front);
}

// --- records that do not belong ---

static void test_records_of_dead_ids_are_ignored(void **state) {
    struct front *front = *state;
    put_stream(&front->out, PARAMS, 5, "stray");
    put_stream(&front->out, STDIN, 6, "stray");
    put_stream(&front->out, DATA, 7, "stray");
    put_abort(front, 8);
    put_record(&front->out, STDOUT, 9, "never from a server", 19, 5);
    put_record(&front->out, 200, 10, "unknown", 7, 0);
    put_request(&front->out, 1, KEEP_CONN, "");
    front_expect(front, 1, "200", "Hello, world!");
    put_stream(&front->out, STDIN, 1, "behind the end");
    front_send(front);
    front_forget(front);
    put_request(&front->out, 1, KEEP_CONN, "");
    front_expect(front, 1, "200", "Hello, world!");
    assert_int_equal(capture_lines(&front->rig->log), 0);
}

static void expect_broken_off(struct front *front) {
    struct front other;
    front_open(&other, front->rig);
    capture_clear(&front->rig->log);
    rig_send(front->rig, other.fd, front->out.data, front->out.len);
    front->out.len = 0;
    rig_collect(front->rig, other.fd, &other.inbox);
    assert_true(other.inbox.ended || other.inbox.reset);
    assert_int_equal(other.inbox.bytes.len, 0);
    assert_int_equal(capture_lines(&front->rig->log), 1);
    front_close(&other);
    assert_int_equal(front->rig->engine.n_sessions, 1); // the first connection stays
}

static void test_broken_protocol_closes_with_one_log_line(void **state) {
    struct front *front = *state;
    assert_int_equal(sm_bytes_append(&front->out, "GET / HTTP/1.1\r\n\r\n", 18), 0);
    expect_broken_off(front);
    put_record(&front->out, BEGIN, 1, "\0\1\0\0", 4, 0); // too short
    expect_broken_off(front);
    put_record(&front->out, PARAMS, 0, "x", 1, 0);
    expect_broken_off(front);
    put_begin(&front->out, 1, RESPONDER, KEEP_CONN);
    put_begin(&front->out, 1, RESPONDER, KEEP_CONN);
    expect_broken_off(front);
    put_begin(&front->out, 1, RESPONDER, KEEP_CONN);
    put_stream(&front->out, STDIN, 1, "before the end of PARAMS");
    expect_broken_off(front);
    put_head(&front->out, 1, RESPONDER, KEEP_CONN, -1);
    put_stream(&front->out, PARAMS, 1, "again");
    expect_broken_off(front);
    put_head(&front->out, 1, RESPONDER, KEEP_CONN, -1);
    put_stream(&front->out, DATA, 1, "no filter");
    expect_broken_off(front);
    put_head(&front->out, 1, FILTER, KEEP_CONN, -1);
    put_stream(&front->out, STDIN, 1, "");
    put_stream(&front->out, STDIN, 1, "again");
    expect_broken_off(front);
    assert_int_equal(front->rig->app.requests, 0);
}

static void test_broken_protocol_aborts_what_the_application_has(void **state) {
    struct front *front = *state;
    front->rig->app.request = probe_hold;
    put_request(&front->out, 1, KEEP_CONN, "");
    front_send(front);
    rig_text(front->rig, front->fd, "nonsense");
    front_expect_ended(front);
    assert_int_equal(front->rig->app.aborts, 1);
    assert_int_equal(front->rig->engine.n_sessions, 0);
}

// --- deadlines and draining ---

static void test_params_that_do_not_end_in_time_are_408(void **state) {
    struct front *front = *state;
    put_begin(&front->out, 1, RESPONDER, KEEP_CONN);
    front_send(front);
    rig_pass(front->rig, 9999);
    assert_int_equal(front_outcome(front, 1)->ends, 0);
    rig_pass(front->rig, 1 + RIG_TICK);
    front_expect(front, 1, "408", NULL);
    front_expect_ended(front);
}

static void test_body_without_progress_in_time_is_408(void **state) {
    struct front *front = *state;
    put_head(&front->out, 1, RESPONDER, KEEP_CONN, 10);
    front_send(front);
    for (int i = 0; i < 3; i++) {
        rig_pass(front->rig, 25000);
        put_record(&front->out, STDIN, 1, "x", 1, 0);
        front_send(front);
    }
    assert_int_equal(front_outcome(front, 1)->ends, 0);
    rig_pass(front->rig, 30000 + RIG_TICK);
    front_expect(front, 1, "408", NULL);
    front_expect_ended(front);
}

static void test_idle_connection_is_closed_silently(void **state) {
    struct front *front = *state;
    put_request(&front->out, 1, KEEP_CONN, "");
    front_expect(front, 1, "200", NULL);
    front_forget(front);
    rig_pass(front->rig, 74999);
    front_expect_open(front);
    rig_pass(front->rig, 1 + RIG_TICK);
    front_expect_ended(front);
    assert_int_equal(front->inbox.bytes.len, 0);
    assert_int_equal(capture_lines(&front->rig->log), 0);
}

static void test_drain_closes_idle_and_lets_busy_ones_end(void **state) {
    struct front *front = *state;
    struct front busy;
    front_open(&busy, front->rig);
    put_request(&front->out, 1, KEEP_CONN, "");
    front_expect(front, 1, "200", NULL);
    front->rig->app.request = probe_hold;
    put_request(&busy.out, 1, KEEP_CONN, "");
    front_send(&busy);
    sm_engine_drain(&front->rig->engine, 0);
    front_expect_ended(front);
    front_expect_open(&busy);
    assert_false(sm_engine_idle(&front->rig->engine));
    probe_finish(front->rig->app.held[0], "done");
    front_expect(&busy, 1, "200", "done");
    front_expect_ended(&busy);
    front_close(&busy);
    assert_true(sm_engine_idle(&front->rig->engine));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FRONTED(test_interleaved_streams_make_separate_requests),
        FRONTED(test_answers_come_in_any_order),
        FRONTED(test_streams_of_two_requests_share_the_connection),
        FRONTED(test_more_at_once_than_allowed_are_overloaded),
        FRONTED(test_overloaded_is_said_at_once),
        FRONTED(test_overloaded_connection_says_so_and_ends),
        FRONTED(test_request_not_to_be_kept_lets_the_others_end_first),
        FRONTED(test_abort_in_params_ends_the_request),
        FRONTED(test_abort_in_the_body_ends_the_request),
        FRONTED(test_abort_with_the_application_ends_the_request),
        FRONTED(test_abort_right_behind_the_request_never_reaches_the_application),
        FRONTED(test_abort_in_the_stream_ends_the_request_only),
        FRONTED(test_abort_leaves_the_other_requests_alone),
        FRONTED(test_abort_during_the_call_is_seen_by_looking),
        FRONTED(test_server_that_leaves_aborts_all),
        FRONTED(test_half_closed_server_gets_its_answers),
        FRONTED(test_get_values_answers_what_it_knows),
        FRONTED(test_get_values_is_answered_while_a_body_comes_in),
        FRONTED(test_server_that_asks_and_never_reads_stays_bounded),
        FRONTED(test_unknown_management_type_is_named),
        FRONTED(test_records_of_dead_ids_are_ignored),
        FRONTED(test_broken_protocol_closes_with_one_log_line),
        FRONTED(test_broken_protocol_aborts_what_the_application_has),
        FRONTED(test_params_that_do_not_end_in_time_are_408),
        FRONTED(test_body_without_progress_in_time_is_408),
        FRONTED(test_idle_connection_is_closed_silently),
        FRONTED(test_drain_closes_idle_and_lets_busy_ones_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
