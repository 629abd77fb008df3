// SPDX-License-Identifier: MIT
// Connections that are switched to another protocol (RFC 9110 7.8): the 101 head, bytes both ways, back pressure,
// ends, and where it cannot be.
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
#include "front.h"

#define ASK "GET /t HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"

static int upgrade(struct sm_exchange *exchange) {
    return sm_exchange_upgrade(exchange, SM_STR("echo"));
}

static void open_tunnel(struct probe *app, struct sm_exchange *exchange) {
    probe_keep(app, exchange);
    assert_int_equal(upgrade(exchange), 0);
    assert_int_equal(sm_exchange_field(exchange, SM_STR("X-More"), SM_STR("1")), 0);
    assert_int_equal(sm_exchange_tunnel(exchange), 0);
    assert_true(sm_exchange_committed(exchange));
    assert_true(sm_exchange_body_coming(exchange));
}

static void echo(struct probe *app, struct sm_exchange *exchange, unsigned what) {
    if ((what & SM_NOTICE_BODY) != 0) {
        app->seen.len = 0;
        probe_take(app, exchange);
        assert_in_range(sm_exchange_write(exchange, app->seen.data, app->seen.len), 0, SM_EXCHANGE_FULL);
    }
}

// Asks, and leaves what came behind the 101 head in the inbox.
static struct sm_exchange *begin(struct client *client, const char *text) {
    client->rig->app.request = open_tunnel;
    client_send(client, text);
    rig_collect(client->rig, client->fd, &client->inbox);
    const char *end = memmem(client->inbox.bytes.data, client->inbox.bytes.len, "\r\n\r\n", 4);
    assert_non_null(end);
    sm_bytes_consume(&client->inbox.bytes, (size_t)(end + 4 - client->inbox.bytes.data));
    return client->rig->app.held[0];
}

static void expect_bytes(struct client *client, const char *text) {
    rig_collect(client->rig, client->fd, &client->inbox);
    assert_int_equal(client->inbox.bytes.len, strlen(text));
    assert_memory_equal(client->inbox.bytes.data, text, strlen(text));
    client->inbox.bytes.len = 0;
}

static void test_upgrade_sends_the_head_of_101(void **state) {
    struct client *client = *state;
    client->rig->app.request = open_tunnel;
    client_send(client, ASK);
    expect_bytes(client, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-More: 1\r\n"
                         "Date: " RIG_DATE "\r\nServer: smiskd\r\n\r\n");
    assert_int_equal(client->rig->app.notices, 0);
}

static void test_tunnel_carries_bytes_both_ways(void **state) {
    struct client *client = *state;
    client->rig->app.notice = echo;
    begin(client, ASK);
    client_send(client, "GET / HTTP/1.1\r\n\r\n"); // no protocol of ours any more
    expect_bytes(client, "GET / HTTP/1.1\r\n\r\n");
    client_send(client, "more");
    expect_bytes(client, "more");
    rig_pass(client->rig, 100000000); // nor a deadline
    client_expect_open(client);
    assert_int_equal(client->rig->app.requests, 1);
}

static void test_bytes_that_came_with_the_head_are_the_tunnels(void **state) {
    struct client *client = *state;
    client->rig->app.notice = echo;
    begin(client, ASK "early");
    expect_bytes(client, "early");
}

static void test_tunnel_may_be_opened_later(void **state) {
    struct client *client = *state;
    struct probe *app = &client->rig->app;
    app->request = probe_keep;
    app->notice = echo;
    client_send(client, ASK "early");
    assert_int_equal(app->notices, 0);
    open_tunnel(app, app->held[0]);
    assert_int_equal(sm_exchange_flush(app->held[0]), 0);
    rig_collect(client->rig, client->fd, &client->inbox);
    assert_memory_equal(client->inbox.bytes.data + client->inbox.bytes.len - 9, "\r\n\r\nearly", 9);
    client->inbox.bytes.len = 0;
}

static void test_tunnel_drops_what_was_not_read_of_the_body(void **state) {
    struct client *client = *state;
    struct sm_exchange *exchange = begin(client, "POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    client_send(client, "tunnel");
    probe_take(&client->rig->app, exchange);
    assert_int_equal(client->rig->app.seen.len, 6);
    assert_memory_equal(client->rig->app.seen.data, "tunnel", 6);
}

static void test_client_is_stopped_until_the_tunnel_is_read(void **state) {
    struct client *client = *state;
    struct probe *app = &client->rig->app;
    enum { LEN = 4000000 };
    static char data[LEN];
    struct sm_exchange *exchange = begin(client, ASK);
    for (size_t i = 0; i < LEN; i++) {
        data[i] = probe_byte(i);
    }
    size_t sent = 0, got = 0;
    char piece[3000];
    for (int idle = 0; idle < 100 && got < LEN;) {
        ssize_t n = sent < LEN ? send(client->fd, data + sent, LEN - sent, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
        assert_true(n >= 0 || errno == EAGAIN);
        sent += n > 0 ? (size_t)n : 0;
        rig_turn(client->rig);
        assert_in_range(sm_exchange_body_unread(exchange), 0, 8192 + 65536);
        // Never read to its end: what was read must not pile up all the same.
        assert_true(sm_exchange_body(exchange)->len < 4 * (8192 + 65536));
        uint64_t unread = sm_exchange_body_unread(exchange);
        size_t most = unread > sizeof(piece) || sent == LEN ? sizeof(piece) : (size_t)unread / 2;
        n = sm_exchange_body_read(exchange, piece, most);
        assert_true(n >= 0);
        assert_memory_equal(piece, data + got, (size_t)n);
        got += (size_t)n;
        idle = n > 0 ? 0 : idle + 1;
    }
    assert_int_equal(got, LEN);
    assert_int_equal(app->aborts, 0);
}

static void test_half_close_is_told_when_all_was_read(void **state) {
    struct client *client = *state;
    struct probe *app = &client->rig->app;
    char data[20000] = {0};
    struct sm_exchange *exchange = begin(client, ASK);
    rig_send(client->rig, client->fd, data, 10000); // stops it
    assert_int_equal(send(client->fd, data, 10000, MSG_NOSIGNAL), 10000);
    shutdown(client->fd, SHUT_WR);
    rig_pass(client->rig, 0);
    assert_int_equal(app->notices, SM_NOTICE_BODY);
    for (int i = 0; i < 10; i++) {
        probe_take(app, exchange);
        rig_turn(client->rig);
    }
    assert_int_equal(app->seen.len, sizeof(data));
    assert_int_equal(app->notices, SM_NOTICE_BODY | SM_NOTICE_HANGUP);
    assert_false(sm_exchange_body_coming(exchange));
    assert_int_equal(app->aborts, 0);
    assert_int_equal(sm_exchange_write(exchange, "bye", 3), 0); // the other way is still open
    sm_exchange_end(exchange, 0);
    expect_bytes(client, "bye");
    client_expect_ended(client);
    assert_int_equal(client->rig->engine.n_sessions, 0);
}

static void test_client_that_leaves_is_told_or_aborted(void **state) {
    struct client *client = *state;
    struct sm_exchange *exchange = begin(client, ASK);
    client_close(client);
    assert_true(client->rig->app.aborts == 1 || (client->rig->app.notices & SM_NOTICE_HANGUP) != 0);
    if (client->rig->app.aborts == 0) {
        sm_exchange_end(exchange, 0);
        rig_pass(client->rig, 0);
    }
    assert_int_equal(client->rig->engine.n_sessions, 0);
}

static void test_end_sends_what_is_queued_and_closes(void **state) {
    struct client *client = *state;
    struct sm_exchange *exchange = begin(client, ASK);
    assert_int_equal(sm_exchange_write(exchange, "last", 4), 0);
    sm_exchange_end(exchange, 0);
    expect_bytes(client, "last");
    client_expect_ended(client);
    client_close(client);
    assert_int_equal(client->rig->engine.n_sessions, 0);
    assert_int_equal(client->rig->app.aborts, 0);
}

static void resume_noop(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    (void)exchange;
}

static void test_slow_client_fills_the_tunnel_and_room_is_told(void **state) {
    struct client *client = *state;
    struct probe *app = &client->rig->app;
    static const char block[8000];
    app->resume = resume_noop;
    struct sm_exchange *exchange = begin(client, ASK);
    size_t written = 0;
    int r = 0;
    while (r == 0 && written < (64 << 20)) {
        r = sm_exchange_write(exchange, block, sizeof(block));
        written += sizeof(block);
        if (r == SM_EXCHANGE_FULL) {
            r = sm_exchange_flush(exchange);
        }
    }
    assert_int_equal(r, SM_EXCHANGE_FULL);
    assert_int_equal(app->resumes, 0);
    rig_collect(client->rig, client->fd, &client->inbox);
    assert_int_equal(client->inbox.bytes.len, written);
    assert_int_equal(app->resumes, 1);
    client->inbox.bytes.len = 0;
}

static void test_look_at_the_client_does_not_lose_bytes(void **state) {
    struct client *client = *state;
    struct sm_exchange *exchange = begin(client, ASK);
    assert_int_equal(send(client->fd, "abc", 3, MSG_NOSIGNAL), 3);
    assert_false(sm_exchange_is_aborted(exchange));
    rig_pass(client->rig, 0);
    assert_int_equal(client->rig->app.notices, SM_NOTICE_BODY);
    assert_int_equal(sm_exchange_body_unread(exchange), 3);
}

static void test_drain_is_told_to_a_tunnel(void **state) {
    struct client *client = *state;
    begin(client, ASK);
    sm_engine_drain(&client->rig->engine, 0);
    rig_pass(client->rig, 0);
    assert_int_equal(client->rig->app.notices, SM_NOTICE_DRAIN);
    sm_exchange_end(client->rig->app.held[0], 0);
    client_expect_ended(client);
}

static void test_drain_is_told_to_a_tunnel_that_opens_later(void **state) {
    struct client *client = *state;
    client->rig->app.request = probe_keep;
    client_send(client, ASK);
    rig_pass(client->rig, 0);
    sm_engine_drain(&client->rig->engine, 0);
    rig_pass(client->rig, 0);
    client->rig->app.notices = 0;
    struct sm_exchange *exchange = client->rig->app.held[0];
    assert_int_equal(upgrade(exchange), 0);
    assert_int_equal(sm_exchange_tunnel(exchange), 0);
    rig_pass(client->rig, 0);
    assert_int_equal(client->rig->app.notices, SM_NOTICE_DRAIN);
    sm_exchange_end(exchange, 0);
    rig_collect(client->rig, client->fd, &client->inbox);
    assert_true(client->inbox.ended);
}

// --- alarms ---

static void test_alarm_is_told_once_when_its_time_is_over(void **state) {
    struct client *client = *state;
    struct sm_exchange *exchange = begin(client, ASK);
    sm_exchange_alarm(exchange, 1000);
    rig_pass(client->rig, 1000 - RIG_TICK);
    assert_int_equal(client->rig->app.notices, 0);
    rig_pass(client->rig, 2 * RIG_TICK);
    assert_int_equal(client->rig->app.notices, SM_NOTICE_ALARM);
    client->rig->app.notices = 0;
    rig_pass(client->rig, 100000);
    assert_int_equal(client->rig->app.notices, 0);
}

static void test_alarm_replaces_the_one_before_and_0_takes_it_away(void **state) {
    struct client *client = *state;
    struct sm_exchange *exchange = begin(client, ASK);
    sm_exchange_alarm(exchange, 1000);
    sm_exchange_alarm(exchange, 5000);
    rig_pass(client->rig, 4000);
    assert_int_equal(client->rig->app.notices, 0);
    sm_exchange_alarm(exchange, 0);
    rig_pass(client->rig, 100000);
    assert_int_equal(client->rig->app.notices, 0);
    client_expect_open(client);
}

static void test_alarm_is_not_put_off_by_bytes(void **state) {
    struct client *client = *state;
    struct sm_exchange *exchange = begin(client, ASK);
    char bytes[8];
    sm_exchange_alarm(exchange, 1000);
    rig_pass(client->rig, 900);
    client_send(client, "abc");
    rig_pass(client->rig, 0);
    assert_int_equal(client->rig->app.notices, SM_NOTICE_BODY);
    assert_int_equal(sm_exchange_body_read(exchange, bytes, sizeof bytes), 3);
    rig_pass(client->rig, 100 + RIG_TICK);
    assert_int_equal(client->rig->app.notices, SM_NOTICE_BODY | SM_NOTICE_ALARM);
}

// --- refused ---

static void try_upgrade(struct probe *app, struct sm_exchange *exchange) {
    app->outcome = upgrade(exchange);
    probe_finish(exchange, "no");
}

static void test_http_1_0_cannot_be_upgraded(void **state) {
    struct client *client = *state;
    client->rig->app.request = try_upgrade;
    client_ask(client, "GET / HTTP/1.0\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n", 200, "no");
    assert_int_equal(client->rig->app.outcome, SM_EXCHANGE_BAD_STATUS);
}

static void test_fastcgi_cannot_be_upgraded(void **state) {
    struct front *front = *state;
    front->rig->app.request = try_upgrade;
    put_request(&front->out, 1, KEEP_CONN, "");
    front_expect(front, 1, "200", "no");
    assert_int_equal(front->rig->app.outcome, SM_EXCHANGE_BAD_STATUS);
}

static void test_request_whose_body_still_comes_cannot_be_upgraded(void **state) {
    struct client *client = *state;
    client->rig->app.base.streams = true;
    client->rig->app.request = try_upgrade;
    client_ask(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo", 200, "no");
    assert_int_equal(client->rig->app.outcome, SM_EXCHANGE_BAD_STATUS);
}

static void upgrade_wrongly(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    assert_int_equal(sm_exchange_tunnel(exchange), SM_EXCHANGE_NOT_STARTED);
    assert_int_equal(sm_exchange_upgrade(exchange, SM_STR("a\r\nX: y")), SM_EXCHANGE_BAD_VALUE);
    assert_int_equal(sm_exchange_tunnel(exchange), SM_EXCHANGE_NOT_STARTED);
    assert_int_equal(upgrade(exchange), 0);
    assert_int_equal(sm_exchange_field(exchange, SM_STR("Upgrade"), SM_STR("b")), SM_EXCHANGE_BAD_FIELD);
    assert_int_equal(sm_exchange_commit(exchange, -1), SM_EXCHANGE_NOT_STARTED); // 101 is no final answer
    assert_int_equal(upgrade(exchange), 0);
    assert_int_equal(sm_exchange_start(exchange, 200, SM_STR("")), 0); // thought better of it
    assert_int_equal(sm_exchange_tunnel(exchange), SM_EXCHANGE_NOT_STARTED);
    assert_int_equal(sm_exchange_commit(exchange, 2), 0);
    assert_int_equal(upgrade(exchange), SM_EXCHANGE_BAD_STATUS);
    assert_int_equal(sm_exchange_tunnel(exchange), SM_EXCHANGE_NOT_STARTED);
    assert_int_equal(sm_exchange_write(exchange, "ok", 2), 0);
    sm_exchange_end(exchange, 0);
}

static void test_upgrade_in_the_wrong_order_is_refused(void **state) {
    struct client *client = *state;
    client->rig->app.request = upgrade_wrongly;
    assert_null(answer_field(client_ask(client, ASK, 200, "ok"), "Upgrade"));
    client_expect_open(client);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SERVED(test_upgrade_sends_the_head_of_101),
        SERVED(test_tunnel_carries_bytes_both_ways),
        SERVED(test_bytes_that_came_with_the_head_are_the_tunnels),
        SERVED(test_tunnel_may_be_opened_later),
        SERVED(test_tunnel_drops_what_was_not_read_of_the_body),
        SERVED(test_client_is_stopped_until_the_tunnel_is_read),
        SERVED(test_half_close_is_told_when_all_was_read),
        SERVED(test_client_that_leaves_is_told_or_aborted),
        SERVED(test_end_sends_what_is_queued_and_closes),
        SERVED(test_slow_client_fills_the_tunnel_and_room_is_told),
        SERVED(test_look_at_the_client_does_not_lose_bytes),
        SERVED(test_drain_is_told_to_a_tunnel),
        SERVED(test_drain_is_told_to_a_tunnel_that_opens_later),
        SERVED(test_alarm_is_told_once_when_its_time_is_over),
        SERVED(test_alarm_replaces_the_one_before_and_0_takes_it_away),
        SERVED(test_alarm_is_not_put_off_by_bytes),
        SERVED(test_http_1_0_cannot_be_upgraded),
        FRONTED(test_fastcgi_cannot_be_upgraded),
        SERVED(test_request_whose_body_still_comes_cannot_be_upgraded),
        SERVED(test_upgrade_in_the_wrong_order_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
