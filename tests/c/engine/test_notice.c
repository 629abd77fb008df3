// SPDX-License-Identifier: MIT
// What an application is told of an open exchange: that the client sends no more, that the worker finishes. And an
// engine that closes while exchanges are open.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <sys/socket.h>

#include "client.h"
#include "front.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static void test_half_close_while_the_application_thinks_is_told(void **state) {
    struct client *client = *state;
    client->rig->app.request = probe_keep;
    client_send(client, GET);
    shutdown(client->fd, SHUT_WR);
    rig_pass(client->rig, 0);
    assert_int_equal(client->rig->app.notices, SM_NOTICE_HANGUP);
    assert_int_equal(client->rig->app.aborts, 0);
    probe_finish(client->rig->app.held[0], "still read"); // it may wait for the answer
    assert_string_equal(client_answer(client, false)->body, "still read");
    client_expect_ended(client);
}

// The connection is known to epoll already, and one event tells of both.
static void test_half_close_together_with_a_later_request_is_told(void **state) {
    struct client *client = *state;
    client_ask(client, GET, 200, NULL);
    client->rig->app.request = probe_keep;
    assert_int_equal(send(client->fd, GET, strlen(GET), MSG_NOSIGNAL), strlen(GET));
    shutdown(client->fd, SHUT_WR);
    rig_pass(client->rig, 0);
    assert_int_equal(client->rig->app.n_held, 1);
    assert_int_equal(client->rig->app.notices, SM_NOTICE_HANGUP);
    probe_finish(client->rig->app.held[0], "");
    client_answer(client, false);
}

static void test_streamed_body_and_half_close_at_once_are_told_in_order(void **state) {
    struct client *client = *state;
    struct probe *app = &client->rig->app;
    app->base.streams = true;
    app->request = probe_keep;
    client_send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
    assert_int_equal(send(client->fd, "body", 4, MSG_NOSIGNAL), 4);
    shutdown(client->fd, SHUT_WR);
    rig_pass(client->rig, 0);
    assert_int_equal(app->notices, SM_NOTICE_BODY | SM_NOTICE_HANGUP);
    assert_false(sm_exchange_body_coming(app->held[0]));
    probe_take(app, app->held[0]);
    assert_int_equal(app->seen.len, 4);
    probe_finish(app->held[0], "");
    client_answer(client, false);
}

static void test_front_that_half_closes_is_told_to_each(void **state) {
    struct front *front = *state;
    struct probe *app = &front->rig->app;
    app->request = probe_keep;
    put_request(&front->out, 1, KEEP_CONN, "");
    front_send(front);
    shutdown(front->fd, SHUT_WR);
    rig_pass(front->rig, 0);
    assert_int_equal(app->notices, SM_NOTICE_HANGUP);
    probe_finish(app->held[0], "still read");
    front_expect(front, 1, "200", "still read");
    front_expect_ended(front);
}

static void test_front_that_half_closes_with_the_request_is_told(void **state) {
    struct front *front = *state;
    struct probe *app = &front->rig->app;
    app->request = probe_keep;
    put_request(&front->out, 1, KEEP_CONN, "");
    assert_int_equal(send(front->fd, front->out.data, front->out.len, MSG_NOSIGNAL), front->out.len);
    front->out.len = 0;
    shutdown(front->fd, SHUT_WR);
    rig_pass(front->rig, 0);
    assert_int_equal(app->n_held, 1);
    assert_int_equal(app->notices, SM_NOTICE_HANGUP);
    probe_finish(app->held[0], "");
    front_expect(front, 1, "200", "");
}

static void test_drain_is_told_to_who_is_open_and_to_who_opens(void **state) {
    struct client *client = *state;
    struct client late;
    struct probe *app = &client->rig->app;
    client_open(&late, client->rig);
    app->request = probe_keep;
    client_send(&late, "GET / HTTP/1.1\r\n");
    client_send(client, GET);
    sm_engine_drain(&client->rig->engine, 0);
    rig_pass(client->rig, 0);
    assert_int_equal(app->notices, SM_NOTICE_DRAIN);
    app->notices = 0;
    sm_engine_drain(&client->rig->engine, 0); // nothing more to say
    rig_pass(client->rig, 0);
    assert_int_equal(app->notices, 0);
    client_send(&late, "Host: a\r\n\r\n");
    assert_int_equal(app->n_held, 2);
    rig_pass(client->rig, 0);
    assert_int_equal(app->notices, SM_NOTICE_DRAIN);
    probe_finish(app->held[0], "");
    probe_finish(app->held[1], "");
    client_answer(client, false);
    client_close(&late);
}

static void test_drain_is_told_to_each_request_of_a_front(void **state) {
    struct front *front = *state;
    struct probe *app = &front->rig->app;
    app->request = probe_keep;
    put_request(&front->out, 1, KEEP_CONN, "");
    front_send(front);
    sm_engine_drain(&front->rig->engine, 0);
    rig_pass(front->rig, 0);
    assert_int_equal(app->notices, SM_NOTICE_DRAIN);
    probe_finish(app->held[0], "");
    front_expect(front, 1, "200", "");
    front_expect_ended(front);
}

// --- an engine that closes ---

static void yield_for_ever(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    sm_exchange_yield(exchange);
}

static void test_engine_that_closes_aborts_who_yielded(void **state) {
    struct client *client = *state;
    client->rig->app.request = client->rig->app.resume = yield_for_ever;
    client_send(client, GET);
    sm_engine_close(&client->rig->engine);
    assert_int_equal(client->rig->app.aborts, 1);
    rig_pass(client->rig, 0);
    assert_int_equal(client->rig->engine.n_sessions, 0);
}

static void test_engine_that_closed_still_turns(void **state) {
    struct client *client = *state;
    struct probe *app = &client->rig->app;
    struct client other;
    client_open(&other, client->rig);
    app->base.streams = true;
    app->request = probe_keep;
    client_send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
    assert_int_equal(send(client->fd, "dy", 2, MSG_NOSIGNAL), 2); // an event that nobody will see
    sm_engine_close(&client->rig->engine);
    assert_int_equal(app->aborts, 1);
    for (int i = 0; i < 5; i++) {
        rig_pass(client->rig, 100000);
    }
    assert_int_equal(app->aborts, 1);
    assert_true(sm_engine_idle(&client->rig->engine));
    client_expect_ended(&other);
    client_close(&other);
    sm_engine_close(&client->rig->engine); // and again
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SERVED(test_half_close_while_the_application_thinks_is_told),
        SERVED(test_half_close_together_with_a_later_request_is_told),
        SERVED(test_streamed_body_and_half_close_at_once_are_told_in_order),
        FRONTED(test_front_that_half_closes_is_told_to_each),
        FRONTED(test_front_that_half_closes_with_the_request_is_told),
        SERVED(test_drain_is_told_to_who_is_open_and_to_who_opens),
        FRONTED(test_drain_is_told_to_each_request_of_a_front),
        SERVED(test_engine_that_closes_aborts_who_yielded),
        SERVED(test_engine_that_closed_still_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
