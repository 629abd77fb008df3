// SPDX-License-Identifier: MIT
// The interface of Smisk 1.1: an Application whose service() reads a Request and writes a Response. Both are made for
// each request and current in its context (current.h); where the program keeps none of them, they are used again.
#include <stdlib.h>

#include "base/exit.h"
#include "engine/engine.h"
#include "py/application.h"
#include "py/current.h"
#include "py/error.h"
#include "py/iface.h"
#include "py/reply_live.h"

enum { MAX_FREE = 64 };

struct smpy_smisk {
    PyTypeObject *request_type; // NULL: Request itself
    PyObject *response_class;   // NULL: Response itself
    PyObject *name_service, *name_error;
    struct smpy_live *free_lives;
    unsigned n_free;
};

// --- the objects of a request ---

static void live_free(struct smpy_live *live) {
    smpy_live_reset(live);
    sm_bytes_deinit(&live->held);
    Py_CLEAR(live->response);
    free(live);
}

// -1 with an exception.
static int make_request(struct smpy_app *app, struct smpy_live *live) {
    const struct smpy_smisk *smisk = app->iface_state;
    live->request = smisk->request_type == NULL
                        ? smpy_request_new(app->state, &smpy_exchange_ops, live->exchange)
                        : smpy_request_new_as(app->state, smisk->request_type, &smpy_exchange_ops, live->exchange);
    if (live->request == NULL) {
        return -1;
    }
    // The collector need not know: an Application lives as long as the worker.
    live->request->cache[SMPY_FIELD_APP] = Py_NewRef(app->handler);
    live->request->built |= 1u << SMPY_FIELD_APP;
    return 0;
}

static int make_response(struct smpy_app *app, struct smpy_live *live) {
    if (live->response != NULL) {
        return 0;
    }
    const struct smpy_smisk *smisk = app->iface_state;
    PyObject *type = smisk->response_class == NULL ? (PyObject *)app->state->response_type : smisk->response_class;
    live->response = (struct smpy_response *)PyObject_CallNoArgs(type);
    if (live->response != NULL && !PyObject_TypeCheck((PyObject *)live->response, app->state->response_type)) {
        PyErr_Format(PyExc_TypeError, "response_class gave %.100s, which is no smisk.core.Response",
                     Py_TYPE(live->response)->tp_name);
        Py_CLEAR(live->response);
    }
    return live->response == NULL ? -1 : 0;
}

// Puts a Response back for the next request, as new; lets go of one that the program keeps.
static void recycle_response(struct smpy_app *app, struct smpy_live *live) {
    struct smpy_response *response = live->response;
    if (Py_TYPE(response) != app->state->response_type || !smpy_is_only_reference((PyObject *)response)) {
        Py_CLEAR(live->response);
        return;
    }
    response->status = 200;
    response->has_begun = response->is_utf8 = false;
    Py_CLEAR(response->headers);
    if (response->content_type != Py_None) {
        Py_SETREF(response->content_type, Py_NewRef(Py_None));
    }
    if (!PyBytes_CheckExact(response->body) || PyBytes_GET_SIZE(response->body) > 0) {
        Py_CLEAR(live->response);
    }
}

// Lets go of everything but the exchange. Takes `live`.
static void live_end(struct smpy_app *app, struct smpy_live *live) {
    struct smpy_smisk *smisk = app->iface_state;
    if (live->request != NULL) {
        smpy_request_release(live->request, live->exchange);
        live->request = NULL;
    }
    if (live->response != NULL) {
        recycle_response(app, live);
    }
    smpy_live_reset(live);
    if (smisk->n_free >= MAX_FREE) {
        live_free(live);
        return;
    }
    live->next_free = smisk->free_lives;
    smisk->free_lives = live;
    smisk->n_free++;
}

// NULL with an exception.
static struct smpy_live *live_new(struct smpy_app *app, struct sm_exchange *exchange) {
    struct smpy_smisk *smisk = app->iface_state;
    struct smpy_live *live = smisk->free_lives;
    if (live != NULL) {
        smisk->free_lives = live->next_free;
        smisk->n_free--;
    } else {
        live = malloc(sizeof *live);
        if (live == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        smpy_live_init(live, app);
    }
    live->exchange = exchange;
    if (make_request(app, live) < 0 || make_response(app, live) < 0) {
        live_end(app, live);
        return NULL;
    }
    smpy_live_open(live);
    return live;
}

// --- a request ---

// Calls service(). Whether it returned; else an exception is set.
static bool call_service(struct smpy_app *app) {
    const struct smpy_smisk *smisk = app->iface_state;
    PyObject *arguments[2] = {NULL, app->handler};
    PyObject *returned =
        PyObject_VectorcallMethod(smisk->name_service, arguments + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    if (returned != NULL && PyCoro_CheckExact(returned)) {
        PyObject *closed = PyObject_CallMethodNoArgs(returned, app->state->name_close);
        Py_XDECREF(closed);
        PyErr_Format(PyExc_TypeError, "%s: service() is an async def; it is called without an event loop",
                     app->loaded.label);
        Py_CLEAR(returned);
    }
    Py_XDECREF(returned);
    return returned != NULL;
}

// Hands an exception to error(). Whether that returned; else its own exception is set, and the first one was logged.
static bool call_error(struct smpy_app *app, struct smpy_live *live, PyObject *exception) {
    const struct smpy_smisk *smisk = app->iface_state;
    PyObject *traceback = PyException_GetTraceback(exception);
    PyObject *returned = PyObject_CallMethodObjArgs(app->handler, smisk->name_error, (PyObject *)Py_TYPE(exception),
                                                    exception, traceback == NULL ? Py_None : traceback, NULL);
    Py_XDECREF(traceback);
    if (returned != NULL) {
        Py_DECREF(returned);
        return true;
    }
    PyObject *second = smpy_exception_take();
    if (second != exception) {
        smpy_exception_give(Py_NewRef(exception));
        smpy_error_log_exchange(live->exchange);
    }
    smpy_exception_give(second);
    return false;
}

// Answers the exception that is set, by the application's error().
static enum smpy_answer_outcome answer_error(struct smpy_app *app, struct smpy_live *live) {
    // The program was told by this exception, and let it pass.
    if (live->is_gone && PyErr_ExceptionMatches(PyExc_BrokenPipeError)) {
        PyErr_Clear();
        return SMPY_ANSWER_GONE;
    }
    if (!live->response->has_begun) {
        smpy_live_drop_file(live);
    }
    PyObject *exception = smpy_exception_take();
    bool is_answered = call_error(app, live, exception);
    Py_DECREF(exception);
    return is_answered ? smpy_live_finish(live) : SMPY_ANSWER_ERROR;
}

static enum smpy_answer_outcome serve(struct smpy_app *app, struct smpy_live *live) {
    PyObject *token = smpy_current_enter(app->state, live->response);
    if (token == NULL) {
        return SMPY_ANSWER_ERROR;
    }
    enum smpy_answer_outcome outcome = call_service(app) ? smpy_live_finish(live) : SMPY_ANSWER_ERROR;
    if (outcome == SMPY_ANSWER_ERROR) {
        outcome = answer_error(app, live);
    }
    smpy_current_leave(app->state, token);
    return outcome;
}

// Ends the exchange as the outcome says. Takes `live`, which may be NULL; an exception that is set is logged.
static void finish(struct smpy_app *app, struct sm_exchange *exchange, struct smpy_live *live,
                   enum smpy_answer_outcome outcome) {
    bool is_answered =
        outcome != SMPY_ANSWER_ERROR || smpy_error_answer(app->state, exchange, app->settings->show_traceback);
    if (live != NULL) {
        live_end(app, live);
    }
    if (is_answered) {
        sm_exchange_end(exchange, 0);
    } else {
        sm_exchange_fail(exchange);
    }
    // The signal that exit() has sent comes after whatever happened in this turn; a client that comes now shall have
    // another worker already.
    if (app->state->wants_exit && app->engine != NULL) {
        app->state->wants_exit = false;
        sm_engine_leave(app->engine);
    }
}

static void smisk_request(struct smpy_app *app, struct sm_exchange *exchange) {
    struct smpy_live *live = live_new(app, exchange);
    if (live == NULL) {
        finish(app, exchange, NULL, SMPY_ANSWER_ERROR);
        return;
    }
    enum smpy_answer_outcome outcome = serve(app, live);
    smpy_live_shut(live);
    if (outcome != SMPY_ANSWER_OPEN) {
        finish(app, exchange, live, outcome);
        return;
    }
    // The client is behind; the session need not wait for it.
    smpy_request_store_session(live->request, exchange);
    sm_exchange_set_user(exchange, live);
}

static void smisk_resume(struct smpy_app *app, struct sm_exchange *exchange) {
    struct smpy_live *live = sm_exchange_user(exchange);
    enum smpy_answer_outcome outcome = smpy_live_resume(live);
    if (outcome != SMPY_ANSWER_OPEN) {
        sm_exchange_set_user(exchange, NULL);
        finish(app, exchange, live, outcome);
    }
}

static void smisk_abort(struct smpy_app *app, struct sm_exchange *exchange) {
    struct smpy_live *live = sm_exchange_user(exchange);
    if (live != NULL) {
        sm_exchange_set_user(exchange, NULL);
        live_end(app, live);
    }
}

// --- the life of the application ---

// Returns new: a class that the application names, which must be `base` or derive from it. NULL with an exception.
static PyObject *find_class(struct smpy_app *app, const char *name, PyTypeObject *base) {
    PyObject *found = PyObject_GetAttrString(app->handler, name);
    if (found != NULL && !(PyType_Check(found) && PyType_IsSubtype((PyTypeObject *)found, base))) {
        PyErr_Format(PyExc_TypeError, "%s must be %s, or a class that derives from it, not %R", name, base->tp_name,
                     found);
        Py_CLEAR(found);
    }
    return found;
}

static int find_classes(struct smpy_app *app, struct smpy_smisk *smisk) {
    PyObject *request = find_class(app, "request_class", app->state->request_type);
    PyObject *response = request == NULL ? NULL : find_class(app, "response_class", app->state->response_type);
    if (response == NULL) {
        Py_XDECREF(request);
        return -1;
    }
    if (request != (PyObject *)app->state->request_type) {
        smisk->request_type = (PyTypeObject *)Py_NewRef(request);
    }
    if (response != (PyObject *)app->state->response_type) {
        smisk->response_class = Py_NewRef(response);
    }
    Py_DECREF(response);
    Py_DECREF(request);
    return 0;
}

static void drop_state(struct smpy_app *app) {
    struct smpy_smisk *smisk = app->iface_state;
    app->iface_state = NULL;
    while (smisk->free_lives != NULL) {
        struct smpy_live *live = smisk->free_lives;
        smisk->free_lives = live->next_free;
        live_free(live);
    }
    Py_CLEAR(smisk->request_type);
    Py_CLEAR(smisk->response_class);
    Py_CLEAR(smisk->name_service);
    Py_CLEAR(smisk->name_error);
    free(smisk);
}

static int prepare(struct smpy_app *app, struct smpy_smisk *smisk) {
    smisk->name_service = PyUnicode_InternFromString("service");
    smisk->name_error = PyUnicode_InternFromString("error");
    return smisk->name_service == NULL || smisk->name_error == NULL ||
                   smpy_application_take(app->state, app->handler, app->settings->show_traceback) < 0 ||
                   find_classes(app, smisk) < 0
               ? -1
               : 0;
}

static int smisk_start(struct smpy_app *app) {
    struct smpy_smisk *smisk = calloc(1, sizeof *smisk);
    if (smisk == NULL) {
        PyErr_NoMemory();
        smpy_error_log("app: an Application cannot be served");
        return SM_EXIT_PYTHON;
    }
    app->iface_state = smisk;
    int status = 0;
    if (prepare(app, smisk) < 0) {
        smpy_error_log("app: the Application cannot be served");
        status = SM_EXIT_APP;
    } else {
        status = smpy_app_call_hook(app->handler, "application_will_start");
    }
    if (status != 0) {
        drop_state(app);
    }
    return status;
}

static void smisk_stop(struct smpy_app *app) {
    (void)smpy_app_call_hook(app->handler, "application_did_stop");
    drop_state(app);
}

const struct smpy_iface smpy_iface_smisk = {
    .name = "smisk",
    .start = smisk_start,
    .stop = smisk_stop,
    .request = smisk_request,
    .resume = smisk_resume,
    .abort = smisk_abort,
};
