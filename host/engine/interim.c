// SPDX-License-Identifier: MIT
// Interim responses (RFC 9110 15.2): a head without a body, sent at once, before the final one. Built in the same
// scratch as every head. What a client cannot understand is dropped, so that an application need not ask.
#include "engine/reply.h"

int sm_exchange_interim(struct sm_exchange *exchange, int status) {
    if (status < 100 || status > 199 || status == 101 || exchange->committed) {
        return SM_EXCHANGE_BAD_STATUS;
    }
    exchange->status = (uint16_t)status;
    return sm_reply_put_status(exchange, (struct sm_str){"", 0});
}

int sm_exchange_interim_end(struct sm_exchange *exchange) {
    struct sm_session *session = exchange->session;
    if (exchange->aborted || session->conn.is_broken) {
        return SM_EXCHANGE_GONE;
    }
    if (exchange->engine->head_of != exchange || !sm_reply_is_interim(exchange)) {
        return SM_EXCHANGE_NOT_STARTED;
    }
    int r = session->ops->interim == NULL ? 0 : session->ops->interim(exchange);
    exchange->engine->head_of = NULL;
    exchange->status = 0;
    if (session->conn.is_broken) {
        exchange->aborted = true;
        return SM_EXCHANGE_GONE;
    }
    return r < 0 ? r : sm_reply_full(exchange);
}
