// SPDX-License-Identifier: MIT
// Pieces of a body on their way out, and the callable write() (PEP 3333, "The write() Callable"). An application that
// pushes its body by write() is not made to wait for a slow client: what is too much now is kept (ahead.h).
#include "py/wsgi.h"

static enum smpy_answer_outcome too_long(struct smpy_wsgi_call *call) {
    PyErr_Format(PyExc_ValueError, "%s sent more than the %lld bytes that its Content-Length, or len(), promised",
                 call->wsgi->app->loaded.label, (long long)call->content_length);
    return SMPY_ANSWER_ERROR;
}

// Whether `len` more bytes are as Content-Length says. -1 with an exception.
static int check_length(struct smpy_wsgi_call *call, size_t len) {
    bool is_past = call->content_length >= 0 && len > (uint64_t)call->content_length - call->written;
    if (is_past && !smpy_answer_has_no_body(call->exchange, call->code)) {
        (void)too_long(call);
        return -1;
    }
    return 0;
}

enum smpy_answer_outcome smpy_wsgi_send(struct smpy_wsgi_call *call, PyObject *piece, int64_t body_len) {
    struct sm_exchange *exchange = call->exchange;
    struct sm_str bytes = {PyBytes_AS_STRING(piece), (size_t)PyBytes_GET_SIZE(piece)};
    if (call->headers != NULL && check_length(call, bytes.len) < 0) {
        return SMPY_ANSWER_ERROR;
    }
    if (!sm_exchange_committed(exchange)) {
        enum smpy_answer_outcome outcome = smpy_wsgi_commit(call, body_len);
        if (outcome != SMPY_ANSWER_DONE) {
            return outcome;
        }
        call->content_length = call->content_length < 0 ? body_len : call->content_length;
    }
    if (smpy_answer_has_no_body(exchange, call->code)) {
        return SMPY_ANSWER_GONE;
    }
    call->written += bytes.len;
    return smpy_answer_write(call->wsgi->app, exchange, bytes, piece);
}

// --- the callable ---

static enum smpy_answer_outcome write_now(struct smpy_wsgi_call *call, PyObject *piece) {
    enum smpy_answer_outcome outcome = smpy_wsgi_send(call, piece, -1);
    if (outcome == SMPY_ANSWER_DONE || outcome == SMPY_ANSWER_FULL) {
        outcome = smpy_ahead_flush(call->exchange);
        call->ahead.is_full = outcome == SMPY_ANSWER_FULL;
    }
    // The answer to HEAD: the application says what it says to GET, and nobody hears it.
    if (outcome == SMPY_ANSWER_GONE && smpy_answer_has_no_body(call->exchange, call->code)) {
        return SMPY_ANSWER_DONE;
    }
    return outcome;
}

static enum smpy_answer_outcome write_later(struct smpy_wsgi_call *call, PyObject *piece) {
    struct sm_str bytes = {PyBytes_AS_STRING(piece), (size_t)PyBytes_GET_SIZE(piece)};
    if (check_length(call, bytes.len) < 0 || smpy_ahead_keep(call->wsgi->app, &call->ahead, bytes) < 0) {
        return SMPY_ANSWER_ERROR;
    }
    call->written += bytes.len;
    return SMPY_ANSWER_DONE;
}

static PyObject *told_gone(struct smpy_wsgi_call *call) {
    call->is_gone = true;
    PyErr_SetString(PyExc_BrokenPipeError, "the client has gone");
    return NULL;
}

PyObject *smpy_wsgi_write(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names) {
    struct smpy_wsgi_call *call = ((struct smpy_wsgi_part *)self)->call;
    if (PyVectorcall_NARGS(nargsf) != 1 || (names != NULL && PyTuple_GET_SIZE(names) > 0)) {
        PyErr_SetString(PyExc_TypeError, "write() takes one argument, the bytes to send");
        return NULL;
    }
    if (!PyBytes_Check(args[0])) {
        PyErr_Format(PyExc_TypeError, "write() takes bytes, not %.100s", Py_TYPE(args[0])->tp_name);
        return NULL;
    }
    if (call == NULL || call->exchange == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "write() was called after its request was over");
        return NULL;
    }
    enum smpy_answer_outcome outcome =
        call->is_gone ? SMPY_ANSWER_GONE : smpy_ahead_make_room(call->exchange, &call->ahead);
    if (outcome == SMPY_ANSWER_DONE) {
        outcome = write_now(call, args[0]);
    } else if (outcome == SMPY_ANSWER_FULL || outcome == SMPY_ANSWER_OPEN) {
        outcome = write_later(call, args[0]);
    }
    switch (outcome) {
    case SMPY_ANSWER_ERROR:
        return NULL;
    case SMPY_ANSWER_GONE:
        return told_gone(call);
    default:
        Py_RETURN_NONE;
    }
}

static void write_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef write_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(struct smpy_wsgi_part, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot write_slots[] = {
    {Py_tp_doc, "write(body_data: bytes) -> None\n\nSends a piece of the body; never waits for the client."},
    {Py_tp_dealloc, write_dealloc},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, write_members},
    {0, NULL},
};

static PyType_Spec write_spec = {
    .name = "_smisk.Write",
    .basicsize = sizeof(struct smpy_wsgi_part),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = write_slots,
};

PyTypeObject *smpy_wsgi_write_type(PyObject *module) {
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &write_spec, NULL);
}
