// SPDX-License-Identifier: MIT
// The turn. Events are served one after the other; each may make exchanges ready, and these run here, at the
// top, before the next event: nothing of a connection or parser is on the stack while the application runs.
#define _GNU_SOURCE
#include "engine/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/session.h"
#include "net/listener.h"

enum { ACCEPTS_PER_EVENT = 64, ACCEPTS_PER_PLACE = 16, ACCEPT_PAUSE_MS = 100 };

static void sm_engine_wait_enter(void *context) {
    struct sm_app *app = context;
    app->ops->wait_enter(app);
}

static void sm_engine_wait_leave(void *context) {
    struct sm_app *app = context;
    app->ops->wait_leave(app);
}

int sm_engine_init(struct sm_engine *engine, const struct sm_settings *settings, struct sm_app *app) {
    *engine = (struct sm_engine){.settings = settings, .app = app, .master_fd = -1};
    sm_list_init(&engine->sessions);
    sm_list_init(&engine->ready);
    sm_list_init(&engine->yielded);
    int r = sm_trust_init(&engine->trust, settings->trusted_proxies);
    if (r < 0) {
        return r;
    }
    r = sm_net_init(&engine->net);
    if (r < 0) {
        sm_trust_deinit(&engine->trust);
        return r;
    }
    if (app->ops->wait_enter != NULL) {
        engine->net.loop.wait_enter = sm_engine_wait_enter;
        engine->net.loop.wait_leave = sm_engine_wait_leave;
        engine->net.loop.context = app;
    }
    engine->http_limits = (struct sm_http1_limits){.max_header_size = settings->max_header_size,
                                                   .max_headers = settings->max_headers,
                                                   .max_body_size = settings->max_body_size};
    engine->net.write_timeout = settings->write_timeout;
    engine->net.linger_timeout = settings->linger_timeout;
    engine->net.write_buffer = (size_t)settings->write_buffer;
    return 0;
}

static void sm_engine_abort_all(struct sm_engine *engine) {
    struct sm_list *node = engine->sessions.next;
    while (node != &engine->sessions) {
        struct sm_session *session = SM_CONTAINER(node, struct sm_session, node);
        node = node->next;
        if (!session->conn.is_closed && !session->conn.finishing) {
            session->conn.ops->broken(&session->conn);
        }
        sm_conn_close(&session->conn);
    }
}

static void sm_engine_close_ports(struct sm_engine *engine) {
    for (size_t i = 0; i < engine->n_ports; i++) {
        sm_timer_clear(&engine->ports[i].pause);
        sm_loop_remove(&engine->net.loop, &engine->ports[i].source);
    }
}

static void sm_engine_run_ready(struct sm_engine *engine);
static void sm_engine_unyield(struct sm_engine *engine);

void sm_engine_close(struct sm_engine *engine) {
    sm_engine_close_ports(engine);
    engine->n_ports = 0;
    sm_engine_abort_all(engine);
    sm_engine_unyield(engine);
    sm_engine_run_ready(engine);
}

void sm_engine_deinit(struct sm_engine *engine) {
    sm_engine_close(engine);
    sm_net_deinit(&engine->net);
    sm_exchange_drop_free(engine);
    sm_bytes_deinit(&engine->head);
    sm_trust_deinit(&engine->trust);
    free(engine->ports);
    engine->ports = NULL;
}

// --- accepting ---

static bool sm_port_allows(const struct sm_port *port, const struct sm_peer *peer) {
    char host[SM_HOST_TEXT_MAX];
    if (port->allow == NULL || port->is_unix) {
        return true;
    }
    sm_peer_host(peer, host);
    for (char **allowed = port->allow; *allowed != NULL; allowed++) {
        if (strcmp(*allowed, host) == 0) {
            return true;
        }
    }
    sm_log(SM_LOG_WARNING, "%s refused: not in the listener's allow list", host);
    return false;
}

static void sm_port_serve(struct sm_port *port, int fd, const struct sm_peer *peer) {
    struct sm_engine *engine = port->engine;
    if (!sm_port_allows(port, peer)) {
        close(fd);
        return;
    }
    uint32_t max = engine->settings->max_connections;
    if (engine->n_sessions >= max) {
        sm_net_reap(&engine->net); // those that were closed in this turn are no load
    }
    bool overloaded = engine->n_sessions >= max;
    if (overloaded && engine->n_sessions >= max + max / 8 + 64) {
        close(fd); // more refusals are under way than anybody could want
        return;
    }
    struct sm_session *session = port->protocol == SM_PROTOCOL_HTTP ? sm_http_open(engine, fd, peer, overloaded)
                                                                    : sm_fcgi_open(engine, fd, peer, overloaded);
    if (session == NULL) {
        sm_log(SM_LOG_ERROR, "no memory for another connection");
        return;
    }
    sm_conn_process(&session->conn);
    sm_engine_run_ready(engine);
}

static void sm_port_pause(struct sm_port *port, int error) {
    struct sm_engine *engine = port->engine;
    if (!engine->log_paused) {
        sm_log(SM_LOG_WARNING, "cannot accept connections: %s; %u are open. Trying again until it works",
               strerror(error), engine->n_sessions);
        engine->log_paused = true;
    }
    sm_loop_remove(&engine->net.loop, &port->source);
    sm_timer_set(&engine->net.wheel, &port->pause, engine->net.now + ACCEPT_PAUSE_MS);
}

static void sm_port_unpause(struct sm_timer *timer) {
    struct sm_port *port = SM_CONTAINER(timer, struct sm_port, pause);
    if (port->engine->leaving) {
        return;
    }
    if (sm_loop_add_listener(&port->engine->net.loop, &port->source) < 0) {
        sm_timer_set(&port->engine->net.wheel, &port->pause, port->engine->net.now + ACCEPT_PAUSE_MS);
    }
}

// With several workers the kernel wakes the one that waits at the head of the listener's queue; every so often we
// queue up anew behind the others, or one worker would get all the connections that are kept.
static void sm_port_requeue(struct sm_port *port) {
    struct sm_loop *loop = &port->engine->net.loop;
    if (port->engine->settings->workers > 1 && !port->engine->leaving &&
        ++port->n_accepted % ACCEPTS_PER_PLACE == 0) {
        sm_loop_remove(loop, &port->source);
        if (sm_loop_add_listener(loop, &port->source) < 0) {
            sm_port_pause(port, errno);
        }
    }
}

static void sm_port_accept(struct sm_port *port, int most) {
    for (int i = 0; i < most && port->source.registered; i++) {
        struct sm_peer peer;
        int fd = sm_listener_accept(port->source.fd, &peer);
        if (fd == -EAGAIN) {
            return;
        }
        if (fd < 0) {
            sm_port_pause(port, -fd);
            return;
        }
        port->engine->log_paused = false;
        sm_port_serve(port, fd, &peer);
        sm_port_requeue(port);
    }
}

static void sm_port_ready(struct sm_source *source, unsigned flags) {
    (void)flags;
    struct sm_port *port = SM_CONTAINER(source, struct sm_port, source);
    sm_port_accept(port, port->engine->settings->workers > 1 ? 1 : ACCEPTS_PER_EVENT);
}

int sm_engine_listen(struct sm_engine *engine, const int *fds, size_t n) {
    engine->ports = calloc(n, sizeof(*engine->ports));
    if (engine->ports == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        struct sm_port *port = &engine->ports[i];
        const struct sm_listen *listen = &engine->settings->listen[i];
        struct sm_addr addr;
        int r = sm_listener_address(fds[i], &addr);
        if (r < 0) {
            return r;
        }
        *port = (struct sm_port){.source = {.fd = fds[i], .ready = sm_port_ready},
                                 .engine = engine,
                                 .protocol = listen->protocol,
                                 .allow = listen->allow,
                                 .is_unix = addr.sa.any.sa_family == AF_UNIX};
        sm_timer_init(&port->pause, sm_port_unpause);
        engine->n_ports = i + 1;
        r = sm_loop_add_listener(&engine->net.loop, &port->source);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

// --- running ---

// What was to be told before the application had the exchange.
static void sm_engine_catch_up(struct sm_engine *engine, struct sm_exchange *exchange) {
    if (engine->draining) {
        sm_exchange_notify(exchange, SM_NOTICE_DRAIN);
    }
    if (exchange->session->conn.hangup && exchange->session->conn.ops->hangup != NULL) {
        exchange->session->conn.ops->hangup(&exchange->session->conn);
    }
}

// The calls into the application that are due.
static void sm_engine_call(struct sm_engine *engine, struct sm_exchange *exchange) {
    const struct sm_app_ops *ops = engine->app->ops;
    unsigned due = exchange->due;
    exchange->due = 0;
    exchange->running = true;
    if (exchange->phase == SM_PHASE_READY) {
        exchange->phase = SM_PHASE_OPEN;
        engine->n_requests++;
        ops->request(engine->app, exchange);
        sm_engine_catch_up(engine, exchange);
    } else {
        if ((due & SM_DUE_NOTICES) != 0) {
            ops->notice(engine->app, exchange, due & SM_DUE_NOTICES);
        }
        bool resume = (due & SM_DUE_RESUME) != 0 && sm_exchange_feed(exchange);
        if (resume && exchange->phase == SM_PHASE_OPEN && !exchange->aborted) {
            ops->resume(engine->app, exchange);
        }
    }
    exchange->running = false;
}

static void sm_engine_run(struct sm_engine *engine, struct sm_exchange *exchange) {
    const struct sm_session_ops *ops = exchange->session->ops;
    exchange->session->conn.busy = false;
    if (exchange->phase != SM_PHASE_ENDED && !exchange->aborted) {
        sm_engine_call(engine, exchange);
    }
    if (exchange->phase != SM_PHASE_ENDED) {
        ops->flush(exchange->session);
        exchange->aborted = exchange->aborted || exchange->session->conn.is_broken;
    }
    if (exchange->phase == SM_PHASE_OPEN && exchange->aborted) {
        engine->app->ops->abort(engine->app, exchange);
        sm_exchange_settle(exchange);
    }
    if (exchange->phase == SM_PHASE_ENDED || exchange->aborted) {
        ops->finished(exchange);
        return;
    }
    sm_conn_park(&exchange->session->conn);
}

static void sm_engine_run_ready(struct sm_engine *engine) {
    struct sm_list *node;
    while ((node = sm_list_pop(&engine->ready)) != NULL) {
        sm_engine_run(engine, SM_CONTAINER(node, struct sm_exchange, node));
        engine->net.now = sm_clock_ms(); // a deadline does not begin before a slow request
    }
}

static void sm_engine_unyield(struct sm_engine *engine) {
    struct sm_list *node;
    while ((node = sm_list_pop(&engine->yielded)) != NULL) {
        sm_list_append(&engine->ready, node);
    }
}

int sm_engine_wait_time(const struct sm_engine *engine, int timeout_ms) {
    if (!sm_list_empty(&engine->ready) || !sm_list_empty(&engine->yielded) || !sm_list_empty(&engine->net.pending)) {
        return 0;
    }
    int timer_ms = sm_wheel_wait(&engine->net.wheel, engine->net.now);
    return timer_ms >= 0 && (timeout_ms < 0 || timer_ms < timeout_ms) ? timer_ms : timeout_ms;
}

int sm_engine_turn(struct sm_engine *engine, int timeout_ms) {
    struct sm_net *net = &engine->net;
    int r = sm_loop_wait(&net->loop, sm_engine_wait_time(engine, timeout_ms));
    if (r < 0) {
        return r;
    }
    net->now = sm_clock_ms();
    struct sm_source *source;
    unsigned flags;
    while ((source = sm_loop_next(&net->loop, &flags)) != NULL) {
        source->ready(source, flags);
        sm_engine_run_ready(engine);
    }
    sm_wheel_advance(&net->wheel, net->now);
    sm_engine_run_ready(engine);
    sm_net_pending(net);
    sm_engine_run_ready(engine);
    sm_engine_unyield(engine);
    sm_engine_run_ready(engine);
    sm_net_reap(net);
    return 0;
}

// --- ending ---

void sm_engine_leave(struct sm_engine *engine) {
    engine->leaving = true;
    sm_engine_close_ports(engine);
}

void sm_engine_drain(struct sm_engine *engine, uint64_t idle_ms) {
    if (engine->draining && (idle_ms > 0 || engine->drain_idle == 0)) {
        return;
    }
    // Who has connected already is still served.
    for (size_t i = 0; i < engine->n_ports && !engine->draining; i++) {
        sm_port_accept(&engine->ports[i], ACCEPTS_PER_EVENT);
    }
    engine->draining = true;
    engine->drain_idle = idle_ms;
    sm_engine_close_ports(engine);
    struct sm_list *node = engine->sessions.next;
    while (node != &engine->sessions) {
        struct sm_session *session = SM_CONTAINER(node, struct sm_session, node);
        node = node->next;
        session->ops->drain(session);
    }
}

void sm_engine_forked(struct sm_engine *engine) {
    for (struct sm_list *node = engine->sessions.next; node != &engine->sessions; node = node->next) {
        struct sm_conn *conn = &SM_CONTAINER(node, struct sm_session, node)->conn;
        if (!conn->is_closed) {
            close(conn->source.fd);
        }
    }
    for (size_t i = 0; i < engine->n_ports && !engine->draining; i++) {
        close(engine->ports[i].source.fd);
    }
    if (engine->master_fd >= 0) {
        close(engine->master_fd);
    }
    close(engine->net.loop.fd); // no epoll_ctl: what is registered there is the parent's too
}

bool sm_engine_idle(const struct sm_engine *engine) {
    return sm_list_empty(&engine->sessions);
}
