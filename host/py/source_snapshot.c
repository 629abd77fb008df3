// SPDX-License-Identifier: MIT
// The facts of a request on their own feet (see source.h): what a Request that outlives its exchange, or that never
// had one, answers from.
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "py/source.h"

struct smpy_snapshot *smpy_snapshot_new(uint32_t n_fields) {
    struct smpy_snapshot *snapshot = calloc(1, sizeof *snapshot + n_fields * sizeof snapshot->fields[0]);
    if (snapshot == NULL) {
        return NULL;
    }
    snapshot->head.fields = snapshot->fields;
    snapshot->head.max_fields = n_fields;
    snapshot->head.content_length = -1;
    snapshot->head.base = "";
    snapshot->body.fd = -1;
    snapshot->filter_data.fd = -1;
    snapshot->role = SM_ROLE_RESPONDER;
    return snapshot;
}

static void body_deinit(struct sm_body *body) {
    free((char *)body->data);
    if (body->fd >= 0) {
        (void)close(body->fd);
    }
}

void smpy_snapshot_free(struct smpy_snapshot *snapshot) {
    if (snapshot == NULL) {
        return;
    }
    body_deinit(&snapshot->body);
    body_deinit(&snapshot->filter_data);
    free(snapshot->block);
    free(snapshot);
}

static const struct sm_head *snapshot_head(void *source) {
    return &((struct smpy_snapshot *)source)->head;
}

static const struct sm_body *snapshot_body(void *source) {
    return &((struct smpy_snapshot *)source)->body;
}

static const struct sm_body *snapshot_filter_data(void *source) {
    return &((struct smpy_snapshot *)source)->filter_data;
}

static enum sm_role snapshot_role(void *source) {
    return ((struct smpy_snapshot *)source)->role;
}

static struct sm_str snapshot_peer(void *source, uint16_t *port_out) {
    struct smpy_snapshot *snapshot = source;
    *port_out = snapshot->peer_port;
    return sm_str_from(snapshot->peer);
}

static struct sm_str snapshot_local(void *source, uint16_t *port_out) {
    struct smpy_snapshot *snapshot = source;
    *port_out = snapshot->local_port;
    return sm_str_from(snapshot->local);
}

static bool snapshot_is_forwarded(void *source) {
    return ((struct smpy_snapshot *)source)->is_forwarded;
}

static bool snapshot_is_https(void *source) {
    return ((struct smpy_snapshot *)source)->is_https;
}

static struct sm_str snapshot_host(void *source) {
    return sm_str_from(((struct smpy_snapshot *)source)->host);
}

static struct sm_str snapshot_id(void *source) {
    return sm_str_from(((struct smpy_snapshot *)source)->id);
}

static bool snapshot_is_aborted(void *source) {
    return ((struct smpy_snapshot *)source)->is_aborted;
}

static bool snapshot_has_begun(void *source) {
    return ((struct smpy_snapshot *)source)->has_begun;
}

static void snapshot_log(void *source, struct sm_str text) {
    struct smpy_snapshot *snapshot = source;
    sm_log(SM_LOG_WARNING, "[%s] %.*s", snapshot->id, (int)(text.len < 8000 ? text.len : 8000), text.ptr);
}

static void snapshot_free(void *source) {
    smpy_snapshot_free(source);
}

const struct smpy_source_ops smpy_snapshot_ops = {
    .head = snapshot_head,
    .body = snapshot_body,
    .filter_data = snapshot_filter_data,
    .role = snapshot_role,
    .peer = snapshot_peer,
    .local = snapshot_local,
    .is_forwarded = snapshot_is_forwarded,
    .is_https = snapshot_is_https,
    .host = snapshot_host,
    .id = snapshot_id,
    .is_aborted = snapshot_is_aborted,
    .has_begun = snapshot_has_begun,
    .log = snapshot_log,
    .free = snapshot_free,
};
