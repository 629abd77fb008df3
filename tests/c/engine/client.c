// SPDX-License-Identifier: MIT
// The HTTP client of the engine's tests.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "client.h"

#include <unistd.h>

void client_open(struct client *client, struct rig *rig) {
    *client = (struct client){.rig = rig, .fd = rig_connect(rig, SM_PROTOCOL_HTTP, false)};
}

void client_close(struct client *client) {
    if (client->fd >= 0) {
        close(client->fd);
    }
    client->fd = -1;
    inbox_deinit(&client->inbox);
    answer_deinit(&client->answer);
    for (int i = 0; i < 4; i++) {
        rig_turn(client->rig);
    }
}

void client_send(struct client *client, const char *text) {
    rig_text(client->rig, client->fd, text);
}

const struct answer *client_answer(struct client *client, bool to_head) {
    struct inbox *inbox = &client->inbox;
    rig_collect(client->rig, client->fd, inbox);
    answer_deinit(&client->answer);
    size_t used = answer_read(&client->answer, inbox->bytes.data, inbox->bytes.len, to_head, inbox->ended);
    sm_bytes_consume(&inbox->bytes, used);
    return &client->answer;
}

const struct answer *client_ask(struct client *client, const char *text, int status, const char *body) {
    client_send(client, text);
    const struct answer *answer = client_answer(client, strncmp(text, "HEAD ", 5) == 0);
    assert_int_equal(answer->status, status);
    if (body != NULL) {
        assert_string_equal(answer->body, body);
    }
    return answer;
}

void client_expect_open(struct client *client) {
    rig_collect(client->rig, client->fd, &client->inbox);
    assert_int_equal(client->inbox.bytes.len, 0);
    assert_false(client->inbox.ended);
    assert_false(client->inbox.reset);
}

void client_expect_ended(struct client *client) {
    rig_collect(client->rig, client->fd, &client->inbox);
    assert_int_equal(client->inbox.bytes.len, 0);
    assert_true(client->inbox.ended);
}

void client_expect_refused(struct rig *rig, const char *text, size_t len, int status) {
    struct client client;
    unsigned requests = rig->app.requests;
    capture_clear(&rig->log);
    client_open(&client, rig);
    rig_send(rig, client.fd, text, len);
    const struct answer *answer = client_answer(&client, strncmp(text, "HEAD ", 5) == 0);
    if (answer->status != status) {
        fail_msg("answered %d, not %d, to: %.*s", answer->status, status, (int)(len < 100 ? len : 100), text);
    }
    assert_string_equal(answer_field(answer, "Connection"), "close");
    assert_non_null(answer_field(answer, "Content-Length"));
    client_expect_ended(&client);
    assert_int_equal(capture_lines(&rig->log), 1);
    assert_int_equal(rig->app.requests, requests);
    client_close(&client);
    assert_int_equal(rig->engine.n_sessions, 0);
}

int client_setup(void **state) {
    static struct rig rig;
    static struct client client;
    rig_init(&rig);
    client_open(&client, &rig);
    *state = &client;
    return 0;
}

int client_teardown(void **state) {
    struct client *client = *state;
    client_close(client);
    rig_deinit(client->rig);
    return 0;
}
