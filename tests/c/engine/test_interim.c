// SPDX-License-Identifier: MIT
// Interim responses (RFC 9110 15.2, RFC 8297): sent at once, before the final one; nothing in them that speaks of the
// final one's framing; dropped where the client would not understand.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "front.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define LINK "</style.css>; rel=preload; as=style"
#define HINTS "HTTP/1.1 103 Early Hints\r\nLink: " LINK "\r\n\r\n"

static int field(struct sm_exchange *exchange, const char *name, const char *value) {
    return sm_exchange_field(exchange, sm_str_from(name), sm_str_from(value));
}

static void hint(struct sm_exchange *exchange) {
    assert_int_equal(sm_exchange_interim(exchange, 103), 0);
    assert_int_equal(field(exchange, "Link", LINK), 0);
    assert_int_equal(sm_exchange_interim_end(exchange), 0);
}

static void hint_then_hello(struct probe *app, struct sm_exchange *exchange) {
    char out[512];
    hint(exchange);
    ssize_t n = recv(app->outcome, out, sizeof(out), MSG_DONTWAIT | MSG_PEEK);
    assert_int_equal(n, sizeof(HINTS) - 1);
    assert_memory_equal(out, HINTS, (size_t)n);
    hint(exchange);
    assert_false(sm_exchange_committed(exchange));
    probe_hello(app, exchange);
}

static void test_interim_is_sent_at_once_and_the_final_one_follows(void **state) {
    struct client *client = *state;
    client->rig->app.request = hint_then_hello;
    client->rig->app.outcome = client->fd;
    client_send(client, GET);
    for (int i = 0; i < 2; i++) {
        const struct answer *answer = client_answer(client, false);
        assert_int_equal(answer->status, 103);
        assert_int_equal(answer->n_fields, 1); // no Date, no Content-Length, no Connection
    }
    const struct answer *answer = client_answer(client, false);
    assert_int_equal(answer->status, 200);
    assert_null(answer_field(answer, "Link"));
    assert_string_equal(answer->body, "Hello, world!");
    client->rig->app.request = probe_hello;
    client_ask(client, GET, 200, "Hello, world!");
}

static void say_refused(struct probe *app, struct sm_exchange *exchange) {
    static const char *const bad[] = {
        "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "TE", "Proxy-Connection",
        "Status"};
    static const int statuses[] = {-1, 0, 99, 101, 200, 404, 1103, 65639};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
        assert_int_equal(sm_exchange_interim(exchange, statuses[i]), SM_EXCHANGE_BAD_STATUS);
    }
    assert_int_equal(sm_exchange_interim(exchange, 103), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(field(exchange, bad[i], "close"), SM_EXCHANGE_BAD_FIELD);
    }
    assert_int_equal(field(exchange, "Content-Length", "5"), SM_EXCHANGE_BAD_FIELD);
    assert_int_equal(field(exchange, "X", "a\r\nY: b"), SM_EXCHANGE_BAD_VALUE);
    assert_int_equal(field(exchange, "X Y", "a"), SM_EXCHANGE_BAD_NAME);
    assert_int_equal(sm_exchange_interim_end(exchange), 0);
    probe_hello(app, exchange);
}

static void test_field_of_the_final_head_is_refused_in_an_interim_one(void **state) {
    struct client *client = *state;
    client->rig->app.request = say_refused;
    client_send(client, GET);
    assert_int_equal(client_answer(client, false)->n_fields, 0);
    const struct answer *answer = client_answer(client, false);
    assert_string_equal(answer_field(answer, "Content-Length"), "13");
    client_expect_open(client);
}

static void say_out_of_order(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    assert_int_equal(sm_exchange_interim_end(exchange), SM_EXCHANGE_NOT_STARTED);
    assert_int_equal(sm_exchange_interim(exchange, 103), 0);
    assert_int_equal(sm_exchange_commit(exchange, 0), SM_EXCHANGE_NOT_STARTED);
    assert_int_equal(sm_exchange_tunnel(exchange), SM_EXCHANGE_NOT_STARTED);
    assert_int_equal(sm_exchange_interim_end(exchange), 0);
    assert_int_equal(sm_exchange_interim_end(exchange), SM_EXCHANGE_NOT_STARTED);
    assert_int_equal(field(exchange, "X", "1"), SM_EXCHANGE_NOT_STARTED);
    assert_int_equal(sm_exchange_interim(exchange, 102), 0);
    assert_int_equal(sm_exchange_start(exchange, 201, SM_STR("")), 0); // forgets it
    assert_int_equal(sm_exchange_interim_end(exchange), SM_EXCHANGE_NOT_STARTED);
    assert_int_equal(sm_exchange_commit(exchange, 0), 0);
    assert_int_equal(sm_exchange_interim(exchange, 103), SM_EXCHANGE_BAD_STATUS);
    sm_exchange_end(exchange, 0);
}

static void test_interim_out_of_order_is_refused(void **state) {
    struct client *client = *state;
    client->rig->app.request = say_out_of_order;
    client_send(client, GET);
    assert_int_equal(client_answer(client, false)->status, 103);
    assert_int_equal(client_answer(client, false)->status, 201);
    client_expect_open(client);
}

static void only_hint(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    hint(exchange);
    sm_exchange_end(exchange, 0);
}

static void test_end_behind_an_interim_alone_is_500(void **state) {
    struct client *client = *state;
    client->rig->app.request = only_hint;
    client_send(client, GET);
    assert_int_equal(client_answer(client, false)->status, 103);
    assert_int_equal(client_answer(client, false)->status, 500);
}

static void hint_and_answer(struct probe *app, struct sm_exchange *exchange) {
    hint(exchange);
    probe_hello(app, exchange);
}

static void test_interim_for_http_1_0_is_dropped(void **state) {
    struct client *client = *state;
    client->rig->app.request = hint_and_answer;
    client_ask(client, "GET / HTTP/1.0\r\n\r\n", 200, "Hello, world!");
}

static void test_interim_for_fastcgi_is_dropped(void **state) {
    struct front *front = *state;
    front->rig->app.request = hint_and_answer;
    put_request(&front->out, 1, KEEP_CONN, "");
    front_expect(front, 1, "200", "Hello, world!");
}

static void hint_to_nobody(struct probe *app, struct sm_exchange *exchange) {
    close(app->outcome); // the client's end
    assert_int_equal(sm_exchange_interim(exchange, 103), 0);
    assert_int_equal(sm_exchange_interim_end(exchange), SM_EXCHANGE_GONE);
    assert_int_equal(sm_exchange_interim_end(exchange), SM_EXCHANGE_GONE);
    sm_exchange_fail(exchange);
}

static void test_interim_to_a_client_that_left_says_so(void **state) {
    struct client *client = *state;
    client->rig->app.request = hint_to_nobody;
    client->rig->app.outcome = client->fd;
    client_send(client, GET);
    client->fd = -1;
    for (int i = 0; i < 3; i++) {
        rig_turn(client->rig);
    }
    assert_int_equal(client->rig->engine.n_sessions, 0);
}

static void hint_until_full(struct probe *app, struct sm_exchange *exchange) {
    static char value[1000];
    memset(value, 'v', sizeof(value));
    for (unsigned n = 0; n < 10000; n++) {
        assert_int_equal(sm_exchange_interim(exchange, 103), 0);
        assert_int_equal(sm_exchange_field(exchange, SM_STR("X"), (struct sm_str){value, sizeof(value)}), 0);
        app->outcome = sm_exchange_interim_end(exchange);
        if (app->outcome != 0) {
            return;
        }
    }
}

static void answer_on_resume(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    probe_finish(exchange, "after");
}

static void test_interims_that_nobody_reads_are_full_then_resumed(void **state) {
    struct client *client = *state;
    client->rig->app.request = hint_until_full;
    client->rig->app.resume = answer_on_resume;
    client_send(client, GET);
    assert_int_equal(client->rig->app.outcome, SM_EXCHANGE_FULL);
    const struct answer *answer;
    do {
        answer = client_answer(client, false);
    } while (answer->status == 103);
    assert_string_equal(answer->body, "after");
}

// The server says 100 itself when the body is asked for; not twice.
static void go_on_then_read(struct probe *app, struct sm_exchange *exchange) {
    char out[16];
    assert_int_equal(sm_exchange_interim(exchange, 100), 0);
    assert_int_equal(sm_exchange_interim_end(exchange), 0);
    assert_int_equal(sm_exchange_body_read(exchange, out, sizeof(out)), 0);
    probe_hold(app, exchange);
}

static void test_continue_of_the_application_is_the_only_one(void **state) {
    struct client *client = *state;
    client->rig->app.base.streams = true;
    client->rig->app.request = go_on_then_read;
    client_send(client, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    assert_int_equal(client_answer(client, false)->status, 100);
    client_expect_open(client);
    client_send(client, "abc");
    char out[16];
    assert_int_equal(sm_exchange_body_read(client->rig->app.held[0], out, sizeof(out)), 3);
    probe_finish(client->rig->app.held[0], "done");
    assert_string_equal(client_answer(client, false)->body, "done");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SERVED(test_interim_is_sent_at_once_and_the_final_one_follows),
        SERVED(test_field_of_the_final_head_is_refused_in_an_interim_one),
        SERVED(test_interim_out_of_order_is_refused),
        SERVED(test_end_behind_an_interim_alone_is_500),
        SERVED(test_interim_for_http_1_0_is_dropped),
        FRONTED(test_interim_for_fastcgi_is_dropped),
        SERVED(test_interim_to_a_client_that_left_says_so),
        SERVED(test_interims_that_nobody_reads_are_full_then_resumed),
        SERVED(test_continue_of_the_application_is_the_only_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
