// SPDX-License-Identifier: MIT
// The facts of a request from a live exchange (see source.h). Only in smiskd: the extension module has no engine.
#include <string.h>

#include "py/source.h"

static const struct sm_head *exchange_head(void *source) {
    return sm_exchange_head(source);
}

static const struct sm_body *exchange_body(void *source) {
    return sm_exchange_body(source);
}

static const struct sm_body *exchange_filter_data(void *source) {
    return sm_exchange_filter_data(source);
}

static enum sm_role exchange_role(void *source) {
    return sm_exchange_role(source);
}

static struct sm_str exchange_peer(void *source, uint16_t *port_out) {
    return sm_exchange_peer(source, port_out);
}

static struct sm_str exchange_local(void *source, uint16_t *port_out) {
    return sm_exchange_local(source, port_out);
}

static bool exchange_is_forwarded(void *source) {
    return sm_exchange_is_forwarded(source);
}

static bool exchange_is_https(void *source) {
    return sm_exchange_is_https(source);
}

static struct sm_str exchange_host(void *source) {
    return sm_exchange_host(source);
}

static struct sm_str exchange_id(void *source) {
    return sm_exchange_id(source);
}

static bool exchange_is_aborted(void *source) {
    return sm_exchange_is_aborted(source);
}

static bool exchange_has_begun(void *source) {
    return sm_exchange_committed(source);
}

static void exchange_log(void *source, struct sm_str text) {
    sm_exchange_log(source, text);
}

const struct smpy_source_ops smpy_exchange_ops = {
    .head = exchange_head,
    .body = exchange_body,
    .filter_data = exchange_filter_data,
    .role = exchange_role,
    .peer = exchange_peer,
    .local = exchange_local,
    .is_forwarded = exchange_is_forwarded,
    .is_https = exchange_is_https,
    .host = exchange_host,
    .id = exchange_id,
    .is_aborted = exchange_is_aborted,
    .has_begun = exchange_has_begun,
    .log = exchange_log,
    .free = NULL,
};

static void copy_text(char *dst, size_t cap, struct sm_str src) {
    size_t len = src.len < cap ? src.len : cap - 1;
    if (len > 0) {
        memcpy(dst, src.ptr, len);
    }
    dst[len] = '\0';
}

struct smpy_snapshot *smpy_snapshot_of_exchange(struct sm_exchange *exchange) {
    const struct sm_head *head = sm_exchange_head(exchange);
    struct smpy_snapshot *snapshot = smpy_snapshot_new(head->n_fields);
    if (snapshot == NULL) {
        return NULL;
    }
    copy_text(snapshot->peer, sizeof snapshot->peer, sm_exchange_peer(exchange, &snapshot->peer_port));
    copy_text(snapshot->local, sizeof snapshot->local, sm_exchange_local(exchange, &snapshot->local_port));
    copy_text(snapshot->id, sizeof snapshot->id, sm_exchange_id(exchange));
    copy_text(snapshot->host, sizeof snapshot->host, sm_exchange_host(exchange));
    snapshot->is_forwarded = sm_exchange_is_forwarded(exchange);
    snapshot->is_https = sm_exchange_is_https(exchange);
    snapshot->role = sm_exchange_role(exchange);
    snapshot->is_aborted = sm_exchange_is_aborted(exchange);
    snapshot->has_begun = true; // the response is over
    struct sm_head copy = *head;
    if (head->n_fields > 0) {
        memcpy(snapshot->fields, head->fields, head->n_fields * sizeof head->fields[0]);
    }
    copy.fields = snapshot->fields;
    copy.max_fields = copy.n_fields;
    snapshot->block = sm_exchange_take_head(exchange);
    if (snapshot->block == NULL) {
        smpy_snapshot_free(snapshot);
        return NULL;
    }
    snapshot->head = copy;
    snapshot->body = sm_exchange_take_body(exchange, false);
    snapshot->filter_data = sm_exchange_take_body(exchange, true);
    return snapshot;
}
