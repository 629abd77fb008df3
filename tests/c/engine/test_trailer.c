// SPDX-License-Identifier: MIT
// Trailer fields (RFC 9110 6.5, RFC 9112 7.1.2): behind chunks, dropped where there are none, refused where a
// recipient would be misled.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdlib.h>

#include "client.h"
#include "front.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static int trailer(struct sm_exchange *exchange, const char *name, const char *value) {
    return sm_exchange_trailer(exchange, sm_str_from(name), sm_str_from(value));
}

static void begin(struct sm_exchange *exchange, int64_t len) {
    assert_int_equal(sm_exchange_start(exchange, 200, SM_STR("")), 0);
    assert_int_equal(sm_exchange_field(exchange, SM_STR("Trailer"), SM_STR("X-Sum, Server-Timing")), 0);
    assert_int_equal(sm_exchange_commit(exchange, len), 0);
}

static void end_with_trailers(struct sm_exchange *exchange) {
    assert_int_equal(sm_exchange_write(exchange, "body", 4), 0);
    assert_int_equal(trailer(exchange, "X-Sum", "1234"), 0);
    assert_int_equal(trailer(exchange, "Server-Timing", "db;dur=53"), 0);
    sm_exchange_end(exchange, 0);
}

static void send_chunked(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    begin(exchange, -1);
    end_with_trailers(exchange);
}

static void send_known(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    begin(exchange, 4);
    end_with_trailers(exchange);
}

static void send_without(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    begin(exchange, -1);
    assert_int_equal(sm_exchange_write(exchange, "next", 4), 0);
    sm_exchange_end(exchange, 0);
}

static void test_trailers_come_behind_the_last_chunk(void **state) {
    struct client *client = *state;
    client->rig->app.request = send_chunked;
    const struct answer *answer = client_ask(client, GET, 200, "body");
    assert_string_equal(answer_field(answer, "Trailer"), "X-Sum, Server-Timing");
    assert_string_equal(answer->trailers, "X-Sum: 1234\r\nServer-Timing: db;dur=53\r\n");
    client->rig->app.request = send_without; // the exchange comes from the pool
    assert_string_equal(client_ask(client, GET, 200, "next")->trailers, "");
    client_expect_open(client);
}

static void test_trailers_without_chunks_are_dropped(void **state) {
    struct client *client = *state;
    client->rig->app.request = send_known;
    client_ask(client, GET, 200, "body");
    client->rig->app.request = send_chunked;
    client_ask(client, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 200, "");
    client_expect_open(client);
    client_ask(client, "GET / HTTP/1.0\r\n\r\n", 200, "body");
}

static void test_trailers_for_fastcgi_are_dropped(void **state) {
    struct front *front = *state;
    front->rig->app.request = send_chunked;
    put_request(&front->out, 1, KEEP_CONN, "");
    front_expect(front, 1, "200", "body");
}

static void say_bad(struct probe *app, struct sm_exchange *exchange) {
    static const char *const bad[] = {
        "Transfer-Encoding",
        "content-length",
        "Connection",
        "Keep-Alive",
        "Upgrade",
        "TE",
        "Trailer",
        "Proxy-Connection",
        "Status",
        "Host",
        "Expect",
        "Max-Forwards",
        "Set-Cookie",
        "SET-COOKIE",
        "Cookie",
        "Content-Type",
        "Location",
        "Content-Encoding",
        "Content-Range",
        "Content-",
        "Content-Digests",
        "Date",
        "Vary",
        "Cache-Control",
        "Age",
        "Authorization",
        "Proxy-Authorization",
        "If-Match",
        "Expires",
        "WWW-Authenticate",
        "Retry-After",
        "Range",
        "Proxy-Authenticate",
        "Warning",
        "Pragma",
        "Server",
    };
    (void)app;
    assert_int_equal(trailer(exchange, "X", "1"), SM_EXCHANGE_NOT_STARTED);
    begin(exchange, -1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (trailer(exchange, bad[i], "1") != SM_EXCHANGE_BAD_FIELD) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    assert_int_equal(trailer(exchange, "", "1"), SM_EXCHANGE_BAD_NAME);
    assert_int_equal(trailer(exchange, "X Y", "1"), SM_EXCHANGE_BAD_NAME);
    assert_int_equal(trailer(exchange, "X", "1\r\n\r\nHTTP/1.1 200 OK"), SM_EXCHANGE_BAD_VALUE);
    assert_int_equal(trailer(exchange, "X", "1\n"), SM_EXCHANGE_BAD_VALUE);
    assert_int_equal(trailer(exchange, "Content-Digest", "sha-256=:AA==:"), 0);
    assert_int_equal(trailer(exchange, "Iffy", "1"), 0);
    sm_exchange_end(exchange, 0);
}

static void test_field_that_must_not_be_a_trailer_is_refused_and_not_sent(void **state) {
    struct client *client = *state;
    client->rig->app.request = say_bad;
    const struct answer *answer = client_ask(client, GET, 200, "");
    assert_string_equal(answer->trailers, "Content-Digest: sha-256=:AA==:\r\nIffy: 1\r\n");
    client_expect_open(client);
}

static void say_large(struct probe *app, struct sm_exchange *exchange) {
    enum { LEN = 60000 };
    char *value = malloc(LEN);
    assert_non_null(value);
    memset(value, 'v', LEN);
    begin(exchange, -1);
    while ((app->outcome = sm_exchange_trailer(exchange, SM_STR("X"), (struct sm_str){value, LEN})) == 0) {
        app->stream_len++;
    }
    free(value);
    sm_exchange_end(exchange, 0);
}

static void test_trailers_past_a_mebibyte_are_refused(void **state) {
    struct client *client = *state;
    client->rig->app.request = say_large;
    const struct answer *answer = client_ask(client, GET, 200, "");
    assert_int_equal(client->rig->app.outcome, SM_EXCHANGE_TOO_LARGE);
    assert_int_equal(client->rig->app.stream_len, (1 << 20) / 60005);
    assert_int_equal(strlen(answer->trailers), client->rig->app.stream_len * 60005);
    client_expect_open(client);
}

static void add_then_fail(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    begin(exchange, -1);
    assert_int_equal(trailer(exchange, "X", "1"), 0);
    sm_exchange_fail(exchange);
    assert_int_equal(trailer(exchange, "X", "1"), SM_EXCHANGE_GONE);
}

static void test_trailers_of_a_response_that_fails_are_not_sent(void **state) {
    struct client *client = *state;
    client->rig->app.request = add_then_fail;
    client_send(client, GET);
    rig_collect(client->rig, client->fd, &client->inbox);
    assert_true(client->inbox.ended);
    assert_null(memmem(client->inbox.bytes.data, client->inbox.bytes.len, "X: 1", 4));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SERVED(test_trailers_come_behind_the_last_chunk),
        SERVED(test_trailers_without_chunks_are_dropped),
        FRONTED(test_trailers_for_fastcgi_are_dropped),
        SERVED(test_field_that_must_not_be_a_trailer_is_refused_and_not_sent),
        SERVED(test_trailers_past_a_mebibyte_are_refused),
        SERVED(test_trailers_of_a_response_that_fails_are_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
