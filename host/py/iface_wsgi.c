// SPDX-License-Identifier: MIT
// The WSGI interface (PEP 3333): calls the application with environ and start_response, and sends what it returns.
// The rooms behind it: wsgi_environ.c and wsgi_names.c, wsgi_start.c, wsgi_write.c, wsgi_body.c, wsgi_file.c,
// wsgi_input.c, wsgi_errors.c, wsgi_hints.c; the life of their objects is in wsgi_call.c.
#include <stdlib.h>

#include "base/exit.h"
#include "py/error.h"
#include "py/wsgi.h"

// --- requests ---

// Answers the exception that is set. False: it cannot be answered any more, or the client has gone.
static bool answer_exception(struct smpy_wsgi_call *call, struct smpy_app *app, struct sm_exchange *exchange) {
    // The application was told by this exception, and let it pass.
    if (call != NULL && call->is_gone && PyErr_ExceptionMatches(PyExc_BrokenPipeError)) {
        PyErr_Clear();
        return false;
    }
    return smpy_error_answer(app->state, exchange, app->settings->show_traceback);
}

// Ends the exchange as the outcome says; an exception that is set is logged and answered.
static void finish(struct smpy_app *app, struct sm_exchange *exchange, struct smpy_wsgi_call *call,
                   enum smpy_answer_outcome outcome) {
    bool is_answered = outcome != SMPY_ANSWER_ERROR || answer_exception(call, app, exchange);
    if (call != NULL) {
        smpy_wsgi_call_end(call);
    }
    if (is_answered) {
        sm_exchange_end(exchange, 0);
    } else {
        sm_exchange_fail(exchange);
    }
}

// Returns new: what the application returned. NULL with an exception.
static PyObject *call_application(struct smpy_app *app, struct smpy_wsgi_call *call) {
    PyObject *environ = smpy_wsgi_environ(call);
    if (environ == NULL) {
        return NULL;
    }
    PyObject *arguments[3] = {NULL, environ, (PyObject *)call};
    PyObject *result = PyObject_Vectorcall(app->handler, arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    Py_DECREF(environ);
    return result;
}

static void wsgi_request(struct smpy_app *app, struct sm_exchange *exchange) {
    struct smpy_wsgi_call *call = smpy_wsgi_call_new(app->iface_state, exchange);
    if (call == NULL) {
        finish(app, exchange, NULL, SMPY_ANSWER_ERROR);
        return;
    }
    PyObject *result = call_application(app, call);
    enum smpy_answer_outcome outcome = result == NULL ? SMPY_ANSWER_ERROR : smpy_wsgi_body_begin(call, result);
    if (outcome == SMPY_ANSWER_OPEN) {
        sm_exchange_set_user(exchange, call);
    } else {
        finish(app, exchange, call, outcome);
    }
}

static void wsgi_resume(struct smpy_app *app, struct sm_exchange *exchange) {
    struct smpy_wsgi_call *call = sm_exchange_user(exchange);
    enum smpy_answer_outcome outcome = smpy_wsgi_body_resume(call);
    if (outcome != SMPY_ANSWER_OPEN) {
        sm_exchange_set_user(exchange, NULL);
        finish(app, exchange, call, outcome);
    }
}

static void wsgi_abort(struct smpy_app *app, struct sm_exchange *exchange) {
    (void)app;
    struct smpy_wsgi_call *call = sm_exchange_user(exchange);
    if (call != NULL) {
        sm_exchange_set_user(exchange, NULL);
        smpy_wsgi_call_end(call);
    }
}

// --- the life of the application ---

static int make_types(struct smpy_wsgi *wsgi, PyObject *module) {
    const struct {
        PyTypeObject **slot;
        PyTypeObject *(*make)(PyObject *module);
    } types[] = {
        {&wsgi->start_type, smpy_wsgi_start_type},   {&wsgi->write_type, smpy_wsgi_write_type},
        {&wsgi->errors_type, smpy_wsgi_errors_type}, {&wsgi->hints_type, smpy_wsgi_hints_type},
        {&wsgi->input_type, smpy_wsgi_input_type},   {&wsgi->file_type, smpy_wsgi_file_type},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        *types[i].slot = types[i].make(module);
        if (*types[i].slot == NULL) {
            return -1;
        }
    }
    return 0;
}

static void wsgi_stop(struct smpy_app *app) {
    struct smpy_wsgi *wsgi = app->iface_state;
    app->iface_state = NULL;
    smpy_wsgi_call_drop_free(wsgi);
    smpy_wsgi_environ_deinit(wsgi);
    Py_CLEAR(wsgi->name_close);
    Py_CLEAR(wsgi->start_type);
    Py_CLEAR(wsgi->write_type);
    Py_CLEAR(wsgi->errors_type);
    Py_CLEAR(wsgi->hints_type);
    Py_CLEAR(wsgi->input_type);
    Py_CLEAR(wsgi->file_type);
    free(wsgi);
}

static int wsgi_start(struct smpy_app *app) {
    struct smpy_wsgi *wsgi = calloc(1, sizeof *wsgi);
    if (wsgi == NULL) {
        PyErr_NoMemory();
        smpy_error_log("WSGI cannot be served");
        return SM_EXIT_PYTHON;
    }
    app->iface_state = wsgi;
    wsgi->app = app;
    wsgi->root_path = sm_str_from(app->settings->root_path);
    wsgi->name_close = PyUnicode_InternFromString("close");
    if (wsgi->name_close == NULL || make_types(wsgi, app->smisk) < 0 || smpy_wsgi_environ_init(wsgi) < 0) {
        smpy_error_log("WSGI cannot be served");
        wsgi_stop(app);
        return SM_EXIT_PYTHON;
    }
    return 0;
}

const struct smpy_iface smpy_iface_wsgi = {
    .name = "wsgi",
    .start = wsgi_start,
    .stop = wsgi_stop,
    .request = wsgi_request,
    .resume = wsgi_resume,
    .abort = wsgi_abort,
};
