// SPDX-License-Identifier: MIT
// The reading half of a FastCGI session: records to exchanges, many at once. Comes in: the session, with each event
// of its reader. Records of requests that are not alive are ignored (FastCGI 1.0, section 3.3).
#include "base/num.h"
#include "engine/fcgi_session.h"

static struct sm_exchange *sm_fcgi_find(struct sm_fcgi_session *session, uint16_t id) {
    for (struct sm_list *node = session->exchanges.next; node != &session->exchanges; node = node->next) {
        struct sm_exchange *exchange = SM_CONTAINER(node, struct sm_exchange, in_session);
        if (exchange->id == id && exchange->phase != SM_PHASE_ENDED) {
            return exchange;
        }
    }
    return NULL;
}

void sm_fcgi_leave_phase(struct sm_fcgi_session *session, const struct sm_exchange *exchange) {
    session->n_head -= exchange->phase == SM_PHASE_HEAD;
    session->n_body -= exchange->phase == SM_PHASE_BODY || exchange->receiving;
}

void sm_fcgi_refuse(struct sm_fcgi_session *session, struct sm_exchange *exchange, int status, const char *reason) {
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
    const struct sm_bytes *block = &exchange->block;
    const char *error = sm_fcgi_params_error(
        sm_fcgi_params_read(&session->base.engine->fcgi_past, block->data, block->len, &exchange->head), &status);
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

bool sm_fcgi_event(struct sm_fcgi_session *session, const struct sm_fcgi_event *event) {
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
