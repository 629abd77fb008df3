// SPDX-License-Identifier: MIT
// Files in FastCGI responses: framed in records, queued piece by piece so that a connection stays shared, an abort is
// heard, and what waits stays small.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "../lib/disk.h"
#include "engine/session.h"
#include "front.h"

enum { LEN = 3000001 };

static unsigned released;
static int disk = -1;

static void release(void *owner) {
    assert_ptr_equal(owner, &disk);
    released++;
}

static void begin(struct sm_exchange *exchange, int64_t len) {
    assert_int_equal(sm_exchange_start(exchange, 200, SM_STR("")), 0);
    assert_int_equal(sm_exchange_commit(exchange, len), 0);
}

static int write_file(struct sm_exchange *exchange, uint64_t off, uint64_t len) {
    return sm_exchange_write_file(exchange, disk, off, len, release, &disk);
}

static void expect_disk(const char *data, size_t off, size_t len) {
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(data[i], disk_byte(off + i));
    }
}

static const char *body_of(const struct outcome *outcome) {
    const char *end = memmem(outcome->out.data, outcome->out.len, "\r\n\r\n", 4);
    assert_non_null(end);
    return end + 4;
}

static uint64_t queued(struct front *front) {
    return SM_CONTAINER(front->rig->engine.sessions.next, struct sm_session, node)->conn.out.bytes;
}

// Request 1 (target "/1") gets the file, the others a greeting.
static bool is_first(struct sm_exchange *exchange) {
    const struct sm_head *head = sm_exchange_head(exchange);
    return sm_str_eq(sm_span_in(head->target, head->base), SM_STR("/1"));
}

static void send_and_end(struct probe *app, struct sm_exchange *exchange) {
    if (!is_first(exchange)) {
        probe_hello(app, exchange);
        return;
    }
    begin(exchange, LEN);
    assert_int_equal(write_file(exchange, 0, LEN), SM_EXCHANGE_FULL);
    sm_exchange_end(exchange, 7);
}

static void send_and_hold(struct probe *app, struct sm_exchange *exchange) {
    begin(exchange, -1);
    assert_int_equal(write_file(exchange, 0, LEN), SM_EXCHANGE_FULL);
    probe_hold(app, exchange);
}

static void test_file_over_many_records_arrives(void **state) {
    struct front *front = *state;
    front->rig->app.request = send_and_end;
    put_request(&front->out, 1, KEEP_CONN, "");
    const struct outcome *outcome = front_outcome(front, 1);
    assert_int_equal(outcome->ends, 1);
    assert_int_equal(outcome->app_status, 7);
    assert_int_equal(outcome->out_ends, 1);
    const char *body = body_of(outcome);
    assert_int_equal(outcome->out.data + outcome->out.len - body, LEN);
    expect_disk(body, 0, LEN);
    assert_int_equal(released, 1);
    assert_int_equal(front->rig->app.resumes, 0); // ended: it is not the application's any more
    front_expect_open(front);
}

static void send_among_writes(struct probe *app, struct sm_exchange *exchange) {
    static char large[20000];
    (void)app;
    memset(large, 'L', sizeof(large));
    begin(exchange, -1);
    assert_int_equal(write_file(exchange, 5, 100), 0);
    assert_int_equal(sm_exchange_write(exchange, "a", 1), 0);
    assert_int_equal(write_file(exchange, 0, LEN), SM_EXCHANGE_FULL);
    assert_int_equal(sm_exchange_write(exchange, "b", 1), SM_EXCHANGE_FULL);
    assert_int_equal(write_file(exchange, 1, LEN - 1), SM_EXCHANGE_FULL);
    assert_int_equal(write_file(exchange, 9, 3), SM_EXCHANGE_FULL);
    assert_int_equal(sm_exchange_write_ref(exchange, large, sizeof(large), release, &disk), SM_EXCHANGE_FULL);
    sm_exchange_end(exchange, 0);
}

static void test_files_and_writes_that_do_not_wait_arrive_in_order(void **state) {
    struct front *front = *state;
    front->rig->app.request = send_among_writes;
    put_request(&front->out, 1, KEEP_CONN, "");
    const struct outcome *outcome = front_outcome(front, 1);
    assert_int_equal(outcome->ends, 1);
    const char *body = body_of(outcome);
    assert_int_equal(outcome->out.data + outcome->out.len - body, 100 + 1 + LEN + 1 + LEN - 1 + 3 + 20000);
    expect_disk(body, 5, 100);
    assert_int_equal(body[100], 'a');
    expect_disk(body + 101, 0, LEN);
    assert_int_equal(body[101 + LEN], 'b');
    expect_disk(body + 102 + LEN, 1, LEN - 1);
    expect_disk(body + 101 + 2 * LEN, 9, 3);
    assert_int_equal(body[104 + 2 * LEN], 'L');
    assert_int_equal(released, 5);
}

static void resume_to_end(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    assert_int_equal(sm_exchange_write(exchange, "after", 5), 0);
    sm_exchange_end(exchange, 0);
}

static void test_file_past_write_buffer_is_full_then_resumed_once(void **state) {
    struct front *front = *state;
    front->rig->app.request = send_and_hold;
    front->rig->app.resume = resume_to_end;
    put_request(&front->out, 1, KEEP_CONN, "");
    const struct outcome *outcome = front_outcome(front, 1);
    assert_int_equal(front->rig->app.resumes, 1);
    assert_int_equal(outcome->ends, 1);
    const char *body = body_of(outcome);
    assert_int_equal(outcome->out.data + outcome->out.len - body, LEN + 5);
    assert_memory_equal(body + LEN, "after", 5);
}

static void flush_on_resume(struct probe *app, struct sm_exchange *exchange) {
    if (app->resumes == 1) {
        assert_int_equal(write_file(exchange, 0, LEN), SM_EXCHANGE_FULL);
        app->outcome = sm_exchange_flush(exchange);
        return;
    }
    sm_exchange_end(exchange, 0);
}

static void test_flush_does_not_leave_a_file_behind(void **state) {
    struct front *front = *state;
    front->rig->app.request = send_and_hold;
    front->rig->app.resume = flush_on_resume;
    put_request(&front->out, 1, KEEP_CONN, "");
    const struct outcome *outcome = front_outcome(front, 1);
    assert_int_equal(front->rig->app.outcome, SM_EXCHANGE_FULL);
    assert_int_equal(outcome->ends, 1);
    const char *body = body_of(outcome);
    assert_int_equal(outcome->out.data + outcome->out.len - body, 2 * LEN);
    expect_disk(body + LEN, 0, LEN);
    assert_int_equal(released, 2);
}

// --- a shared connection ---

static void test_another_request_is_answered_while_a_file_goes_out(void **state) {
    struct front *front = *state;
    front->rig->app.request = send_and_end;
    put_request(&front->out, 1, KEEP_CONN, "");
    put_request(&front->out, 2, KEEP_CONN, "");
    front_expect(front, 2, "200", "Hello, world!");
    bool first_ended = false;
    struct record record;
    for (size_t off = 0; record_next(&front->inbox.bytes, &off, &record);) {
        first_ended = first_ended || (record.type == END && record.id == 1);
        if (record.type == END && record.id == 2) {
            assert_false(first_ended);
        }
    }
    assert_true(first_ended);
    expect_disk(body_of(front_outcome(front, 1)), 0, LEN);
}

static void send_to_each(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    begin(exchange, LEN);
    assert_int_equal(write_file(exchange, 0, LEN), SM_EXCHANGE_FULL);
    sm_exchange_end(exchange, 0);
}

static void test_files_of_several_requests_take_turns(void **state) {
    struct front *front = *state;
    front->rig->app.request = send_to_each;
    for (uint16_t id = 1; id <= 3; id++) {
        put_request(&front->out, id, KEEP_CONN, "");
    }
    for (uint16_t id = 1; id <= 3; id++) {
        const struct outcome *outcome = front_outcome(front, id);
        assert_int_equal(outcome->ends, 1);
        expect_disk(body_of(outcome), 0, LEN);
    }
    struct record record;
    unsigned others_before_first_end = 0;
    bool first_ended = false;
    for (size_t off = 0; record_next(&front->inbox.bytes, &off, &record);) {
        first_ended = first_ended || record.type == END;
        others_before_first_end += !first_ended && record.type == STDOUT && record.id == 3;
    }
    assert_true(others_before_first_end > 100);
    assert_int_equal(released, 3);
}

static void test_file_queues_little_for_a_client_that_does_not_read(void **state) {
    struct front *front = *state;
    front->rig->app.request = send_and_end;
    put_request(&front->out, 1, KEEP_CONN, "");
    front_send(front);
    for (int i = 0; i < 20; i++) {
        rig_turn(front->rig);
        assert_true(queued(front) < 2 * front->rig->engine.net.write_buffer);
    }
    assert_true(queued(front) > 0);
    assert_int_equal(released, 0);
}

static void expect_aborted(struct front *front, void (*request)(struct probe *, struct sm_exchange *),
                           unsigned aborts) {
    front->rig->app.request = request;
    put_request(&front->out, 1, KEEP_CONN, "");
    front_send(front);
    put_record(&front->out, ABORT, 1, NULL, 0, 0);
    front_send(front);
    assert_int_equal(front->rig->app.aborts, aborts);
    const struct outcome *outcome = front_outcome(front, 1);
    assert_int_equal(outcome->ends, 1);
    assert_int_not_equal(outcome->app_status, 0);
    assert_true(outcome->out.len < LEN);
    const char *body = body_of(outcome);
    expect_disk(body, 0, (size_t)(outcome->out.data + outcome->out.len - body));
    assert_int_equal(released, 1);
    put_request(&front->out, 2, KEEP_CONN, "");
    front->rig->app.request = probe_hello;
    front_expect(front, 2, "200", "Hello, world!");
}

static void test_abort_ends_a_file_of_an_application_that_waits(void **state) {
    expect_aborted(*state, send_and_hold, 1);
}

static void test_abort_ends_a_file_of_an_application_that_has_ended(void **state) {
    expect_aborted(*state, send_and_end, 0);
}

static void test_file_of_a_front_that_leaves_is_released_once(void **state) {
    struct front *front = *state;
    front->rig->app.request = send_and_end;
    put_request(&front->out, 1, KEEP_CONN, "");
    put_request(&front->out, 2, KEEP_CONN, "");
    front_send(front);
    assert_int_equal(released, 0);
    front_close(front);
    assert_int_equal(released, 1);
    assert_int_equal(front->rig->app.aborts, 0);
}

static void test_file_cut_by_the_end_of_the_server_is_released_once(void **state) {
    struct front *front = *state;
    front->rig->app.request = send_and_end;
    put_request(&front->out, 1, KEEP_CONN, "");
    front_send(front);
    sm_engine_deinit(&front->rig->engine);
    assert_int_equal(released, 1);
    assert_int_equal(sm_engine_init(&front->rig->engine, &front->rig->settings, &front->rig->app.base), 0);
}

// --- what goes wrong ---

static void send_too_much(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    begin(exchange, 70000 + 200);
    assert_int_equal(write_file(exchange, LEN - 70000, 70000 + 200), SM_EXCHANGE_FULL);
    sm_exchange_end(exchange, 0);
}

static void test_file_shorter_than_promised_ends_the_connection(void **state) {
    struct front *front = *state;
    front->rig->app.request = send_too_much;
    put_request(&front->out, 1, KEEP_CONN, "");
    front_send(front);
    front_expect_ended(front);
    assert_int_equal(released, 1);
    assert_true(capture_has(&front->rig->log, "is shorter than was promised"));
    assert_int_equal(capture_lines(&front->rig->log), 1);
    assert_int_equal(front->rig->engine.n_sessions, 0);
}

static void send_and_fail(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    begin(exchange, LEN);
    assert_int_equal(write_file(exchange, 0, LEN), SM_EXCHANGE_FULL);
    sm_exchange_fail(exchange);
}

static void test_fail_behind_a_file_does_not_look_complete(void **state) {
    struct front *front = *state;
    front->rig->app.request = send_and_fail;
    put_request(&front->out, 1, KEEP_CONN, "");
    const struct outcome *outcome = front_outcome(front, 1);
    assert_int_equal(outcome->ends, 0);
    assert_true(front->inbox.ended);
    assert_int_equal(released, 1);
}

// The body comes while the answer goes out already: what is wrong with it is found after the application has ended.
static void test_body_past_the_limit_behind_an_ended_file_breaks_off(void **state) {
    struct front *front = *state;
    char *body = calloc(1, 60000);
    assert_non_null(body);
    front->rig->app.base.streams = true;
    front->rig->settings.max_body_size = 100000;
    front->rig->app.request = send_and_end;
    put_head(&front->out, 1, RESPONDER, KEEP_CONN, -1);
    put_record(&front->out, STDIN, 1, body, 60000, 0);
    put_record(&front->out, STDIN, 1, body, 60000, 0);
    front_send(front);
    const struct outcome *outcome = front_outcome(front, 1);
    assert_int_equal(outcome->ends, 0);
    assert_true(front->inbox.ended);
    assert_int_equal(released, 1);
    assert_int_equal(front->rig->app.aborts, 0);
    assert_true(
        capture_has(&front->rig->log, "broke off while it was answered: the body is larger than max_body_size"));
    free(body);
}

static int open_front(void **state, bool tcp) {
    static struct rig rig;
    static struct front front;
    signal(SIGPIPE, SIG_IGN); // as the server does
    released = 0;
    disk = disk_file(LEN);
    assert_true(disk >= 0);
    rig_init(&rig);
    rig.tcp = tcp;
    front_open(&front, &rig);
    *state = &front;
    return 0;
}

static int open_unix(void **state) {
    return open_front(state, false);
}

static int open_tcp(void **state) {
    return open_front(state, true);
}

static int close_front(void **state) {
    front_teardown(state);
    close(disk);
    return 0;
}

#define UNIX(name) cmocka_unit_test_setup_teardown(name, open_unix, close_front)
#define TCP(name) cmocka_unit_test_setup_teardown(name, open_tcp, close_front)

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIX(test_file_over_many_records_arrives),
        TCP(test_file_over_many_records_arrives),
        UNIX(test_files_and_writes_that_do_not_wait_arrive_in_order),
        TCP(test_files_and_writes_that_do_not_wait_arrive_in_order),
        UNIX(test_file_past_write_buffer_is_full_then_resumed_once),
        UNIX(test_flush_does_not_leave_a_file_behind),
        UNIX(test_another_request_is_answered_while_a_file_goes_out),
        UNIX(test_files_of_several_requests_take_turns),
        UNIX(test_file_queues_little_for_a_client_that_does_not_read),
        UNIX(test_abort_ends_a_file_of_an_application_that_waits),
        UNIX(test_abort_ends_a_file_of_an_application_that_has_ended),
        UNIX(test_file_of_a_front_that_leaves_is_released_once),
        UNIX(test_file_cut_by_the_end_of_the_server_is_released_once),
        UNIX(test_file_shorter_than_promised_ends_the_connection),
        UNIX(test_fail_behind_a_file_does_not_look_complete),
        UNIX(test_body_past_the_limit_behind_an_ended_file_breaks_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
