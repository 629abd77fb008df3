// SPDX-License-Identifier: MIT
// Connections. Edge-triggered: `readable` and `writable` are what is known, and a system call is made only when
// they say so. A connection whose request came with its first bytes, and that ends with the answer, never
// meets epoll at all.
#define _GNU_SOURCE
#include "net/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

// SEND_SHARE: bytes after which a client that takes them faster than the others lets these have their turn.
enum { READS_PER_TURN = 8, SEND_SHARE = 4 << 20, SENDFILE_MOST = 1 << 20 };

static void sm_conn_ready(struct sm_source *source, unsigned flags);
static void sm_conn_fire(struct sm_timer *timer);

int sm_net_init(struct sm_net *net) {
    *net = (struct sm_net){.now = sm_clock_ms(), .write_buffer = 262144};
    sm_list_init(&net->pending);
    sm_list_init(&net->dead);
    sm_wheel_init(&net->wheel, net->now);
    net->scratch = malloc(SM_SCRATCH_SIZE);
    if (net->scratch == NULL) {
        return -ENOMEM;
    }
    int r = sm_loop_init(&net->loop);
    if (r < 0) {
        free(net->scratch);
    }
    return r;
}

void sm_net_deinit(struct sm_net *net) {
    sm_net_reap(net);
    sm_seg_pool_deinit(&net->segs);
    sm_loop_deinit(&net->loop);
    free(net->scratch);
}

void sm_net_pending(struct sm_net *net) {
    // Only those that wait now: one that is put off again waits for the next turn.
    struct sm_list todo;
    sm_list_init(&todo);
    if (!sm_list_empty(&net->pending)) {
        sm_list_append(&net->pending, &todo);
        sm_list_remove(&net->pending);
    }
    struct sm_list *node;
    while ((node = sm_list_pop(&todo)) != NULL) {
        sm_conn_process(SM_CONTAINER(node, struct sm_conn, node));
    }
}

void sm_net_reap(struct sm_net *net) {
    struct sm_list *node;
    while ((node = sm_list_pop(&net->dead)) != NULL) {
        struct sm_conn *conn = SM_CONTAINER(node, struct sm_conn, node);
        conn->ops->free(conn);
    }
}

void sm_conn_init(struct sm_conn *conn, struct sm_net *net, int fd, const struct sm_conn_ops *ops) {
    *conn = (struct sm_conn){.source = {.fd = fd, .ready = sm_conn_ready}, .ops = ops, .net = net};
    conn->readable = conn->writable = true;
    sm_list_init(&conn->node);
    sm_timer_init(&conn->timer, sm_conn_fire);
}

void sm_conn_defer(struct sm_conn *conn) {
    if (!sm_list_linked(&conn->node)) {
        sm_list_append(&conn->net->pending, &conn->node);
    }
}

// --- deadlines ---

static void sm_conn_arm(struct sm_conn *conn) {
    uint64_t at = conn->deadline;
    if (conn->write_deadline != 0 && (at == 0 || conn->write_deadline < at)) {
        at = conn->write_deadline;
    }
    // A later deadline needs no work now: the timer fires early and looks again.
    if (at != 0 && (!sm_timer_active(&conn->timer) || conn->timer.at > at)) {
        sm_timer_set(&conn->net->wheel, &conn->timer, at);
    }
}

static bool sm_conn_is_due(const struct sm_conn *conn, uint64_t deadline) {
    return deadline != 0 && deadline <= conn->net->now;
}

// The loop itself may be what was late: where events wait for their turn behind slow requests, the client has
// done its part in time. The socket knows.
static void sm_conn_catch_up(struct sm_conn *conn) {
    conn->writable = conn->readable = true;
    sm_conn_flush(conn);
    sm_conn_process(conn);
}

static void sm_conn_fire(struct sm_timer *timer) {
    struct sm_conn *conn = SM_CONTAINER(timer, struct sm_conn, timer);
    if (sm_conn_is_due(conn, conn->deadline) || sm_conn_is_due(conn, conn->write_deadline)) {
        sm_conn_catch_up(conn);
    }
    if (conn->is_closed || conn->is_broken) {
        return;
    }
    bool read_due = sm_conn_is_due(conn, conn->deadline);
    bool write_due = sm_conn_is_due(conn, conn->write_deadline);
    if (!read_due && !write_due) {
        sm_conn_arm(conn);
    } else if (conn->finishing) {
        sm_conn_close(conn);
    } else {
        conn->deadline = read_due ? 0 : conn->deadline;
        conn->ops->timeout(conn, write_due ? SM_CONN_WRITE_TIMEOUT : SM_CONN_READ_TIMEOUT);
    }
}

void sm_conn_deadline(struct sm_conn *conn, uint64_t timeout_ms) {
    conn->deadline = timeout_ms == 0 ? 0 : conn->net->now + timeout_ms;
    if (conn->source.registered) {
        sm_conn_arm(conn);
    }
}

void sm_conn_park(struct sm_conn *conn) {
    if (conn->is_closed) {
        return;
    }
    if (!conn->source.registered && sm_loop_add_stream(&conn->net->loop, &conn->source) < 0) {
        conn->is_broken = true;
        sm_conn_defer(conn);
        return;
    }
    sm_conn_arm(conn);
}

// --- input ---

// Reads once into the scratch. >0 bytes; 0 nothing to be had now (an end or an error was noted).
static size_t sm_conn_recv(struct sm_conn *conn) {
    ssize_t n;
    do {
        n = recv(conn->source.fd, conn->net->scratch, SM_SCRATCH_SIZE, 0);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        // A short read has emptied the socket (epoll(7)), but an announced end must still be read.
        conn->readable = n == SM_SCRATCH_SIZE || conn->hangup;
        return (size_t)n;
    }
    conn->readable = false;
    if (n == 0) {
        conn->eof = conn->hangup = true;
    } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
        conn->is_broken = true;
    }
    return 0;
}

static void sm_conn_feed_stored(struct sm_conn *conn) {
    size_t used = conn->ops->input(conn, conn->in.data, conn->in.len);
    if (conn->is_closed || conn->finishing) {
        return; // and with it `in`
    }
    if (used == conn->in.len) {
        sm_bytes_deinit(&conn->in);
    } else {
        sm_bytes_consume(&conn->in, used);
    }
}

// Feeds fresh bytes, straight from the scratch where nothing waits before them.
static void sm_conn_feed_fresh(struct sm_conn *conn, size_t len) {
    const char *data = conn->net->scratch;
    if (conn->in.len == 0) {
        size_t used = conn->ops->input(conn, data, len);
        if (used == len || conn->is_closed || conn->finishing) {
            return;
        }
        if (sm_bytes_append(&conn->in, data + used, len - used) < 0) {
            conn->is_broken = true;
        }
        return;
    }
    if (sm_bytes_append(&conn->in, data, len) < 0) {
        conn->is_broken = true;
        return;
    }
    sm_conn_feed_stored(conn);
}

static void sm_conn_discard(struct sm_conn *conn) {
    for (int i = 0; i < READS_PER_TURN * 4 && conn->readable; i++) {
        sm_conn_recv(conn);
    }
    if (conn->eof || conn->is_broken) {
        conn->linger = false;
    }
    if (conn->is_broken || (conn->out.bytes == 0 && !conn->linger)) {
        sm_conn_close(conn);
    } else if (conn->readable) {
        sm_conn_defer(conn);
    }
}

static bool sm_conn_wants_input(const struct sm_conn *conn) {
    return conn->readable && !conn->paused && !conn->finishing && !conn->is_closed && !conn->is_broken;
}

void sm_conn_relieve(struct sm_conn *conn) {
    if (conn->full && !conn->finishing && conn->out.bytes <= conn->net->write_buffer / 2) {
        conn->full = false;
        conn->ops->drained(conn);
    }
}

void sm_conn_process(struct sm_conn *conn) {
    if (conn->sending) {
        conn->sending = false;
        sm_conn_flush(conn);
    }
    sm_conn_relieve(conn);
    if (conn->finishing && !conn->is_closed) {
        sm_conn_discard(conn);
    }
    if (conn->in.len > 0 && !conn->paused && !conn->finishing && !conn->is_closed) {
        sm_conn_feed_stored(conn);
    }
    for (int i = 0; sm_conn_wants_input(conn); i++) {
        if (i == READS_PER_TURN) {
            sm_conn_defer(conn);
            break;
        }
        size_t n = sm_conn_recv(conn);
        if (n > 0) {
            sm_conn_feed_fresh(conn, n);
        }
    }
    if (conn->is_closed || conn->finishing) {
        return;
    }
    if (conn->is_broken) {
        conn->ops->broken(conn);
    } else if (conn->eof && !conn->paused) {
        conn->ops->eof(conn);
    } else if (!conn->paused && !conn->busy) {
        sm_conn_park(conn);
    }
}

bool sm_conn_peek(struct sm_conn *conn, size_t cap) {
    conn->readable = true;
    bool fresh = false;
    while (conn->readable && !conn->eof && !conn->is_broken && conn->in.len < cap) {
        size_t n = sm_conn_recv(conn);
        if (n > 0 && sm_bytes_append(&conn->in, conn->net->scratch, n) < 0) {
            conn->is_broken = true;
        }
        fresh = fresh || n > 0;
    }
    return fresh || conn->eof || conn->is_broken;
}

static void sm_conn_ready(struct sm_source *source, unsigned flags) {
    struct sm_conn *conn = SM_CONTAINER(source, struct sm_conn, source);
    conn->hangup = conn->hangup || (flags & SM_HANGUP) != 0;
    conn->readable = conn->readable || (flags & SM_READABLE) != 0;
    if ((flags & SM_WRITABLE) != 0) {
        conn->writable = true;
        if (conn->out.bytes > 0) {
            sm_conn_flush(conn);
        }
    }
    conn->is_broken = conn->is_broken || (flags & SM_BROKEN) != 0;
    if (conn->is_broken && conn->paused && !conn->finishing) {
        conn->ops->broken(conn);
        return;
    }
    if ((flags & SM_HANGUP) != 0 && conn->paused && !conn->finishing && conn->ops->hangup != NULL) {
        conn->ops->hangup(conn);
    }
    sm_conn_relieve(conn);
    if (!conn->is_closed && (conn->readable || conn->finishing)) {
        sm_conn_process(conn);
    }
}

// --- output ---

bool sm_conn_full(struct sm_conn *conn) {
    if (conn->out.bytes >= conn->net->write_buffer) {
        conn->full = true;
    }
    return conn->full;
}

static ssize_t sm_conn_send(struct sm_conn *conn) {
    struct iovec iov[SM_OUTQ_IOV];
    int n_iov = sm_outq_gather(&conn->out, iov);
    uint64_t gathered = 0;
    for (int i = 0; i < n_iov; i++) {
        gathered += iov[i].iov_len;
    }
    // What follows, a file mostly, shall share the segment with what comes before it; and the end of the connection
    // with its last bytes: a peer that looks before it uses a connection again sees both or neither.
    int flags = MSG_NOSIGNAL | (gathered < conn->out.bytes || conn->finishing ? MSG_MORE : 0);
    if (n_iov == 1) {
        return send(conn->source.fd, iov[0].iov_base, iov[0].iov_len, flags);
    }
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = (size_t)n_iov};
    return sendmsg(conn->source.fd, &message, flags);
}

// Bytes sent; 0 when the file has to go through memory: the file system cannot do better, or the file has ended, or
// it is the socket that failed. Reading tells; errno as of send(2) else. There is no MSG_NOSIGNAL here:
// sm_signals_open ignores SIGPIPE.
static ssize_t sm_conn_sendfile(struct sm_conn *conn, const struct sm_seg *file) {
    off_t off = (off_t)file->off;
    size_t len = file->len < SENDFILE_MOST ? (size_t)file->len : SENDFILE_MOST;
    ssize_t n = sendfile(conn->source.fd, file->fd, &off, len);
    return n >= 0 || errno == EAGAIN || errno == EINTR ? n : 0;
}

static void sm_conn_load_file(struct sm_conn *conn) {
    int r = sm_outq_load(&conn->out, &conn->net->segs);
    if (r == 0) {
        return;
    }
    char peer[SM_ADDR_TEXT_MAX];
    sm_peer_format(&conn->peer, peer);
    sm_log(SM_LOG_ERROR, "a file that is being sent to %s %s%s; connection broken off", peer,
           r > 0 ? "is shorter than was promised" : "cannot be read: ", r > 0 ? "" : strerror(-r));
    conn->is_broken = true;
    sm_conn_defer(conn); // the socket knows nothing of it, so no event will come
}

// Sends once. What was sent, or 0.
static size_t sm_conn_send_some(struct sm_conn *conn) {
    const struct sm_seg *file = sm_outq_front_file(&conn->out);
    ssize_t n = file != NULL ? sm_conn_sendfile(conn, file) : sm_conn_send(conn);
    if (n > 0) {
        sm_outq_sent(&conn->out, &conn->net->segs, (size_t)n);
        conn->write_deadline = 0;
        return (size_t)n;
    }
    if (n == 0 && file != NULL) {
        sm_conn_load_file(conn);
    } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        conn->writable = false;
    } else if (n < 0 && errno != EINTR) {
        conn->is_broken = true;
    }
    return 0;
}

void sm_conn_flush(struct sm_conn *conn) {
    struct sm_net *net = conn->net;
    size_t sent = 0;
    if (conn->ops->seal != NULL) {
        conn->ops->seal(conn);
    }
    while (conn->out.bytes > 0 && conn->writable && !conn->is_broken && sent < SEND_SHARE) {
        sent += sm_conn_send_some(conn);
    }
    if (conn->is_broken) {
        sm_outq_clear(&conn->out, &net->segs);
    } else if (sent >= SEND_SHARE && conn->out.bytes > 0) {
        conn->sending = true;
        sm_conn_defer(conn);
    }
    if (conn->full && conn->out.bytes <= net->write_buffer / 2) {
        sm_conn_defer(conn);
    }
    if (conn->out.bytes == 0) {
        conn->write_deadline = 0;
    } else if (conn->write_deadline == 0) {
        conn->write_deadline = net->write_timeout == 0 ? 0 : net->now + net->write_timeout;
        sm_conn_park(conn);
    }
    if (conn->finishing && conn->out.bytes == 0 && conn->linger && !conn->shut) {
        shutdown(conn->source.fd, SHUT_WR);
        conn->shut = true;
        sm_conn_deadline(conn, net->linger_timeout);
    }
}

void sm_conn_finish(struct sm_conn *conn, bool linger) {
    if (conn->is_closed || conn->finishing) {
        return;
    }
    conn->finishing = true;
    conn->linger = linger && !conn->eof;
    sm_bytes_deinit(&conn->in);
    conn->deadline = 0;
    sm_conn_flush(conn);
    if (conn->is_broken || (conn->out.bytes == 0 && !conn->linger)) {
        sm_conn_close(conn);
        return;
    }
    sm_conn_park(conn);
    if (conn->linger) {
        sm_conn_defer(conn);
    }
}

void sm_conn_close(struct sm_conn *conn) {
    if (conn->is_closed) {
        return;
    }
    conn->is_closed = true;
    sm_timer_clear(&conn->timer);
    sm_loop_remove(&conn->net->loop, &conn->source);
    close(conn->source.fd);
    conn->source.fd = -1;
    if (conn->ops->seal != NULL) {
        conn->ops->seal(conn); // it may point into what is cleared now
    }
    sm_outq_clear(&conn->out, &conn->net->segs);
    sm_bytes_deinit(&conn->in);
    sm_list_remove(&conn->node);
    sm_list_append(&conn->net->dead, &conn->node);
}
