// SPDX-License-Identifier: MIT
// The reading half of a FastCGI session: records to exchanges, many at once. Owns the connection, the record reader
// and the list of live requests. Records of requests that are not alive are ignored (FastCGI 1.0, section 3.3).
#include "engine/fcgi_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/num.h"

enum sm_fcgi_waits { WAITS_IDLE = 1, WAITS_HEAD, WAITS_BODY, WAITS_APP };

static struct sm_fcgi_session *sm_fcgi_from(struct sm_conn *conn) {
    return SM_CONTAINER(conn, struct sm_fcgi_session, base.conn);
}

static struct sm_exchange *sm_fcgi_find(struct sm_fcgi_session *session, uint16_t id) {
    for (struct sm_list *node = session->exchanges.next; node != &session->exchanges; node = node->next) {
        struct sm_exchange *exchange = SM_CONTAINER(node, struct sm_exchange, in_session);
        if (exchange->id == id && exchange->phase != SM_PHASE_ENDED) {
            return exchange;
        }
    }
    return NULL;
}

// Keeps the counts of what is still receiving; every change of a receiving phase comes through here.
static void sm_fcgi_leave_phase(struct sm_fcgi_session *session, const struct sm_exchange *exchange) {
    session->n_head -= exchange->phase == SM_PHASE_HEAD;
    session->n_body -= exchange->phase == SM_PHASE_BODY || exchange->receiving;
}

static void sm_fcgi_refuse(struct sm_fcgi_session *session, struct sm_exchange *exchange, int status,
                           const char *reason) {
    sm_fcgi_leave_phase(session, exchange);
    exchange->receiving = false;
    session->linger = true;
    sm_exchange_deny(exchange, status, reason);
}

static void sm_fcgi_protocol_error(struct sm_fcgi_session *session, const char *reason) {
    char peer[SM_ADDR_TEXT_MAX];
    sm_peer_format(&session->base.conn.peer, peer);
    sm_log(SM_LOG_WARNING, "%s broke the FastCGI protocol: %s; connection closed", peer, reason);
    session->base.conn.ops->broken(&session->base.conn);
}

// --- records ---

// Whether a request may begin: REQUEST_COMPLETE, or the status that refuses it (section 5.5).
static enum sm_fcgi_status sm_fcgi_admit(const struct sm_fcgi_session *session, uint16_t role) {
    uint32_t most = session->base.engine->settings->max_multiplexed;
    if (role < SM_FCGI_RESPONDER || role > SM_FCGI_FILTER) {
        return SM_FCGI_UNKNOWN_ROLE;
    }
    if (session->overloaded || (session->n_exchanges >= most && most > 1)) {
        return SM_FCGI_OVERLOADED;
    }
    return session->n_exchanges >= most ? SM_FCGI_CANT_MPX_CONN : SM_FCGI_REQUEST_COMPLETE;
}

static void sm_fcgi_deny(struct sm_fcgi_session *session, const struct sm_fcgi_event *event,
                         enum sm_fcgi_status refusal) {
    static const char *const reasons[] = {"no memory", "max_multiplexed is 1", "overloaded", "unknown role"};
    char peer[SM_ADDR_TEXT_MAX];
    sm_peer_format(&session->base.conn.peer, peer);
    sm_log(SM_LOG_WARNING, "%s: request %u refused: %s", peer, event->id, reasons[refusal]);
    sm_fcgi_put_refusal(session, event->id, refusal == SM_FCGI_REQUEST_COMPLETE ? SM_FCGI_OVERLOADED : refusal);
    session->must_close = session->must_close || !event->keep_conn || session->overloaded;
    session->linger = true;
}

static void sm_fcgi_begin(struct sm_fcgi_session *session, const struct sm_fcgi_event *event) {
    if (sm_fcgi_find(session, event->id) != NULL) {
        sm_fcgi_protocol_error(session, "BEGIN_REQUEST for an id that is in use");
        return;
    }
    enum sm_fcgi_status refusal = sm_fcgi_admit(session, event->role);
    struct sm_exchange *exchange =
        refusal == SM_FCGI_REQUEST_COMPLETE ? sm_exchange_new(&session->base, SM_HEAD_CGI) : NULL;
    if (exchange == NULL) {
        sm_fcgi_deny(session, event, refusal);
        return;
    }
    exchange->id = event->id;
    exchange->role = (uint8_t)event->role;
    exchange->keep_conn = event->keep_conn;
    sm_list_append(&session->exchanges, &exchange->in_session);
    session->n_exchanges++;
    session->n_head++;
}

// Everything that this role waits for is here: the request is complete, or its lengths are a lie.
static void sm_fcgi_complete(struct sm_fcgi_session *session, struct sm_exchange *exchange) {
    int64_t announced = exchange->head.content_length;
    bool has_stdin = exchange->role != SM_ROLE_AUTHORIZER;
    if (has_stdin && announced >= 0 && (uint64_t)announced != exchange->body.received) {
        sm_fcgi_refuse(session, exchange, 400, "CONTENT_LENGTH and the length of FCGI_STDIN differ");
        return;
    }
    // An authorizer is asked before STDIN, which some servers send all the same (section 6.3).
    session->linger = session->linger || !has_stdin;
    sm_fcgi_leave_phase(session, exchange);
    if (exchange->receiving) {
        exchange->receiving = false;
        sm_exchange_notify(exchange, SM_NOTICE_BODY);
    } else {
        sm_exchange_ready(exchange);
    }
}

static const char *sm_fcgi_params_error(enum sm_fcgi_params outcome, int *status_out) {
    *status_out = 400;
    switch (outcome) {
    case SM_FCGI_PARAMS_OK:
        return NULL;
    case SM_FCGI_PARAMS_MALFORMED:
        return "FCGI_PARAMS: lengths that run past the end";
    case SM_FCGI_PARAMS_TOO_MANY:
        *status_out = 431;
        return "more parameters than max_headers allows";
    case SM_FCGI_PARAMS_BAD_LENGTH:
        return "CONTENT_LENGTH is not one number";
    case SM_FCGI_PARAMS_BAD_BYTES:
        return "a parameter without a name or with a NUL byte";
    }
    return "FCGI_PARAMS";
}

static void sm_fcgi_params_end(struct sm_fcgi_session *session, struct sm_exchange *exchange) {
    const struct sm_settings *settings = session->base.engine->settings;
    int status = 0;
    exchange->params_ended = true;
    const char *error = sm_fcgi_params_error(
        sm_fcgi_params_parse(exchange->block.data, exchange->block.len, &exchange->head), &status);
    exchange->head.base = exchange->block.data;
    if (error != NULL) {
        exchange->head.method = exchange->head.target = (struct sm_span){0};
        sm_fcgi_refuse(session, exchange, status, error);
        return;
    }
    if (exchange->role == SM_ROLE_AUTHORIZER) {
        sm_fcgi_complete(session, exchange);
        return;
    }
    if (exchange->head.content_length > 0 && (uint64_t)exchange->head.content_length > settings->max_body_size) {
        sm_fcgi_refuse(session, exchange, 413, "the body is larger than max_body_size");
        return;
    }
    sm_fcgi_leave_phase(session, exchange);
    exchange->phase = SM_PHASE_BODY;
    session->n_body++;
    // A filter is asked when both of its streams are whole.
    if (session->base.engine->app->streams && exchange->role == SM_ROLE_RESPONDER) {
        sm_exchange_ready(exchange);
        exchange->receiving = true;
    }
}

static void sm_fcgi_params(struct sm_fcgi_session *session, struct sm_exchange *exchange, struct sm_str data) {
    if (exchange->params_ended) {
        sm_fcgi_protocol_error(session, "FCGI_PARAMS after their end");
    } else if (data.len == 0) {
        sm_fcgi_params_end(session, exchange);
    } else if (exchange->block.len + data.len > session->base.engine->settings->max_header_size) {
        exchange->params_ended = true;
        sm_fcgi_refuse(session, exchange, 431, "the parameters are larger than max_header_size");
    } else if (sm_bytes_append_str(&exchange->block, data) < 0) {
        sm_fcgi_protocol_error(session, "no memory for the parameters");
    }
}

static void sm_fcgi_body_in(struct sm_fcgi_session *session, struct sm_exchange *exchange, struct sm_spool *spool,
                            struct sm_str data) {
    if (!sm_exchange_receive(exchange, spool, data)) {
        session->n_body--;
        exchange->receiving = false;
        session->linger = true;
    } else if (exchange->receiving) {
        sm_exchange_notify(exchange, SM_NOTICE_BODY);
        // Others on this connection would wait too: with them the body goes on to the spool file.
        session->base.conn.paused = session->n_exchanges == 1 && sm_exchange_body_full(exchange);
    }
}

static void sm_fcgi_body(struct sm_fcgi_session *session, struct sm_exchange *exchange, bool filter,
                         struct sm_str data) {
    bool *ended = filter ? &exchange->data_ended : &exchange->stdin_ended;
    if (!exchange->params_ended || *ended || (filter && exchange->role != SM_ROLE_FILTER)) {
        sm_fcgi_protocol_error(session, filter ? "FCGI_DATA out of place" : "FCGI_STDIN out of place");
        return;
    }
    if (exchange->phase != SM_PHASE_BODY && !exchange->receiving) {
        return; // an authorizer's, or after an early answer
    }
    if (data.len > 0) {
        sm_fcgi_body_in(session, exchange, filter ? &exchange->filter_data : &exchange->body, data);
        return;
    }
    *ended = true;
    if (exchange->stdin_ended && (exchange->role != SM_ROLE_FILTER || exchange->data_ended)) {
        sm_fcgi_complete(session, exchange);
    }
}

static void sm_fcgi_stream_event(struct sm_fcgi_session *session, const struct sm_fcgi_event *event) {
    struct sm_exchange *exchange = sm_fcgi_find(session, event->id);
    if (exchange == NULL) {
        return;
    }
    if (event->type == SM_FCGI_PARAMS) {
        sm_fcgi_params(session, exchange, event->data);
    } else {
        sm_fcgi_body(session, exchange, event->type == SM_FCGI_DATA, event->data);
    }
}

static void sm_fcgi_abort(struct sm_fcgi_session *session, uint16_t id) {
    struct sm_exchange *exchange = sm_fcgi_find(session, id);
    if (exchange == NULL || exchange->aborted) {
        return;
    }
    sm_fcgi_leave_phase(session, exchange);
    exchange->receiving = false;
    if (exchange->phase < SM_PHASE_READY) {
        exchange->phase = SM_PHASE_READY; // counted out; the application never saw it
        session->linger = true;           // the rest of it may be on its way
    }
    sm_exchange_abort(exchange);
}

// FCGI_GET_VALUES (section 4.1): names without values in, the ones that we know out.
static void sm_fcgi_values(struct sm_fcgi_session *session, struct sm_str asked) {
    const struct sm_settings *settings = session->base.engine->settings;
    char out[SM_FCGI_HEADER_LEN + 256];
    size_t len = SM_FCGI_HEADER_LEN;
    size_t off = 0;
    unsigned seen = 0;
    struct sm_str name, value;
    char number[SM_U64_DIGITS];
    while (sm_fcgi_pair_next(asked.ptr, asked.len, &off, &name, &value) == 1) {
        static const char *const known[] = {"FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"};
        for (unsigned i = 0; i < 3; i++) {
            uint64_t answer = i == 2 ? settings->max_multiplexed > 1 : settings->max_connections;
            if (sm_str_eq(name, sm_str_from(known[i])) && (seen & (1u << i)) == 0) {
                seen |= 1u << i;
                struct sm_str text = {number, sm_u64_dec(number, answer)};
                len += sm_fcgi_pair_put(out + len, sizeof(out) - len, name, text);
            }
        }
    }
    sm_fcgi_close_record(session);
    uint16_t content = (uint16_t)(len - SM_FCGI_HEADER_LEN);
    uint8_t padding = sm_fcgi_padding(content);
    sm_fcgi_put_header(out, SM_FCGI_GET_VALUES_RESULT, 0, content, padding);
    memset(out + len, 0, padding);
    sm_conn_write(&session->base.conn, out, len + padding);
}

static void sm_fcgi_unknown(struct sm_fcgi_session *session, uint8_t type) {
    char out[SM_FCGI_END_LEN];
    sm_fcgi_close_record(session);
    sm_fcgi_put_unknown(out, type);
    sm_conn_write(&session->base.conn, out, sizeof(out));
}

// False: the input is used up, or the connection is.
static bool sm_fcgi_event(struct sm_fcgi_session *session, const struct sm_fcgi_event *event) {
    switch (event->kind) {
    case SM_FCGI_EV_MORE:
        return false;
    case SM_FCGI_EV_BEGIN:
        sm_fcgi_begin(session, event);
        break;
    case SM_FCGI_EV_ABORT:
        sm_fcgi_abort(session, event->id);
        break;
    case SM_FCGI_EV_STREAM:
        sm_fcgi_stream_event(session, event);
        break;
    case SM_FCGI_EV_VALUES:
        sm_fcgi_values(session, event->data);
        break;
    case SM_FCGI_EV_UNKNOWN:
        sm_fcgi_unknown(session, event->type);
        break;
    case SM_FCGI_EV_BAD:
        sm_fcgi_protocol_error(session, event->reason);
        break;
    }
    return !session->base.conn.is_closed && !session->base.conn.is_broken;
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
    } else if (session->must_close || session->eof || (session->base.engine->draining && session->served)) {
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
    sm_fcgi_more(exchange);
    if (exchange->receiving) { // answered before it was read
        sm_fcgi_leave_phase(session, exchange);
        session->linger = true;
    }
    session->n_exchanges--;
    sm_exchange_free(exchange);
    if (session->n_exchanges > 0 || !session->must_close) {
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
    if (session->served) {
        sm_conn_finish(conn, false);
    } else {
        sm_conn_deadline(conn, SM_DRAIN_GRACE_MS);
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
