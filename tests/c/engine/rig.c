// SPDX-License-Identifier: MIT
// The engine's rig: clock, application, clients.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "engine/session.h"
#include "net/listener.h"

// --- the clock ---

static uint64_t fake_ms;

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now) {
    bool wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    *now = (struct timespec){.tv_sec = (time_t)(fake_ms / 1000) + (wall ? 784111777 : 1000),
                             .tv_nsec = (long)(fake_ms % 1000) * 1000000};
    return 0;
}

// --- applications ---

static void append_span(struct sm_bytes *bytes, const struct sm_head *head, struct sm_span span) {
    assert_int_equal(sm_bytes_append_str(bytes, sm_span_in(span, head->base)), 0);
}

static void append_body(struct sm_bytes *bytes, const struct sm_body *body) {
    assert_int_equal(sm_bytes_reserve(bytes, (size_t)body->len + 1), 0);
    if (body->fd >= 0) {
        assert_null(body->data);
        assert_int_equal(pread(body->fd, bytes->data + bytes->len, (size_t)body->len + 1, 0), body->len);
    } else if (body->len > 0) {
        memcpy(bytes->data + bytes->len, body->data, (size_t)body->len);
    }
    bytes->len += (size_t)body->len;
}

void probe_note(struct probe *app, struct sm_exchange *exchange) {
    const struct sm_head *head = sm_exchange_head(exchange);
    append_span(&app->seen, head, head->method);
    assert_int_equal(sm_bytes_append(&app->seen, " ", 1), 0);
    append_span(&app->seen, head, head->target);
    assert_int_equal(sm_bytes_append(&app->seen, " ", 1), 0);
    append_body(&app->seen, sm_exchange_body(exchange));
    assert_int_equal(sm_bytes_append(&app->seen, "\n", 1), 0);
}

static void answer(struct sm_exchange *exchange, const char *data, size_t len) {
    assert_int_equal(sm_exchange_start(exchange, 200, SM_STR("")), 0);
    assert_int_equal(sm_exchange_field(exchange, SM_STR("Content-Type"), SM_STR("text/plain")), 0);
    assert_int_equal(sm_exchange_commit(exchange, (int64_t)len), 0);
    assert_in_range(sm_exchange_write(exchange, data, len), 0, SM_EXCHANGE_FULL);
    sm_exchange_end(exchange, 0);
}

void probe_hello(struct probe *app, struct sm_exchange *exchange) {
    probe_note(app, exchange);
    answer(exchange, "Hello, world!", 13);
}

void probe_echo(struct probe *app, struct sm_exchange *exchange) {
    struct sm_bytes body = {0};
    probe_note(app, exchange);
    append_body(&body, sm_exchange_body(exchange));
    answer(exchange, body.data, body.len);
    sm_bytes_deinit(&body);
}

void probe_hold(struct probe *app, struct sm_exchange *exchange) {
    probe_note(app, exchange);
    probe_keep(app, exchange);
}

void probe_keep(struct probe *app, struct sm_exchange *exchange) {
    assert_true(app->n_held < RIG_HELD);
    app->held[app->n_held++] = exchange;
}

void probe_take(struct probe *app, struct sm_exchange *exchange) {
    char piece[1000];
    ssize_t n;
    while ((n = sm_exchange_body_read(exchange, piece, sizeof(piece))) > 0) {
        assert_int_equal(sm_bytes_append(&app->seen, piece, (size_t)n), 0);
    }
    assert_int_equal(n, 0);
}

void probe_finish(struct sm_exchange *exchange, const char *text) {
    answer(exchange, text, strlen(text));
}

char probe_byte(size_t i) {
    return (char)(i * 11 + i / 253);
}

// The user pointer counts the bytes that were written.
void probe_stream(struct probe *app, struct sm_exchange *exchange) {
    size_t at = (size_t)(uintptr_t)sm_exchange_user(exchange);
    char chunk[1000];
    if (!sm_exchange_committed(exchange)) {
        assert_int_equal(sm_exchange_start(exchange, 200, SM_STR("")), 0);
        assert_int_equal(sm_exchange_commit(exchange, -1), 0);
    }
    while (at < app->stream_len) {
        size_t len = app->stream_len - at < sizeof(chunk) ? app->stream_len - at : sizeof(chunk);
        for (size_t i = 0; i < len; i++) {
            chunk[i] = probe_byte(at + i);
        }
        app->outcome = sm_exchange_write(exchange, chunk, len);
        at += len;
        sm_exchange_set_user(exchange, (void *)(uintptr_t)at);
        if (app->outcome == SM_EXCHANGE_GONE) {
            break;
        }
        if (app->outcome == SM_EXCHANGE_FULL && at < app->stream_len) {
            return;
        }
    }
    sm_exchange_end(exchange, 0);
}

static struct probe *probe_from(struct sm_app *app) {
    return SM_CONTAINER(app, struct probe, base);
}

static void on_request(struct sm_app *app, struct sm_exchange *exchange) {
    probe_from(app)->requests++;
    assert_null(sm_exchange_user(exchange));
    probe_from(app)->request(probe_from(app), exchange);
}

static void on_resume(struct sm_app *app, struct sm_exchange *exchange) {
    probe_from(app)->resumes++;
    assert_non_null(probe_from(app)->resume);
    probe_from(app)->resume(probe_from(app), exchange);
}

static void on_abort(struct sm_app *app, struct sm_exchange *exchange) {
    probe_from(app)->aborts++;
    if (probe_from(app)->abort != NULL) {
        probe_from(app)->abort(probe_from(app), exchange);
    }
}

static void on_notice(struct sm_app *app, struct sm_exchange *exchange, unsigned what) {
    probe_from(app)->notices |= what;
    if (probe_from(app)->notice != NULL) {
        probe_from(app)->notice(probe_from(app), exchange, what);
    }
}

static const struct sm_app_ops probe_ops = {
    .request = on_request, .resume = on_resume, .notice = on_notice, .abort = on_abort};

// --- the rig ---

void rig_init(struct rig *rig) {
    *rig = (struct rig){.app = {.base = {.ops = &probe_ops}, .request = probe_hello, .resume = probe_stream}};
    fake_ms = 0;
    rig->settings = (struct sm_settings){
        .temp_dir = (char *)(uintptr_t) "/tmp",
        .max_connections = 100,
        .max_headers = 20,
        .max_header_size = 4096,
        .max_multiplexed = 8,
        .max_body_size = 1 << 20,
        .request_body_memory = 8192,
        .write_buffer = 16384,
        .header_timeout = 10000,
        .body_timeout = 30000,
        .write_timeout = 20000,
        .keepalive_timeout = 75000,
        .linger_timeout = 5000,
        .umask = -1,
    };
    sm_log_set_level(SM_LOG_INFO);
    assert_int_equal(capture_init(&rig->log), 0);
    assert_int_equal(sm_engine_init(&rig->engine, &rig->settings, &rig->app.base), 0);
}

void rig_deinit(struct rig *rig) {
    sm_engine_deinit(&rig->engine);
    sm_bytes_deinit(&rig->app.seen);
    capture_deinit(&rig->log);
}

void rig_turn(struct rig *rig) {
    assert_int_equal(sm_engine_turn(&rig->engine, 0), 0);
}

void rig_pass(struct rig *rig, uint64_t ms) {
    fake_ms += ms;
    for (int i = 0; i < 4; i++) {
        rig_turn(rig);
    }
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

int rig_connect(struct rig *rig, enum sm_protocol protocol, bool overloaded) {
    static const struct sm_peer peer = {.family = AF_INET, .port = 5000, .bytes = {192, 0, 2, 7}};
    int ends[2];
    if (rig->tcp) {
        open_loopback(ends);
    } else {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    }
    struct sm_session *session = protocol == SM_PROTOCOL_HTTP
                                     ? sm_http_open(&rig->engine, ends[0], &peer, overloaded)
                                     : sm_fcgi_open(&rig->engine, ends[0], &peer, overloaded);
    assert_non_null(session);
    sm_conn_process(&session->conn);
    rig_turn(rig);
    return ends[1];
}

void rig_send(struct rig *rig, int fd, const char *data, size_t len) {
    for (int idle = 0; len > 0;) {
        ssize_t n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) {
            assert_int_equal(errno, EAGAIN);
            assert_true(idle++ < 100);
        } else {
            data += n;
            len -= (size_t)n;
            idle = 0;
        }
        rig_turn(rig);
    }
}

void rig_text(struct rig *rig, int fd, const char *text) {
    rig_send(rig, fd, text, strlen(text));
}

size_t rig_flood(struct rig *rig, int fd, const char *data, size_t len, size_t most) {
    size_t sent = 0;
    for (int idle = 0; idle < 10 && sent < most;) {
        ssize_t n = send(fd, data + sent % len, len - sent % len, MSG_DONTWAIT | MSG_NOSIGNAL);
        assert_true(n > 0 || errno == EAGAIN);
        sent += n > 0 ? (size_t)n : 0;
        idle = n > 0 ? 0 : idle + 1;
        rig_turn(rig);
    }
    assert_int_equal(rig->engine.n_sessions, 1);
    return SM_CONTAINER(rig->engine.sessions.next, struct sm_session, node)->conn.out.bytes;
}

void rig_collect(struct rig *rig, int fd, struct inbox *inbox) {
    char data[65536];
    for (int idle = 0; idle < 4 && !inbox->ended && !inbox->reset;) {
        rig_turn(rig);
        ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
        idle = n > 0 ? 0 : idle + 1;
        if (rig->tcp && n < 0) {
            struct pollfd poller = {.fd = fd, .events = POLLIN};
            poll(&poller, 1, 50);
        }
        if (n > 0) {
            assert_int_equal(sm_bytes_append(&inbox->bytes, data, (size_t)n), 0);
        }
        inbox->ended = n == 0;
        inbox->reset = n < 0 && errno != EAGAIN;
    }
    rig_turn(rig);
}

void inbox_deinit(struct inbox *inbox) {
    sm_bytes_deinit(&inbox->bytes);
    *inbox = (struct inbox){0};
}
