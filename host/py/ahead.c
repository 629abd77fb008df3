// SPDX-License-Identifier: MIT
// What an application pushes out faster than its client reads (see ahead.h).
#include "py/ahead.h"

#include <errno.h>

#include "py/refusal.h"

enum { STEP = 16 * 1024, CAUGHT_UP_AT_ONCE = 1024 * 1024 }; // bytes

void smpy_ahead_reset(struct smpy_ahead *ahead) {
    ahead->is_full = false;
    if (ahead->spool.cap > 0 || ahead->spool.body.fd >= 0) {
        sm_spool_deinit(&ahead->spool);
    }
}

int smpy_ahead_keep(struct smpy_app *app, struct smpy_ahead *ahead, struct sm_str bytes) {
    const struct sm_settings *settings = app->settings;
    if (sm_spool_unread(&ahead->spool) + bytes.len > settings->max_body_size) {
        PyErr_Format(PyExc_OSError, "write() is more than max_body_size (%llu bytes) ahead of the client",
                     (unsigned long long)settings->max_body_size);
        return -1;
    }
    int r = sm_spool_add(&ahead->spool, bytes, (size_t)settings->request_body_memory, settings->temp_dir);
    if (r < 0) {
        errno = -r;
        PyErr_SetFromErrnoWithFilename(PyExc_OSError, settings->temp_dir);
    }
    return r < 0 ? -1 : 0;
}

static enum smpy_answer_outcome outcome_of(int outcome) {
    switch (outcome) {
    case 0:
        return SMPY_ANSWER_DONE;
    case SM_EXCHANGE_FULL:
        return SMPY_ANSWER_FULL;
    case SM_EXCHANGE_GONE:
        return SMPY_ANSWER_GONE;
    default:
        break;
    }
    (void)smpy_refuse(outcome, "", NULL);
    return SMPY_ANSWER_ERROR;
}

enum smpy_answer_outcome smpy_ahead_flush(struct sm_exchange *exchange) {
    return outcome_of(sm_exchange_flush(exchange));
}

enum smpy_answer_outcome smpy_ahead_catch_up(struct sm_exchange *exchange, struct smpy_ahead *ahead, size_t most) {
    char step[STEP];
    size_t sent = 0;
    while (smpy_ahead_waits(ahead)) {
        if (sent >= most) {
            return SMPY_ANSWER_OPEN;
        }
        ssize_t n = sm_spool_read(&ahead->spool, step, sizeof step);
        if (n < 0) {
            return outcome_of((int)n);
        }
        sent += (size_t)n;
        int outcome = sm_exchange_write(exchange, step, (size_t)n);
        if (outcome == SM_EXCHANGE_FULL) {
            outcome = sm_exchange_flush(exchange);
        }
        if (outcome != 0) {
            return outcome_of(outcome);
        }
    }
    return SMPY_ANSWER_DONE;
}

enum smpy_answer_outcome smpy_ahead_make_room(struct sm_exchange *exchange, struct smpy_ahead *ahead) {
    if (!ahead->is_full) {
        return SMPY_ANSWER_DONE;
    }
    enum smpy_answer_outcome outcome = smpy_ahead_flush(exchange);
    if (outcome == SMPY_ANSWER_DONE) {
        outcome = smpy_ahead_catch_up(exchange, ahead, CAUGHT_UP_AT_ONCE);
    }
    ahead->is_full = outcome != SMPY_ANSWER_DONE;
    return outcome;
}
