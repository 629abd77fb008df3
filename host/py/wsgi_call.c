// SPDX-License-Identifier: MIT
// The life of a request's objects (see wsgi.h): start_response, write, wsgi.input, wsgi.errors, wsgi.early_hints.
// They are made together and, where the application keeps none of them, used again for the next request. One that is
// kept is left to the application, knowing that its request is over.
#include "py/error.h"
#include "py/wsgi.h"

enum { MAX_FREE_CALLS = 64 };

static struct smpy_wsgi_part *part_new(PyTypeObject *type, vectorcallfunc vectorcall, struct smpy_wsgi_call *call) {
    struct smpy_wsgi_part *part = (struct smpy_wsgi_part *)type->tp_alloc(type, 0);
    if (part != NULL) {
        part->vectorcall = vectorcall;
        part->call = call;
        part->pending = NULL;
    }
    return part;
}

// Makes the parts that are missing. -1 with an exception.
static int make_parts(struct smpy_wsgi_call *call) {
    struct smpy_wsgi *wsgi = call->wsgi;
    if (call->write == NULL) {
        call->write = part_new(wsgi->write_type, smpy_wsgi_write, call);
    }
    if (call->errors == NULL) {
        call->errors = part_new(wsgi->errors_type, NULL, call);
    }
    if (call->hints == NULL) {
        call->hints = part_new(wsgi->hints_type, smpy_wsgi_hints, call);
    }
    if (call->input == NULL) {
        call->input = smpy_wsgi_input_new(wsgi);
    }
    return call->write == NULL || call->errors == NULL || call->hints == NULL || call->input == NULL ? -1 : 0;
}

static struct smpy_wsgi_call *call_make(struct smpy_wsgi *wsgi) {
    struct smpy_wsgi_call *call = (struct smpy_wsgi_call *)wsgi->start_type->tp_alloc(wsgi->start_type, 0);
    if (call != NULL) {
        call->vectorcall = smpy_wsgi_start;
        call->wsgi = wsgi;
        smpy_ahead_init(&call->ahead);
    }
    return call;
}

struct smpy_wsgi_call *smpy_wsgi_call_new(struct smpy_wsgi *wsgi, struct sm_exchange *exchange) {
    struct smpy_wsgi_call *call = wsgi->free_calls;
    if (call != NULL) {
        wsgi->free_calls = call->next_free;
        wsgi->n_free_calls--;
    } else {
        call = call_make(wsgi);
        if (call == NULL) {
            return NULL;
        }
    }
    if (make_parts(call) < 0) {
        Py_DECREF(call);
        return NULL;
    }
    call->exchange = exchange;
    call->content_length = -1;
    call->written = 0;
    call->is_started = call->is_gone = false;
    call->input->body = *sm_exchange_body(exchange);
    call->input->off = 0;
    return call;
}

// --- the end ---

// Calls close() of what the application returned, if it has one. Any exception is logged.
static void close_result(struct smpy_wsgi_call *call) {
    PyObject *close = NULL;
    PyObject *closed = NULL;
    PyObject *result = call->result;
    call->result = NULL;
    Py_CLEAR(call->iterator);
    if (result == NULL) {
        return;
    }
    if (!PyList_CheckExact(result) && !PyTuple_CheckExact(result)) {
        if (smpy_attribute_find(result, call->wsgi->name_close, &close) > 0) {
            closed = PyObject_CallNoArgs(close);
        }
        if (PyErr_Occurred()) {
            smpy_error_log_exchange(call->exchange);
        }
    }
    Py_XDECREF(closed);
    Py_XDECREF(close);
    Py_DECREF(result);
}

// Lets go of a part that the application keeps; one that nobody else has stays for the next request.
static void part_end(struct smpy_wsgi_part **part_inout) {
    struct smpy_wsgi_part *part = *part_inout;
    if (!smpy_is_only_reference((PyObject *)part)) {
        part->call = NULL;
        *part_inout = NULL;
        Py_DECREF(part);
    }
}

static void end_parts(struct smpy_wsgi_call *call) {
    smpy_wsgi_errors_end(call->errors);
    part_end(&call->write);
    part_end(&call->errors);
    part_end(&call->hints);
    call->input = smpy_wsgi_input_end(call->input, call->exchange);
}

static void recycle(struct smpy_wsgi_call *call) {
    struct smpy_wsgi *wsgi = call->wsgi;
    if (!smpy_is_only_reference((PyObject *)call) || wsgi->n_free_calls >= MAX_FREE_CALLS) {
        Py_DECREF(call);
        return;
    }
    call->next_free = wsgi->free_calls;
    wsgi->free_calls = call;
    wsgi->n_free_calls++;
}

void smpy_wsgi_call_end(struct smpy_wsgi_call *call) {
    PyObject *pending = PyErr_Occurred() ? smpy_exception_take() : NULL;
    close_result(call);
    Py_CLEAR(call->status);
    Py_CLEAR(call->headers);
    smpy_ahead_reset(&call->ahead);
    end_parts(call);
    call->exchange = NULL;
    recycle(call);
    if (pending != NULL) {
        smpy_exception_give(pending);
    }
}

void smpy_wsgi_call_drop_free(struct smpy_wsgi *wsgi) {
    while (wsgi->free_calls != NULL) {
        struct smpy_wsgi_call *call = wsgi->free_calls;
        wsgi->free_calls = call->next_free;
        wsgi->n_free_calls--;
        Py_DECREF(call);
    }
}
