// SPDX-License-Identifier: MIT
// Between engine and protocols: what an exchange and a session look like from inside. Only host/engine
// includes this.
#pragma once

#include "engine/engine.h"
#include "engine/exchange.h"
#include "engine/spool.h"
#include "proto/message.h"

struct sm_session;

// How long a draining worker waits for the first request of a connection that it has accepted.
enum { SM_DRAIN_GRACE_MS = 500 };

// What an exchange on the ready list wants beside the bits of enum sm_notice.
enum { SM_DUE_RESUME = 0x80, SM_DUE_NOTICES = 0x7f };

enum sm_exchange_phase {
    SM_PHASE_HEAD,   // head or params are coming in
    SM_PHASE_BODY,   // body is coming in
    SM_PHASE_READY,  // complete, waits for the application
    SM_PHASE_OPEN,   // the application has it
    SM_PHASE_ENDING, // the application has ended it; part of a file is not queued yet
    SM_PHASE_ENDED,  // the response is complete
};

struct sm_exchange {
    struct sm_list node;       // engine->ready or ->yielded
    struct sm_list in_session; // the session's exchanges
    struct sm_exchange *next_free;
    struct sm_engine *engine;
    struct sm_session *session;
    struct sm_head head;
    struct sm_bytes block; // what head's spans lie in
    struct sm_spool body;
    struct sm_spool filter_data;
    void *user;
    uint32_t serial;                                         // 0: not numbered yet
    uint16_t id;                                             // FastCGI request id
    uint8_t role;                                            // enum sm_role
    uint8_t phase;                                           // enum sm_exchange_phase
    uint8_t due;                                             // notices, SM_DUE_RESUME
    bool receiving;                                          // the application has it, its body still comes
    bool can_upgrade;                                        // HTTP/1.1
    bool tunnel;                                             // upgraded: bytes without a protocol of ours
    bool wants_continue;                                     // the client waits for 100 before it sends its body
    uint16_t fault_status;                                   // answered with this after the application let go
    const char *fault;                                       // ... for this reason
    bool keep_conn;                                          // FastCGI: FCGI_KEEP_CONN
    bool params_ended, stdin_ended, data_ended, used_stderr; // FastCGI
    bool running;                                            // inside a call of the application
    bool wants_room;                                         // FULL was said
    bool aborted;                                            // the client has gone, or the response was broken off
    bool broke;                                              // ... the latter
    // The response.
    bool committed, chunked, has_date, has_server;
    bool no_body;    // HEAD, 204, 304
    bool must_close; // the connection cannot serve another request after this one
    uint16_t status;
    int64_t out_len; // declared body bytes; -1: unknown
    uint64_t out_sent;
    uint32_t app_status;      // of an exchange that is ending
    struct sm_file file;      // what of a file is not queued yet; len 0: nothing
    struct sm_bytes trailers; // field lines, for a chunked body
    struct sm_origin origin;
    struct sm_host peer, local; // written when asked for; kept from one use of the exchange to the next
    char id_text[32];
};

// A protocol over a connection. Every call concerns an exchange of this session.
struct sm_session_ops {
    const char *status_prefix; // "HTTP/1.1 " or "Status: "
    // engine->head holds status line and fields; adds what the protocol adds and queues it. 0 or -ENOMEM.
    int (*commit)(struct sm_exchange *exchange);
    // Queues body bytes, framed. `release` NULL: copies; else borrows. 0 or -ENOMEM.
    int (*body)(struct sm_exchange *exchange, struct sm_str data, void (*release)(void *), void *owner);
    // Queues part of a file, framed; takes it. With len 0: has its `release` called when what is queued is sent. 0 or
    // -ENOMEM.
    int (*file)(struct sm_exchange *exchange, const struct sm_file *file);
    // Whether exchanges share the connection: then a file is queued piece by piece.
    bool is_shared;
    // engine->head holds a 1xx head: sends it, if the client knows such. NULL: it is dropped. 0 or -ENOMEM.
    int (*interim)(struct sm_exchange *exchange);
    // Queues what ends a complete response.
    void (*end)(struct sm_exchange *exchange, uint32_t app_status);
    // Sends what is queued.
    void (*flush)(struct sm_session *session);
    // The exchange has ended, or the client has gone: lets go of it and goes on with the connection.
    void (*finished)(struct sm_exchange *exchange);
    // Looks at the socket whether the client has left, or will send no more.
    bool (*look)(struct sm_exchange *exchange);
    // Text for the front server; NULL where the protocol has no such way.
    void (*log)(struct sm_exchange *exchange, struct sm_str text);
    // Room for more of the body: lets the client send on.
    void (*more)(struct sm_exchange *exchange);
    // engine->head holds a 101 head: queues it; the connection is the exchange's from now on. NULL: no request can.
    int (*tunnel)(struct sm_exchange *exchange);
    // The engine drains: close if idle.
    void (*drain)(struct sm_session *session);
};

struct sm_session {
    struct sm_conn conn;
    const struct sm_session_ops *ops;
    struct sm_engine *engine;
    struct sm_list node;   // engine->sessions
    struct sm_peer client; // who is connected: conn.peer, or whom a PROXY header named
    struct sm_peer local;
    bool knows_local; // `local` was asked for and found, or a PROXY header said it
    bool proxied;     // a PROXY header said both
    bool is_tls;      // ... and that the client came over TLS
    bool trusted;     // the client's word counts: Forwarded, X-Forwarded-*
    bool greets;      // a PROXY header may be the first to come
};

// Each takes the descriptor and starts a session; `overloaded`: one that only says so. NULL: no memory (fd closed).
struct sm_session *sm_http_open(struct sm_engine *engine, int fd, const struct sm_peer *peer, bool overloaded);
struct sm_session *sm_fcgi_open(struct sm_engine *engine, int fd, const struct sm_peer *peer, bool overloaded);
void sm_session_init(struct sm_session *session, struct sm_engine *engine, const struct sm_session_ops *ops);
// Unlinks the session from its engine; to be called by the protocol's `free`.
void sm_session_deinit(struct sm_session *session);
// How long an idle connection of a draining engine may still bring a request, in ms; 0: it closes now. `served`: it
// has had an answer, so that its client may believe it open.
uint64_t sm_session_grace(const struct sm_session *session, bool served);

// A pooled exchange for the session, phase HEAD, `n_fields` fields at least. NULL: no memory.
struct sm_exchange *sm_exchange_new(struct sm_session *session, enum sm_head_kind kind);
// Back into the pool. Not while it is on the ready list's way through the application.
void sm_exchange_free(struct sm_exchange *exchange);
// Frees the pool.
void sm_exchange_drop_free(struct sm_engine *engine);
// Complete: hands it to the application at the next opportunity.
void sm_exchange_ready(struct sm_exchange *exchange);
// The client has gone: tells the application, unless it is inside a call, which is told by GONE. The session's
// `finished` follows from the engine's run list.
void sm_exchange_abort(struct sm_exchange *exchange);
// Tells an application that has the exchange: bits of enum sm_notice.
void sm_exchange_notify(struct sm_exchange *exchange, unsigned what);
// There is room in the output again.
void sm_exchange_drained(struct sm_exchange *exchange);
// Answers a request that the application never sees, and logs why.
void sm_exchange_refuse(struct sm_exchange *exchange, int status, const char *reason);
// The same for a request that the application may have already: then it is told first, as by an abort.
void sm_exchange_deny(struct sm_exchange *exchange, int status, const char *reason);
// After the application let go of an aborted exchange: answers what sm_exchange_deny said, where that is still
// possible.
void sm_exchange_settle(struct sm_exchange *exchange);
// Whether a streamed body has as much waiting to be read as is good.
bool sm_exchange_body_full(const struct sm_exchange *exchange);
// Adds Content-Length to the head under construction, where it is known and may stand: not in a 204, nor in a 304
// without a representation to speak of (RFC 9110 8.6). 0 or -ENOMEM.
int sm_exchange_put_length(struct sm_exchange *exchange);
// Queues more of the exchange's file and, when it is ending, its end. Whether the application could go on writing; if
// not, the exchange will come again on the ready list.
bool sm_exchange_feed(struct sm_exchange *exchange);
// Lets go of what of a file is not queued yet.
void sm_exchange_drop_file(struct sm_exchange *exchange);
// Ends without a complete response.
void sm_exchange_break(struct sm_exchange *exchange);
// Adds received body bytes; answers 413 or 500 itself (sm_exchange_deny). False when it did.
bool sm_exchange_receive(struct sm_exchange *exchange, struct sm_spool *spool, struct sm_str data);
