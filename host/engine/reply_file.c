// SPDX-License-Identifier: MIT
// Files in a response body. An HTTP connection takes a file whole: it is one segment of the output queue. Where
// exchanges share a connection, the file waits in its exchange and is queued piece by piece, as there is room: so the
// others have their turn, an abort is heard, and what is queued stays small.
#include <errno.h>

#include "engine/reply.h"

enum { MAX_PIECE = 65528 };

// Queues the next part, of at most `most` bytes; the last one takes the release along. 0 or -ENOMEM.
static int sm_reply_file_part(struct sm_exchange *exchange, uint64_t most) {
    struct sm_file *rest = &exchange->file;
    struct sm_file part = *rest;
    if (part.len > most) {
        part.len = most;
        part.release = NULL;
    }
    rest->off += part.len;
    rest->len -= part.len;
    return exchange->session->ops->file(exchange, &part);
}

int sm_reply_file_rest(struct sm_exchange *exchange) {
    return exchange->file.len == 0 ? 0 : sm_reply_file_part(exchange, UINT64_MAX);
}

// One part at least: where several exchanges wait for room, the first would else always take it.
static int sm_reply_file_some(struct sm_exchange *exchange) {
    struct sm_conn *conn = &exchange->session->conn;
    uint64_t most = UINT64_MAX;
    if (exchange->session->ops->is_shared) {
        uint64_t half = conn->net->write_buffer / 2 + 1;
        most = half < MAX_PIECE ? half : MAX_PIECE;
    }
    int r;
    do {
        r = sm_reply_file_part(exchange, most);
    } while (r == 0 && exchange->file.len > 0 && !sm_conn_full(conn));
    return r;
}

bool sm_exchange_feed(struct sm_exchange *exchange) {
    if (exchange->file.len == 0 && exchange->phase != SM_PHASE_ENDING) {
        return true;
    }
    if (exchange->file.len > 0 && sm_reply_file_some(exchange) < 0) {
        exchange->session->conn.is_broken = true;
        return false;
    }
    if (exchange->file.len == 0 && exchange->phase == SM_PHASE_ENDING) {
        exchange->session->ops->end(exchange, exchange->app_status);
        exchange->phase = SM_PHASE_ENDED;
        return false;
    }
    return sm_reply_full(exchange) == 0;
}

void sm_exchange_drop_file(struct sm_exchange *exchange) {
    struct sm_file *rest = &exchange->file;
    if (rest->len == 0) {
        return;
    }
    rest->len = 0;
    if (exchange->session->conn.out.bytes == 0) {
        rest->release(rest->owner);
    } else {
        exchange->session->ops->file(exchange, rest); // what is queued of it comes first
    }
}

int sm_exchange_write_file(struct sm_exchange *exchange, int fd, uint64_t off, uint64_t len,
                           void (*release)(void *owner), void *owner) {
    int r = off > INT64_MAX || len > INT64_MAX - off ? -EINVAL : sm_reply_check(exchange, len);
    bool sends = r == 0 && len > 0 && !exchange->no_body;
    r = sends ? sm_reply_file_rest(exchange) : r;
    if (!sends || r < 0) {
        release(owner);
        return r;
    }
    exchange->file = (struct sm_file){.fd = fd, .off = off, .len = len, .release = release, .owner = owner};
    exchange->out_sent += len;
    r = sm_reply_file_some(exchange);
    return r < 0 ? r : sm_reply_full(exchange);
}
