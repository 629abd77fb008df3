// SPDX-License-Identifier: MIT
// Files in HTTP responses: plain and chunked, over unix sockets and TCP; swallowed, refused, shorter than promised;
// released exactly once in every case.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "../lib/disk.h"
#include "client.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

enum { OFF = 1000, LEN = 3000000 };

static unsigned released;
static int disk = -1;

static void release(void *owner) {
    assert_ptr_equal(owner, &disk);
    released++;
}

static int write_file(struct sm_exchange *exchange, uint64_t off, uint64_t len) {
    return sm_exchange_write_file(exchange, disk, off, len, release, &disk);
}

static void begin(struct sm_exchange *exchange, int status, int64_t len) {
    assert_int_equal(sm_exchange_start(exchange, status, SM_STR("")), 0);
    assert_int_equal(sm_exchange_commit(exchange, len), 0);
}

static void expect_disk(const char *data, size_t off, size_t len) {
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(data[i], disk_byte(off + i));
    }
}

static const struct answer *serve(struct client *client, void (*request)(struct probe *, struct sm_exchange *),
                                  const char *text) {
    client->rig->app.request = request;
    client_send(client, text);
    return client_answer(client, strncmp(text, "HEAD", 4) == 0);
}

// --- whole ---

static void send_plain(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    begin(exchange, 200, LEN);
    assert_int_equal(write_file(exchange, OFF, LEN), SM_EXCHANGE_FULL);
    sm_exchange_end(exchange, 0);
}

static void test_file_of_known_length_arrives(void **state) {
    struct client *client = *state;
    assert_int_equal(lseek(disk, 17, SEEK_SET), 17);
    const struct answer *answer = serve(client, send_plain, GET);
    assert_int_equal(answer->body_len, LEN);
    expect_disk(answer->body, OFF, LEN);
    assert_int_equal(released, 1);
    assert_int_equal(lseek(disk, 0, SEEK_CUR), 17);
    client->rig->app.request = probe_hello;
    client_ask(client, GET, 200, "Hello, world!");
}

static void send_chunked(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    begin(exchange, 200, -1);
    assert_int_equal(sm_exchange_write(exchange, "before", 6), 0);
    assert_int_equal(write_file(exchange, OFF, 100), 0);
    assert_int_equal(sm_exchange_write(exchange, "between", 7), 0);
    assert_int_equal(write_file(exchange, 0, LEN), SM_EXCHANGE_FULL);
    assert_int_equal(sm_exchange_write(exchange, "behind", 6), SM_EXCHANGE_FULL);
    sm_exchange_end(exchange, 0);
}

static void test_file_among_chunks_arrives_in_order(void **state) {
    const struct answer *answer = serve(*state, send_chunked, GET);
    assert_true(answer->chunked);
    assert_int_equal(answer->body_len, 6 + 100 + 7 + LEN + 6);
    assert_memory_equal(answer->body, "before", 6);
    expect_disk(answer->body + 6, OFF, 100);
    assert_memory_equal(answer->body + 106, "between", 7);
    expect_disk(answer->body + 113, 0, LEN);
    assert_memory_equal(answer->body + 113 + LEN, "behind", 6);
    assert_int_equal(released, 2);
    client_expect_open(*state);
}

static void test_file_for_http_1_0_ends_with_the_connection(void **state) {
    const struct answer *answer = serve(*state, send_chunked, "GET / HTTP/1.0\r\n\r\n");
    assert_true(answer->until_close);
    assert_int_equal(answer->body_len, 6 + 100 + 7 + LEN + 6);
    expect_disk(answer->body + 113, 0, LEN);
    assert_int_equal(released, 2);
}

static void send_and_hold(struct probe *app, struct sm_exchange *exchange) {
    begin(exchange, 200, -1);
    assert_int_equal(write_file(exchange, 0, LEN), SM_EXCHANGE_FULL);
    probe_hold(app, exchange);
}

static void send_the_end(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    assert_int_equal(released, 1); // LEN is more than the sockets hold, so there is room only when it has gone
    sm_exchange_write(exchange, "after", 5);
    sm_exchange_end(exchange, 0);
}

static void test_file_past_write_buffer_is_full_then_resumed(void **state) {
    struct client *client = *state;
    client->rig->app.resume = send_the_end;
    const struct answer *answer = serve(client, send_and_hold, GET);
    assert_int_equal(client->rig->app.resumes, 1);
    assert_int_equal(answer->body_len, LEN + 5);
    assert_memory_equal(answer->body + LEN, "after", 5);
}

// --- swallowed, refused ---

static void send_with_204(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    begin(exchange, 204, -1);
    assert_int_equal(write_file(exchange, 0, LEN), 0);
    sm_exchange_end(exchange, 0);
}

static void send_to_head(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    begin(exchange, 200, LEN);
    assert_int_equal(write_file(exchange, 0, LEN), 0);
    sm_exchange_end(exchange, 0);
}

static void test_file_where_no_body_may_be_is_swallowed(void **state) {
    struct client *client = *state;
    assert_int_equal(serve(client, send_with_204, GET)->status, 204);
    assert_int_equal(released, 1);
    const struct answer *answer = serve(client, send_to_head, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_string_equal(answer_field(answer, "Content-Length"), "3000000");
    assert_int_equal(released, 2);
    client_expect_open(client);
}

static void send_wrong(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    begin(exchange, 200, 10);
    assert_int_equal(write_file(exchange, 0, 11), SM_EXCHANGE_BAD_LENGTH);
    assert_int_equal(write_file(exchange, (uint64_t)INT64_MAX, 1), -EINVAL);
    assert_int_equal(write_file(exchange, 1, UINT64_MAX), -EINVAL);
    assert_int_equal(write_file(exchange, UINT64_MAX, UINT64_MAX), -EINVAL);
    assert_int_equal(write_file(exchange, 0, 0), 0);
    assert_int_equal(released, 5);
    assert_int_equal(write_file(exchange, 0, 6), 0);
    assert_int_equal(write_file(exchange, 6, 5), SM_EXCHANGE_BAD_LENGTH);
    assert_int_equal(write_file(exchange, 6, 4), 0);
    sm_exchange_end(exchange, 0);
}

static void test_file_past_its_length_is_refused_and_not_sent(void **state) {
    const struct answer *answer = serve(*state, send_wrong, GET);
    assert_int_equal(answer->body_len, 10);
    expect_disk(answer->body, 0, 10);
    assert_int_equal(released, 8);
    client_expect_open(*state);
}

static void send_nothing(struct probe *app, struct sm_exchange *exchange) {
    (void)app;
    begin(exchange, 200, -1);
    assert_int_equal(write_file(exchange, 0, 0), 0);
    assert_int_equal(sm_exchange_write(exchange, "x", 1), 0);
    sm_exchange_end(exchange, 0);
}

static void test_file_part_of_no_bytes_is_no_last_chunk(void **state) {
    assert_string_equal(serve(*state, send_nothing, GET)->body, "x");
}

// --- clients that leave, files that lie ---

static void send_to_nobody(struct probe *app, struct sm_exchange *exchange) {
    begin(exchange, 200, -1);
    close(app->outcome); // the client's end
    assert_true(sm_exchange_is_aborted(exchange));
    assert_in_range(write_file(exchange, 0, LEN), 1, 2); // what is known of it so far
    assert_int_equal(sm_exchange_flush(exchange), SM_EXCHANGE_GONE);
    assert_int_equal(released, 1);
    assert_int_equal(write_file(exchange, 0, LEN), SM_EXCHANGE_GONE);
    assert_int_equal(released, 2);
    sm_exchange_end(exchange, 0);
}

static void test_file_for_a_client_that_left_is_released(void **state) {
    struct client *client = *state;
    client->rig->app.request = send_to_nobody;
    client->rig->app.outcome = client->fd;
    client_send(client, GET);
    client->fd = -1;
    for (int i = 0; i < 3; i++) {
        rig_turn(client->rig);
    }
    assert_int_equal(client->rig->engine.n_sessions, 0);
}

static void test_file_of_a_client_that_leaves_is_released_once(void **state) {
    struct client *client = *state;
    client->rig->app.request = send_and_hold;
    client_send(client, GET);
    assert_int_equal(released, 0);
    client_close(client);
    assert_int_equal(released, 1);
    assert_int_equal(client->rig->app.aborts, 1);
}

static void send_too_much(struct probe *app, struct sm_exchange *exchange) {
    begin(exchange, 200, app->stream_len == 0 ? 200 : -1);
    assert_int_equal(write_file(exchange, OFF + LEN - 100, 200), 0);
    if (app->outcome == 1) {
        probe_hold(app, exchange);
    } else {
        sm_exchange_end(exchange, 0);
    }
}

// `chunked`, `held`: how the answer is framed, and whether the application still has it when the end is found.
static void expect_broken_off(struct rig *rig, bool chunked, bool held) {
    struct client client;
    client_open(&client, rig);
    capture_clear(&rig->log);
    released = 0;
    rig->app.request = send_too_much;
    rig->app.stream_len = chunked;
    rig->app.outcome = held;
    rig->app.aborts = 0;
    rig->app.n_held = 0;
    client_send(&client, GET);
    rig_collect(rig, client.fd, &client.inbox);
    assert_true(client.inbox.ended);
    assert_true(client.inbox.bytes.len > 100);
    expect_disk(client.inbox.bytes.data + client.inbox.bytes.len - 100, OFF + LEN - 100, 100);
    assert_int_equal(released, 1);
    assert_int_equal(rig->app.aborts, held);
    assert_true(capture_has(&rig->log, "is shorter than was promised"));
    assert_int_equal(capture_lines(&rig->log), 1);
    client_close(&client);
}

static void test_file_shorter_than_promised_breaks_off_and_is_logged(void **state) {
    struct client *client = *state;
    client_close(client);
    for (int i = 0; i < 4; i++) {
        expect_broken_off(client->rig, (i & 1) != 0, (i & 2) != 0);
        assert_int_equal(client->rig->engine.n_sessions, 0);
    }
}

static int open_client(void **state, bool tcp) {
    static struct rig rig;
    static struct client client;
    signal(SIGPIPE, SIG_IGN); // as the server does
    released = 0;
    disk = disk_file(OFF + LEN);
    assert_true(disk >= 0);
    rig_init(&rig);
    rig.tcp = tcp;
    client_open(&client, &rig);
    *state = &client;
    return 0;
}

static int open_unix(void **state) {
    return open_client(state, false);
}

static int open_tcp(void **state) {
    return open_client(state, true);
}

static int close_client(void **state) {
    client_teardown(state);
    close(disk);
    return 0;
}

#define UNIX(name) cmocka_unit_test_setup_teardown(name, open_unix, close_client)
#define TCP(name) cmocka_unit_test_setup_teardown(name, open_tcp, close_client)

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIX(test_file_of_known_length_arrives),
        TCP(test_file_of_known_length_arrives),
        UNIX(test_file_among_chunks_arrives_in_order),
        TCP(test_file_among_chunks_arrives_in_order),
        UNIX(test_file_for_http_1_0_ends_with_the_connection),
        UNIX(test_file_past_write_buffer_is_full_then_resumed),
        UNIX(test_file_where_no_body_may_be_is_swallowed),
        UNIX(test_file_past_its_length_is_refused_and_not_sent),
        UNIX(test_file_part_of_no_bytes_is_no_last_chunk),
        UNIX(test_file_for_a_client_that_left_is_released),
        UNIX(test_file_of_a_client_that_leaves_is_released_once),
        UNIX(test_file_shorter_than_promised_breaks_off_and_is_logged),
        TCP(test_file_shorter_than_promised_breaks_off_and_is_logged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
