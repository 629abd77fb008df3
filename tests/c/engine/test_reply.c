// SPDX-License-Identifier: MIT
// What the application may say: every outcome of the writing calls, and what the client then sees.
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
#include <unistd.h>

#include "client.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static unsigned released;

static void release(void *owner) {
    assert_ptr_equal(owner, &released);
    released++;
}

static int field(struct sm_exchange *exchange, const char *name, const char *value) {
    return sm_exchange_field(exchange, sm_str_from(name), sm_str_from(value));
}

static void start(struct sm_exchange *exchange) {
    assert_int_equal(sm_exchange_start(exchange, 200, SM_STR("")), 0);
}

// Runs `request` for one GET on a fresh connection of the test's rig.
static const struct answer *serve(struct client *client, void (*request)(struct probe *, struct sm_exchange *),
                                  const char *text) {
    client->rig->app.request = request;
    released = 0;
    client_send(client, text);
    return client_answer(client, strncmp(text, "HEAD", 4) == 0);
}

// --- heads ---

static void say_bad_statuses(struct probe *app, struct sm_exchange *exchange) {
    static const int bad[] = {-1, 0, 99, 100, 101, 199, 1000, 65736};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(sm_exchange_start(exchange, bad[i], SM_STR("")), SM_EXCHANGE_BAD_STATUS);
    }
    probe_hello(app, exchange);
}

static void test_status_outside_200_to_999_is_refused(void **state) {
    const struct answer *answer = serve(*state, say_bad_statuses, GET);
    assert_int_equal(answer->status, 200);
}

static void say_bad_reasons(struct probe *app, struct sm_exchange *exchange) {
    assert_int_equal(sm_exchange_start(exchange, 200, SM_STR("a\r\nX: y")), SM_EXCHANGE_BAD_VALUE);
    assert_int_equal(sm_exchange_start(exchange, 200, SM_STR("a\nb")), SM_EXCHANGE_BAD_VALUE);
    assert_int_equal(sm_exchange_start(exchange, 200, SM_STR("a\0b")), SM_EXCHANGE_BAD_VALUE);
    probe_hello(app, exchange);
}

static void test_reason_that_splits_the_head_is_refused(void **state) {
    const struct answer *answer = serve(*state, say_bad_reasons, GET);
    assert_string_equal(answer->reason, "OK");
    assert_null(answer_field(answer, "X"));
}

static void say_bad_names(struct probe *app, struct sm_exchange *exchange) {
    static const char *const bad[] = {"", " ", "a b", "a:", "a\r", "a\n", "X\r\nY", "(", "a\xc3\xa5", "\x7f", "a\t"};
    (void)app;
    start(exchange);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(field(exchange, bad[i], "v"), SM_EXCHANGE_BAD_NAME);
    }
    assert_int_equal(sm_exchange_field(exchange, SM_STR("a\0"), SM_STR("v")), SM_EXCHANGE_BAD_NAME);
    assert_int_equal(field(exchange, "!#$%&'*+-.^_`|~09azAZ", "token"), 0);
    assert_int_equal(sm_exchange_commit(exchange, 0), 0);
    sm_exchange_end(exchange, 0);
}

static void test_name_that_is_no_token_is_refused_and_nothing_added(void **state) {
    const struct answer *answer = serve(*state, say_bad_names, GET);
    assert_string_equal(answer_field(answer, "!#$%&'*+-.^_`|~09azAZ"), "token");
    assert_int_equal(answer->n_fields, 4); // with Date, Server, Content-Length
}

static void say_bad_values(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    start(exchange);
    assert_int_equal(field(exchange, "X", "a\r\nSet-Cookie: b"), SM_EXCHANGE_BAD_VALUE);
    assert_int_equal(field(exchange, "X", "\n"), SM_EXCHANGE_BAD_VALUE);
    assert_int_equal(field(exchange, "X", "a\r"), SM_EXCHANGE_BAD_VALUE);
    assert_int_equal(sm_exchange_field(exchange, SM_STR("X"), SM_STR("a\0b")), SM_EXCHANGE_BAD_VALUE);
    assert_int_equal(sm_exchange_commit(exchange, 0), 0);
    sm_exchange_end(exchange, 0);
}

static void test_value_that_splits_the_head_is_refused_and_nothing_added(void **state) {
    assert_int_equal(serve(*state, say_bad_values, GET)->n_fields, 3);
}

static void say_connection_fields(struct probe *app, struct sm_exchange *exchange) {
    static const char *const bad[] = {
        "Transfer-Encoding", "transfer-encoding", "Keep-Alive", "Upgrade", "TE", "Proxy-Connection", "Status"};
    (void)app;
    start(exchange);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(field(exchange, bad[i], "close"), SM_EXCHANGE_BAD_FIELD);
    }
    assert_int_equal(field(exchange, "Connection", "upgrade"), SM_EXCHANGE_BAD_FIELD);
    assert_int_equal(field(exchange, "Connection", "close, X"), SM_EXCHANGE_BAD_FIELD);
    assert_int_equal(field(exchange, "Connection", "keep-alive"), 0);
    assert_int_equal(sm_exchange_commit(exchange, 0), 0);
    sm_exchange_end(exchange, 0);
}

static void test_field_of_the_connection_is_refused(void **state) {
    const struct answer *answer = serve(*state, say_connection_fields, GET);
    assert_int_equal(answer->n_fields, 3);
    client_expect_open(*state);
}

static void say_close(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    start(exchange);
    assert_int_equal(field(exchange, "connection", "Close"), 0);
    assert_int_equal(sm_exchange_commit(exchange, 0), 0);
    sm_exchange_end(exchange, 0);
}

static void test_connection_close_of_the_application_is_obeyed(void **state) {
    assert_string_equal(answer_field(serve(*state, say_close, GET), "Connection"), "close");
    client_expect_ended(*state);
}

static void say_bad_lengths(struct probe *app, struct sm_exchange *exchange) {
    static const char *const bad[] = {"", "x", "-1", "+1", " 1", "1 ", "1,1", "0x1", "9223372036854775808"};
    (void)app;
    start(exchange);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(field(exchange, "Content-Length", bad[i]), SM_EXCHANGE_BAD_LENGTH);
    }
    assert_int_equal(field(exchange, "Content-Length", "3"), 0);
    assert_int_equal(field(exchange, "content-length", "03"), 0); // the same number
    assert_int_equal(field(exchange, "Content-Length", "4"), SM_EXCHANGE_BAD_LENGTH);
    assert_int_equal(sm_exchange_commit(exchange, 4), SM_EXCHANGE_BAD_LENGTH);
    assert_false(sm_exchange_committed(exchange));
    assert_int_equal(sm_exchange_commit(exchange, 3), 0);
    assert_int_equal(sm_exchange_write(exchange, "abc", 3), 0);
    sm_exchange_end(exchange, 0);
}

static void test_content_length_that_is_none_or_disagrees_is_refused(void **state) {
    const struct answer *answer = serve(*state, say_bad_lengths, GET);
    assert_string_equal(answer_field(answer, "Content-Length"), "3");
    assert_string_equal(answer->body, "abc");
}

static void say_large_head(struct probe *app, struct sm_exchange *exchange) {
    size_t len = 1 << 20;
    char *value = malloc(len);
    assert_non_null(value);
    memset(value, 'v', len);
    start(exchange);
    assert_int_equal(sm_exchange_field(exchange, SM_STR("X"), (struct sm_str){value, len}), SM_EXCHANGE_TOO_LARGE);
    int n = 0;
    while (sm_exchange_field(exchange, SM_STR("X"), (struct sm_str){value, 60000}) == 0) {
        n++;
    }
    assert_int_equal(n, (1 << 20) / 60000);
    free(value);
    probe_hello(app, exchange); // starts again
}

static void test_head_past_a_mebibyte_is_refused(void **state) {
    const struct answer *answer = serve(*state, say_large_head, GET);
    assert_null(answer_field(answer, "X"));
    assert_string_equal(answer->body, "Hello, world!");
}

static void say_start_twice(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    assert_int_equal(sm_exchange_start(exchange, 200, SM_STR("")), 0);
    assert_int_equal(field(exchange, "X-Forgotten", "1"), 0);
    assert_int_equal(field(exchange, "Content-Length", "77"), 0);
    assert_int_equal(field(exchange, "Connection", "close"), 0);
    assert_int_equal(field(exchange, "Date", "then"), 0);
    assert_int_equal(sm_exchange_start(exchange, 404, SM_STR("")), 0);
    assert_int_equal(sm_exchange_commit(exchange, 0), 0);
    assert_true(sm_exchange_committed(exchange));
    assert_int_equal(sm_exchange_start(exchange, 500, SM_STR("")), SM_EXCHANGE_BAD_STATUS);
    sm_exchange_end(exchange, 0);
}

static void test_start_again_forgets_the_head_before(void **state) {
    const struct answer *answer = serve(*state, say_start_twice, GET);
    assert_int_equal(answer->status, 404);
    assert_null(answer_field(answer, "X-Forgotten"));
    assert_string_equal(answer_field(answer, "Content-Length"), "0");
    assert_string_equal(answer_field(answer, "Date"), RIG_DATE);
    client_expect_open(*state);
}

static void start_and_hold(struct probe *app, struct sm_exchange *exchange) {
    start(exchange);
    assert_int_equal(field(exchange, "X-Whose", app->n_held == 0 ? "first" : "second"), 0);
    probe_hold(app, exchange);
}

// An answer may come later than `request` (app.h), its head in pieces: those of other exchanges are not its own.
static void test_head_begun_during_another_makes_that_start_again(void **state) {
    struct client *client = *state;
    struct probe *app = &client->rig->app;
    struct client other;
    client_open(&other, client->rig);
    app->request = start_and_hold;
    client_send(client, GET);
    client_send(&other, GET);
    assert_int_equal(sm_exchange_commit(app->held[0], 0), SM_EXCHANGE_NOT_STARTED);
    assert_int_equal(sm_exchange_commit(app->held[1], 0), 0);
    assert_int_equal(sm_exchange_field(app->held[0], SM_STR("X-Whose"), SM_STR("first")), SM_EXCHANGE_NOT_STARTED);
    assert_int_equal(sm_exchange_start(app->held[0], 200, SM_STR("")), 0);
    assert_int_equal(sm_exchange_field(app->held[0], SM_STR("X-Whose"), SM_STR("first")), 0);
    assert_int_equal(sm_exchange_commit(app->held[0], 0), 0);
    sm_exchange_end(app->held[0], 0);
    sm_exchange_end(app->held[1], 0);
    rig_collect(client->rig, client->fd, &client->inbox);
    rig_collect(client->rig, other.fd, &other.inbox);
    bool own = memmem(client->inbox.bytes.data, client->inbox.bytes.len, "X-Whose: first\r\n", 16) != NULL;
    bool mixed = memmem(client->inbox.bytes.data, client->inbox.bytes.len, "second", 6) != NULL;
    client_close(&other);
    assert_false(mixed);
    assert_true(own);
}

// --- bodies ---

static void write_too_much(struct probe *app, struct sm_exchange *exchange) {
    static char large[20000];
    (void)app;
    start(exchange);
    assert_int_equal(sm_exchange_commit(exchange, 5), 0);
    assert_int_equal(sm_exchange_write(exchange, "abc", 3), 0);
    assert_int_equal(sm_exchange_write(exchange, "def", 3), SM_EXCHANGE_BAD_LENGTH);
    assert_int_equal(sm_exchange_write_ref(exchange, "def", 3, release, &released), SM_EXCHANGE_BAD_LENGTH);
    assert_int_equal(sm_exchange_write_ref(exchange, large, sizeof(large), release, &released),
                     SM_EXCHANGE_BAD_LENGTH);
    assert_int_equal(released, 2);
    assert_int_equal(sm_exchange_write(exchange, "de", 2), 0);
    assert_int_equal(sm_exchange_write(exchange, "", 0), 0);
    assert_int_equal(sm_exchange_write(exchange, "f", 1), SM_EXCHANGE_BAD_LENGTH);
    sm_exchange_end(exchange, 0);
}

static void test_body_past_its_length_is_refused_and_not_sent(void **state) {
    assert_string_equal(serve(*state, write_too_much, GET)->body, "abcde");
    client_expect_open(*state);
}

static void write_too_little(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    start(exchange);
    assert_int_equal(sm_exchange_commit(exchange, 10), 0);
    assert_int_equal(sm_exchange_write(exchange, "abc", 3), 0);
    sm_exchange_end(exchange, 0);
}

static void test_body_short_of_its_length_closes_and_is_logged(void **state) {
    struct client *client = *state;
    client->rig->app.request = write_too_little;
    client_send(client, GET);
    rig_collect(client->rig, client->fd, &client->inbox);
    assert_true(client->inbox.ended); // how the client learns of it (RFC 9112 8)
    assert_memory_equal(client->inbox.bytes.data + client->inbox.bytes.len - 7, "\r\n\r\nabc", 7);
    assert_true(capture_has(&client->rig->log, "3 of the 10 bytes"));
    assert_int_equal(capture_lines(&client->rig->log), 1);
}

static void write_refs(struct probe *app, struct sm_exchange *exchange) {
    static char large[30000];
    (void)app;
    memset(large, 'L', sizeof(large));
    start(exchange);
    assert_int_equal(sm_exchange_commit(exchange, -1), 0);
    assert_int_equal(sm_exchange_write_ref(exchange, "small", 5, release, &released), 0);
    assert_int_equal(released, 1); // copied
    int full = sm_exchange_head(exchange)->is_head_method ? 0 : SM_EXCHANGE_FULL;
    assert_int_equal(sm_exchange_write_ref(exchange, large, sizeof(large), release, &released), full);
    sm_exchange_end(exchange, 0);
}

static void test_borrowed_bytes_arrive_and_are_released_once(void **state) {
    const struct answer *answer = serve(*state, write_refs, GET);
    assert_int_equal(answer->body_len, 30005);
    assert_memory_equal(answer->body, "smallLLL", 8);
    assert_int_equal(released, 2);
}

static void test_borrowed_bytes_for_head_are_released_once(void **state) {
    assert_int_equal(serve(*state, write_refs, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")->status, 200);
    assert_int_equal(released, 2);
    client_expect_open(*state);
}

static void write_ref_then_hold(struct probe *app, struct sm_exchange *exchange) {
    static char large[4 << 20];
    start(exchange);
    assert_int_equal(sm_exchange_commit(exchange, -1), 0);
    assert_int_equal(sm_exchange_write_ref(exchange, large, sizeof(large), release, &released), SM_EXCHANGE_FULL);
    probe_hold(app, exchange);
}

static void test_borrowed_bytes_of_a_client_that_leaves_are_released_once(void **state) {
    struct client *client = *state;
    client->rig->app.request = write_ref_then_hold;
    released = 0;
    client_send(client, GET);
    assert_int_equal(released, 0);
    client_close(client);
    assert_int_equal(released, 1);
    assert_int_equal(client->rig->app.aborts, 1);
}

static void write_after_client_left(struct probe *app, struct sm_exchange *exchange) {
    start(exchange);
    assert_int_equal(sm_exchange_commit(exchange, -1), 0);
    close(app->outcome); // the client's end
    assert_true(sm_exchange_is_aborted(exchange));
    assert_int_equal(sm_exchange_write(exchange, "x", 1), 0);
    assert_int_equal(sm_exchange_flush(exchange), SM_EXCHANGE_GONE);
    assert_int_equal(sm_exchange_write(exchange, "x", 1), SM_EXCHANGE_GONE);
    assert_int_equal(sm_exchange_write_ref(exchange, "x", 1, release, &released), SM_EXCHANGE_GONE);
    assert_int_equal(released, 1);
    sm_exchange_end(exchange, 0);
}

static void test_client_that_leaves_during_the_call_is_gone(void **state) {
    struct client *client = *state;
    client->rig->app.request = write_after_client_left;
    released = 0;
    client->rig->app.outcome = client->fd;
    client_send(client, GET);
    client->fd = -1;
    for (int i = 0; i < 3; i++) {
        rig_turn(client->rig);
    }
    assert_int_equal(client->rig->app.aborts, 0); // told by GONE
    assert_int_equal(client->rig->engine.n_sessions, 0);
}

static void commit_after_client_left(struct probe *app, struct sm_exchange *exchange) {
    close(app->outcome);
    assert_true(sm_exchange_is_aborted(exchange));
    sm_exchange_fail(exchange);
}

static void test_fail_after_the_client_left_ends_quietly(void **state) {
    struct client *client = *state;
    client->rig->app.request = commit_after_client_left;
    client->rig->app.outcome = client->fd;
    client_send(client, GET);
    client->fd = -1;
    for (int i = 0; i < 3; i++) {
        rig_turn(client->rig);
    }
    assert_int_equal(client->rig->engine.n_sessions, 0);
    assert_int_equal(client->rig->app.aborts, 0);
}

static void flush_pieces(struct probe *app, struct sm_exchange *exchange) {
    char out[512];
    start(exchange);
    assert_int_equal(sm_exchange_commit(exchange, 6), 0);
    assert_int_equal(sm_exchange_write(exchange, "abc", 3), 0);
    assert_int_equal(recv(app->outcome, out, sizeof(out), MSG_DONTWAIT), -1);
    assert_int_equal(sm_exchange_flush(exchange), 0);
    ssize_t n = recv(app->outcome, out, sizeof(out), MSG_DONTWAIT | MSG_PEEK);
    assert_true(n > 3);
    assert_memory_equal(out + n - 3, "abc", 3);
    assert_int_equal(sm_exchange_write(exchange, "def", 3), 0);
    sm_exchange_end(exchange, 0);
}

static void test_flush_sends_before_the_call_returns(void **state) {
    struct client *client = *state;
    client->rig->app.outcome = client->fd;
    assert_string_equal(serve(client, flush_pieces, GET)->body, "abcdef");
}

// --- ends ---

static void fail_at_once(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    sm_exchange_fail(exchange);
}

static void end_at_once(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    start(exchange);
    assert_int_equal(field(exchange, "X-Half", "1"), 0);
    sm_exchange_end(exchange, 0);
}

static void test_fail_before_the_head_is_500_and_keeps_the_connection(void **state) {
    struct client *client = *state;
    const struct answer *answer = serve(client, fail_at_once, GET);
    assert_int_equal(answer->status, 500);
    assert_null(answer_field(answer, "Connection"));
    client->rig->app.request = probe_hello;
    client_ask(client, GET, 200, "Hello, world!");
}

static void test_end_without_a_head_is_500(void **state) {
    const struct answer *answer = serve(*state, end_at_once, GET);
    assert_int_equal(answer->status, 500);
    assert_null(answer_field(answer, "X-Half"));
    client_expect_open(*state);
}

static void fail_in_the_middle(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    start(exchange);
    assert_int_equal(sm_exchange_commit(exchange, -1), 0);
    assert_int_equal(sm_exchange_write(exchange, "half", 4), 0);
    sm_exchange_fail(exchange);
}

static void test_fail_after_the_head_closes_without_the_last_chunk(void **state) {
    struct client *client = *state;
    client->rig->app.request = fail_in_the_middle;
    client_send(client, GET);
    rig_collect(client->rig, client->fd, &client->inbox);
    assert_true(client->inbox.ended);
    assert_memory_equal(client->inbox.bytes.data + client->inbox.bytes.len - 9, "4\r\nhalf\r\n", 9);
}

static void resume_to_end(struct probe *app, struct sm_exchange *exchange) {
    if (app->resumes < 3) {
        sm_exchange_yield(exchange);
        return;
    }
    probe_finish(exchange, "after three");
}

static void yield_first(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    sm_exchange_yield(exchange);
}

static void test_yield_is_resumed_without_anything_happening(void **state) {
    struct client *client = *state;
    client->rig->app.resume = resume_to_end;
    assert_string_equal(serve(client, yield_first, GET)->body, "after three");
    assert_int_equal(client->rig->app.resumes, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SERVED(test_status_outside_200_to_999_is_refused),
        SERVED(test_reason_that_splits_the_head_is_refused),
        SERVED(test_name_that_is_no_token_is_refused_and_nothing_added),
        SERVED(test_value_that_splits_the_head_is_refused_and_nothing_added),
        SERVED(test_field_of_the_connection_is_refused),
        SERVED(test_connection_close_of_the_application_is_obeyed),
        SERVED(test_content_length_that_is_none_or_disagrees_is_refused),
        SERVED(test_head_past_a_mebibyte_is_refused),
        SERVED(test_start_again_forgets_the_head_before),
        SERVED(test_head_begun_during_another_makes_that_start_again),
        SERVED(test_body_past_its_length_is_refused_and_not_sent),
        SERVED(test_body_short_of_its_length_closes_and_is_logged),
        SERVED(test_borrowed_bytes_arrive_and_are_released_once),
        SERVED(test_borrowed_bytes_for_head_are_released_once),
        SERVED(test_borrowed_bytes_of_a_client_that_leaves_are_released_once),
        SERVED(test_client_that_leaves_during_the_call_is_gone),
        SERVED(test_fail_after_the_client_left_ends_quietly),
        SERVED(test_flush_sends_before_the_call_returns),
        SERVED(test_fail_before_the_head_is_500_and_keeps_the_connection),
        SERVED(test_end_without_a_head_is_500),
        SERVED(test_fail_after_the_head_closes_without_the_last_chunk),
        SERVED(test_yield_is_resumed_without_anything_happening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
