// SPDX-License-Identifier: MIT
// Exchanges: their pool, their way from the protocol to the application, and what the application reads of them.
#include "engine/exchange.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "engine/session.h"
#include "net/listener.h"
#include "proto/fields.h"

// STREAM_AHEAD: bytes of a streamed body that may wait to be read.
enum { POOL_MAX = 256, KEEP_BLOCK_CAP = 8192, CGI_EXTRA_FIELDS = 64, STREAM_AHEAD = 1 << 18 };

static struct sm_exchange *sm_exchange_make(struct sm_engine *engine) {
    struct sm_exchange *exchange = calloc(1, sizeof(*exchange));
    if (exchange == NULL) {
        return NULL;
    }
    // A front server adds its own parameters to the client's fields.
    uint32_t n_fields = engine->settings->max_headers + CGI_EXTRA_FIELDS;
    exchange->head.fields = calloc(n_fields, sizeof(struct sm_field));
    if (exchange->head.fields == NULL) {
        free(exchange);
        return NULL;
    }
    exchange->body.body.fd = exchange->filter_data.body.fd = -1;
    return exchange;
}

static void sm_exchange_discard(struct sm_exchange *exchange) {
    free(exchange->head.fields);
    sm_bytes_deinit(&exchange->block);
    sm_spool_deinit(&exchange->body);
    sm_spool_deinit(&exchange->filter_data);
    sm_bytes_deinit(&exchange->trailers);
    free(exchange);
}

void sm_exchange_drop_free(struct sm_engine *engine) {
    while (engine->free_exchanges != NULL) {
        struct sm_exchange *exchange = engine->free_exchanges;
        engine->free_exchanges = exchange->next_free;
        sm_exchange_discard(exchange);
    }
    engine->n_free_exchanges = 0;
}

struct sm_exchange *sm_exchange_new(struct sm_session *session, enum sm_head_kind kind) {
    struct sm_engine *engine = session->engine;
    struct sm_exchange *exchange = engine->free_exchanges;
    if (exchange != NULL) {
        engine->free_exchanges = exchange->next_free;
        engine->n_free_exchanges--;
    } else {
        exchange = sm_exchange_make(engine);
        if (exchange == NULL) {
            return NULL;
        }
    }
    struct sm_field *fields = exchange->head.fields;
    exchange->head = (struct sm_head){.fields = fields, .kind = kind, .content_length = -1};
    exchange->head.max_fields = engine->settings->max_headers + (kind == SM_HEAD_CGI ? CGI_EXTRA_FIELDS : 0);
    exchange->block.len = 0;
    exchange->engine = engine;
    exchange->session = session;
    exchange->user = NULL;
    exchange->serial = 0;
    exchange->id = 0;
    exchange->role = SM_ROLE_RESPONDER;
    exchange->phase = SM_PHASE_HEAD;
    exchange->keep_conn = exchange->params_ended = exchange->stdin_ended = exchange->data_ended = false;
    exchange->used_stderr = exchange->running = exchange->wants_room = exchange->aborted = false;
    exchange->can_upgrade = exchange->broke = exchange->receiving = exchange->tunnel = exchange->wants_continue =
        false;
    exchange->due = 0;
    exchange->fault_status = 0;
    exchange->committed = exchange->chunked = exchange->has_date = exchange->has_server = false;
    exchange->no_body = exchange->must_close = false;
    exchange->status = 0;
    exchange->out_len = -1;
    exchange->out_sent = 0;
    exchange->file.len = 0;
    exchange->trailers.len = 0;
    exchange->origin.is_known = false;
    sm_list_init(&exchange->node);
    sm_list_init(&exchange->in_session);
    return exchange;
}

void sm_exchange_free(struct sm_exchange *exchange) {
    struct sm_engine *engine = exchange->engine;
    sm_list_remove(&exchange->node);
    sm_list_remove(&exchange->in_session);
    if (engine->head_of == exchange) {
        engine->head_of = NULL;
    }
    sm_exchange_drop_file(exchange);
    sm_bytes_deinit(&exchange->trailers);
    if (engine->n_free_exchanges >= POOL_MAX) {
        sm_exchange_discard(exchange);
        return;
    }
    if (exchange->block.cap > KEEP_BLOCK_CAP) {
        sm_bytes_deinit(&exchange->block);
    }
    sm_spool_reset(&exchange->body);
    sm_spool_reset(&exchange->filter_data);
    exchange->session = NULL;
    exchange->next_free = engine->free_exchanges;
    engine->free_exchanges = exchange;
    engine->n_free_exchanges++;
}

static void sm_exchange_queue(struct sm_exchange *exchange) {
    if (!sm_list_linked(&exchange->node)) {
        sm_list_append(&exchange->engine->ready, &exchange->node);
    }
}

void sm_exchange_ready(struct sm_exchange *exchange) {
    exchange->phase = SM_PHASE_READY;
    exchange->head.base = exchange->block.data;
    exchange->session->conn.busy = true;
    sm_exchange_queue(exchange);
}

void sm_exchange_abort(struct sm_exchange *exchange) {
    exchange->aborted = true;
    if (!exchange->running) {
        sm_exchange_queue(exchange);
    }
}

void sm_exchange_notify(struct sm_exchange *exchange, unsigned what) {
    if (exchange->phase == SM_PHASE_OPEN && exchange->engine->app->ops->notice != NULL) {
        exchange->due |= (uint8_t)what;
        sm_exchange_queue(exchange);
    }
}

void sm_exchange_drained(struct sm_exchange *exchange) {
    if (exchange->wants_room) {
        exchange->wants_room = false;
        exchange->due |= SM_DUE_RESUME;
        sm_exchange_queue(exchange);
    }
}

bool sm_exchange_receive(struct sm_exchange *exchange, struct sm_spool *spool, struct sm_str data) {
    const struct sm_settings *settings = exchange->engine->settings;
    if (spool->received + data.len > settings->max_body_size) {
        sm_exchange_deny(exchange, 413, "the body is larger than max_body_size");
        return false;
    }
    int r = sm_spool_add(spool, data, (size_t)settings->request_body_memory, settings->temp_dir);
    if (r < 0) {
        sm_log(SM_LOG_ERROR, "cannot keep a request body in %s: %s", settings->temp_dir, strerror(-r));
        sm_exchange_deny(exchange, 500, "the body could not be stored");
        return false;
    }
    return true;
}

bool sm_exchange_body_full(const struct sm_exchange *exchange) {
    uint64_t most = exchange->engine->settings->request_body_memory;
    uint64_t unread = sm_spool_unread(&exchange->body);
    return unread > 0 && unread >= (most < STREAM_AHEAD ? most : STREAM_AHEAD);
}

// --- what the application reads ---

const struct sm_head *sm_exchange_head(const struct sm_exchange *exchange) {
    return &exchange->head;
}

size_t sm_exchange_head_len(const struct sm_exchange *exchange) {
    return exchange->block.len;
}

const struct sm_body *sm_exchange_body(const struct sm_exchange *exchange) {
    return &exchange->body.body;
}

ssize_t sm_exchange_body_read(struct sm_exchange *exchange, char *out, size_t len) {
    ssize_t n = sm_spool_read(&exchange->body, out, len);
    if (n >= 0 && exchange->receiving && !sm_exchange_body_full(exchange)) {
        exchange->session->ops->more(exchange);
    }
    return n;
}

uint64_t sm_exchange_body_unread(const struct sm_exchange *exchange) {
    return sm_spool_unread(&exchange->body);
}

bool sm_exchange_body_coming(const struct sm_exchange *exchange) {
    return exchange->receiving;
}

const struct sm_body *sm_exchange_filter_data(const struct sm_exchange *exchange) {
    return &exchange->filter_data.body;
}

enum sm_role sm_exchange_role(const struct sm_exchange *exchange) {
    return (enum sm_role)exchange->role;
}

struct sm_str sm_exchange_peer(const struct sm_exchange *exchange, uint16_t *port_out) {
    struct sm_exchange *self = (struct sm_exchange *)(uintptr_t)exchange;
    const struct sm_peer *peer = &exchange->session->client;
    if (exchange->session->trusted && sm_trust_origin(self)->is_forwarded) {
        peer = &self->origin.client;
    } else if (exchange->head.kind == SM_HEAD_CGI) {
        const struct sm_head *head = &exchange->head;
        int64_t port = sm_str_number(sm_span_in(head->remote_port, head->base));
        *port_out = port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
        return sm_span_in(head->remote_addr, head->base);
    }
    *port_out = peer->port;
    return sm_host_of(&self->peer, peer);
}

bool sm_exchange_is_https(const struct sm_exchange *exchange) {
    if (exchange->session->trusted) {
        return sm_trust_origin((struct sm_exchange *)(uintptr_t)exchange)->is_https;
    }
    return exchange->head.is_https;
}

struct sm_str sm_exchange_host(const struct sm_exchange *exchange) {
    if (!exchange->session->trusted) {
        return (struct sm_str){NULL, 0};
    }
    const struct sm_origin *origin = sm_trust_origin((struct sm_exchange *)(uintptr_t)exchange);
    return (struct sm_str){origin->host, origin->host_len};
}

bool sm_exchange_is_forwarded(const struct sm_exchange *exchange) {
    return exchange->session->trusted && sm_trust_origin((struct sm_exchange *)(uintptr_t)exchange)->is_forwarded;
}

struct sm_str sm_exchange_local(const struct sm_exchange *exchange, uint16_t *port_out) {
    struct sm_exchange *self = (struct sm_exchange *)(uintptr_t)exchange;
    struct sm_session *session = exchange->session;
    struct sm_addr addr;
    *port_out = 0;
    if (!session->knows_local) {
        if (sm_listener_address(session->conn.source.fd, &addr) < 0) {
            return SM_STR("");
        }
        sm_peer_from(&session->local, &addr);
        session->knows_local = true;
    }
    *port_out = session->local.port;
    return sm_host_of(&self->local, &session->local);
}

struct sm_str sm_exchange_id(struct sm_exchange *exchange) {
    if (exchange->serial == 0) {
        exchange->serial = ++exchange->engine->serial;
    }
    size_t len = sm_u64_hex(exchange->id_text, exchange->engine->generation);
    exchange->id_text[len++] = '-';
    len += sm_u64_hex(exchange->id_text + len, exchange->serial);
    return (struct sm_str){exchange->id_text, len};
}

bool sm_exchange_is_aborted(struct sm_exchange *exchange) {
    return exchange->aborted || exchange->session->ops->look(exchange);
}

void *sm_exchange_user(const struct sm_exchange *exchange) {
    return exchange->user;
}

void sm_exchange_set_user(struct sm_exchange *exchange, void *user) {
    exchange->user = user;
}

char *sm_exchange_take_head(struct sm_exchange *exchange) {
    char *data = exchange->block.data;
    exchange->block = (struct sm_bytes){0};
    // A refusal may still want to name what was asked, and by whom.
    exchange->head.base = "";
    exchange->head.n_fields = 0;
    exchange->head.method = exchange->head.target = (struct sm_span){0};
    exchange->head.remote_addr = exchange->head.remote_port = (struct sm_span){0};
    return data;
}

struct sm_body sm_exchange_take_body(struct sm_exchange *exchange, bool filter) {
    struct sm_spool *spool = filter ? &exchange->filter_data : &exchange->body;
    struct sm_body body = spool->body;
    spool->body = (struct sm_body){.fd = -1};
    spool->cap = 0;
    spool->read = 0;
    return body;
}

void sm_exchange_log(struct sm_exchange *exchange, struct sm_str text) {
    struct sm_str id = sm_exchange_id(exchange);
    sm_log(SM_LOG_WARNING, "[%.*s] %.*s", (int)id.len, id.ptr, (int)(text.len < 8000 ? text.len : 8000), text.ptr);
    sm_exchange_log_front(exchange, text);
}

void sm_exchange_log_front(struct sm_exchange *exchange, struct sm_str text) {
    if (exchange->session->ops->log != NULL && !exchange->aborted) {
        exchange->session->ops->log(exchange, text);
    }
}
