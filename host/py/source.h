// SPDX-License-Identifier: MIT
// Where a Request takes its facts from: a live exchange of the engine, or a snapshot that outlives it (made when
// Python keeps a Request, and by the factory for tests). Request asks through this table and never sees an engine,
// so that `_smisk` is also a module for a plain python. The table calls no Python.
#pragma once

#include "engine/exchange.h"
#include "proto/forwarded.h"

struct smpy_source_ops {
    const struct sm_head *(*head)(void *source);
    const struct sm_body *(*body)(void *source);
    const struct sm_body *(*filter_data)(void *source);
    enum sm_role (*role)(void *source);
    struct sm_str (*peer)(void *source, uint16_t *port_out);
    struct sm_str (*local)(void *source, uint16_t *port_out);
    // As the trusted proxies have it, see exchange.h.
    bool (*is_forwarded)(void *source);
    bool (*is_https)(void *source);
    struct sm_str (*host)(void *source);
    struct sm_str (*id)(void *source);
    bool (*is_aborted)(void *source);
    bool (*has_begun)(void *source); // the head of the response is out
    void (*log)(void *source, struct sm_str text);
    // What a Request calls when it lets go of the source; NULL for one that is not the Request's.
    void (*free)(void *source);
};

// Facts on their own feet: owns the block (free), the bodies (free, close) and its field array.
struct smpy_snapshot {
    struct sm_head head;
    char *block;
    struct sm_body body;
    struct sm_body filter_data;
    enum sm_role role;
    bool is_aborted, is_forwarded, is_https, has_begun;
    uint16_t peer_port;
    uint16_t local_port;
    char peer[64];
    char local[64];
    char id[32];
    char host[SM_AUTHORITY_MAX + 7];
    struct sm_field fields[];
};

// Room for `n_fields`; everything else empty. NULL: no memory.
struct smpy_snapshot *smpy_snapshot_new(uint32_t n_fields);
void smpy_snapshot_free(struct smpy_snapshot *snapshot);
extern const struct smpy_source_ops smpy_snapshot_ops;

// Takes head and bodies out of a live exchange, which is about to end. NULL: no memory.
struct smpy_snapshot *smpy_snapshot_of_exchange(struct sm_exchange *exchange);
// The source is the exchange itself.
extern const struct smpy_source_ops smpy_exchange_ops;
