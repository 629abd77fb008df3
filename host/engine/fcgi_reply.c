// SPDX-License-Identifier: MIT
// The writing half of a FastCGI session. Bytes of one stream gather in one record whose header is written when it
// is closed, so that head and body of a small answer are one STDOUT record, followed by its end and END_REQUEST.
#include <errno.h>
#include <unistd.h>

#include "engine/fcgi_session.h"

enum { MAX_RECORD = 65528 }; // the largest content that needs no padding

static const char sm_fcgi_zeros[8];

void sm_fcgi_close_record(struct sm_fcgi_session *session) {
    if (session->record == NULL) {
        return;
    }
    uint8_t padding = sm_fcgi_padding(session->record_len);
    sm_fcgi_put_header(session->record, session->record_type, session->record_id, (uint16_t)session->record_len,
                       padding);
    session->record = NULL;
    if (sm_conn_write(&session->base.conn, sm_fcgi_zeros, padding) < 0) {
        session->base.conn.is_broken = true;
    }
}

void sm_fcgi_seal(struct sm_conn *conn) {
    sm_fcgi_close_record(SM_CONTAINER(conn, struct sm_fcgi_session, base.conn));
}

// Makes sure a record of this stream is open. 0 or -ENOMEM.
static int sm_fcgi_open_record(struct sm_fcgi_session *session, uint16_t id, uint8_t type) {
    if (session->record != NULL && session->record_id == id && session->record_type == type &&
        session->record_len < MAX_RECORD) {
        return 0;
    }
    sm_fcgi_close_record(session);
    struct sm_conn *conn = &session->base.conn;
    session->record = sm_outq_reserve(&conn->out, &conn->net->segs, SM_FCGI_HEADER_LEN);
    session->record_id = id;
    session->record_type = type;
    session->record_len = 0;
    return session->record == NULL ? -ENOMEM : 0;
}

static int sm_fcgi_stream(struct sm_fcgi_session *session, uint16_t id, uint8_t type, struct sm_str data) {
    while (data.len > 0) {
        int r = sm_fcgi_open_record(session, id, type);
        if (r < 0) {
            return r;
        }
        size_t room = MAX_RECORD - session->record_len;
        size_t step = data.len < room ? data.len : room;
        r = sm_conn_write(&session->base.conn, data.ptr, step);
        if (r < 0) {
            return r;
        }
        session->record_len += (uint32_t)step;
        data.ptr += step;
        data.len -= step;
    }
    return 0;
}

// The pieces that are queued point into what is about to be released: they must not be sent.
static void sm_fcgi_scrap(struct sm_fcgi_session *session) {
    struct sm_conn *conn = &session->base.conn;
    conn->is_broken = true;
    session->record = NULL;
    sm_outq_clear(&conn->out, &conn->net->segs);
}

// Borrowed bytes in as many records as they need; the last piece carries the release.
static int sm_fcgi_borrow(struct sm_exchange *exchange, struct sm_str data, void (*release)(void *), void *owner) {
    struct sm_fcgi_session *session = sm_fcgi_of(exchange);
    struct sm_conn *conn = &session->base.conn;
    while (data.len > 0) {
        if (sm_fcgi_open_record(session, exchange->id, SM_FCGI_STDOUT) < 0) {
            release(owner);
            return -ENOMEM;
        }
        size_t room = MAX_RECORD - session->record_len;
        size_t step = data.len < room ? data.len : room;
        bool last = step == data.len;
        int r = sm_outq_borrow(&conn->out, data.ptr, step, last ? release : NULL, last ? owner : NULL);
        if (r < 0) {
            sm_fcgi_scrap(session);
            if (!last) {
                release(owner);
            }
            return r;
        }
        session->record_len += (uint32_t)step;
        data.ptr += step;
        data.len -= step;
    }
    return 0;
}

// Part of a file in as many records as it needs; behind them, if it is the last part, its release.
static int sm_fcgi_file(struct sm_exchange *exchange, const struct sm_file *file) {
    struct sm_fcgi_session *session = sm_fcgi_of(exchange);
    struct sm_outq *out = &session->base.conn.out;
    struct sm_file piece = {.fd = file->fd, .off = file->off};
    int r = 0;
    for (uint64_t left = file->len; left > 0 && r == 0; left -= piece.len) {
        r = sm_fcgi_open_record(session, exchange->id, SM_FCGI_STDOUT);
        uint32_t room = MAX_RECORD - session->record_len;
        piece.len = left < room ? left : room;
        r = r < 0 ? r : sm_outq_file(out, &piece);
        piece.off += piece.len;
        session->record_len += (uint32_t)piece.len;
    }
    if (r == 0 && file->release != NULL) {
        r = sm_outq_borrow(out, "", 0, file->release, file->owner);
    } else if (r < 0 && file->release != NULL) {
        file->release(file->owner);
    }
    if (r < 0) {
        sm_fcgi_scrap(session);
    }
    return r;
}

// CGI/1.1 response fields (RFC 3875 6): status line and fields stand in the scratch already.
static int sm_fcgi_commit(struct sm_exchange *exchange) {
    struct sm_bytes *head = &exchange->engine->head;
    int r = sm_exchange_put_length(exchange);
    r = r < 0 ? r : sm_bytes_append(head, "\r\n", 2);
    struct sm_str all = {head->data, head->len};
    return r < 0 ? r : sm_fcgi_stream(sm_fcgi_of(exchange), exchange->id, SM_FCGI_STDOUT, all);
}

static int sm_fcgi_body(struct sm_exchange *exchange, struct sm_str data, void (*release)(void *), void *owner) {
    if (release != NULL) {
        return sm_fcgi_borrow(exchange, data, release, owner);
    }
    return sm_fcgi_stream(sm_fcgi_of(exchange), exchange->id, SM_FCGI_STDOUT, data);
}

static void sm_fcgi_end(struct sm_exchange *exchange, uint32_t app_status) {
    struct sm_fcgi_session *session = sm_fcgi_of(exchange);
    char tail[2 * SM_FCGI_HEADER_LEN + SM_FCGI_END_LEN];
    size_t len = 0;
    sm_fcgi_close_record(session);
    sm_fcgi_put_header(tail, SM_FCGI_STDOUT, exchange->id, 0, 0);
    len += SM_FCGI_HEADER_LEN;
    if (exchange->used_stderr) {
        sm_fcgi_put_header(tail + len, SM_FCGI_STDERR, exchange->id, 0, 0);
        len += SM_FCGI_HEADER_LEN;
    }
    sm_fcgi_put_end(tail + len, exchange->id, app_status, SM_FCGI_REQUEST_COMPLETE);
    len += SM_FCGI_END_LEN;
    if (sm_conn_write(&session->base.conn, tail, len) < 0) {
        session->base.conn.is_broken = true;
    }
}

void sm_fcgi_put_refusal(struct sm_fcgi_session *session, uint16_t id, enum sm_fcgi_status status) {
    char end[SM_FCGI_END_LEN];
    sm_fcgi_close_record(session);
    sm_fcgi_put_end(end, id, 0, status);
    if (sm_conn_write(&session->base.conn, end, sizeof(end)) < 0) {
        session->base.conn.is_broken = true;
    }
}

static void sm_fcgi_flush(struct sm_session *base) {
    struct sm_fcgi_session *session = SM_CONTAINER(base, struct sm_fcgi_session, base);
    sm_fcgi_close_record(session);
    sm_conn_flush(&base->conn);
}

// FCGI_STDERR: escaped, as front servers copy it into their logs, with a newline at the end of each entry.
static void sm_fcgi_log(struct sm_exchange *exchange, struct sm_str text) {
    struct sm_fcgi_session *session = sm_fcgi_of(exchange);
    int r = 0;
    exchange->used_stderr = true;
    while (text.len > 0 && r == 0) {
        char escaped[2048];
        size_t step = text.len < sizeof(escaped) / 4 ? text.len : sizeof(escaped) / 4;
        size_t len = sm_log_escape(escaped, sizeof(escaped), text.ptr, step);
        r = sm_fcgi_stream(session, exchange->id, SM_FCGI_STDERR, (struct sm_str){escaped, len});
        text.ptr += step;
        text.len -= step;
    }
    r = r < 0 ? r : sm_fcgi_stream(session, exchange->id, SM_FCGI_STDERR, SM_STR("\n"));
    if (r < 0) {
        session->base.conn.is_broken = true;
    }
}

const struct sm_session_ops sm_fcgi_ops = {
    .status_prefix = "Status: ",
    .commit = sm_fcgi_commit,
    .body = sm_fcgi_body,
    .file = sm_fcgi_file,
    .is_shared = true,
    .end = sm_fcgi_end,
    .flush = sm_fcgi_flush,
    .finished = sm_fcgi_finished,
    .look = sm_fcgi_look,
    .more = sm_fcgi_more,
    .log = sm_fcgi_log,
    .drain = sm_fcgi_drain,
};
