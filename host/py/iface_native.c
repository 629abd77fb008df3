// SPDX-License-Identifier: MIT
// The native interface: calls the handler with a Request, sends what it returns (DESIGN 5). This is the hot path: a
// Request from the list of free ones, a vectorcall, and for a str no object of ours is made.
#include "py/answer.h"
#include "py/error.h"
#include "py/iface.h"
#include "py/request.h"
#include "py/stream.h"

// Ends the exchange as the outcome says. Takes the request; an exception that is set is logged and answered.
static void finish(struct smpy_app *app, struct sm_exchange *exchange, struct smpy_request *request,
                   enum smpy_answer_outcome outcome) {
    bool is_answered = true;
    if (outcome == SMPY_ANSWER_ERROR) {
        is_answered = smpy_error_answer(app->state, exchange, app->settings->show_traceback);
    }
    if (request != NULL) {
        smpy_request_release(request, exchange);
    }
    if (is_answered) {
        sm_exchange_end(exchange, 0);
    } else {
        sm_exchange_fail(exchange);
    }
}

static void native_request(struct smpy_app *app, struct sm_exchange *exchange) {
    enum smpy_answer_outcome outcome = SMPY_ANSWER_ERROR;
    struct smpy_request *request = smpy_request_new(app->state, &smpy_exchange_ops, exchange);
    if (request == NULL) {
        finish(app, exchange, NULL, SMPY_ANSWER_ERROR);
        return;
    }
    PyObject *arguments[2] = {NULL, (PyObject *)request};
    PyObject *returned = PyObject_Vectorcall(app->handler, arguments + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    if (returned != NULL) {
        outcome = smpy_answer_send(app, exchange, returned, request);
        Py_DECREF(returned);
    }
    if (outcome != SMPY_ANSWER_OPEN) {
        finish(app, exchange, request, outcome);
    }
}

static void native_resume(struct smpy_app *app, struct sm_exchange *exchange) {
    struct smpy_stream *stream = sm_exchange_user(exchange);
    enum smpy_answer_outcome outcome = smpy_stream_resume(app, exchange, stream);
    if (outcome != SMPY_ANSWER_OPEN) {
        sm_exchange_set_user(exchange, NULL);
        finish(app, exchange, smpy_stream_end(exchange, stream), outcome);
    }
}

static void native_abort(struct smpy_app *app, struct sm_exchange *exchange) {
    (void)app;
    struct smpy_stream *stream = sm_exchange_user(exchange);
    if (stream != NULL) {
        sm_exchange_set_user(exchange, NULL);
        smpy_request_release(smpy_stream_end(exchange, stream), exchange);
    }
}

const struct smpy_iface smpy_iface_native = {
    .name = "native",
    .request = native_request,
    .resume = native_resume,
    .abort = native_abort,
};
