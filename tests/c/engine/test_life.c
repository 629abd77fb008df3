// SPDX-License-Identifier: MIT
// The life of connections and exchanges: clients that leave in every phase, draining, max_connections with real
// listeners, what the application may take with it.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "engine/session.h"
#include "net/listener.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

// --- clients that leave ---

static void expect_left(struct client *client, unsigned requests, unsigned aborts) {
    client_close(client);
    assert_int_equal(client->rig->app.requests, requests);
    assert_int_equal(client->rig->app.aborts, aborts);
    assert_int_equal(client->rig->engine.n_sessions, 0);
}

static void test_client_that_leaves_before_a_byte_is_forgotten(void **state) {
    expect_left(*state, 0, 0);
}

static void test_client_that_leaves_in_the_head_is_forgotten(void **state) {
    client_send(*state, "GET / HTTP/1.1\r\nHo");
    expect_left(*state, 0, 0);
}

static void test_client_that_leaves_in_the_body_is_forgotten(void **state) {
    client_send(*state, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    expect_left(*state, 0, 0);
}

static void test_client_that_leaves_in_a_spooled_body_leaves_no_file(void **state) {
    struct client *client = *state;
    static char body[50000];
    int before = dup(0);
    close(before);
    client_send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    rig_send(client->rig, client->fd, body, sizeof(body));
    expect_left(client, 0, 0);
    int after = dup(0);
    close(after);
    assert_true(after <= before);
}

static void test_client_that_half_closes_in_the_head_is_closed(void **state) {
    struct client *client = *state;
    client_send(client, "GET / HTTP/1.1\r\nHo");
    shutdown(client->fd, SHUT_WR);
    client_expect_ended(client);
    assert_int_equal(client->rig->engine.n_sessions, 0);
}

static void test_client_that_leaves_while_the_application_thinks_is_aborted(void **state) {
    struct client *client = *state;
    client->rig->app.request = probe_hold;
    client_send(client, GET);
    expect_left(client, 1, 1);
}

static void test_client_that_leaves_while_pipelined_is_aborted_once(void **state) {
    struct client *client = *state;
    client->rig->app.request = probe_hold;
    client_send(client, GET GET GET);
    expect_left(client, 1, 1);
}

static void test_client_that_leaves_in_the_stream_is_aborted_once(void **state) {
    struct client *client = *state;
    client->rig->app.request = probe_stream;
    client->rig->app.stream_len = 64 << 20;
    client_send(client, GET);
    for (int i = 0; i < 20; i++) {
        rig_turn(client->rig);
    }
    close(client->fd);
    client->fd = -1;
    expect_left(client, 1, 1);
}

static void end_in_abort(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    assert_true(sm_exchange_is_aborted(exchange));
    assert_int_equal(sm_exchange_write(exchange, "x", 1), SM_EXCHANGE_GONE);
}

static void test_abort_may_look_at_the_exchange(void **state) {
    struct client *client = *state;
    client->rig->app.request = probe_hold;
    client->rig->app.abort = end_in_abort;
    client_send(client, GET);
    expect_left(client, 1, 1);
}

static void test_other_clients_are_served_meanwhile(void **state) {
    struct client *client = *state;
    struct client other;
    client->rig->app.request = probe_hold;
    client_send(client, GET);
    client->rig->app.request = probe_hello;
    client_open(&other, client->rig);
    client_ask(&other, GET, 200, "Hello, world!");
    client_close(&other);
    probe_finish(client->rig->app.held[0], "mine");
    assert_string_equal(client_answer(client, false)->body, "mine");
}

static void test_engine_that_ends_aborts_what_is_open(void **state) {
    struct client *idle = *state;
    struct rig *rig = idle->rig;
    struct client clients[2];
    rig->app.request = probe_hold;
    for (int i = 0; i < 2; i++) {
        client_open(&clients[i], rig);
    }
    client_send(&clients[0], GET);
    client_send(&clients[1], "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    sm_engine_deinit(&rig->engine);
    assert_int_equal(rig->app.aborts, 1);
    for (int i = 0; i < 2; i++) {
        char byte;
        assert_int_equal(recv(clients[i].fd, &byte, 1, MSG_DONTWAIT), 0);
        close(clients[i].fd);
    }
    assert_int_equal(sm_engine_init(&rig->engine, &rig->settings, &rig->app.base), 0);
}

// --- draining ---

static void test_drain_closes_idle_connections(void **state) {
    struct client *client = *state;
    client_ask(client, GET, 200, NULL);
    assert_false(sm_engine_idle(&client->rig->engine));
    sm_engine_drain(&client->rig->engine, 0);
    sm_engine_drain(&client->rig->engine, 0);
    client_expect_ended(client);
    assert_true(sm_engine_idle(&client->rig->engine));
}

static void test_drain_lets_a_busy_exchange_end_and_says_close(void **state) {
    struct client *client = *state;
    client->rig->app.request = probe_hold;
    client_send(client, GET);
    sm_engine_drain(&client->rig->engine, 0);
    client_expect_open(client);
    probe_finish(client->rig->app.held[0], "done");
    const struct answer *answer = client_answer(client, false);
    assert_string_equal(answer->body, "done");
    assert_string_equal(answer_field(answer, "Connection"), "close");
    client_expect_ended(client);
    assert_true(sm_engine_idle(&client->rig->engine));
}

static void test_drain_serves_what_had_come_already(void **state) {
    struct client *client = *state;
    client_ask(client, GET, 200, NULL);
    assert_int_equal(send(client->fd, GET, sizeof(GET) - 1, 0), sizeof(GET) - 1); // not seen by the engine yet
    sm_engine_drain(&client->rig->engine, 0);
    const struct answer *answer = client_answer(client, false);
    assert_string_equal(answer->body, "Hello, world!");
    assert_string_equal(answer_field(answer, "Connection"), "close");
    client_expect_ended(client);
}

static void test_drain_lets_a_request_under_way_arrive(void **state) {
    struct client *client = *state;
    client->rig->app.request = probe_echo;
    client_send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nha");
    sm_engine_drain(&client->rig->engine, 0);
    client_expect_open(client);
    assert_string_equal(client_ask(client, "lf", 200, "half")->body, "half");
    client_expect_ended(client);
}

static void test_drain_waits_a_moment_for_a_first_request(void **state) {
    struct client *client = *state;
    sm_engine_drain(&client->rig->engine, 0);
    client_expect_open(client);
    client_ask(client, GET, 200, "Hello, world!");
    client_expect_ended(client);
}

static void test_drain_does_not_wait_longer_for_a_first_request(void **state) {
    struct client *client = *state;
    sm_engine_drain(&client->rig->engine, 0);
    rig_pass(client->rig, 500 + RIG_TICK);
    client_expect_ended(client);
    assert_true(sm_engine_idle(&client->rig->engine));
}

// --- listeners ---

struct served {
    struct rig rig;
    struct sm_listen listen;
    struct sm_addr addr;
    int listener;
};

static int dial(struct served *served) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, &served->addr.sa.any, served->addr.len), 0);
    return fd;
}

static void open_client(struct client *client, struct served *served) {
    *client = (struct client){.rig = &served->rig, .fd = dial(served)};
}

static void test_listener_serves_and_tells_the_addresses(void **state) {
    struct served *served = *state;
    struct client client;
    uint16_t port = 0;
    served->rig.app.request = probe_hold;
    open_client(&client, served);
    client_send(&client, GET);
    client_expect_open(&client);
    struct sm_str host = sm_exchange_peer(served->rig.app.held[0], &port);
    assert_true(sm_str_eq(host, SM_STR("127.0.0.1")));
    assert_true(port != 0 && port != ntohs(served->addr.sa.v4.sin_port));
    host = sm_exchange_local(served->rig.app.held[0], &port);
    assert_true(sm_str_eq(host, SM_STR("127.0.0.1")));
    assert_int_equal(port, ntohs(served->addr.sa.v4.sin_port));
    probe_finish(served->rig.app.held[0], "x");
    assert_string_equal(client_answer(&client, false)->body, "x");
    client_close(&client);
}

static void ask_for_local(struct probe *app, struct sm_exchange *exchange) {
    uint16_t port = 0;
    struct sm_session *session = exchange->session;
    bool again = session->knows_local;
    struct sm_str host = sm_exchange_local(exchange, &port);
    assert_true(sm_str_eq(host, SM_STR("127.0.0.1")));
    assert_int_equal(port, again ? 4711 : app->outcome);
    session->local.port = 4711; // what is kept is used, nobody asks the socket again
    probe_hello(app, exchange);
}

static void test_local_address_is_asked_for_once_in_a_connection(void **state) {
    struct served *served = *state;
    served->rig.app.request = ask_for_local;
    served->rig.app.outcome = ntohs(served->addr.sa.v4.sin_port);
    for (int i = 0; i < 2; i++) { // and not kept for the next connection
        struct client client;
        open_client(&client, served);
        client_ask(&client, GET, 200, "Hello, world!");
        client_ask(&client, GET, 200, "Hello, world!");
        client_close(&client);
    }
}

static void test_max_connections_answers_the_newest_503(void **state) {
    struct served *served = *state;
    struct client clients[4];
    served->rig.settings.max_connections = 3;
    for (int i = 0; i < 4; i++) {
        open_client(&clients[i], served);
        client_send(&clients[i], GET);
        assert_int_equal(client_answer(&clients[i], false)->status, i < 3 ? 200 : 503);
    }
    client_expect_ended(&clients[3]);
    client_close(&clients[3]);
    client_close(&clients[0]);
    rig_collect(&served->rig, clients[1].fd, &clients[1].inbox);
    open_client(&clients[0], served); // there is room again
    client_ask(&clients[0], GET, 200, "Hello, world!");
    for (int i = 0; i < 3; i++) {
        client_ask(&clients[i], GET, 200, "Hello, world!");
        client_close(&clients[i]);
    }
}

static void test_allow_list_refuses_others(void **state) {
    struct served *served = *state;
    char *nobody[] = {(char[]){"192.0.2.1"}, NULL};
    char *local[] = {(char[]){"192.0.2.1"}, (char[]){"127.0.0.1"}, NULL};
    struct client client;
    served->rig.engine.ports[0].allow = nobody;
    open_client(&client, served);
    rig_collect(&served->rig, client.fd, &client.inbox);
    assert_true(client.inbox.ended || client.inbox.reset);
    assert_int_equal(client.inbox.bytes.len, 0);
    assert_true(capture_has(&served->rig.log, "127.0.0.1 refused"));
    client_close(&client);
    served->rig.engine.ports[0].allow = local;
    open_client(&client, served);
    client_ask(&client, GET, 200, "Hello, world!");
    client_close(&client);
}

static void test_descriptors_run_out_is_said_once_and_survived(void **state) {
    struct served *served = *state;
    struct rlimit before;
    struct client client;
    struct client other;
    open_client(&client, served);
    open_client(&other, served);
    int lowest = dup(0);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit tight = {.rlim_cur = (rlim_t)lowest, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    for (int i = 0; i < 10; i++) {
        rig_pass(&served->rig, 150);
    }
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(capture_lines(&served->rig.log), 1);
    assert_true(capture_has(&served->rig.log, strerror(EMFILE)));
    rig_pass(&served->rig, 150);
    client_ask(&client, GET, 200, "Hello, world!");
    client_ask(&other, GET, 200, "Hello, world!");
    client_close(&client);
    client_close(&other);
}

static void test_drain_accepts_no_more(void **state) {
    struct served *served = *state;
    sm_engine_drain(&served->rig.engine, 0);
    struct client client;
    open_client(&client, served); // into the backlog, for another worker
    client_send(&client, GET);
    client_expect_open(&client);
    assert_int_equal(served->rig.app.requests, 0);
    client_close(&client);
}

static void test_leave_keeps_who_is_there_and_accepts_no_more(void **state) {
    struct served *served = *state;
    struct client there;
    struct client later;
    open_client(&there, served);
    client_ask(&there, GET, 200, "Hello, world!");
    sm_engine_leave(&served->rig.engine);
    open_client(&later, served); // into the backlog, for another worker
    client_send(&later, GET);
    client_expect_open(&later);
    client_ask(&there, GET, 200, "Hello, world!");
    sm_engine_drain(&served->rig.engine, 0);
    client_expect_ended(&there);
    client_expect_open(&later);
    assert_int_equal(served->rig.app.requests, 2);
    client_close(&later);
    client_close(&there);
}

// --- what belongs to the exchange ---

static void take_all(struct probe *app, struct sm_exchange *exchange) {
    const struct sm_head *head = sm_exchange_head(exchange);
    struct sm_span target = head->target;
    size_t len = sm_exchange_head_len(exchange);
    char *block = sm_exchange_take_head(exchange);
    struct sm_body body = sm_exchange_take_body(exchange, false);
    assert_non_null(block);
    assert_true(target.off + target.len <= len);
    assert_memory_equal(block + target.off, "/taken", 6);
    assert_int_equal(sm_exchange_body(exchange)->len, 0);
    assert_null(sm_exchange_body(exchange)->data);
    assert_int_equal(sm_exchange_take_body(exchange, true).fd, -1);
    app->outcome = body.fd;
    probe_finish(exchange, "taken");
    if (body.fd >= 0) {
        assert_int_equal(body.len, 20000);
        assert_null(body.data);
    } else {
        assert_int_equal(body.len, 4);
        assert_memory_equal(body.data, "body", 4);
    }
    free((void *)(uintptr_t)body.data);
    free(block);
}

static void test_taken_head_and_body_belong_to_the_application(void **state) {
    struct client *client = *state;
    client->rig->app.request = take_all;
    for (int i = 0; i < 2; i++) { // the second reuses the exchange
        client_ask(client, "POST /taken HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", 200, "taken");
        assert_int_equal(client->rig->app.outcome, -1);
    }
}

static void test_taken_body_file_stays_open(void **state) {
    struct client *client = *state;
    char body[20000];
    char back[20000];
    for (size_t i = 0; i < sizeof(body); i++) {
        body[i] = probe_byte(i);
    }
    client->rig->app.request = take_all;
    client_send(client, "POST /taken HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n");
    rig_send(client->rig, client->fd, body, sizeof(body));
    assert_string_equal(client_answer(client, false)->body, "taken");
    int fd = client->rig->app.outcome;
    assert_true(fd >= 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    client->rig->app.request = probe_hello;
    client_ask(client, GET, 200, "Hello, world!");
    assert_int_equal(pread(fd, back, sizeof(back), 0), sizeof(back));
    assert_memory_equal(back, body, sizeof(back));
    close(fd);
}

static void collect_ids(struct probe *app, struct sm_exchange *exchange) {
    struct sm_str id = sm_exchange_id(exchange);
    struct sm_str again = sm_exchange_id(exchange);
    assert_in_range(id.len, 1, 31);
    assert_true(sm_str_eq(id, again));
    assert_int_equal(sm_bytes_append(&app->seen, " ", 1), 0);
    assert_int_equal(sm_bytes_append_str(&app->seen, id), 0);
    probe_finish(exchange, "");
}

static void test_ids_are_unique(void **state) {
    struct client *client = *state;
    client->rig->app.request = collect_ids;
    client->rig->engine.generation = 0xffffffff;
    for (int i = 0; i < 300; i++) {
        client_ask(client, GET, 200, "");
    }
    struct sm_bytes *seen = &client->rig->app.seen;
    assert_int_equal(sm_bytes_append(seen, " ", 2), 0);
    unsigned n = 0;
    for (char *at = seen->data; at[1] != '\0'; n++) { // " id" up to the space behind it must not come again
        char *end = strchr(at + 1, ' ');
        assert_non_null(end);
        assert_null(memmem(end, strlen(end), at, (size_t)(end - at) + 1));
        at = end;
    }
    assert_int_equal(n, 300);
}

static void log_something(struct probe *app, struct sm_exchange *exchange) {
    sm_exchange_log(exchange, SM_STR("odd\nthing"));
    probe_hello(app, exchange);
}

static void test_log_names_the_exchange_and_escapes(void **state) {
    struct client *client = *state;
    client->rig->app.request = log_something;
    client_ask(client, GET, 200, "Hello, world!");
    assert_int_equal(capture_lines(&client->rig->log), 1);
    assert_true(capture_has(&client->rig->log, "[0-1] odd\\x0athing\n"));
}

static int setup_served(void **state) {
    static struct served served;
    struct sm_listener_options options = {.backlog = 64, .mode = -1};
    *state = &served;
    rig_init(&served.rig);
    served.rig.tcp = true;
    served.listen = (struct sm_listen){.protocol = SM_PROTOCOL_HTTP};
    served.rig.settings.listen = &served.listen;
    served.rig.settings.n_listen = 1;
    if (sm_addr_parse("127.0.0.1:0", &served.addr) != 0) {
        return -1;
    }
    served.listener = sm_listener_open(&served.addr, &options);
    sm_listener_address(served.listener, &served.addr);
    return sm_engine_listen(&served.rig.engine, &served.listener, 1);
}

static int teardown_served(void **state) {
    struct served *served = *state;
    rig_deinit(&served->rig);
    return close(served->listener);
}

#define LISTENING(name) cmocka_unit_test_setup_teardown(name, setup_served, teardown_served)

int main(void) {
    const struct CMUnitTest tests[] = {
        SERVED(test_client_that_leaves_before_a_byte_is_forgotten),
        SERVED(test_client_that_leaves_in_the_head_is_forgotten),
        SERVED(test_client_that_leaves_in_the_body_is_forgotten),
        SERVED(test_client_that_leaves_in_a_spooled_body_leaves_no_file),
        SERVED(test_client_that_half_closes_in_the_head_is_closed),
        SERVED(test_client_that_leaves_while_the_application_thinks_is_aborted),
        SERVED(test_client_that_leaves_while_pipelined_is_aborted_once),
        SERVED(test_client_that_leaves_in_the_stream_is_aborted_once),
        SERVED(test_abort_may_look_at_the_exchange),
        SERVED(test_other_clients_are_served_meanwhile),
        SERVED(test_engine_that_ends_aborts_what_is_open),
        SERVED(test_drain_closes_idle_connections),
        SERVED(test_drain_lets_a_busy_exchange_end_and_says_close),
        SERVED(test_drain_serves_what_had_come_already),
        SERVED(test_drain_lets_a_request_under_way_arrive),
        SERVED(test_drain_waits_a_moment_for_a_first_request),
        SERVED(test_drain_does_not_wait_longer_for_a_first_request),
        LISTENING(test_listener_serves_and_tells_the_addresses),
        LISTENING(test_local_address_is_asked_for_once_in_a_connection),
        LISTENING(test_max_connections_answers_the_newest_503),
        LISTENING(test_allow_list_refuses_others),
        LISTENING(test_descriptors_run_out_is_said_once_and_survived),
        LISTENING(test_drain_accepts_no_more),
        LISTENING(test_leave_keeps_who_is_there_and_accepts_no_more),
        SERVED(test_taken_head_and_body_belong_to_the_application),
        SERVED(test_taken_body_file_stays_open),
        SERVED(test_ids_are_unique),
        SERVED(test_log_names_the_exchange_and_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
