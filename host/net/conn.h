// SPDX-License-Identifier: MIT
// One connection: the only place that reads from and writes to clients. It knows bytes, readiness and deadlines,
// no protocol. A session of the floor above embeds it and is told through struct sm_conn_ops.
// Invariant: reading stops while `paused`; bytes that the session did not consume wait in `in`.
#pragma once

#include "base/bytes.h"
#include "base/list.h"
#include "net/addr.h"
#include "net/loop.h"
#include "net/outq.h"
#include "net/timer.h"

struct sm_conn;

// What all connections of one thread share. Owned by the engine.
struct sm_net {
    struct sm_loop loop;
    struct sm_wheel wheel;
    struct sm_seg_pool segs;
    uint64_t now;           // sm_clock_ms of this turn
    char *scratch;          // SM_SCRATCH_SIZE bytes to receive into
    struct sm_list pending; // connections with more to read or process, for fairness in the next turn
    struct sm_list dead;    // closed connections, freed when the turn ends
    uint64_t write_timeout; // ms without progress while output waits; 0: none
    uint64_t linger_timeout;
    size_t write_buffer; // bytes queued at which a producer is told to stop
};

enum { SM_SCRATCH_SIZE = 65536 };

enum sm_conn_timeout { SM_CONN_READ_TIMEOUT, SM_CONN_WRITE_TIMEOUT };

struct sm_conn_ops {
    // Bytes that came in, all that are unconsumed. Returns how many of them are done with. May pause or finish.
    size_t (*input)(struct sm_conn *conn, const char *data, size_t len);
    // The client has sent its last byte; what it sent was consumed or waits behind a pause.
    void (*eof)(struct sm_conn *conn);
    // The client will send no more, and the session is paused: nobody reads to the end now. NULL: it may wait.
    void (*hangup)(struct sm_conn *conn);
    // The connection is broken in both directions (reset). The session should let go and call sm_conn_close.
    void (*broken)(struct sm_conn *conn);
    // Output fell below half of write_buffer after sm_conn_full.
    void (*drained)(struct sm_conn *conn);
    // A deadline passed. The session answers and finishes, or closes.
    void (*timeout)(struct sm_conn *conn, enum sm_conn_timeout which);
    // Output is about to be sent: completes what is under construction in the queue. NULL: nothing ever is.
    void (*seal)(struct sm_conn *conn);
    // Last call: frees the session, the connection in it included.
    void (*free)(struct sm_conn *conn);
};

struct sm_conn {
    struct sm_source source;
    const struct sm_conn_ops *ops;
    struct sm_net *net;
    struct sm_list node; // net->pending or net->dead
    struct sm_timer timer;
    uint64_t deadline; // the session's, ms of sm_clock_ms; 0: none
    uint64_t write_deadline;
    struct sm_outq out;
    struct sm_bytes in; // unconsumed input
    struct sm_peer peer;
    bool readable, writable; // as far as is known without asking
    bool hangup;             // the peer closed its sending side; the end was perhaps not read yet
    bool eof;                // read to the end
    bool is_broken;
    bool paused;
    bool sending;   // has had its share of this turn and goes on in the next
    bool busy;      // an answer is about to be made: whoever makes it will park
    bool full;      // the session was told so and waits for `drained`
    bool finishing; // closes when the output is sent
    bool linger;    // ... but reads on until the client has closed
    bool shut;      // our sending side is closed
    bool is_closed;
};

int sm_net_init(struct sm_net *net);
void sm_net_deinit(struct sm_net *net);
// Serves connections that were put off; frees closed ones. Once each turn.
void sm_net_pending(struct sm_net *net);
void sm_net_reap(struct sm_net *net);

// Takes the descriptor. Nothing is read before sm_conn_process.
void sm_conn_init(struct sm_conn *conn, struct sm_net *net, int fd, const struct sm_conn_ops *ops);
// Feeds waiting and new input to the session until it pauses, finishes or there is none. Then parks.
void sm_conn_process(struct sm_conn *conn);
// Reads what has come without feeding it to anybody, at most `cap` bytes in store. For a look at a busy
// connection. True when there is new input or an end.
bool sm_conn_peek(struct sm_conn *conn, size_t cap);
// Has sm_conn_process called in the next turn.
void sm_conn_defer(struct sm_conn *conn);
// Waits for events from now on.
void sm_conn_park(struct sm_conn *conn);
// Arms (ms from now) or disarms (0) the session's deadline.
void sm_conn_deadline(struct sm_conn *conn, uint64_t timeout_ms);

// Queue output; see outq.h.
static inline int sm_conn_write(struct sm_conn *conn, const char *data, size_t len) {
    return sm_outq_copy(&conn->out, &conn->net->segs, data, len);
}
// Whether a producer should stop; if so, `drained` will be called.
bool sm_conn_full(struct sm_conn *conn);
// Calls `drained` if that is due: a flush that emptied the queue at once is followed by no event.
void sm_conn_relieve(struct sm_conn *conn);
// Sends what the socket takes, but no more than a share of the turn: then the next one goes on. Sets is_broken when
// the client cannot be written to, and when a file ends before its promised length, or cannot be read: that is
// logged. Calls nobody but `seal`.
void sm_conn_flush(struct sm_conn *conn);
// Sends what is queued, then closes; with `linger` only after the client has closed or linger_timeout has passed,
// so that an answer to unread input is not destroyed by a reset (RFC 9112 9.6). The session hears no more but `free`.
void sm_conn_finish(struct sm_conn *conn, bool linger);
// Closes at once. `free` follows at the end of the turn.
void sm_conn_close(struct sm_conn *conn);
