// SPDX-License-Identifier: MIT
// HTTP/1.1 over one connection: one exchange at a time, in order; while one is with the application the connection
// is paused, so pipelined requests wait in the socket. Owns the connection and the parser.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "engine/session.h"
#include "proto/http1.h"

struct sm_http_session {
    struct sm_session base;
    struct sm_http1 parser;
    struct sm_exchange *current; // NULL between requests
    bool unread;                 // refused in the middle: the client may still be sending
    bool served;                 // at least one request was answered
    uint8_t in_a_row;            // pipelined requests since others had their turn
};

enum { PIPELINED_IN_A_ROW = 16 };

static struct sm_http_session *sm_http_from(struct sm_conn *conn) {
    return SM_CONTAINER(conn, struct sm_http_session, base.conn);
}

// --- requests ---

static bool sm_http_begin(struct sm_http_session *session) {
    struct sm_exchange *exchange = sm_exchange_new(&session->base, SM_HEAD_HTTP);
    if (exchange == NULL) {
        sm_conn_close(&session->base.conn);
        return false;
    }
    session->current = exchange;
    sm_http1_init(&session->parser, &session->base.engine->http_limits, &exchange->head);
    sm_conn_deadline(&session->base.conn, session->base.engine->settings->header_timeout);
    return true;
}

// RFC 9110 10.1.1: the client waits with its body until it is asked for. Behind a final head there is nothing to ask.
static void sm_http_continue(struct sm_http_session *session) {
    struct sm_exchange *exchange = session->current;
    if (!exchange->wants_continue) {
        return;
    }
    exchange->wants_continue = false;
    sm_conn_deadline(&session->base.conn, session->base.engine->settings->body_timeout);
    if (!exchange->committed) {
        sm_conn_write(&session->base.conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        sm_conn_flush(&session->base.conn);
    }
}

// The head is complete: from here on the exchange owns its bytes. `more` tells whether body bytes came with it.
static bool sm_http_head(struct sm_http_session *session, const char *head, size_t len, bool more) {
    struct sm_exchange *exchange = session->current;
    if (sm_bytes_append(&exchange->block, head, len) < 0) {
        sm_conn_close(&session->base.conn);
        return false;
    }
    if (exchange->head.path.len == 0) { // "http://host" means its root (RFC 9110 4.2.3)
        exchange->head.path = (struct sm_span){(uint32_t)exchange->block.len, 1};
        if (sm_bytes_append(&exchange->block, "/", 1) < 0) {
            sm_conn_close(&session->base.conn);
            return false;
        }
    }
    exchange->head.base = exchange->block.data;
    exchange->head.is_https = session->base.is_tls;
    exchange->can_upgrade = session->parser.minor >= 1;
    bool has_body = session->parser.chunked || exchange->head.content_length > 0;
    if (!has_body) {
        return true;
    }
    exchange->phase = SM_PHASE_BODY;
    exchange->wants_continue = session->parser.expect_continue && !more;
    sm_conn_deadline(&session->base.conn, session->base.engine->settings->body_timeout);
    if (session->base.engine->app->streams) {
        if (exchange->wants_continue) {
            session->base.conn.deadline = 0; // it is the application that makes the client wait
        }
        exchange->receiving = true;
        sm_exchange_ready(exchange);
    } else {
        sm_http_continue(session);
    }
    return true;
}

static void sm_http_refuse(struct sm_http_session *session, const char *data, size_t len, int status,
                           const char *reason) {
    struct sm_exchange *exchange = session->current;
    bool no_head = exchange->phase == SM_PHASE_HEAD && exchange->block.len == 0;
    if (no_head && sm_bytes_append(&exchange->block, data, len) < 0) {
        sm_conn_close(&session->base.conn);
        return;
    }
    session->base.conn.paused = true;
    session->unread = true;
    sm_exchange_deny(exchange, status, reason);
}

// Body bytes for the exchange. False: enough for now, or refused.
static bool sm_http_body_in(struct sm_http_session *session, struct sm_str body) {
    struct sm_exchange *exchange = session->current;
    struct sm_conn *conn = &session->base.conn;
    exchange->wants_continue = false; // it did not wait
    sm_conn_deadline(conn, session->base.engine->settings->body_timeout);
    if (!sm_exchange_receive(exchange, &exchange->body, body)) {
        conn->paused = true;
        session->unread = true;
        return false;
    }
    if (!exchange->receiving) {
        return true;
    }
    sm_exchange_notify(exchange, SM_NOTICE_BODY);
    // Behind the last byte of a known length no other would come to have the end looked for.
    bool is_last = !session->parser.chunked && session->parser.remaining == 0;
    if (!is_last && sm_exchange_body_full(exchange)) {
        conn->paused = true; // sm_http_more goes on
        conn->deadline = 0;
    }
    return !conn->paused;
}

static void sm_http_hangup(struct sm_conn *conn);

static void sm_http_body_end(struct sm_http_session *session) {
    struct sm_exchange *exchange = session->current;
    session->base.conn.paused = true;
    session->base.conn.deadline = 0;
    if (exchange->receiving) {
        exchange->receiving = false;
        sm_exchange_notify(exchange, SM_NOTICE_BODY);
        sm_http_hangup(&session->base.conn); // of which nobody was told while the body came
    } else {
        sm_exchange_ready(exchange);
    }
}

// Serves one parser event. False: stop looking at the input.
static bool sm_http_event(struct sm_http_session *session, const char *data, size_t len, size_t *used_out) {
    struct sm_str body = {0};
    switch (sm_http1_next(&session->parser, data, len, used_out, &body)) {
    case SM_HTTP1_HEAD:
        return sm_http_head(session, data, *used_out, len > *used_out);
    case SM_HTTP1_BODY:
        return sm_http_body_in(session, body);
    case SM_HTTP1_END:
        sm_http_body_end(session);
        return false;
    case SM_HTTP1_BAD:
        sm_http_refuse(session, data, len, session->parser.status, session->parser.reason);
        *used_out = len;
        return false;
    case SM_HTTP1_MORE:
        break;
    }
    return false;
}

// Bytes of an upgraded connection go to the exchange as they are. What stops them is the pause, not a file.
static size_t sm_http_tunnel_in(struct sm_http_session *session, struct sm_str data) {
    struct sm_exchange *exchange = session->current;
    if (sm_spool_add(&exchange->body, data, SIZE_MAX, "") < 0) {
        session->base.conn.is_broken = true;
    }
    session->base.conn.paused = sm_exchange_body_full(exchange);
    sm_exchange_notify(exchange, SM_NOTICE_BODY);
    return data.len;
}

static size_t sm_http_input(struct sm_conn *conn, const char *data, size_t len) {
    struct sm_http_session *session = sm_http_from(conn);
    size_t at = 0;
    if (session->base.greets && !sm_trust_greet(&session->base, data, len, &at)) {
        return at;
    }
    if (session->current != NULL && session->current->tunnel) {
        return sm_http_tunnel_in(session, (struct sm_str){data, len});
    }
    if (session->current == NULL && !sm_http_begin(session)) {
        return len;
    }
    for (bool on = true; on;) {
        size_t used = 0;
        on = sm_http_event(session, data + at, len - at, &used);
        at += used;
    }
    return at;
}

// --- the life of the connection ---

static void sm_http_broken(struct sm_conn *conn);

static void sm_http_eof(struct sm_conn *conn) {
    struct sm_http_session *session = sm_http_from(conn);
    struct sm_exchange *exchange = session->current;
    if (exchange != NULL && exchange->receiving && !exchange->tunnel) {
        sm_http_broken(conn); // a request that can never become complete
        return;
    }
    if (exchange != NULL && exchange->phase > SM_PHASE_BODY) {
        conn->paused = true; // said once
        exchange->receiving = false;
        sm_exchange_notify(exchange, SM_NOTICE_HANGUP);
        return;
    }
    if (exchange != NULL) {
        char peer[SM_ADDR_TEXT_MAX];
        sm_peer_format(&conn->peer, peer);
        bool any = exchange->phase == SM_PHASE_BODY || conn->in.len > 0;
        sm_log(any ? SM_LOG_INFO : SM_LOG_DEBUG, "%s closed the connection before its request was complete", peer);
        session->current = NULL;
        sm_exchange_free(exchange);
    }
    sm_conn_finish(conn, false);
}

static void sm_http_broken(struct sm_conn *conn) {
    struct sm_http_session *session = sm_http_from(conn);
    struct sm_exchange *exchange = session->current;
    if (exchange != NULL && exchange->phase > SM_PHASE_BODY) {
        sm_exchange_abort(exchange); // `finished` closes
        return;
    }
    if (exchange != NULL) {
        session->current = NULL;
        sm_exchange_free(exchange);
    }
    sm_conn_close(conn);
}

// What the client sent before it shut its sending side is read first.
static void sm_http_hangup(struct sm_conn *conn) {
    const struct sm_http_session *session = sm_http_from(conn);
    if (conn->hangup && session->current != NULL && !session->current->receiving) {
        sm_exchange_notify(session->current, SM_NOTICE_HANGUP);
    }
}

static void sm_http_drain(struct sm_session *base);

static void sm_http_drained(struct sm_conn *conn) {
    struct sm_http_session *session = sm_http_from(conn);
    if (session->current != NULL) {
        sm_exchange_drained(session->current);
        return;
    }
    conn->paused = false;
    sm_conn_deadline(conn, session->base.engine->settings->keepalive_timeout);
    sm_conn_defer(conn);
    if (session->base.engine->draining) {
        sm_http_drain(&session->base);
    }
}

static void sm_http_timeout(struct sm_conn *conn, enum sm_conn_timeout which) {
    struct sm_http_session *session = sm_http_from(conn);
    struct sm_exchange *exchange = session->current;
    if (which == SM_CONN_WRITE_TIMEOUT) {
        char peer[SM_ADDR_TEXT_MAX];
        sm_peer_format(&conn->peer, peer);
        sm_log(SM_LOG_WARNING, "%s takes no output for write_timeout; connection closed", peer);
        conn->is_broken = true;
        sm_http_broken(conn);
    } else if (exchange != NULL && exchange->tunnel) {
        sm_exchange_notify(exchange, SM_NOTICE_ALARM);
    } else if (exchange == NULL || (exchange->phase == SM_PHASE_HEAD && conn->in.len == 0)) {
        sm_trust_late(&session->base);
        sm_conn_finish(conn, false); // idle: nobody waits for an answer
    } else {
        bool head = exchange->phase == SM_PHASE_HEAD;
        sm_http_refuse(session, conn->in.data, conn->in.len, 408,
                       head ? "the head did not come within header_timeout"
                            : "no more of the body came within body_timeout");
    }
}

static void sm_http_free(struct sm_conn *conn) {
    struct sm_http_session *session = sm_http_from(conn);
    if (session->current != NULL) {
        sm_exchange_free(session->current);
    }
    sm_session_deinit(&session->base);
    free(session);
}

static const struct sm_conn_ops sm_http_conn_ops = {
    .input = sm_http_input,
    .eof = sm_http_eof,
    .hangup = sm_http_hangup,
    .broken = sm_http_broken,
    .drained = sm_http_drained,
    .timeout = sm_http_timeout,
    .free = sm_http_free,
};

// --- responses ---

static struct sm_http_session *sm_http_of(const struct sm_exchange *exchange) {
    return SM_CONTAINER(exchange->session, struct sm_http_session, base);
}

// IMF-fixdate is English whatever locale the application sets, so strftime(3) is no help (RFC 9110 5.6.7).
static size_t sm_http_make_stamp(char *out, size_t cap, time_t now) {
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm t;
    gmtime_r(&now, &t);
    int n = snprintf(out, cap, "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\nServer: smiskd\r\n", days[t.tm_wday],
                     t.tm_mday, months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
    return n < 0 ? 0 : (size_t)n < cap ? (size_t)n : cap - 1;
}

// "Date: …\r\nServer: smiskd\r\n", made once a second (RFC 9110 6.6.1).
static struct sm_str sm_http_stamp(struct sm_engine *engine) {
    time_t now = sm_clock_wall();
    if (now != engine->stamp_time) {
        engine->stamp_time = now;
        engine->stamp_len = sm_http_make_stamp(engine->stamp, sizeof(engine->stamp), now);
    }
    return (struct sm_str){engine->stamp, engine->stamp_len};
}

static int sm_http_put_stamp(struct sm_exchange *exchange) {
    struct sm_str stamp = sm_http_stamp(exchange->engine);
    const size_t server_len = sizeof("Server: smiskd\r\n") - 1;
    if (exchange->has_date) {
        stamp.ptr += stamp.len - server_len;
        stamp.len = server_len;
    }
    if (exchange->has_server) {
        stamp.len -= server_len;
    }
    return sm_bytes_append_str(&exchange->engine->head, stamp);
}

// How the client learns where the body ends (RFC 9112 6).
static int sm_http_put_framing(struct sm_exchange *exchange, const struct sm_http_session *session) {
    struct sm_bytes *head = &exchange->engine->head;
    if (exchange->out_len >= 0) {
        return sm_exchange_put_length(exchange);
    }
    if (exchange->no_body) {
        return 0;
    }
    if (session->parser.minor >= 1) {
        exchange->chunked = true;
        return sm_bytes_append_str(head, SM_STR("Transfer-Encoding: chunked\r\n"));
    }
    exchange->must_close = true;
    return 0;
}

static int sm_http_commit(struct sm_exchange *exchange) {
    struct sm_http_session *session = sm_http_of(exchange);
    struct sm_bytes *head = &exchange->engine->head;
    int r = sm_http_put_stamp(exchange);
    r = r < 0 ? r : sm_http_put_framing(exchange, session);
    exchange->must_close = exchange->must_close || !session->parser.keep_alive || exchange->engine->draining ||
                           exchange->receiving; // answered before it was read
    if (r == 0 && exchange->must_close) {
        r = sm_bytes_append_str(head, SM_STR("Connection: close\r\n"));
    } else if (r == 0 && session->parser.minor == 0) {
        r = sm_bytes_append_str(head, SM_STR("Connection: keep-alive\r\n"));
    }
    r = r < 0 ? r : sm_bytes_append(head, "\r\n", 2);
    return r < 0 ? r : sm_conn_write(&session->base.conn, head->data, head->len);
}

static int sm_http_put_chunk_size(const struct sm_exchange *exchange, uint64_t size) {
    if (!exchange->chunked) {
        return 0;
    }
    char line[SM_U64_HEX_DIGITS + 2];
    size_t len = sm_u64_hex(line, size);
    memcpy(line + len, "\r\n", 2);
    return sm_conn_write(&exchange->session->conn, line, len + 2);
}

static int sm_http_body(struct sm_exchange *exchange, struct sm_str data, void (*release)(void *), void *owner) {
    struct sm_conn *conn = &exchange->session->conn;
    int r = sm_http_put_chunk_size(exchange, data.len);
    if (release == NULL) {
        r = r < 0 ? r : sm_conn_write(conn, data.ptr, data.len);
    } else if (r < 0) {
        release(owner);
    } else {
        r = sm_outq_borrow(&conn->out, data.ptr, data.len, release, owner);
    }
    return r < 0 || !exchange->chunked ? r : sm_conn_write(conn, "\r\n", 2);
}

static int sm_http_file(struct sm_exchange *exchange, const struct sm_file *file) {
    struct sm_conn *conn = &exchange->session->conn;
    int r = sm_http_put_chunk_size(exchange, file->len);
    if (r < 0) {
        file->release(file->owner);
        return r;
    }
    r = sm_outq_file(&conn->out, file);
    return r < 0 || !exchange->chunked ? r : sm_conn_write(conn, "\r\n", 2);
}

static void sm_http_end(struct sm_exchange *exchange, uint32_t app_status) {
    struct sm_conn *conn = &exchange->session->conn;
    (void)app_status;
    if (!exchange->chunked) {
        return;
    }
    int r = sm_conn_write(conn, "0\r\n", 3);
    r = r < 0 ? r : sm_conn_write(conn, exchange->trailers.data, exchange->trailers.len);
    r = r < 0 ? r : sm_conn_write(conn, "\r\n", 2);
    exchange->must_close = exchange->must_close || r < 0;
}

static int sm_http_interim(struct sm_exchange *exchange) {
    struct sm_conn *conn = &exchange->session->conn;
    struct sm_bytes *head = &exchange->engine->head;
    if (sm_http_of(exchange)->parser.minor == 0) {
        return 0; // RFC 9110 15.2
    }
    if (exchange->status == 100 && exchange->wants_continue) {
        exchange->wants_continue = false;
        sm_conn_deadline(conn, exchange->engine->settings->body_timeout);
    }
    int r = sm_bytes_append(head, "\r\n", 2);
    r = r < 0 ? r : sm_conn_write(conn, head->data, head->len);
    sm_conn_flush(conn);
    return r;
}

static void sm_http_more(struct sm_exchange *exchange) {
    struct sm_http_session *session = sm_http_of(exchange);
    struct sm_conn *conn = &session->base.conn;
    if (!exchange->tunnel) {
        sm_http_continue(session);
    }
    if (conn->paused) {
        conn->paused = false;
        if (!exchange->tunnel) { // there it is an alarm
            sm_conn_deadline(conn, session->base.engine->settings->body_timeout);
        }
        sm_conn_defer(conn);
    }
}

static int sm_http_tunnel(struct sm_exchange *exchange) {
    struct sm_bytes *head = &exchange->engine->head;
    int r = sm_http_put_stamp(exchange);
    r = r < 0 ? r : sm_bytes_append(head, "\r\n", 2);
    return r < 0 ? r : sm_conn_write(&exchange->session->conn, head->data, head->len);
}

static void sm_http_flush(struct sm_session *session) {
    sm_conn_flush(&session->conn);
}

// Nobody asks on this connection of a draining engine.
static void sm_http_leave(struct sm_http_session *session) {
    uint64_t grace = sm_session_grace(&session->base, session->served);
    if (grace == 0) {
        sm_conn_finish(&session->base.conn, false);
    } else {
        sm_conn_deadline(&session->base.conn, grace);
    }
}

// After an answer on a connection that stays. One client that pipelines neither keeps the others waiting nor piles
// up answers that it does not read.
static void sm_http_go_on(struct sm_http_session *session) {
    struct sm_conn *conn = &session->base.conn;
    if (sm_conn_full(conn)) {
        conn->deadline = 0; // `drained` goes on, or write_timeout ends it
        return;
    }
    conn->paused = false;
    sm_conn_deadline(conn, session->base.engine->settings->keepalive_timeout);
    if (session->base.engine->draining && conn->in.len == 0) {
        sm_http_leave(session);
    }
    if (conn->finishing) {
        return;
    }
    if (conn->in.len == 0 && !conn->readable && !conn->eof) {
        session->in_a_row = 0;
        sm_conn_park(conn);
    } else if (++session->in_a_row < PIPELINED_IN_A_ROW) {
        sm_conn_process(conn);
    } else {
        session->in_a_row = 0;
        sm_conn_defer(conn);
    }
}

static void sm_http_finished(struct sm_exchange *exchange) {
    struct sm_http_session *session = sm_http_of(exchange);
    struct sm_conn *conn = &session->base.conn;
    // A client that still sends would have its answer destroyed by a reset when we close.
    bool linger = exchange->phase == SM_PHASE_ENDED && !exchange->aborted;
    bool keep = linger && !exchange->must_close && !exchange->receiving;
    session->unread = session->unread || exchange->receiving;
    session->current = NULL;
    session->served = true;
    sm_exchange_free(exchange);
    if (keep) {
        sm_conn_flush(conn);
        keep = !conn->is_broken;
    }
    if (!keep && conn->is_broken) {
        sm_conn_close(conn);
    } else if (!keep) {
        sm_conn_finish(conn, linger && (conn->in.len > 0 || conn->readable || session->unread));
    } else {
        sm_http_go_on(session);
    }
}

static bool sm_http_look(struct sm_exchange *exchange) {
    struct sm_conn *conn = &exchange->session->conn;
    if (sm_conn_peek(conn, SM_SCRATCH_SIZE) && !conn->paused) {
        sm_conn_defer(conn); // no event will tell of it again
    }
    return conn->eof || conn->is_broken;
}

static void sm_http_drain(struct sm_session *base) {
    struct sm_http_session *session = SM_CONTAINER(base, struct sm_http_session, base);
    struct sm_conn *conn = &base->conn;
    if (session->current != NULL) {
        sm_exchange_notify(session->current, SM_NOTICE_DRAIN);
    }
    if (conn->finishing || conn->is_closed || session->current != NULL || conn->paused) {
        return;
    }
    // What has come already is still served.
    conn->readable = true;
    sm_conn_process(conn);
    if (session->current == NULL && !conn->finishing && !conn->is_closed) {
        sm_http_leave(session);
    }
}

static const struct sm_session_ops sm_http_ops = {
    .status_prefix = "HTTP/1.1 ",
    .commit = sm_http_commit,
    .body = sm_http_body,
    .file = sm_http_file,
    .interim = sm_http_interim,
    .end = sm_http_end,
    .flush = sm_http_flush,
    .finished = sm_http_finished,
    .look = sm_http_look,
    .more = sm_http_more,
    .tunnel = sm_http_tunnel,
    .drain = sm_http_drain,
};

struct sm_session *sm_http_open(struct sm_engine *engine, int fd, const struct sm_peer *peer, bool overloaded) {
    struct sm_http_session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        close(fd);
        return NULL;
    }
    sm_conn_init(&session->base.conn, &engine->net, fd, &sm_http_conn_ops);
    sm_session_init(&session->base, engine, &sm_http_ops);
    sm_trust_meet(&session->base, peer);
    sm_conn_deadline(&session->base.conn, engine->settings->header_timeout);
    if (overloaded && sm_http_begin(session)) {
        sm_http_refuse(session, "", 0, 503, "max_connections are open");
    }
    return &session->base;
}
