// SPDX-License-Identifier: MIT
// HTTP/1.1 served: framing of every kind of answer, persistence, pipelining, request bodies (RFC 9110, RFC 9112).
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdlib.h>
#include <sys/socket.h>

#include "client.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

// --- answers ---

static void test_get_is_answered_with_length_date_and_server(void **state) {
    struct client *client = *state;
    const struct answer *answer = client_ask(client, GET, 200, "Hello, world!");
    assert_string_equal(answer->reason, "OK");
    assert_string_equal(answer_field(answer, "Content-Length"), "13");
    assert_string_equal(answer_field(answer, "Content-Type"), "text/plain");
    assert_string_equal(answer_field(answer, "Date"), RIG_DATE);
    assert_string_equal(answer_field(answer, "Server"), "smiskd");
    assert_null(answer_field(answer, "Connection"));
    assert_int_equal(answer->n_fields, 4);
    client_expect_open(client);
}

static void test_small_answer_comes_in_one_piece(void **state) {
    struct client *client = *state;
    char out[4096];
    rig_text(client->rig, client->fd, GET);
    rig_turn(client->rig);
    ssize_t n = recv(client->fd, out, sizeof(out), MSG_DONTWAIT);
    assert_true(n > 13);
    assert_memory_equal(out + n - 13, "Hello, world!", 13);
}

static void test_date_moves_with_the_clock(void **state) {
    struct client *client = *state;
    client_ask(client, GET, 200, NULL);
    rig_pass(client->rig, 2000);
    const struct answer *answer = client_ask(client, GET, 200, NULL);
    assert_string_equal(answer_field(answer, "Date"), "Sun, 06 Nov 1994 08:49:39 GMT");
}

static void test_head_has_the_length_but_no_body(void **state) {
    struct client *client = *state;
    client_send(client, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" GET);
    const struct answer *answer = client_answer(client, true);
    assert_int_equal(answer->status, 200);
    assert_string_equal(answer_field(answer, "Content-Length"), "13");
    assert_string_equal(client_answer(client, false)->body, "Hello, world!"); // follows right behind
    client_expect_open(client);
}

static void answer_status(struct probe *app, struct sm_exchange *exchange) {
    assert_int_equal(sm_exchange_start(exchange, app->outcome, SM_STR("")), 0);
    assert_int_equal(sm_exchange_commit(exchange, 0), 0);
    assert_int_equal(sm_exchange_write(exchange, "swallowed", 0), 0);
    sm_exchange_end(exchange, 0);
}

static void test_204_has_neither_length_nor_body(void **state) {
    struct client *client = *state;
    client->rig->app.request = answer_status;
    client->rig->app.outcome = 204;
    client_send(client, GET GET);
    for (int i = 0; i < 2; i++) {
        const struct answer *answer = client_answer(client, false);
        assert_int_equal(answer->status, 204);
        assert_string_equal(answer->reason, "No Content");
        assert_null(answer_field(answer, "Content-Length")); // RFC 9110 8.6
        assert_null(answer_field(answer, "Transfer-Encoding"));
    }
    client_expect_open(client);
}

static void test_304_has_no_body_and_no_false_length(void **state) {
    struct client *client = *state;
    client->rig->app.request = answer_status;
    client->rig->app.outcome = 304;
    client_send(client, GET GET);
    for (int i = 0; i < 2; i++) {
        const struct answer *answer = client_answer(client, false);
        assert_int_equal(answer->status, 304);
        assert_null(answer_field(answer, "Content-Length"));
        assert_null(answer_field(answer, "Transfer-Encoding"));
    }
    client_expect_open(client);
}

static void answer_304_with_body(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    assert_int_equal(sm_exchange_start(exchange, 304, SM_STR("")), 0);
    assert_int_equal(sm_exchange_field(exchange, SM_STR("Content-Length"), SM_STR("500")), 0);
    assert_int_equal(sm_exchange_commit(exchange, 4), 0);
    assert_int_equal(sm_exchange_write(exchange, "oops", 4), 0);
    sm_exchange_end(exchange, 0);
}

static void test_304_with_a_length_keeps_it_and_swallows_the_body(void **state) {
    struct client *client = *state;
    client->rig->app.request = answer_304_with_body;
    client_send(client, GET GET);
    assert_string_equal(answer_field(client_answer(client, false), "Content-Length"), "500");
    assert_int_equal(client_answer(client, false)->status, 304);
    client_expect_open(client);
}

static void test_empty_body_has_length_zero(void **state) {
    struct client *client = *state;
    client->rig->app.request = answer_status;
    client->rig->app.outcome = 404;
    const struct answer *answer = client_ask(client, GET, 404, "");
    assert_string_equal(answer_field(answer, "Content-Length"), "0");
    assert_string_equal(answer->reason, "Not Found");
}

static void answer_own_fields(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    assert_int_equal(sm_exchange_start(exchange, 299, SM_STR("Quite Fine")), 0);
    assert_int_equal(sm_exchange_field(exchange, SM_STR("date"), SM_STR("yesterday")), 0);
    assert_int_equal(sm_exchange_field(exchange, SM_STR("SERVER"), SM_STR("mine")), 0);
    assert_int_equal(sm_exchange_field(exchange, SM_STR("X-Empty"), SM_STR("")), 0);
    assert_int_equal(sm_exchange_field(exchange, SM_STR("X-Text"), SM_STR("a\tb \xe5")), 0);
    assert_int_equal(sm_exchange_commit(exchange, 0), 0);
    sm_exchange_end(exchange, 0);
}

static void test_fields_of_the_application_replace_the_servers(void **state) {
    struct client *client = *state;
    client->rig->app.request = answer_own_fields;
    const struct answer *answer = client_ask(client, GET, 299, "");
    assert_string_equal(answer->reason, "Quite Fine");
    assert_string_equal(answer_field(answer, "Date"), "yesterday");
    assert_string_equal(answer_field(answer, "Server"), "mine");
    assert_string_equal(answer_field(answer, "X-Empty"), "");
    assert_string_equal(answer_field(answer, "X-Text"), "a\tb \xe5");
}

static void test_status_without_a_name_has_an_empty_reason(void **state) {
    struct client *client = *state;
    client->rig->app.request = answer_status;
    client->rig->app.outcome = 999;
    assert_string_equal(client_ask(client, GET, 999, "")->reason, ""); // the space before it must be there
}

// --- bodies of unknown length ---

static void expect_stream(const struct answer *answer, size_t len) {
    assert_int_equal(answer->body_len, len);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(answer->body[i], probe_byte(i));
    }
}

static void test_unknown_length_is_chunked(void **state) {
    struct client *client = *state;
    client->rig->app.request = probe_stream;
    client->rig->app.stream_len = 5000;
    client_send(client, GET GET);
    for (int i = 0; i < 2; i++) {
        const struct answer *answer = client_answer(client, false);
        assert_true(answer->chunked);
        expect_stream(answer, 5000);
    }
    client_expect_open(client);
}

static void test_unknown_length_that_turns_out_empty_is_the_last_chunk_alone(void **state) {
    struct client *client = *state;
    client->rig->app.request = probe_stream;
    client_send(client, GET);
    const struct answer *answer = client_answer(client, false);
    assert_true(answer->chunked);
    assert_int_equal(answer->body_len, 0);
    client_expect_open(client);
}

static void test_unknown_length_for_http10_ends_with_the_connection(void **state) {
    struct client *client = *state;
    client->rig->app.request = probe_stream;
    client->rig->app.stream_len = 5000;
    client_send(client, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const struct answer *answer = client_answer(client, false);
    assert_true(answer->until_close);
    assert_string_equal(answer_field(answer, "Connection"), "close");
    expect_stream(answer, 5000);
}

static void test_unknown_length_for_head_has_no_body(void **state) {
    struct client *client = *state;
    client->rig->app.request = probe_stream;
    client->rig->app.stream_len = 5000;
    client_send(client, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" GET);
    assert_null(answer_field(client_answer(client, true), "Content-Length"));
    expect_stream(client_answer(client, false), 5000);
    client_expect_open(client);
}

static void test_stream_larger_than_all_buffers_is_resumed(void **state) {
    struct client *client = *state;
    client->rig->app.request = probe_stream;
    client->rig->app.stream_len = 3 << 20;
    client_send(client, GET);
    expect_stream(client_answer(client, false), 3 << 20);
    assert_true(client->rig->app.resumes > 10);
    assert_int_equal(client->rig->app.requests, 1);
    client_expect_open(client);
}

static void test_stream_on_a_kept_connection_is_resumed(void **state) {
    struct client *client = *state;
    client_ask(client, GET, 200, "Hello, world!");
    client->rig->app.request = probe_stream;
    client->rig->app.stream_len = 100000;
    client_send(client, GET);
    expect_stream(client_answer(client, false), 100000);
    client_expect_open(client);
}

// The socket takes a whole write_buffer at once and never says EAGAIN, so TCP reports no new room: the producer
// must be resumed all the same.
static void test_stream_on_a_kept_tcp_connection_is_resumed(void **state) {
    struct client *other = *state;
    struct rig *rig = other->rig;
    struct client client;
    rig->tcp = true;
    client_open(&client, rig);
    client_ask(&client, GET, 200, "Hello, world!");
    rig->app.request = probe_stream;
    rig->app.stream_len = 100000;
    client_send(&client, GET);
    expect_stream(client_answer(&client, false), 100000);
    client_expect_open(&client);
    client_close(&client);
}

static void hold_and_stream(struct probe *app, struct sm_exchange *exchange) {
    probe_hold(app, exchange);
    probe_stream(app, exchange);
}

static void test_stream_to_a_client_that_does_not_read_stays_bounded(void **state) {
    struct client *client = *state;
    client->rig->app.request = hold_and_stream;
    client->rig->app.stream_len = 64 << 20;
    client_send(client, GET);
    for (int i = 0; i < 50; i++) {
        rig_turn(client->rig);
    }
    size_t produced = (size_t)(uintptr_t)sm_exchange_user(client->rig->app.held[0]);
    assert_true(produced < (1 << 20)); // what the socket takes, and one write_buffer
}

// --- persistence ---

static void test_requests_in_turn_use_one_connection(void **state) {
    struct client *client = *state;
    for (int i = 0; i < 20; i++) {
        client_ask(client, GET, 200, "Hello, world!");
    }
    client_expect_open(client);
    assert_int_equal(client->rig->engine.n_sessions, 1);
}

static void test_connection_close_is_obeyed(void **state) {
    struct client *client = *state;
    const struct answer *answer =
        client_ask(client, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200, "Hello, world!");
    assert_string_equal(answer_field(answer, "Connection"), "close");
    client_expect_ended(client);
}

static void test_http10_closes_unless_asked_to_keep(void **state) {
    struct client *client = *state;
    const struct answer *answer =
        client_ask(client, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 200, "Hello, world!");
    assert_string_equal(answer_field(answer, "Connection"), "keep-alive");
    answer = client_ask(client, "GET / HTTP/1.0\r\n\r\n", 200, "Hello, world!");
    assert_string_equal(answer_field(answer, "Connection"), "close");
    client_expect_ended(client);
}

static void test_half_closed_client_gets_its_answers(void **state) {
    struct client *client = *state;
    client_send(client, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    shutdown(client->fd, SHUT_WR);
    assert_string_equal(client_answer(client, false)->body, "Hello, world!");
    assert_string_equal(client_answer(client, false)->body, "Hello, world!");
    client_expect_ended(client);
}

static void test_half_closed_client_gets_a_late_answer(void **state) {
    struct client *client = *state;
    client->rig->app.request = probe_hold;
    client_send(client, GET);
    shutdown(client->fd, SHUT_WR);
    client_expect_open(client);
    probe_finish(client->rig->app.held[0], "late");
    assert_string_equal(client_answer(client, false)->body, "late");
    client_expect_ended(client);
}

// --- pipelining ---

static void test_pipelined_requests_are_answered_in_order(void **state) {
    struct client *client = *state;
    client->rig->app.request = probe_echo;
    client_send(client, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1"
                        "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n2wo\r\n0\r\n\r\n"
                        "POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nthree");
    assert_string_equal(client_answer(client, false)->body, "1");
    assert_string_equal(client_answer(client, false)->body, "2wo");
    assert_string_equal(client_answer(client, false)->body, "three");
    client_expect_open(client);
}

static void test_pipelined_request_waits_for_the_one_before(void **state) {
    struct client *client = *state;
    struct probe *app = &client->rig->app;
    app->request = probe_hold;
    client_send(client, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    client_expect_open(client);
    assert_int_equal(app->requests, 1);
    probe_finish(app->held[0], "first");
    assert_string_equal(client_answer(client, false)->body, "first");
    assert_int_equal(app->requests, 2);
    probe_finish(app->held[1], "second");
    assert_string_equal(client_answer(client, false)->body, "second");
    client_expect_open(client);
}

static void test_pipelined_behind_close_is_not_served(void **state) {
    struct client *client = *state;
    client_send(client, "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_string_equal(client_answer(client, false)->body, "Hello, world!");
    client_expect_ended(client);
    assert_int_equal(client->rig->app.requests, 1);
}

static void test_many_pipelined_requests_are_all_answered(void **state) {
    struct client *client = *state;
    struct sm_bytes batch = {0};
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(sm_bytes_append_str(&batch, SM_STR(GET)), 0);
    }
    // Reads while it sends, as a client that pipelines without bound must.
    for (size_t at = 0; at < batch.len;) {
        size_t step = batch.len - at < 20000 ? batch.len - at : 20000;
        rig_send(client->rig, client->fd, batch.data + at, step);
        rig_collect(client->rig, client->fd, &client->inbox);
        at += step;
    }
    sm_bytes_deinit(&batch);
    rig_collect(client->rig, client->fd, &client->inbox);
    struct answer answer;
    size_t at = 0;
    for (int i = 0; i < 3000; i++) {
        at += answer_read(&answer, client->inbox.bytes.data + at, client->inbox.bytes.len - at, false, false);
        answer_deinit(&answer);
    }
    assert_int_equal(at, client->inbox.bytes.len);
    assert_int_equal(client->rig->app.requests, 3000);
}

static void test_client_that_pipelines_and_never_reads_stays_bounded(void **state) {
    struct client *client = *state;
    struct sm_bytes batch = {0};
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(sm_bytes_append_str(&batch, SM_STR(GET)), 0);
    }
    size_t queued = rig_flood(client->rig, client->fd, batch.data, batch.len, 8 << 20);
    sm_bytes_deinit(&batch);
    assert_true(queued < (1 << 20));
}

// --- request bodies ---

static void test_request_byte_by_byte_is_the_same(void **state) {
    struct client *client = *state;
    static const char text[] = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nTrailer: x\r\n\r\n";
    client->rig->app.request = probe_echo;
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        rig_send(client->rig, client->fd, text + i, 1);
    }
    assert_string_equal(client_answer(client, false)->body, "hello!");
    assert_int_equal(client->rig->app.requests, 1);
    assert_memory_equal(client->rig->app.seen.data, "POST /x hello!\n", 15);
}

static void test_body_past_memory_limit_arrives_whole(void **state) {
    struct client *client = *state;
    enum { LEN = 700000 };
    char *body = malloc(LEN + 1);
    assert_non_null(body);
    for (size_t i = 0; i < LEN; i++) {
        body[i] = probe_byte(i);
    }
    client->rig->app.request = probe_echo;
    for (int round = 0; round < 2; round++) { // the second meets a pooled exchange
        client_send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 700000\r\n\r\n");
        rig_send(client->rig, client->fd, body, LEN);
        const struct answer *answer = client_answer(client, false);
        assert_int_equal(answer->body_len, LEN);
        assert_memory_equal(answer->body, body, LEN);
    }
    client_expect_open(client);
    free(body);
}

static void test_body_is_handed_over_complete_only(void **state) {
    struct client *client = *state;
    client->rig->app.request = probe_echo;
    client_send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell");
    client_expect_open(client);
    assert_int_equal(client->rig->app.requests, 0);
    assert_string_equal(client_ask(client, "o", 200, "hello")->body, "hello");
}

// --- Expect: 100-continue (RFC 9110 10.1.1) ---

static void test_expect_continue_is_told_to_go_on(void **state) {
    struct client *client = *state;
    client->rig->app.request = probe_echo;
    client_send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    const struct answer *answer = client_answer(client, false);
    assert_int_equal(answer->status, 100);
    client_expect_open(client);
    client_ask(client, "ok", 200, "ok");
    client_expect_open(client);
}

static void test_expect_continue_with_the_body_already_there_needs_no_word(void **state) {
    struct client *client = *state;
    client->rig->app.request = probe_echo;
    client_ask(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nok", 200,
               "ok");
    client_expect_open(client);
}

static void test_expect_continue_too_large_is_refused_without_going_on(void **state) {
    struct client *client = *state;
    client_send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(client_answer(client, false)->status, 413);
    client_expect_ended(client);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SERVED(test_get_is_answered_with_length_date_and_server),
        SERVED(test_small_answer_comes_in_one_piece),
        SERVED(test_date_moves_with_the_clock),
        SERVED(test_head_has_the_length_but_no_body),
        SERVED(test_204_has_neither_length_nor_body),
        SERVED(test_304_has_no_body_and_no_false_length),
        SERVED(test_304_with_a_length_keeps_it_and_swallows_the_body),
        SERVED(test_empty_body_has_length_zero),
        SERVED(test_fields_of_the_application_replace_the_servers),
        SERVED(test_status_without_a_name_has_an_empty_reason),
        SERVED(test_unknown_length_is_chunked),
        SERVED(test_unknown_length_that_turns_out_empty_is_the_last_chunk_alone),
        SERVED(test_unknown_length_for_http10_ends_with_the_connection),
        SERVED(test_unknown_length_for_head_has_no_body),
        SERVED(test_stream_larger_than_all_buffers_is_resumed),
        SERVED(test_stream_on_a_kept_connection_is_resumed),
        SERVED(test_stream_on_a_kept_tcp_connection_is_resumed),
        SERVED(test_stream_to_a_client_that_does_not_read_stays_bounded),
        SERVED(test_requests_in_turn_use_one_connection),
        SERVED(test_connection_close_is_obeyed),
        SERVED(test_http10_closes_unless_asked_to_keep),
        SERVED(test_half_closed_client_gets_its_answers),
        SERVED(test_half_closed_client_gets_a_late_answer),
        SERVED(test_pipelined_requests_are_answered_in_order),
        SERVED(test_pipelined_request_waits_for_the_one_before),
        SERVED(test_pipelined_behind_close_is_not_served),
        SERVED(test_many_pipelined_requests_are_all_answered),
        SERVED(test_client_that_pipelines_and_never_reads_stays_bounded),
        SERVED(test_request_byte_by_byte_is_the_same),
        SERVED(test_body_past_memory_limit_arrives_whole),
        SERVED(test_body_is_handed_over_complete_only),
        SERVED(test_expect_continue_is_told_to_go_on),
        SERVED(test_expect_continue_with_the_body_already_there_needs_no_word),
        SERVED(test_expect_continue_too_large_is_refused_without_going_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
