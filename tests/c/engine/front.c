// SPDX-License-Identifier: MIT
// The FastCGI web server of the engine's tests.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "front.h"

#include <unistd.h>

void front_open(struct front *front, struct rig *rig) {
    *front = (struct front){.rig = rig, .fd = rig_connect(rig, SM_PROTOCOL_FASTCGI, false)};
}

void front_close(struct front *front) {
    if (front->fd >= 0) {
        close(front->fd);
    }
    front->fd = -1;
    sm_bytes_deinit(&front->out);
    inbox_deinit(&front->inbox);
    outcome_deinit(&front->outcome);
    for (int i = 0; i < 4; i++) {
        rig_turn(front->rig);
    }
}

void front_send(struct front *front) {
    rig_send(front->rig, front->fd, front->out.data, front->out.len);
    front->out.len = 0;
}

const struct outcome *front_outcome(struct front *front, uint16_t id) {
    if (front->out.len > 0) {
        front_send(front);
    }
    rig_collect(front->rig, front->fd, &front->inbox);
    outcome_deinit(&front->outcome);
    outcome_read(&front->outcome, &front->inbox.bytes, id);
    return &front->outcome;
}

void front_expect(struct front *front, uint16_t id, const char *status, const char *body) {
    const struct outcome *outcome = front_outcome(front, id);
    assert_int_equal(outcome->ends, 1);
    assert_int_equal(outcome->protocol_status, REQUEST_COMPLETE);
    assert_int_equal(outcome->app_status, 0);
    assert_int_equal(outcome->out_ends, 1);
    const char *head_end = strstr(outcome->out.data, "\r\n\r\n");
    assert_non_null(head_end);
    assert_int_equal(strncmp(outcome->out.data, "Status: ", 8), 0);
    if (strncmp(outcome->out.data + 8, status, strlen(status)) != 0) {
        fail_msg("not %s but %s", status, outcome->out.data);
    }
    if (body != NULL) {
        assert_string_equal(head_end + 4, body);
    }
}

void front_forget(struct front *front) {
    front->inbox.bytes.len = 0;
}

void front_expect_open(struct front *front) {
    rig_collect(front->rig, front->fd, &front->inbox);
    assert_false(front->inbox.ended);
    assert_false(front->inbox.reset);
}

void front_expect_ended(struct front *front) {
    rig_collect(front->rig, front->fd, &front->inbox);
    assert_true(front->inbox.ended);
}

int front_setup(void **state) {
    static struct rig rig;
    static struct front front;
    rig_init(&rig);
    front_open(&front, &rig);
    *state = &front;
    return 0;
}

int front_teardown(void **state) {
    struct front *front = *state;
    front_close(front);
    assert_int_equal(front->rig->engine.n_sessions, 0);
    rig_deinit(front->rig);
    return 0;
}
