// SPDX-License-Identifier: MIT
// The FastCGI session from inside: shared by the life of its connection (fcgi_session.c), its reading half
// (fcgi_records.c) and its writing half (fcgi_reply.c) only.
#pragma once

#include "engine/session.h"
#include "proto/fastcgi.h"

struct sm_fcgi_session {
    struct sm_session base;
    struct sm_fcgi_reader reader;
    struct sm_list exchanges; // alive, in order of arrival
    uint32_t n_exchanges;
    uint32_t n_head, n_body; // ... of which still receiving params, body
    uint8_t waits_for;       // which deadline is armed
    bool overloaded;         // answers FCGI_OVERLOADED only
    bool must_close;         // close when the last exchange is done
    bool linger;             // the server may still be sending to us
    bool eof;
    bool served;
    bool waits_last; // the engine drains, and this connection may still bring a request
    // The record under construction: its header bytes lie in the output queue, to be filled in.
    char *record;
    uint16_t record_id;
    uint8_t record_type;
    uint32_t record_len;
};

extern const struct sm_session_ops sm_fcgi_ops;

static inline struct sm_fcgi_session *sm_fcgi_of(const struct sm_exchange *exchange) {
    return SM_CONTAINER(exchange->session, struct sm_fcgi_session, base);
}

// Serves one event of the reader. False: the input is used up, or the connection is.
bool sm_fcgi_event(struct sm_fcgi_session *session, const struct sm_fcgi_event *event);
// Keeps the counts of what is still receiving; every change of a receiving phase comes through here.
void sm_fcgi_leave_phase(struct sm_fcgi_session *session, const struct sm_exchange *exchange);
// Answers a request that is still receiving, and logs why.
void sm_fcgi_refuse(struct sm_fcgi_session *session, struct sm_exchange *exchange, int status, const char *reason);

// Completes the record under construction: length, padding to 8 bytes.
void sm_fcgi_close_record(struct sm_fcgi_session *session);
// The same before anything is sent: struct sm_conn_ops.
void sm_fcgi_seal(struct sm_conn *conn);
// Queues END_REQUEST for a request that has no exchange.
void sm_fcgi_put_refusal(struct sm_fcgi_session *session, uint16_t id, enum sm_fcgi_status status);
// The exchange is over: frees it and goes on with the connection.
void sm_fcgi_finished(struct sm_exchange *exchange);
// Room for more of a body: reads on, if that was what stopped it.
void sm_fcgi_more(struct sm_exchange *exchange);
bool sm_fcgi_look(struct sm_exchange *exchange);
void sm_fcgi_drain(struct sm_session *base);
