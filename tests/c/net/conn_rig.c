// SPDX-License-Identifier: MIT
// The session that does as a test says.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "conn_rig.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/listener.h"

static struct rig *rig_of_net;

static struct session *session_from(struct sm_conn *conn) {
    return SM_CONTAINER(conn, struct session, conn);
}

static void call(void (*hook)(struct session *), struct session *session) {
    if (hook != NULL) {
        hook(session);
    }
}

static size_t on_input(struct sm_conn *conn, const char *data, size_t len) {
    struct session *session = session_from(conn);
    size_t take = len < session->take ? len : session->take;
    session->inputs++;
    session->offered = len;
    assert_true(len > 0);
    assert_int_equal(sm_bytes_append(&session->got, data, take), 0);
    call(session->on_input, session);
    return take;
}

static void on_eof(struct sm_conn *conn) {
    session_from(conn)->eofs++;
    call(session_from(conn)->on_eof, session_from(conn));
}

static void on_broken(struct sm_conn *conn) {
    session_from(conn)->brokens++;
    call(session_from(conn)->on_broken, session_from(conn));
}

static void on_drained(struct sm_conn *conn) {
    session_from(conn)->draineds++;
    call(session_from(conn)->on_drained, session_from(conn));
}

static void on_timeout(struct sm_conn *conn, enum sm_conn_timeout which) {
    struct session *session = session_from(conn);
    session->read_timeouts += which == SM_CONN_READ_TIMEOUT;
    session->write_timeouts += which == SM_CONN_WRITE_TIMEOUT;
    call(session->on_timeout, session);
}

static void on_free(struct sm_conn *conn) {
    struct session *session = session_from(conn);
    rig_of_net->freed++;
    rig_of_net->session = NULL;
    sm_bytes_deinit(&session->got);
    free(session);
}

static const struct sm_conn_ops ops = {
    .input = on_input,
    .eof = on_eof,
    .broken = on_broken,
    .drained = on_drained,
    .timeout = on_timeout,
    .free = on_free,
};

static void open_pair(int ends[2]) {
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
}

static void open_loopback(int ends[2]) {
    struct sm_listener_options options = {.backlog = 1, .mode = -1};
    struct sm_addr addr;
    struct sm_peer peer;
    assert_int_equal(sm_addr_parse("127.0.0.1:0", &addr), 0);
    int listener = sm_listener_open(&addr, &options);
    assert_true(listener >= 0);
    assert_int_equal(sm_listener_address(listener, &addr), 0);
    ends[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(ends[1], &addr.sa.any, addr.len), 0);
    struct pollfd poller = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&poller, 1, 5000), 1);
    ends[0] = sm_listener_accept(listener, &peer);
    assert_true(ends[0] >= 0);
    close(listener);
}

void rig_init(struct rig *rig, bool tcp) {
    int ends[2];
    *rig = (struct rig){0};
    rig_of_net = rig;
    assert_int_equal(sm_net_init(&rig->net), 0);
    if (tcp) {
        open_loopback(ends);
    } else {
        open_pair(ends);
    }
    rig->peer = ends[1];
    rig->session = calloc(1, sizeof(*rig->session));
    assert_non_null(rig->session);
    rig->session->take = SIZE_MAX;
    sm_conn_init(&rig->session->conn, &rig->net, ends[0], &ops);
}

void rig_deinit(struct rig *rig) {
    if (rig->session != NULL) {
        sm_conn_close(&rig->session->conn);
    }
    rig_hang_up(rig);
    sm_net_deinit(&rig->net);
    assert_null(rig->session);
    assert_int_equal(rig->freed, 1);
}

void rig_turn(struct rig *rig) {
    unsigned flags;
    struct sm_source *source;
    assert_int_equal(sm_loop_wait(&rig->net.loop, 0), 0);
    while ((source = sm_loop_next(&rig->net.loop, &flags)) != NULL) {
        source->ready(source, flags);
    }
    sm_wheel_advance(&rig->net.wheel, rig->net.now);
    sm_net_pending(&rig->net);
    sm_net_reap(&rig->net);
}

void rig_settle(struct rig *rig) {
    for (int quiet = 0; quiet < 3 && rig->freed == 0;) {
        struct pollfd poller = {.fd = rig->net.loop.fd, .events = POLLIN};
        bool more = !sm_list_empty(&rig->net.pending) || poll(&poller, 1, 20) > 0;
        quiet = more ? 0 : quiet + 1;
        rig_turn(rig);
    }
}

void rig_pass(struct rig *rig, uint64_t ms) {
    rig->net.now += ms;
    sm_wheel_advance(&rig->net.wheel, rig->net.now);
    sm_net_pending(&rig->net);
    sm_net_reap(&rig->net);
}

void rig_send(struct rig *rig, const char *data, size_t len) {
    assert_int_equal(send(rig->peer, data, len, MSG_NOSIGNAL), len);
}

ssize_t rig_receive(struct rig *rig, char *out, size_t cap) {
    size_t len = 0;
    while (len < cap) {
        ssize_t n = recv(rig->peer, out + len, cap - len, MSG_DONTWAIT);
        if (n <= 0) {
            return n == 0 && len == 0 ? -1 : (ssize_t)len;
        }
        len += (size_t)n;
    }
    return (ssize_t)len;
}

void rig_hang_up(struct rig *rig) {
    if (rig->peer >= 0) {
        close(rig->peer);
        rig->peer = -1;
    }
}
