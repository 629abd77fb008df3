// SPDX-License-Identifier: MIT
// The life of a FastCGI connection: input, deadlines, what becomes of its requests when one of them or the client
// ends. Owns the connection, the record reader and the list of live requests.
#include "engine/fcgi_session.h"

#include <stdlib.h>
#include <unistd.h>

enum sm_fcgi_waits { WAITS_IDLE = 1, WAITS_HEAD, WAITS_BODY, WAITS_APP };

static struct sm_fcgi_session *sm_fcgi_from(struct sm_conn *conn) {
    return SM_CONTAINER(conn, struct sm_fcgi_session, base.conn);
}

// --- deadlines ---

// Arms the deadline for what the connection waits for now. The head's does not move with progress.
static void sm_fcgi_arm(struct sm_fcgi_session *session) {
    const struct sm_settings *settings = session->base.engine->settings;
    bool reads_body = session->n_body > 0 && !session->base.conn.paused;
    uint8_t waits_for = session->n_head > 0        ? WAITS_HEAD
                        : reads_body               ? WAITS_BODY
                        : session->n_exchanges > 0 ? WAITS_APP
                                                   : WAITS_IDLE;
    if (waits_for == session->waits_for && waits_for != WAITS_BODY) {
        return;
    }
    session->waits_for = waits_for;
    uint64_t timeout = 0;
    switch (waits_for) {
    case WAITS_HEAD:
        timeout = settings->header_timeout;
        break;
    case WAITS_BODY:
        timeout = settings->body_timeout;
        break;
    case WAITS_IDLE:
        timeout = session->served ? settings->keepalive_timeout : settings->header_timeout;
        break;
    default:
        break;
    }
    sm_conn_deadline(&session->base.conn, timeout);
}

// --- the life of the connection ---

// With nothing alive: closes where that was agreed, or waits for the next request.
static void sm_fcgi_settle(struct sm_fcgi_session *session) {
    struct sm_conn *conn = &session->base.conn;
    if (conn->is_closed || conn->finishing || session->n_exchanges > 0) {
        return;
    }
    if (conn->is_broken) {
        sm_conn_close(conn);
    } else if (session->must_close || session->eof ||
               (session->base.engine->draining && session->served && !session->waits_last)) {
        sm_fcgi_close_record(session);
        sm_conn_finish(conn, session->linger || conn->readable);
    }
}

// A client that asks and never reads is not read from any more, until it has taken what it asked for. Twice the
// buffer, so that an ABORT_REQUEST is still seen when a response alone has filled it.
static bool sm_fcgi_has_room(struct sm_fcgi_session *session) {
    struct sm_conn *conn = &session->base.conn;
    if (conn->out.bytes < 2 * conn->net->write_buffer) {
        return true;
    }
    sm_fcgi_close_record(session);
    sm_conn_flush(conn);
    conn->paused = conn->out.bytes >= conn->net->write_buffer && sm_conn_full(conn);
    return !conn->paused && !conn->is_broken;
}

static size_t sm_fcgi_input(struct sm_conn *conn, const char *data, size_t len) {
    struct sm_fcgi_session *session = sm_fcgi_from(conn);
    size_t at = 0;
    if (session->base.greets && !sm_trust_greet(&session->base, data, len, &at)) {
        return at;
    }
    for (bool on = true; on;) {
        struct sm_fcgi_event event;
        size_t used = 0;
        sm_fcgi_next(&session->reader, data + at, len - at, &used, &event);
        at += used;
        on = sm_fcgi_event(session, &event) && !conn->paused && sm_fcgi_has_room(session);
    }
    if (conn->is_closed) {
        return len;
    }
    // Answers to management records and refusals; those of requests follow when they have run.
    if (conn->out.bytes > 0 && !conn->busy) {
        sm_fcgi_close_record(session);
        sm_conn_flush(conn);
    }
    sm_fcgi_arm(session);
    sm_fcgi_settle(session);
    return conn->is_closed || conn->finishing ? len : at;
}

// Drops the exchanges that are still receiving; they can no longer become complete.
static void sm_fcgi_drop_receiving(struct sm_fcgi_session *session) {
    struct sm_list *node = session->exchanges.next;
    while (node != &session->exchanges) {
        struct sm_exchange *exchange = SM_CONTAINER(node, struct sm_exchange, in_session);
        node = node->next;
        if (exchange->receiving) {
            sm_fcgi_leave_phase(session, exchange);
            exchange->receiving = false;
            sm_exchange_abort(exchange);
        } else if (exchange->phase <= SM_PHASE_BODY) {
            sm_fcgi_leave_phase(session, exchange);
            session->n_exchanges--;
            sm_exchange_free(exchange);
        }
    }
}

static void sm_fcgi_notify(struct sm_fcgi_session *session, unsigned what) {
    for (struct sm_list *node = session->exchanges.next; node != &session->exchanges; node = node->next) {
        sm_exchange_notify(SM_CONTAINER(node, struct sm_exchange, in_session), what);
    }
}

static void sm_fcgi_hangup(struct sm_conn *conn) {
    struct sm_fcgi_session *session = sm_fcgi_from(conn);
    if (session->n_body == 0) { // else what was sent before is read first, and the end tells
        sm_fcgi_notify(session, SM_NOTICE_HANGUP);
    }
}

static void sm_fcgi_eof(struct sm_conn *conn) {
    struct sm_fcgi_session *session = sm_fcgi_from(conn);
    session->eof = true;
    if (session->n_head + session->n_body > 0) {
        char peer[SM_ADDR_TEXT_MAX];
        sm_peer_format(&conn->peer, peer);
        sm_log(SM_LOG_INFO, "%s closed the connection before %u requests were complete", peer,
               session->n_head + session->n_body);
    }
    sm_fcgi_drop_receiving(session);
    sm_fcgi_notify(session, SM_NOTICE_HANGUP);
    sm_fcgi_arm(session);
    sm_fcgi_settle(session);
}

static void sm_fcgi_broken(struct sm_conn *conn) {
    struct sm_fcgi_session *session = sm_fcgi_from(conn);
    conn->is_broken = true;
    sm_fcgi_drop_receiving(session);
    for (struct sm_list *node = session->exchanges.next; node != &session->exchanges; node = node->next) {
        sm_exchange_abort(SM_CONTAINER(node, struct sm_exchange, in_session));
    }
    sm_fcgi_settle(session);
}

static void sm_fcgi_drained(struct sm_conn *conn) {
    struct sm_fcgi_session *session = sm_fcgi_from(conn);
    if (conn->paused) {
        conn->paused = false;
        sm_fcgi_arm(session);
        sm_conn_defer(conn);
    }
    for (struct sm_list *node = session->exchanges.next; node != &session->exchanges; node = node->next) {
        sm_exchange_drained(SM_CONTAINER(node, struct sm_exchange, in_session));
    }
}

static void sm_fcgi_timeout(struct sm_conn *conn, enum sm_conn_timeout which) {
    struct sm_fcgi_session *session = sm_fcgi_from(conn);
    char peer[SM_ADDR_TEXT_MAX];
    sm_peer_format(&conn->peer, peer);
    if (which == SM_CONN_WRITE_TIMEOUT) {
        sm_log(SM_LOG_WARNING, "%s takes no output for write_timeout; connection closed", peer);
        sm_fcgi_broken(conn);
        return;
    }
    if (session->n_exchanges == 0) {
        sm_trust_late(&session->base);
        if (!session->base.greets && (conn->in.len > 0 || session->reader.in_record)) {
            sm_log(SM_LOG_WARNING, "%s began a record that was not complete within header_timeout; closed", peer);
        }
        sm_conn_finish(conn, false);
        return;
    }
    bool head = session->n_head > 0;
    struct sm_list *node = session->exchanges.next;
    while (node != &session->exchanges) {
        struct sm_exchange *exchange = SM_CONTAINER(node, struct sm_exchange, in_session);
        node = node->next;
        if (exchange->phase <= SM_PHASE_BODY || exchange->receiving) {
            sm_fcgi_refuse(session, exchange, 408,
                           head ? "FCGI_PARAMS did not end within header_timeout"
                                : "no more of the body came within body_timeout");
        }
    }
    session->must_close = true;
}

static void sm_fcgi_free(struct sm_conn *conn) {
    struct sm_fcgi_session *session = sm_fcgi_from(conn);
    while (!sm_list_empty(&session->exchanges)) {
        sm_exchange_free(SM_CONTAINER(session->exchanges.next, struct sm_exchange, in_session));
    }
    sm_session_deinit(&session->base);
    free(session);
}

static const struct sm_conn_ops sm_fcgi_conn_ops = {
    .input = sm_fcgi_input,
    .eof = sm_fcgi_eof,
    .hangup = sm_fcgi_hangup,
    .broken = sm_fcgi_broken,
    .drained = sm_fcgi_drained,
    .timeout = sm_fcgi_timeout,
    .seal = sm_fcgi_seal,
    .free = sm_fcgi_free,
};

// --- what the engine asks of a session ---

void sm_fcgi_finished(struct sm_exchange *exchange) {
    struct sm_fcgi_session *session = sm_fcgi_of(exchange);
    struct sm_conn *conn = &session->base.conn;
    bool whole = exchange->phase == SM_PHASE_ENDED && !exchange->aborted;
    // Broken off by us after the head: an END_REQUEST would make the front server take what it has for the whole.
    // Closing tells it the truth, unless other requests live on this connection.
    bool cut = exchange->broke && exchange->committed;
    if (cut && session->n_exchanges == 1) {
        session->must_close = true;
    } else if (!whole && !conn->is_broken) {
        // Aborted by the server: END_REQUEST with a status that says so.
        sm_fcgi_close_record(session);
        char end[SM_FCGI_END_LEN];
        sm_fcgi_put_end(end, exchange->id, 1, SM_FCGI_REQUEST_COMPLETE);
        sm_conn_write(conn, end, sizeof(end));
    }
    session->must_close = session->must_close || !exchange->keep_conn;
    session->served = true;
    session->waits_last = false;
    sm_fcgi_more(exchange);
    if (exchange->receiving) { // answered before it was read
        sm_fcgi_leave_phase(session, exchange);
        session->linger = true;
    }
    session->n_exchanges--;
    sm_exchange_free(exchange);
    bool is_last = session->must_close || session->base.engine->draining; // then the end goes out with the answer
    if (session->n_exchanges > 0 || !is_last) {
        sm_fcgi_close_record(session);
        sm_conn_flush(conn);
    }
    session->waits_for = 0;
    sm_fcgi_arm(session);
    sm_fcgi_settle(session);
    if (!conn->is_closed && !conn->finishing) {
        if (conn->readable || conn->in.len > 0 || conn->eof) {
            sm_conn_defer(conn); // not at once: a front server that never pauses would keep the others waiting
        } else {
            sm_conn_park(conn);
        }
    }
}

void sm_fcgi_more(struct sm_exchange *exchange) {
    struct sm_conn *conn = &exchange->session->conn;
    if (conn->paused && conn->out.bytes < 2 * conn->net->write_buffer) {
        conn->paused = false;
        sm_fcgi_arm(sm_fcgi_of(exchange));
        sm_conn_defer(conn);
    }
}

bool sm_fcgi_look(struct sm_exchange *exchange) {
    struct sm_conn *conn = &exchange->session->conn;
    if (!sm_conn_peek(conn, 2 * SM_SCRATCH_SIZE)) {
        return false;
    }
    // Serves what came: an ABORT_REQUEST marks its exchange; others become ready, but do not run here.
    if (!conn->finishing && conn->in.len > 0) {
        size_t used = sm_fcgi_input(conn, conn->in.data, conn->in.len);
        if (!conn->is_closed && !conn->finishing) {
            sm_bytes_consume(&conn->in, used);
        }
    }
    return exchange->aborted || conn->eof || conn->is_broken;
}

void sm_fcgi_drain(struct sm_session *base) {
    struct sm_fcgi_session *session = SM_CONTAINER(base, struct sm_fcgi_session, base);
    struct sm_conn *conn = &base->conn;
    sm_fcgi_notify(session, SM_NOTICE_DRAIN);
    if (conn->finishing || conn->is_closed || session->n_exchanges > 0) {
        return;
    }
    // What has come already is still served.
    conn->readable = true;
    sm_conn_process(conn);
    if (session->n_exchanges > 0 || conn->finishing || conn->is_closed) {
        return;
    }
    uint64_t grace = sm_session_grace(base, session->served);
    session->waits_last = grace > 0;
    if (grace == 0) {
        sm_conn_finish(conn, false);
    } else {
        sm_conn_deadline(conn, grace);
    }
}

struct sm_session *sm_fcgi_open(struct sm_engine *engine, int fd, const struct sm_peer *peer, bool overloaded) {
    struct sm_fcgi_session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        close(fd);
        return NULL;
    }
    sm_conn_init(&session->base.conn, &engine->net, fd, &sm_fcgi_conn_ops);
    sm_session_init(&session->base, engine, &sm_fcgi_ops);
    sm_trust_meet(&session->base, peer);
    sm_list_init(&session->exchanges);
    session->overloaded = overloaded;
    sm_fcgi_arm(session);
    return &session->base;
}
