// SPDX-License-Identifier: MIT
// Native handlers that are `async def` (DESIGN 5): each runs in a carrier. What it returns is answered as for any
// native handler; an asynchronous iterable is sent piece by piece, in the same task, each piece when there is room.
#include "base/exit.h"
#include "py/answer.h"
#include "py/await.h"
#include "py/carrier.h"
#include "py/error.h"
#include "py/iface.h"
#include "py/request.h"
#include "py/stream.h"

// One request. Belongs to its exchange and to its coroutine, whichever ends last.
struct call {
    PyObject ob_base;
    struct smpy_job job;
    struct smpy_app *app;         // borrowed
    struct sm_exchange *exchange; // NULL: over
    struct smpy_request *request; // owned; NULL: released, or the stream has it
    struct smpy_stream *stream;   // a body that is iterated without a coroutine
    PyObject *returned;           // keeps `answer` alive while an asynchronous body is sent
    struct smpy_answer answer;
    struct sm_list writers; // awaits
    bool is_begun;          // the head is out
    bool is_full;
    bool is_gone; // a write was told that the client has left
    bool runs;    // its coroutine has not ended
};

static void call_drop(struct call *call) {
    Py_DECREF((PyObject *)call);
}

// Ends the exchange as the outcome says; an exception that is set is logged and answered. `request` is taken.
static void close_exchange(struct call *call, struct smpy_request *request, enum smpy_answer_outcome outcome) {
    struct sm_exchange *exchange = call->exchange;
    bool is_answered = outcome != SMPY_ANSWER_ERROR ||
                       smpy_error_answer(call->app->state, exchange, call->app->settings->show_traceback);
    call->exchange = NULL;
    sm_exchange_set_user(exchange, NULL);
    if (request != NULL) {
        smpy_request_release(request, exchange);
    }
    if (is_answered) {
        sm_exchange_end(exchange, 0);
    } else {
        sm_exchange_fail(exchange);
    }
    smpy_loop_kick(&call->app->loop);
}

static void finish(struct call *call, enum smpy_answer_outcome outcome) {
    struct smpy_request *request = call->request;
    call->request = NULL;
    close_exchange(call, request, outcome);
}

// --- asynchronous bodies ---

static enum smpy_answer_outcome write_head(struct call *call, PyObject *piece) {
    struct sm_str usual =
        PyUnicode_Check(piece) ? SM_STR("text/html; charset=utf-8") : SM_STR("application/octet-stream");
    call->is_begun = true;
    return smpy_answer_head(call->app, call->exchange, &call->answer, usual, -1);
}

static PyObject *client_has_gone(struct call *call) {
    call->is_gone = true;
    PyErr_SetString(PyExc_ConnectionResetError, "the client has gone");
    return NULL;
}

// smpy_await_ask of the pump's write().
static PyObject *ask_write(PyObject *owner, PyObject *piece) {
    struct call *call = (struct call *)owner;
    if (call->exchange == NULL) {
        return client_has_gone(call);
    }
    if (call->is_full) {
        return NULL;
    }
    if (!PyBytes_Check(piece) && !PyUnicode_Check(piece)) {
        PyErr_Format(PyExc_TypeError, "%s returned an asynchronous body which gave %.100s; it gives bytes or str",
                     call->app->loaded.label, Py_TYPE(piece)->tp_name);
        return NULL;
    }
    struct sm_str bytes = smpy_answer_bytes(piece);
    if (bytes.ptr == NULL) {
        return NULL;
    }
    enum smpy_answer_outcome outcome = call->is_begun ? SMPY_ANSWER_DONE : write_head(call, piece);
    if (outcome == SMPY_ANSWER_DONE && bytes.len > 0) {
        outcome = smpy_answer_write(call->app, call->exchange, bytes, piece);
    }
    // Also what is too much: where asyncio calls and not the engine, nobody else sends it, and `resume` never comes.
    bool is_queued = outcome == SMPY_ANSWER_DONE || outcome == SMPY_ANSWER_FULL;
    int flushed = is_queued ? sm_exchange_flush(call->exchange) : 0;
    call->is_full = flushed == SM_EXCHANGE_FULL;
    if (outcome == SMPY_ANSWER_GONE || flushed == SM_EXCHANGE_GONE) {
        return client_has_gone(call);
    }
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

static PyObject *call_write(PyObject *self, PyObject *piece) {
    struct call *call = (struct call *)self;
    return smpy_await_new(&call->app->loop, self, ask_write, piece, &call->writers);
}

static PyMethodDef write_def = {"write", call_write, METH_O, NULL};

// Returns new: the coroutine that sends the body.
static PyObject *pump(struct call *call, PyObject *returned) {
    call->returned = Py_NewRef(returned);
    PyObject *module = PyImport_ImportModule("smisk.aio.pump");
    PyObject *write = module == NULL ? NULL : PyCFunction_New(&write_def, (PyObject *)call);
    PyObject *coroutine = write == NULL ? NULL : PyObject_CallMethod(module, "pump", "OO", call->answer.body, write);
    Py_XDECREF(write);
    Py_XDECREF(module);
    return coroutine;
}

static bool is_async_iterable(PyObject *body) {
    PyAsyncMethods *methods = Py_TYPE(body)->tp_as_async;
    return methods != NULL && methods->am_aiter != NULL;
}

// --- the coroutine's end ---

// The pump has ended; an exception is set when `result` is NULL.
static void after_pump(struct call *call, PyObject *result) {
    if (call->exchange == NULL) {
        if (result == NULL && (PyErr_ExceptionMatches(PyExc_ConnectionError) ||
                               PyErr_ExceptionMatches(call->app->loop.cancelled_error))) {
            PyErr_Clear(); // ours: the client has gone
        } else if (result == NULL) {
            smpy_error_log(call->app->loaded.label);
        }
        return;
    }
    if (result == NULL && call->is_gone && PyErr_ExceptionMatches(PyExc_ConnectionError)) {
        PyErr_Clear();
        finish(call, SMPY_ANSWER_GONE);
        return;
    }
    enum smpy_answer_outcome outcome = result == NULL ? SMPY_ANSWER_ERROR : SMPY_ANSWER_DONE;
    if (outcome == SMPY_ANSWER_DONE && !call->is_begun) {
        outcome = smpy_answer_head(call->app, call->exchange, &call->answer, SM_STR(""), 0);
    }
    finish(call, outcome);
}

// Answers with what the handler returned. Returns new: the pump of an asynchronous body; NULL: answered, or begun.
static PyObject *answer(struct call *call, PyObject *returned) {
    if (smpy_answer_unpack(call->app, returned, &call->answer) < 0) {
        finish(call, SMPY_ANSWER_ERROR);
        return NULL;
    }
    call->answer.request = call->request;
    if (is_async_iterable(call->answer.body)) {
        PyObject *coroutine = pump(call, returned);
        if (coroutine == NULL) {
            finish(call, SMPY_ANSWER_ERROR);
        }
        return coroutine;
    }
    enum smpy_answer_outcome outcome = smpy_answer_send(call->app, call->exchange, returned, call->request);
    if (outcome != SMPY_ANSWER_OPEN) {
        finish(call, outcome);
        return NULL;
    }
    call->request = NULL; // the stream has it
    call->stream = sm_exchange_user(call->exchange);
    sm_exchange_set_user(call->exchange, Py_NewRef((PyObject *)call));
    smpy_loop_kick(&call->app->loop);
    return NULL;
}

static void log_late(struct call *call) {
    if (PyErr_ExceptionMatches(call->app->loop.cancelled_error)) {
        PyErr_Clear();
        return;
    }
    smpy_error_log(call->app->loaded.label);
}

static PyObject *job_done(struct smpy_job *job, PyObject *result) {
    struct call *call = SM_CONTAINER(job, struct call, job);
    PyObject *next = NULL;
    if (call->returned != NULL) {
        after_pump(call, result);
    } else if (call->exchange == NULL) {
        if (result == NULL) {
            log_late(call);
        }
    } else if (result == NULL) {
        finish(call, SMPY_ANSWER_ERROR);
    } else {
        next = answer(call, result);
    }
    if (next == NULL) {
        call->runs = false;
        call_drop(call);
    }
    return next;
}

// --- the calls of the engine ---

static void async_request(struct smpy_app *app, struct sm_exchange *exchange) {
    struct smpy_request *request = smpy_request_new(app->state, &smpy_exchange_ops, exchange);
    struct call *call = request == NULL ? NULL : PyObject_New(struct call, app->async_type);
    if (call == NULL) {
        bool answered = smpy_error_answer(app->state, exchange, false);
        (void)(answered ? sm_exchange_end(exchange, 0) : sm_exchange_fail(exchange));
        Py_XDECREF((PyObject *)request);
        return;
    }
    PyObject base = call->ob_base;
    *call =
        (struct call){.app = app, .exchange = exchange, .request = request, .job = {.done = job_done}, .runs = true};
    call->ob_base = base;
    sm_list_init(&call->writers);
    sm_exchange_set_user(exchange, call);
    PyObject *arguments[2] = {NULL, (PyObject *)request};
    PyObject *returned = PyObject_Vectorcall(app->handler, arguments + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    if (returned != NULL && smpy_is_awaitable(returned)) {
        smpy_carrier_run(&app->loop, returned, &call->job);
        return;
    }
    PyObject *next = job_done(&call->job, returned);
    Py_XDECREF(returned);
    if (next != NULL) {
        smpy_carrier_run(&app->loop, next, &call->job);
    }
}

static void end_stream(struct call *call, enum smpy_answer_outcome outcome) {
    struct smpy_stream *stream = call->stream;
    call->stream = NULL;
    close_exchange(call, smpy_stream_end(call->exchange, stream), outcome);
    call_drop(call);
}

static void async_resume(struct smpy_app *app, struct sm_exchange *exchange) {
    struct call *call = sm_exchange_user(exchange);
    if (call == NULL) {
        return;
    }
    if (call->stream != NULL) {
        enum smpy_answer_outcome outcome = smpy_stream_resume(app, exchange, call->stream);
        if (outcome != SMPY_ANSWER_OPEN) {
            end_stream(call, outcome);
        }
        return;
    }
    call->is_full = false;
    smpy_await_wake(&app->loop, &call->writers);
}

static void async_abort(struct smpy_app *app, struct sm_exchange *exchange) {
    struct call *call = sm_exchange_user(exchange);
    if (call == NULL) {
        return;
    }
    sm_exchange_set_user(exchange, NULL);
    struct smpy_request *request = call->request;
    call->request = NULL;
    if (call->stream != NULL) {
        request = smpy_stream_end(exchange, call->stream);
        call->stream = NULL;
        call_drop(call);
    } else {
        call->exchange = NULL;
        if (call->returned != NULL && sm_list_empty(&call->writers)) {
            smpy_carrier_cancel(&call->job); // the generator waits for what may never come
        }
        smpy_await_wake(&app->loop, &call->writers);
    }
    if (request != NULL) {
        smpy_request_release(request, exchange);
    }
}

// --- life ---

static void call_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((struct call *)self)->returned);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyType_Slot call_slots[] = {
    {Py_tp_doc, "One request of an async native handler."},
    {Py_tp_dealloc, call_dealloc},
    {0, NULL},
};

static PyType_Spec call_spec = {
    .name = "_smisk.AsyncCall",
    .basicsize = sizeof(struct call),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = call_slots,
};

static int async_start(struct smpy_app *app) {
    app->async_type = (PyTypeObject *)PyType_FromSpec(&call_spec);
    if (app->async_type == NULL) {
        smpy_error_log("app: asynchronous handlers could not be set up");
        return SM_EXIT_PYTHON;
    }
    return 0;
}

static void async_drop(struct smpy_app *app) {
    Py_CLEAR(app->async_type);
}

const struct smpy_iface smpy_iface_async = {
    .name = "native",
    .needs_loop = true,
    .start = async_start,
    .drop = async_drop,
    .request = async_request,
    .resume = async_resume,
    .abort = async_abort,
};
