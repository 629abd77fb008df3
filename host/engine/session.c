// SPDX-License-Identifier: MIT
// What sessions of every protocol have in common.
#include "engine/session.h"

void sm_session_init(struct sm_session *session, struct sm_engine *engine, const struct sm_session_ops *ops) {
    session->ops = ops;
    session->engine = engine;
    sm_list_init(&session->node);
    sm_list_append(&engine->sessions, &session->node);
    engine->n_sessions++;
}

void sm_session_deinit(struct sm_session *session) {
    sm_list_remove(&session->node);
    session->engine->n_sessions--;
}

uint64_t sm_session_grace(const struct sm_session *session, bool served) {
    return served ? session->engine->drain_idle : SM_DRAIN_GRACE_MS;
}
