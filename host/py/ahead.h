// SPDX-License-Identifier: MIT
// What an application pushes out faster than its client reads. Nobody is made to wait: what the connection may not
// hold goes to a spool, memory up to request_body_memory and then an unlinked file, and follows when there is room.
// Comes in: write() of WSGI, and of a Response. Owned by whoever writes.
#pragma once

#include "engine/spool.h"
#include "py/answer.h"

struct smpy_ahead {
    struct sm_spool spool;
    bool is_full; // the connection has all that it may hold
};

static inline void smpy_ahead_init(struct smpy_ahead *ahead) {
    *ahead = (struct smpy_ahead){.spool = {.body = {.fd = -1}}};
}
// Frees what waits, if anything does; afterwards it is as new.
void smpy_ahead_reset(struct smpy_ahead *ahead);
static inline bool smpy_ahead_waits(const struct smpy_ahead *ahead) {
    return sm_spool_unread(&ahead->spool) > 0;
}
// Keeps bytes that the connection cannot hold. -1 with an OSError: more than max_body_size wait, or the disk is full.
int smpy_ahead_keep(struct smpy_app *app, struct smpy_ahead *ahead, struct sm_str bytes);
// Sends what is queued. DONE, FULL or GONE.
enum smpy_answer_outcome smpy_ahead_flush(struct sm_exchange *exchange);
// Sends what waits, `most` bytes of it or a little more. DONE: that was all. OPEN: there is more. FULL, GONE or
// ERROR.
enum smpy_answer_outcome smpy_ahead_catch_up(struct sm_exchange *exchange, struct smpy_ahead *ahead, size_t most);
// Sends what waits, as far as the client takes it. DONE: the connection has room. OPEN, FULL, GONE or ERROR.
enum smpy_answer_outcome smpy_ahead_make_room(struct sm_exchange *exchange, struct smpy_ahead *ahead);
