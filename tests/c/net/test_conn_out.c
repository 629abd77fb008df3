// SPDX-License-Identifier: MIT
// Connections, the outgoing half: backpressure, deadlines, and the ways to end.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "conn_rig.h"

enum { BUFFER = 65536, TICK = SM_WHEEL_TICK_MS };

static char chunk[16384];

static void close_it(struct session *session) {
    sm_conn_close(&session->conn);
}

// Writes and flushes until the connection says that it is full: the socket then holds what it can.
static size_t fill(struct rig *rig) {
    struct session *session = rig->session;
    size_t total = 0;
    while (!sm_conn_full(&session->conn)) {
        assert_int_equal(sm_conn_write(&session->conn, chunk, sizeof(chunk)), 0);
        sm_conn_flush(&session->conn);
        total += sizeof(chunk);
        assert_true(total < (64 << 20));
    }
    assert_true(session->conn.out.bytes >= BUFFER);
    return total;
}

static size_t drain_peer(struct rig *rig, size_t most) {
    size_t total = 0;
    char out[8192];
    ssize_t n;
    while (total < most && (n = rig_receive(rig, out, sizeof(out))) > 0) {
        total += (size_t)n;
    }
    return total;
}

// --- backpressure ---

static void test_conn_not_full_below_write_buffer(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    for (size_t i = 0; i < BUFFER / sizeof(chunk) - 1; i++) {
        assert_int_equal(sm_conn_write(&session->conn, chunk, sizeof(chunk)), 0);
    }
    assert_int_equal(sm_conn_write(&session->conn, chunk, sizeof(chunk) - 1), 0);
    assert_false(sm_conn_full(&session->conn));
    assert_int_equal(sm_conn_write(&session->conn, chunk, 1), 0);
    assert_true(sm_conn_full(&session->conn));
}

static void test_conn_full_is_drained_once_below_half(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    sm_conn_process(&session->conn);
    size_t total = fill(rig);
    rig_turn(rig);
    assert_int_equal(session->draineds, 0);
    size_t received = 0;
    while (received < total) {
        size_t n = drain_peer(rig, 20000);
        assert_true(n > 0);
        received += n;
        bool was_above = session->conn.out.bytes > BUFFER / 2;
        rig_settle(rig);
        assert_true(session->draineds == (session->conn.out.bytes <= BUFFER / 2 ? 1 : 0) || was_above);
    }
    assert_int_equal(session->draineds, 1);
    assert_false(sm_conn_full(&session->conn));
}

static void test_conn_full_then_sent_at_once_is_drained_too(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    sm_conn_process(&session->conn);
    rig_turn(rig); // its first readiness is over: the socket is writable and stays so, no edge will come
    for (size_t i = 0; i < BUFFER / sizeof(chunk); i++) {
        assert_int_equal(sm_conn_write(&session->conn, chunk, sizeof(chunk)), 0);
    }
    assert_true(sm_conn_full(&session->conn));
    sm_conn_flush(&session->conn);
    assert_int_equal(session->conn.out.bytes, 0);
    rig_settle(rig);
    assert_int_equal(session->draineds, 1);
}

static void test_conn_output_comes_whole_and_in_order(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    enum { LEN = 2 << 20 };
    char *data = malloc(LEN);
    char *out = malloc(LEN);
    assert_non_null(data);
    assert_non_null(out);
    for (size_t i = 0; i < LEN; i++) {
        data[i] = (char)(i * 7 + i / 1021);
    }
    sm_conn_process(&session->conn);
    assert_int_equal(sm_conn_write(&session->conn, data, LEN / 2), 0);
    assert_int_equal(sm_outq_borrow(&session->conn.out, data + LEN / 2, LEN / 2, NULL, NULL), 0);
    sm_conn_flush(&session->conn);
    size_t at = 0;
    for (int i = 0; i < 10000 && at < LEN; i++) {
        ssize_t n = rig_receive(rig, out + at, 40000 < LEN - at ? 40000 : LEN - at);
        at += n > 0 ? (size_t)n : 0;
        rig_turn(rig);
    }
    assert_int_equal(at, LEN);
    assert_memory_equal(out, data, LEN);
    assert_int_equal(session->conn.out.bytes, 0);
    free(out);
    free(data);
}

static void test_conn_closed_inside_drained_is_freed_once(void **state) {
    struct rig *rig = *state;
    sm_conn_process(&rig->session->conn);
    rig->session->on_drained = close_it;
    fill(rig);
    for (int i = 0; i < 1000 && rig->freed == 0; i++) {
        drain_peer(rig, SIZE_MAX);
        rig_turn(rig);
    }
    assert_int_equal(rig->freed, 1);
}

// --- deadlines ---

static void test_deadline_fires_not_early_and_once(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    sm_conn_process(&session->conn);
    sm_conn_deadline(&session->conn, 1000);
    rig_pass(rig, 999);
    assert_int_equal(session->read_timeouts, 0);
    rig_pass(rig, 1 + TICK);
    assert_int_equal(session->read_timeouts, 1);
    assert_int_equal(session->write_timeouts, 0);
    rig_pass(rig, 100000);
    assert_int_equal(session->read_timeouts, 1);
}

static void test_deadline_set_before_registration_fires(void **state) {
    struct rig *rig = *state;
    sm_conn_deadline(&rig->session->conn, 1000);
    sm_conn_process(&rig->session->conn);
    rig_pass(rig, 1000 + TICK);
    assert_int_equal(rig->session->read_timeouts, 1);
}

static void test_deadline_moved_later_fires_later(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    sm_conn_process(&session->conn);
    sm_conn_deadline(&session->conn, 1000);
    rig_pass(rig, 900);
    sm_conn_deadline(&session->conn, 1000);
    rig_pass(rig, 900);
    assert_int_equal(session->read_timeouts, 0);
    rig_pass(rig, 100 + TICK);
    assert_int_equal(session->read_timeouts, 1);
}

static void test_deadline_moved_earlier_fires_earlier(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    sm_conn_process(&session->conn);
    sm_conn_deadline(&session->conn, 100000);
    sm_conn_deadline(&session->conn, 100);
    rig_pass(rig, 100 + TICK);
    assert_int_equal(session->read_timeouts, 1);
}

static void test_deadline_disarmed_never_fires(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    sm_conn_process(&session->conn);
    sm_conn_deadline(&session->conn, 1000);
    sm_conn_deadline(&session->conn, 0);
    rig_pass(rig, 1000000);
    assert_int_equal(session->read_timeouts, 0);
    sm_conn_deadline(&session->conn, 50);
    rig_pass(rig, 50 + TICK);
    assert_int_equal(session->read_timeouts, 1);
}

static void test_deadline_of_output_without_progress_fires(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    rig->net.write_timeout = 5000;
    sm_conn_process(&session->conn);
    fill(rig);
    rig_pass(rig, 4999);
    assert_int_equal(session->write_timeouts, 0);
    rig_pass(rig, 1 + TICK);
    assert_int_equal(session->write_timeouts, 1);
    assert_int_equal(session->read_timeouts, 0);
}

static void test_deadline_of_output_moves_with_progress(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    char *much = calloc(1, 8 << 20);
    assert_non_null(much);
    rig->net.write_timeout = 5000;
    sm_conn_process(&session->conn);
    assert_int_equal(sm_outq_borrow(&session->conn.out, much, 8 << 20, NULL, NULL), 0);
    sm_conn_flush(&session->conn);
    for (int i = 0; i < 3; i++) {
        rig_pass(rig, 4000);
        assert_true(drain_peer(rig, SIZE_MAX) > 0);
        rig_settle(rig);
        assert_true(session->conn.out.bytes > 0);
        assert_int_equal(session->write_timeouts, 0);
    }
    session->on_timeout = close_it;
    rig_pass(rig, 5000 + TICK);
    assert_int_equal(rig->freed, 1);
    free(much);
}

static void test_deadline_of_output_that_was_sent_never_fires(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    rig->net.write_timeout = 5000;
    sm_conn_process(&session->conn);
    fill(rig);
    while (drain_peer(rig, SIZE_MAX) > 0) {
        rig_settle(rig);
    }
    assert_int_equal(session->conn.out.bytes, 0);
    rig_pass(rig, 1000000);
    assert_int_equal(session->write_timeouts, 0);
}

static void test_conn_closed_inside_timeout_is_freed_once(void **state) {
    struct rig *rig = *state;
    sm_conn_process(&rig->session->conn);
    rig->session->on_timeout = close_it;
    sm_conn_deadline(&rig->session->conn, 10);
    rig_pass(rig, 10 + TICK);
    assert_int_equal(rig->freed, 1);
}

// --- the ends ---

static void expect_stream(struct rig *rig, const char *text) {
    char out[64];
    size_t len = 0;
    for (;;) {
        struct pollfd poller = {.fd = rig->peer, .events = POLLIN};
        assert_int_equal(poll(&poller, 1, 5000), 1);
        ssize_t n = recv(rig->peer, out + len, sizeof(out) - len, 0);
        assert_true(n >= 0);
        if (n == 0) {
            break;
        }
        len += (size_t)n;
    }
    assert_int_equal(len, strlen(text));
    assert_memory_equal(out, text, len);
}

static void test_finish_without_output_closes_at_once(void **state) {
    struct rig *rig = *state;
    sm_conn_process(&rig->session->conn);
    sm_conn_finish(&rig->session->conn, false);
    sm_net_reap(&rig->net);
    assert_int_equal(rig->freed, 1);
    expect_stream(rig, "");
}

static void test_finish_with_output_sends_it_then_closes(void **state) {
    struct rig *rig = *state;
    assert_int_equal(sm_conn_write(&rig->session->conn, "bye", 3), 0);
    sm_conn_finish(&rig->session->conn, false);
    rig_turn(rig);
    assert_int_equal(rig->freed, 1);
    expect_stream(rig, "bye");
}

static void test_finish_with_more_than_the_socket_takes_sends_all(void **state) {
    struct rig *rig = *state;
    sm_conn_process(&rig->session->conn);
    size_t total = fill(rig);
    rig->session->on_drained = close_it; // must not be called any more: the session hears only `free`
    sm_conn_finish(&rig->session->conn, false);
    size_t received = 0;
    for (int i = 0; i < 10000 && received < total; i++) {
        received += drain_peer(rig, SIZE_MAX);
        rig_turn(rig);
    }
    assert_int_equal(received, total);
    assert_int_equal(rig->freed, 1);
}

static void test_finish_offers_no_more_input(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    sm_conn_process(&session->conn);
    rig_turn(rig);
    unsigned before = session->inputs;
    sm_conn_finish(&session->conn, true);
    rig_send(rig, "more", 4);
    rig_settle(rig);
    assert_int_equal(rig->freed, 0);
    assert_int_equal(session->inputs, before);
    assert_int_equal(session->eofs, 0);
}

// The client has sent, and goes on sending, what nobody reads: its answer must come whole all the same.
static void test_finish_with_linger_delivers_although_the_client_sends(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    session->on_input = NULL;
    session->conn.paused = true;
    sm_conn_park(&session->conn);
    for (int i = 0; i < 8; i++) {
        send(rig->peer, chunk, sizeof(chunk), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    rig_turn(rig);
    assert_int_equal(sm_conn_write(&session->conn, "413 too large", 13), 0);
    sm_conn_finish(&session->conn, true);
    for (int i = 0; i < 200; i++) {
        send(rig->peer, chunk, sizeof(chunk), MSG_DONTWAIT | MSG_NOSIGNAL);
        rig_turn(rig);
    }
    expect_stream(rig, "413 too large");
    assert_int_equal(rig->freed, 0);
    rig_hang_up(rig);
    rig_settle(rig);
    assert_int_equal(rig->freed, 1);
}

static void test_finish_with_linger_ends_after_linger_timeout(void **state) {
    struct rig *rig = *state;
    rig->net.linger_timeout = 30000;
    sm_conn_process(&rig->session->conn);
    sm_conn_finish(&rig->session->conn, true);
    rig_settle(rig);
    rig_pass(rig, 29999);
    assert_int_equal(rig->freed, 0);
    rig_send(rig, "still here", 10);
    rig_turn(rig);
    rig_pass(rig, 1 + TICK);
    assert_int_equal(rig->freed, 1);
}

static void test_finish_with_linger_ends_at_once_for_a_client_that_has_ended(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    session->conn.paused = true;
    shutdown(rig->peer, SHUT_WR);
    sm_conn_peek(&session->conn, 1000);
    assert_true(session->conn.eof);
    assert_int_equal(sm_conn_write(&session->conn, "x", 1), 0);
    sm_conn_finish(&session->conn, true);
    rig_turn(rig);
    assert_int_equal(rig->freed, 1);
    expect_stream(rig, "x");
}

// linger_timeout bounds the wait for the client's end, not a delivery that makes progress.
static void test_finish_with_linger_and_a_slow_reader_delivers_all(void **state) {
    struct rig *rig = *state;
    rig->net.linger_timeout = 1000;
    rig->net.write_timeout = 5000;
    sm_conn_process(&rig->session->conn);
    size_t total = fill(rig) + (1 << 20);
    char *more = calloc(1, 1 << 20);
    assert_non_null(more);
    assert_int_equal(sm_outq_borrow(&rig->session->conn.out, more, 1 << 20, NULL, NULL), 0);
    sm_conn_finish(&rig->session->conn, true);
    size_t received = 0;
    for (int i = 0; i < 1000 && received < total; i++) {
        size_t n = drain_peer(rig, 100000);
        if (n == 0) {
            break;
        }
        received += n;
        rig_turn(rig);
        rig_pass(rig, 400);
    }
    free(more);
    assert_int_equal(received, total);
}

static void test_finish_with_output_that_is_stuck_ends_after_write_timeout(void **state) {
    struct rig *rig = *state;
    rig->net.write_timeout = 5000;
    sm_conn_process(&rig->session->conn);
    fill(rig);
    sm_conn_finish(&rig->session->conn, false);
    rig_pass(rig, 4999);
    assert_int_equal(rig->freed, 0);
    rig_pass(rig, 1 + TICK);
    assert_int_equal(rig->freed, 1);
}

static void test_finish_with_client_gone_closes(void **state) {
    struct rig *rig = *state;
    sm_conn_process(&rig->session->conn);
    fill(rig);
    sm_conn_finish(&rig->session->conn, true);
    rig_hang_up(rig);
    rig_settle(rig);
    assert_int_equal(rig->freed, 1);
}

static int open_pair_rig(void **state) {
    static struct rig rig;
    *state = &rig;
    rig_init(&rig, false);
    rig.net.write_buffer = BUFFER;
    return 0;
}

static int open_tcp_rig(void **state) {
    static struct rig rig;
    *state = &rig;
    rig_init(&rig, true);
    rig.net.write_buffer = BUFFER;
    return 0;
}

static int close_rig(void **state) {
    rig_deinit(*state);
    return 0;
}

#define PAIRED(name) cmocka_unit_test_setup_teardown(name, open_pair_rig, close_rig)
#define TCP(name) cmocka_unit_test_setup_teardown(name, open_tcp_rig, close_rig)

int main(void) {
    const struct CMUnitTest tests[] = {
        PAIRED(test_conn_not_full_below_write_buffer),
        PAIRED(test_conn_full_is_drained_once_below_half),
        PAIRED(test_conn_full_then_sent_at_once_is_drained_too),
        PAIRED(test_conn_output_comes_whole_and_in_order),
        TCP(test_conn_output_comes_whole_and_in_order),
        PAIRED(test_conn_closed_inside_drained_is_freed_once),
        PAIRED(test_deadline_fires_not_early_and_once),
        PAIRED(test_deadline_set_before_registration_fires),
        PAIRED(test_deadline_moved_later_fires_later),
        PAIRED(test_deadline_moved_earlier_fires_earlier),
        PAIRED(test_deadline_disarmed_never_fires),
        PAIRED(test_deadline_of_output_without_progress_fires),
        PAIRED(test_deadline_of_output_moves_with_progress),
        PAIRED(test_deadline_of_output_that_was_sent_never_fires),
        PAIRED(test_conn_closed_inside_timeout_is_freed_once),
        PAIRED(test_finish_without_output_closes_at_once),
        PAIRED(test_finish_with_output_sends_it_then_closes),
        PAIRED(test_finish_with_more_than_the_socket_takes_sends_all),
        PAIRED(test_finish_offers_no_more_input),
        PAIRED(test_finish_with_linger_delivers_although_the_client_sends),
        TCP(test_finish_with_linger_delivers_although_the_client_sends),
        PAIRED(test_finish_with_linger_ends_after_linger_timeout),
        PAIRED(test_finish_with_linger_ends_at_once_for_a_client_that_has_ended),
        PAIRED(test_finish_with_linger_and_a_slow_reader_delivers_all),
        PAIRED(test_finish_with_output_that_is_stuck_ends_after_write_timeout),
        PAIRED(test_finish_with_client_gone_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
