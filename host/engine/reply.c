// SPDX-License-Identifier: MIT
// The response half of an exchange: checks what the application says, then hands head and body to the protocol.
// A head is built in the engine's scratch and reaches the connection only when it is complete and sound.
#include "engine/reply.h"

#include <errno.h>
#include <stdio.h>

#include "base/num.h"
#include "engine/exchange.h"
#include "proto/http1.h"

enum { COPY_MAX = 8192 };

// --- the head ---

int sm_reply_put_status(struct sm_exchange *exchange, struct sm_str reason) {
    struct sm_bytes *head = &exchange->engine->head;
    int status = exchange->status;
    head->len = 0;
    exchange->engine->head_of = exchange;
    if (reason.len == 0) {
        reason = sm_str_from(sm_http1_reason(status));
    }
    char code[4] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10), (char)('0' + status % 10), ' '};
    int r = sm_bytes_append_str(head, sm_str_from(exchange->session->ops->status_prefix));
    r = r < 0 ? r : sm_bytes_append(head, code, sizeof(code));
    r = r < 0 ? r : sm_bytes_append_str(head, reason);
    return r < 0 ? r : sm_bytes_append(head, "\r\n", 2);
}

int sm_exchange_start(struct sm_exchange *exchange, int status, struct sm_str reason) {
    if (status < 200 || status > 999 || exchange->committed) {
        return SM_EXCHANGE_BAD_STATUS;
    }
    if (!sm_http1_value_ok(reason)) {
        return SM_EXCHANGE_BAD_VALUE;
    }
    exchange->has_date = exchange->has_server = exchange->must_close = false;
    exchange->out_len = -1;
    exchange->status = (uint16_t)status;
    exchange->no_body = exchange->head.is_head_method || status == 204 || status == 205 || status == 304;
    return sm_reply_put_status(exchange, reason);
}

static int sm_reply_content_length(struct sm_exchange *exchange, struct sm_str value) {
    uint64_t len = 0;
    if (!sm_u64_parse(value, INT64_MAX, &len)) {
        return SM_EXCHANGE_BAD_LENGTH;
    }
    if (exchange->out_len >= 0 && exchange->out_len != (int64_t)len) {
        return SM_EXCHANGE_BAD_LENGTH;
    }
    exchange->out_len = (int64_t)len;
    return 0;
}

static int sm_reply_connection(struct sm_exchange *exchange, struct sm_str value) {
    if (sm_str_ieq(value, SM_STR("close"))) {
        exchange->must_close = true;
        return 0;
    }
    return sm_str_ieq(value, SM_STR("keep-alive")) ? 0 : SM_EXCHANGE_BAD_FIELD;
}

enum sm_reply_field sm_reply_field_kind(struct sm_str name) {
    switch (name.len) {
    case 2:
        return sm_str_ieq(name, SM_STR("TE")) ? FIELD_REFUSED : FIELD_PLAIN;
    case 4:
        return sm_str_ieq(name, SM_STR("Date")) ? FIELD_DATE : FIELD_PLAIN;
    case 6:
        if (sm_str_ieq(name, SM_STR("Status"))) {
            return FIELD_REFUSED; // would be a second status line behind FastCGI (RFC 3875 6.3.3)
        }
        return sm_str_ieq(name, SM_STR("Server")) ? FIELD_SERVER : FIELD_PLAIN;
    case 7:
        return sm_str_ieq(name, SM_STR("Upgrade")) ? FIELD_REFUSED : FIELD_PLAIN;
    case 10:
        if (sm_str_ieq(name, SM_STR("Keep-Alive"))) {
            return FIELD_REFUSED;
        }
        return sm_str_ieq(name, SM_STR("Connection")) ? FIELD_CONNECTION : FIELD_PLAIN;
    case 14:
        return sm_str_ieq(name, SM_STR("Content-Length")) ? FIELD_LENGTH : FIELD_PLAIN;
    case 16:
        return sm_str_ieq(name, SM_STR("Proxy-Connection")) ? FIELD_REFUSED : FIELD_PLAIN;
    case 17:
        return sm_str_ieq(name, SM_STR("Transfer-Encoding")) ? FIELD_REFUSED : FIELD_PLAIN;
    default:
        return FIELD_PLAIN;
    }
}

int sm_reply_add_field(struct sm_bytes *lines, struct sm_str name, struct sm_str value) {
    if (lines->len + name.len + value.len + 4 > MAX_REPLY_HEAD) {
        return SM_EXCHANGE_TOO_LARGE;
    }
    int r = sm_bytes_reserve(lines, name.len + value.len + 4);
    if (r < 0) {
        return r;
    }
    char *at = lines->data + lines->len;
    memcpy(at, name.ptr, name.len);
    at += name.len;
    *at++ = ':';
    *at++ = ' ';
    memcpy(at, value.ptr, value.len);
    at += value.len;
    *at++ = '\r';
    *at++ = '\n';
    lines->len = (size_t)(at - lines->data);
    return 0;
}

int sm_reply_check_field(struct sm_str name, struct sm_str value) {
    if (!sm_http1_name_ok(name)) {
        return SM_EXCHANGE_BAD_NAME;
    }
    return sm_http1_value_ok(value) ? 0 : SM_EXCHANGE_BAD_VALUE;
}

int sm_exchange_field(struct sm_exchange *exchange, struct sm_str name, struct sm_str value) {
    if (exchange->engine->head_of != exchange) {
        return SM_EXCHANGE_NOT_STARTED;
    }
    int r = sm_reply_check_field(name, value);
    if (r != 0) {
        return r;
    }
    bool interim = sm_reply_is_interim(exchange);
    switch (sm_reply_field_kind(name)) {
    case FIELD_LENGTH:
        return interim ? SM_EXCHANGE_BAD_FIELD : sm_reply_content_length(exchange, value);
    case FIELD_CONNECTION:
        return interim ? SM_EXCHANGE_BAD_FIELD : sm_reply_connection(exchange, value);
    case FIELD_REFUSED:
        return SM_EXCHANGE_BAD_FIELD;
    case FIELD_DATE:
        exchange->has_date = true;
        break;
    case FIELD_SERVER:
        exchange->has_server = true;
        break;
    case FIELD_PLAIN:
        break;
    }
    return sm_reply_add_field(&exchange->engine->head, name, value);
}

int sm_exchange_put_length(struct sm_exchange *exchange) {
    if (exchange->out_len < 0 || exchange->status == 204 || (exchange->status == 304 && exchange->out_len == 0)) {
        return 0;
    }
    char field[16 + SM_U64_DIGITS + 2] = "Content-Length: ";
    size_t len = 16 + sm_u64_dec(field + 16, (uint64_t)exchange->out_len);
    memcpy(field + len, "\r\n", 2);
    return sm_bytes_append(&exchange->engine->head, field, len + 2);
}

bool sm_exchange_has_head(const struct sm_exchange *exchange) {
    return exchange->engine->head_of == exchange;
}

int sm_exchange_commit(struct sm_exchange *exchange, int64_t body_len) {
    if (exchange->aborted || exchange->session->conn.is_broken) {
        return SM_EXCHANGE_GONE;
    }
    if (exchange->engine->head_of != exchange || exchange->status < 200) {
        return SM_EXCHANGE_NOT_STARTED;
    }
    if (exchange->out_len < 0) {
        exchange->out_len = body_len;
    } else if (body_len >= 0 && body_len != exchange->out_len && !exchange->no_body) {
        return SM_EXCHANGE_BAD_LENGTH;
    }
    if (exchange->status == 205) {
        exchange->out_len = 0; // never any content (RFC 9110 15.3.6)
    }
    int r = exchange->session->ops->commit(exchange);
    exchange->committed = r == 0;
    exchange->engine->head_of = NULL;
    return r;
}

int sm_exchange_upgrade(struct sm_exchange *exchange, struct sm_str protocol) {
    struct sm_bytes *head = &exchange->engine->head;
    if (exchange->committed || exchange->receiving || !exchange->can_upgrade) {
        return SM_EXCHANGE_BAD_STATUS;
    }
    if (!sm_http1_value_ok(protocol)) {
        return SM_EXCHANGE_BAD_VALUE;
    }
    head->len = 0;
    exchange->engine->head_of = exchange;
    exchange->has_date = exchange->has_server = false;
    exchange->out_len = -1;
    exchange->status = 101;
    exchange->no_body = false;
    int r = sm_bytes_append_str(head, SM_STR("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "));
    r = r < 0 ? r : sm_bytes_append_str(head, protocol);
    return r < 0 ? r : sm_bytes_append(head, "\r\n", 2);
}

int sm_exchange_tunnel(struct sm_exchange *exchange) {
    if (exchange->aborted || exchange->session->conn.is_broken) {
        return SM_EXCHANGE_GONE;
    }
    if (exchange->engine->head_of != exchange || exchange->status != 101 || exchange->out_len >= 0) {
        return SM_EXCHANGE_NOT_STARTED;
    }
    exchange->engine->head_of = NULL;
    int r = exchange->session->ops->tunnel(exchange);
    if (r == 0) {
        exchange->committed = exchange->must_close = exchange->receiving = exchange->tunnel = true;
        sm_spool_reset(&exchange->body); // a body that came with the request is over
        exchange->session->ops->more(exchange);
    }
    if (r == 0 && exchange->engine->draining) {
        sm_exchange_notify(exchange, SM_NOTICE_DRAIN); // who opens it now was not told
    }
    return r;
}

void sm_exchange_alarm(struct sm_exchange *exchange, uint64_t timeout_ms) {
    if (exchange->tunnel) {
        sm_conn_deadline(&exchange->session->conn, timeout_ms);
    }
}

bool sm_exchange_committed(const struct sm_exchange *exchange) {
    return exchange->committed;
}

// --- the body ---

int sm_reply_check(const struct sm_exchange *exchange, uint64_t len) {
    if (exchange->aborted || exchange->session->conn.is_broken) {
        return SM_EXCHANGE_GONE;
    }
    if (!exchange->no_body && exchange->out_len >= 0 && len > (uint64_t)exchange->out_len - exchange->out_sent) {
        return SM_EXCHANGE_BAD_LENGTH;
    }
    return 0;
}

int sm_reply_full(struct sm_exchange *exchange) {
    if (sm_conn_full(&exchange->session->conn) || exchange->file.len > 0) {
        exchange->wants_room = true;
        return SM_EXCHANGE_FULL;
    }
    return 0;
}

// Queues body bytes behind whatever of a file is still to be queued. Takes `release`, as sm_session_ops.body does.
static int sm_reply_body(struct sm_exchange *exchange, struct sm_str data, void (*release)(void *), void *owner) {
    int r = sm_reply_file_rest(exchange);
    if (r < 0) {
        if (release != NULL) {
            release(owner);
        }
        return r;
    }
    exchange->out_sent += data.len;
    r = exchange->session->ops->body(exchange, data, release, owner);
    return r < 0 ? r : sm_reply_full(exchange);
}

int sm_exchange_write(struct sm_exchange *exchange, const char *data, size_t len) {
    int r = sm_reply_check(exchange, len);
    if (r != 0 || len == 0 || exchange->no_body) {
        return r;
    }
    return sm_reply_body(exchange, (struct sm_str){data, len}, NULL, NULL);
}

int sm_exchange_write_ref(struct sm_exchange *exchange, const char *data, size_t len, void (*release)(void *owner),
                          void *owner) {
    if (len <= COPY_MAX || exchange->no_body) {
        int r = sm_exchange_write(exchange, data, len);
        release(owner);
        return r;
    }
    int r = sm_reply_check(exchange, len);
    if (r != 0) {
        release(owner);
        return r;
    }
    return sm_reply_body(exchange, (struct sm_str){data, len}, release, owner);
}

int sm_exchange_flush(struct sm_exchange *exchange) {
    struct sm_conn *conn = &exchange->session->conn;
    exchange->session->ops->flush(exchange->session);
    if (conn->is_broken) {
        exchange->aborted = true;
        return SM_EXCHANGE_GONE;
    }
    // Others may wait for room on this connection too; this exchange knows already.
    exchange->wants_room = false;
    sm_conn_relieve(conn);
    if (exchange->file.len > 0 && !sm_conn_full(conn)) {
        sm_exchange_yield(exchange); // to queue more of it
    }
    return sm_reply_full(exchange);
}

void sm_exchange_yield(struct sm_exchange *exchange) {
    exchange->due |= SM_DUE_RESUME;
    if (!sm_list_linked(&exchange->node)) {
        sm_list_append(&exchange->engine->yielded, &exchange->node);
    }
}

// --- the end ---

static void sm_reply_ended(struct sm_exchange *exchange) {
    exchange->phase = SM_PHASE_ENDED;
    exchange->wants_room = false;
    sm_list_remove(&exchange->node);
    if (!exchange->running) {
        sm_list_append(&exchange->engine->ready, &exchange->node);
    }
}

// The application lets go; what of its file is not queued yet is the server's own business.
static void sm_reply_ending(struct sm_exchange *exchange, uint32_t app_status) {
    exchange->phase = SM_PHASE_ENDING;
    exchange->app_status = app_status;
    exchange->due = SM_DUE_RESUME;
    if (!exchange->running && !sm_list_linked(&exchange->node)) {
        sm_list_append(&exchange->engine->ready, &exchange->node);
    }
}

void sm_exchange_break(struct sm_exchange *exchange) {
    exchange->must_close = true;
    exchange->broke = !exchange->aborted;
    exchange->aborted = true;
    sm_reply_ended(exchange);
}

void sm_exchange_end(struct sm_exchange *exchange, uint32_t app_status) {
    if (!exchange->committed || exchange->aborted) {
        sm_exchange_fail(exchange);
        return;
    }
    if (!exchange->no_body && exchange->out_len >= 0 && exchange->out_sent < (uint64_t)exchange->out_len) {
        struct sm_str id = sm_exchange_id(exchange);
        sm_log(SM_LOG_ERROR, "[%.*s] the response ended after %llu of the %lld bytes that Content-Length promised",
               (int)id.len, id.ptr, (unsigned long long)exchange->out_sent, (long long)exchange->out_len);
        sm_exchange_break(exchange);
        return;
    }
    if (exchange->file.len > 0) {
        sm_reply_ending(exchange, app_status);
        return;
    }
    exchange->session->ops->end(exchange, app_status);
    sm_reply_ended(exchange);
}

// A complete small page that the server itself answers with.
static void sm_reply_page(struct sm_exchange *exchange, int status, bool must_close) {
    char page[256];
    const char *reason = sm_http1_reason(status);
    int n = snprintf(page, sizeof(page),
                     "<!doctype html>\n<html lang=\"en\"><title>%d %s</title>\n<h1>%d %s</h1>\n</html>\n", status,
                     reason, status, reason);
    int r = sm_exchange_start(exchange, status, (struct sm_str){"", 0});
    exchange->must_close = must_close;
    r = r != 0 ? r : sm_exchange_field(exchange, SM_STR("Content-Type"), SM_STR("text/html; charset=utf-8"));
    r = r != 0 ? r : sm_exchange_commit(exchange, n);
    r = r != 0 ? r : sm_exchange_write(exchange, page, (size_t)n);
    if (r != 0 && r != SM_EXCHANGE_FULL) {
        sm_exchange_break(exchange);
        return;
    }
    exchange->session->ops->end(exchange, 0);
    sm_reply_ended(exchange);
}

void sm_exchange_fail(struct sm_exchange *exchange) {
    if (exchange->fault_status != 0) {
        sm_exchange_settle(exchange);
        return;
    }
    if (exchange->committed || exchange->aborted) {
        sm_exchange_break(exchange);
        return;
    }
    sm_reply_page(exchange, 500, false);
}

void sm_exchange_deny(struct sm_exchange *exchange, int status, const char *reason) {
    if (exchange->phase == SM_PHASE_ENDED) {
        return; // answered already
    }
    if (exchange->phase != SM_PHASE_OPEN && exchange->phase != SM_PHASE_ENDING) {
        sm_exchange_refuse(exchange, status, reason);
        return;
    }
    exchange->fault_status = (uint16_t)status;
    exchange->fault = reason;
    exchange->receiving = false;
    if (exchange->phase == SM_PHASE_ENDING) {
        sm_exchange_settle(exchange);
    } else {
        sm_exchange_abort(exchange);
    }
}

void sm_exchange_settle(struct sm_exchange *exchange) {
    int status = exchange->fault_status;
    if (status == 0) {
        return;
    }
    exchange->fault_status = 0;
    exchange->aborted = false; // by us, not by the client
    if (exchange->committed || exchange->session->conn.is_broken || exchange->session->conn.is_closed) {
        struct sm_str id = sm_exchange_id(exchange);
        sm_log(SM_LOG_WARNING, "[%.*s] the request broke off while it was answered: %s", (int)id.len, id.ptr,
               exchange->fault);
        sm_exchange_break(exchange);
        return;
    }
    sm_exchange_refuse(exchange, status, exchange->fault);
}

void sm_exchange_refuse(struct sm_exchange *exchange, int status, const char *reason) {
    char peer[SM_TRUST_TEXT_MAX];
    sm_trust_format(exchange->session, peer);
    const struct sm_head *head = &exchange->head;
    const char *base = exchange->block.data;
    struct sm_str method = head->method.len == 0 ? SM_STR("-") : sm_span_in(head->method, base);
    struct sm_str target = head->target.len == 0 ? SM_STR("-") : sm_span_in(head->target, base);
    sm_log(SM_LOG_WARNING, "%s \"%.*s %.*s\" answered %d: %s", peer, (int)method.len, method.ptr,
           (int)(target.len < 1024 ? target.len : 1024), target.ptr, status, reason);
    sm_reply_page(exchange, status, true);
}
