// SPDX-License-Identifier: MIT
// Connections, the incoming half: what the session is offered, when it is left alone, how a stream ends.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "conn_rig.h"

static void expect_got(struct rig *rig, const char *text) {
    struct session *session = rig->session;
    assert_int_equal(session->got.len, strlen(text));
    if (*text != '\0') {
        assert_memory_equal(session->got.data, text, strlen(text));
    }
}

static void close_it(struct session *session) {
    sm_conn_close(&session->conn);
}

static void pause_it(struct session *session) {
    session->conn.paused = true;
}

static int unread(int fd) {
    int n = -1;
    assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
    return n;
}

// --- input ---

static void test_conn_fresh_reads_nothing_before_process(void **state) {
    struct rig *rig = *state;
    rig_send(rig, "abc", 3);
    rig_turn(rig);
    assert_int_equal(rig->session->inputs, 0);
    sm_conn_process(&rig->session->conn);
    expect_got(rig, "abc");
}

static void test_conn_input_that_is_taken_is_not_offered_again(void **state) {
    struct rig *rig = *state;
    sm_conn_process(&rig->session->conn);
    rig_send(rig, "abc", 3);
    rig_turn(rig);
    rig_send(rig, "de", 2);
    rig_turn(rig);
    rig_turn(rig);
    expect_got(rig, "abcde");
    assert_int_equal(rig->session->inputs, 2);
    assert_null(rig->session->conn.in.data);
}

static void test_conn_input_that_is_left_comes_again_with_the_next(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    sm_conn_process(&session->conn);
    session->take = 0;
    rig_send(rig, "abc", 3);
    rig_turn(rig);
    assert_int_equal(session->offered, 3);
    rig_send(rig, "de", 2);
    rig_turn(rig);
    assert_int_equal(session->offered, 5);
    expect_got(rig, "");
    session->take = SIZE_MAX;
    rig_send(rig, "f", 1);
    rig_turn(rig);
    expect_got(rig, "abcdef");
    assert_int_equal(session->conn.in.len, 0);
}

static void test_conn_input_taken_byte_by_byte_keeps_order(void **state) {
    struct rig *rig = *state;
    rig->session->take = 1;
    sm_conn_process(&rig->session->conn);
    rig_send(rig, "abcdef", 6);
    for (int i = 0; i < 12; i++) {
        rig_turn(rig);
        sm_conn_process(&rig->session->conn);
    }
    expect_got(rig, "abcdef");
}

static void test_conn_much_input_comes_whole_and_in_order(void **state) {
    struct rig *rig = *state;
    enum { LEN = 3 << 20 };
    char *data = malloc(LEN);
    assert_non_null(data);
    for (size_t i = 0; i < LEN; i++) {
        data[i] = (char)(i * 13 + i / 509);
    }
    sm_conn_process(&rig->session->conn);
    size_t sent = 0;
    for (int i = 0; i < 10000 && rig->session->got.len < LEN; i++) {
        if (sent < LEN) {
            ssize_t n = send(rig->peer, data + sent, LEN - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
            sent += n > 0 ? (size_t)n : 0;
        }
        rig_turn(rig);
    }
    assert_int_equal(rig->session->got.len, LEN);
    assert_memory_equal(rig->session->got.data, data, LEN);
    free(data);
}

static void test_conn_input_before_registration_needs_no_epoll(void **state) {
    struct rig *rig = *state;
    rig->session->on_input = close_it;
    rig_send(rig, "GET", 3);
    sm_conn_process(&rig->session->conn);
    assert_false(rig->session->conn.source.registered);
    sm_net_reap(&rig->net);
    assert_int_equal(rig->freed, 1);
}

// --- pausing ---

static void test_conn_paused_reads_nothing(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    session->on_input = pause_it;
    sm_conn_process(&session->conn);
    rig_send(rig, "one", 3);
    rig_turn(rig);
    sm_conn_park(&session->conn);
    rig_send(rig, "two", 3);
    rig_turn(rig);
    rig_turn(rig);
    assert_int_equal(session->inputs, 1);
    assert_int_equal(unread(session->conn.source.fd), 3);
}

static void test_conn_resumed_goes_on_where_it_stood(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    session->on_input = pause_it;
    session->take = 2;
    sm_conn_process(&session->conn);
    rig_send(rig, "one", 3);
    rig_turn(rig);
    rig_send(rig, "two", 3);
    rig_turn(rig);
    expect_got(rig, "on");
    session->take = SIZE_MAX;
    session->on_input = NULL;
    session->conn.paused = false;
    sm_conn_process(&session->conn);
    expect_got(rig, "onetwo");
    rig_send(rig, "three", 5);
    rig_turn(rig);
    expect_got(rig, "onetwothree");
}

static void test_conn_paused_hears_of_the_end_only_when_resumed(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    session->on_input = pause_it;
    sm_conn_process(&session->conn);
    rig_send(rig, "last", 4);
    shutdown(rig->peer, SHUT_WR);
    rig_turn(rig);
    sm_conn_park(&session->conn);
    rig_turn(rig);
    assert_int_equal(session->eofs, 0);
    assert_int_equal(session->brokens, 0);
    session->conn.paused = false;
    sm_conn_process(&session->conn);
    rig_turn(rig);
    assert_true(session->eofs > 0);
    expect_got(rig, "last");
}

// --- ends ---

static void test_conn_end_right_behind_the_bytes_is_heard(void **state) {
    struct rig *rig = *state;
    rig_send(rig, "abc", 3);
    shutdown(rig->peer, SHUT_WR);
    sm_conn_process(&rig->session->conn);
    rig_settle(rig);
    expect_got(rig, "abc");
    assert_true(rig->session->eofs > 0);
    assert_int_equal(rig->session->brokens, 0);
}

static void test_conn_end_later_is_heard(void **state) {
    struct rig *rig = *state;
    sm_conn_process(&rig->session->conn);
    rig_send(rig, "abc", 3);
    rig_turn(rig);
    assert_int_equal(rig->session->eofs, 0);
    shutdown(rig->peer, SHUT_WR);
    rig_settle(rig);
    assert_true(rig->session->eofs > 0);
}

static void test_conn_half_closed_client_still_gets_its_answer(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    char out[16];
    session->on_input = pause_it;
    sm_conn_process(&session->conn);
    rig_send(rig, "ask", 3);
    shutdown(rig->peer, SHUT_WR);
    rig_settle(rig);
    assert_int_equal(sm_conn_write(&session->conn, "answer", 6), 0);
    sm_conn_finish(&session->conn, true);
    rig_settle(rig);
    assert_int_equal(rig_receive(rig, out, sizeof(out)), 6);
    assert_memory_equal(out, "answer", 6);
    assert_int_equal(rig->freed, 1);
}

static void test_conn_client_gone_is_heard(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    sm_conn_process(&session->conn);
    rig_turn(rig);
    rig_hang_up(rig);
    rig_settle(rig);
    assert_true(session->eofs + session->brokens > 0);
}

static void test_conn_paused_client_gone_is_broken(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    session->on_input = pause_it;
    session->on_broken = close_it;
    sm_conn_process(&session->conn);
    rig_send(rig, "abc", 3);
    rig_turn(rig);
    sm_conn_park(&session->conn);
    rig_turn(rig);
    rig_hang_up(rig);
    rig_settle(rig);
    assert_int_equal(rig->freed, 1);
}

static void test_conn_write_to_client_gone_is_broken_and_calls_nobody(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    sm_conn_process(&session->conn);
    rig_hang_up(rig);
    assert_int_equal(sm_conn_write(&session->conn, "x", 1), 0);
    sm_conn_flush(&session->conn);
    assert_true(session->conn.is_broken);
    assert_int_equal(session->brokens, 0);
    assert_int_equal(session->conn.out.bytes, 0);
}

static void test_conn_reset_is_broken(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    struct linger abrupt = {.l_onoff = 1};
    sm_conn_process(&session->conn);
    rig_turn(rig);
    setsockopt(rig->peer, SOL_SOCKET, SO_LINGER, &abrupt, sizeof(abrupt));
    session->on_broken = close_it;
    rig_hang_up(rig);
    rig_settle(rig);
    assert_int_equal(rig->freed, 1);
}

// --- a look at a busy connection ---

static void test_conn_peek_stores_without_feeding(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    session->conn.paused = true;
    assert_false(sm_conn_peek(&session->conn, 1000));
    rig_send(rig, "abc", 3);
    assert_true(sm_conn_peek(&session->conn, 1000));
    assert_false(sm_conn_peek(&session->conn, 1000));
    assert_int_equal(session->inputs, 0);
    session->conn.paused = false;
    rig_send(rig, "de", 2);
    sm_conn_process(&session->conn);
    rig_turn(rig);
    expect_got(rig, "abcde");
}

static void test_conn_peek_sees_the_end(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    session->conn.paused = true;
    rig_send(rig, "abc", 3);
    shutdown(rig->peer, SHUT_WR);
    for (int i = 0; i < 100 && !session->conn.eof; i++) {
        assert_true(sm_conn_peek(&session->conn, 1000) || i == 0);
    }
    assert_true(session->conn.eof);
    assert_true(sm_conn_peek(&session->conn, 1000));
    session->conn.paused = false;
    sm_conn_process(&session->conn);
    expect_got(rig, "abc");
    assert_true(session->eofs > 0);
}

static void test_conn_peek_stops_at_its_cap(void **state) {
    struct rig *rig = *state;
    struct session *session = rig->session;
    static char filler[8192];
    session->conn.paused = true;
    size_t sent = 0;
    ssize_t n;
    while (sent < (1 << 20) && (n = send(rig->peer, filler, sizeof(filler), MSG_DONTWAIT | MSG_NOSIGNAL)) > 0) {
        sent += (size_t)n;
    }
    assert_true(sent > 100000);
    while (sm_conn_peek(&session->conn, 1000)) {
    }
    assert_in_range(session->conn.in.len, 1000, 1000 + SM_SCRATCH_SIZE);
}

// --- closing inside a callback ---

static void test_conn_closed_inside_input_is_freed_once(void **state) {
    struct rig *rig = *state;
    rig->session->on_input = close_it;
    sm_conn_process(&rig->session->conn);
    rig_send(rig, "abc", 3);
    rig_turn(rig);
    rig_turn(rig);
    assert_int_equal(rig->freed, 1);
}

static void test_conn_closed_inside_input_that_takes_nothing_leaks_nothing(void **state) {
    struct rig *rig = *state;
    rig->session->on_input = close_it;
    rig->session->take = 0;
    sm_conn_process(&rig->session->conn);
    rig_send(rig, "abc", 3);
    rig_turn(rig);
    assert_int_equal(rig->freed, 1);
}

static void test_conn_closed_inside_input_with_stored_bytes_is_freed_once(void **state) {
    struct rig *rig = *state;
    rig->session->take = 1;
    sm_conn_process(&rig->session->conn);
    rig_send(rig, "abc", 3);
    rig_turn(rig);
    rig->session->on_input = close_it;
    rig_send(rig, "de", 2);
    rig_turn(rig);
    assert_int_equal(rig->freed, 1);
}

static void test_conn_closed_inside_eof_is_freed_once(void **state) {
    struct rig *rig = *state;
    rig->session->on_eof = close_it;
    rig->session->on_broken = close_it;
    sm_conn_process(&rig->session->conn);
    rig_send(rig, "abc", 3);
    shutdown(rig->peer, SHUT_WR);
    rig_settle(rig);
    assert_int_equal(rig->freed, 1);
}

static void test_conn_closed_twice_is_freed_once(void **state) {
    struct rig *rig = *state;
    sm_conn_process(&rig->session->conn);
    sm_conn_close(&rig->session->conn);
    sm_conn_close(&rig->session->conn);
    sm_conn_finish(&rig->session->conn, true);
    sm_conn_park(&rig->session->conn);
    rig_turn(rig);
    assert_int_equal(rig->freed, 1);
}

static void test_conn_closed_while_put_off_is_not_processed(void **state) {
    struct rig *rig = *state;
    static char filler[65536];
    struct session *session = rig->session;
    sm_conn_process(&session->conn);
    for (int i = 0; i < 2; i++) {
        send(rig->peer, filler, sizeof(filler), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    sm_conn_finish(&session->conn, true); // lingers: put off to discard
    sm_conn_close(&session->conn);
    unsigned inputs = session->inputs;
    sm_net_pending(&rig->net);
    assert_int_equal(session->inputs, inputs);
    sm_net_reap(&rig->net);
    assert_int_equal(rig->freed, 1);
}

static int open_pair_rig(void **state) {
    static struct rig rig;
    *state = &rig;
    rig_init(&rig, false);
    return 0;
}

static int open_tcp_rig(void **state) {
    static struct rig rig;
    *state = &rig;
    rig_init(&rig, true);
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
        PAIRED(test_conn_fresh_reads_nothing_before_process),
        PAIRED(test_conn_input_that_is_taken_is_not_offered_again),
        PAIRED(test_conn_input_that_is_left_comes_again_with_the_next),
        PAIRED(test_conn_input_taken_byte_by_byte_keeps_order),
        PAIRED(test_conn_much_input_comes_whole_and_in_order),
        PAIRED(test_conn_input_before_registration_needs_no_epoll),
        PAIRED(test_conn_paused_reads_nothing),
        PAIRED(test_conn_resumed_goes_on_where_it_stood),
        PAIRED(test_conn_paused_hears_of_the_end_only_when_resumed),
        PAIRED(test_conn_end_right_behind_the_bytes_is_heard),
        TCP(test_conn_end_right_behind_the_bytes_is_heard),
        PAIRED(test_conn_end_later_is_heard),
        TCP(test_conn_end_later_is_heard),
        PAIRED(test_conn_half_closed_client_still_gets_its_answer),
        TCP(test_conn_half_closed_client_still_gets_its_answer),
        PAIRED(test_conn_client_gone_is_heard),
        TCP(test_conn_client_gone_is_heard),
        PAIRED(test_conn_paused_client_gone_is_broken),
        PAIRED(test_conn_write_to_client_gone_is_broken_and_calls_nobody),
        TCP(test_conn_reset_is_broken),
        PAIRED(test_conn_peek_stores_without_feeding),
        PAIRED(test_conn_peek_sees_the_end),
        PAIRED(test_conn_peek_stops_at_its_cap),
        PAIRED(test_conn_closed_inside_input_is_freed_once),
        PAIRED(test_conn_closed_inside_input_that_takes_nothing_leaks_nothing),
        PAIRED(test_conn_closed_inside_input_with_stored_bytes_is_freed_once),
        PAIRED(test_conn_closed_inside_eof_is_freed_once),
        PAIRED(test_conn_closed_twice_is_freed_once),
        PAIRED(test_conn_closed_while_put_off_is_not_processed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
