// SPDX-License-Identifier: MIT
// What an application returned, sent: a list or tuple as one, anything else pulled piece by piece while there is
// room, each piece sent before the next is asked for. The head goes out with the first piece that is not empty, so
// that a generator which fails before it is still answered 500. Closing is the call's (wsgi_call.c).
#include "py/wsgi.h"

// What one body may send in a turn before other exchanges have theirs.
enum { TURN_PIECES = 64, TURN_BYTES = 256 * 1024 };

// --- what it is ---

// The mistakes that iterating would hide: the characters of a str, the numbers of bytes. -1 with an exception.
static int check_result(struct smpy_wsgi_call *call, PyObject *result) {
    const char *label = call->wsgi->app->loaded.label;
    if (PyUnicode_Check(result) || PyBytes_Check(result) || PyByteArray_Check(result)) {
        PyErr_Format(PyExc_TypeError,
                     "%s returned %.100s; a WSGI application returns an iterable of bytes, as [b'...']", label,
                     Py_TYPE(result)->tp_name);
        return -1;
    }
    if (PyCoro_CheckExact(result)) {
        PyObject *closed = PyObject_CallMethodNoArgs(result, call->wsgi->name_close);
        PyErr_Clear();
        Py_XDECREF(closed);
    }
    if (Py_TYPE(result)->tp_iter == NULL && !PySequence_Check(result)) {
        PyErr_Format(PyExc_TypeError, "%s returned %.100s; a WSGI application returns an iterable of bytes", label,
                     Py_TYPE(result)->tp_name);
        return -1;
    }
    return 0;
}

// Bytes of all items; -1 when they are not all bytes, which is told when their turn comes.
static int64_t bytes_in(PyObject *sequence) {
    int64_t sum = 0;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence); i++) {
        PyObject *item = PySequence_Fast_GET_ITEM(sequence, i);
        if (!PyBytes_Check(item)) {
            return -1;
        }
        sum += PyBytes_GET_SIZE(item);
    }
    return sum;
}

// Whether len() works and gives 1 (PEP 3333, "Handling the Content-Length Header").
static bool has_one_piece(PyObject *result) {
    PyTypeObject *type = Py_TYPE(result);
    bool has_len = (type->tp_as_sequence != NULL && type->tp_as_sequence->sq_length != NULL) ||
                   (type->tp_as_mapping != NULL && type->tp_as_mapping->mp_length != NULL);
    Py_ssize_t len = has_len ? PyObject_Size(result) : -1;
    PyErr_Clear();
    return len == 1;
}

// --- pieces ---

// Returns new: the next piece. NULL at the end, or with an exception.
static PyObject *next_piece(struct smpy_wsgi_call *call) {
    PyObject *piece = Py_TYPE(call->iterator)->tp_iternext(call->iterator);
    if (piece == NULL) {
        if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_StopIteration)) {
            PyErr_Clear();
        }
        return NULL;
    }
    if (!PyBytes_Check(piece)) {
        PyErr_Format(PyExc_TypeError, "%s returned %.100s, which gave %.100s; a WSGI body consists of bytes",
                     call->wsgi->app->loaded.label, Py_TYPE(call->result)->tp_name, Py_TYPE(piece)->tp_name);
        Py_CLEAR(piece);
    }
    return piece;
}

// The end of the body. One without a byte has its head still to be sent; of the answer to HEAD nobody knows whether
// GET would have had any.
static enum smpy_answer_outcome end_of_body(struct smpy_wsgi_call *call) {
    if (sm_exchange_committed(call->exchange)) {
        return SMPY_ANSWER_DONE;
    }
    return smpy_wsgi_commit(call, sm_exchange_head(call->exchange)->is_head_method ? -1 : 0);
}

static enum smpy_answer_outcome send_piece(struct smpy_wsgi_call *call, PyObject *piece) {
    int64_t body_len = call->is_single ? (int64_t)PyBytes_GET_SIZE(piece) : call->body_len;
    enum smpy_answer_outcome outcome = smpy_wsgi_send(call, piece, body_len);
    return outcome == SMPY_ANSWER_DONE && !call->is_whole ? smpy_ahead_flush(call->exchange) : outcome;
}

// Pulls and sends one piece; adds its size to *sent. OPEN: go on. FULL: wait. DONE or GONE: the end. ERROR.
static enum smpy_answer_outcome pull(struct smpy_wsgi_call *call, size_t *sent) {
    PyObject *piece = next_piece(call);
    if (piece == NULL) {
        return PyErr_Occurred() ? SMPY_ANSWER_ERROR : end_of_body(call);
    }
    size_t len = (size_t)PyBytes_GET_SIZE(piece);
    enum smpy_answer_outcome outcome = len == 0 ? SMPY_ANSWER_DONE : send_piece(call, piece);
    *sent += len;
    Py_DECREF(piece);
    return outcome == SMPY_ANSWER_DONE ? SMPY_ANSWER_OPEN : outcome;
}

static enum smpy_answer_outcome wait_for_turn(struct smpy_wsgi_call *call) {
    if (smpy_wsgi_freeze(call) < 0) {
        return SMPY_ANSWER_ERROR;
    }
    sm_exchange_yield(call->exchange);
    return SMPY_ANSWER_OPEN;
}

// Goes on with what write() was given, then with the iterable. As smpy_wsgi_body_resume, but FULL and GONE are said.
static enum smpy_answer_outcome go_on(struct smpy_wsgi_call *call) {
    size_t sent = 0;
    if (smpy_ahead_waits(&call->ahead)) {
        enum smpy_answer_outcome outcome = smpy_ahead_catch_up(call->exchange, &call->ahead, TURN_BYTES);
        if (outcome != SMPY_ANSWER_DONE) {
            return outcome == SMPY_ANSWER_OPEN ? wait_for_turn(call) : outcome;
        }
    }
    if (call->iterator == NULL) {
        return SMPY_ANSWER_DONE;
    }
    for (int pieces = 0; pieces < TURN_PIECES && sent < TURN_BYTES; pieces++) {
        enum smpy_answer_outcome outcome = pull(call, &sent);
        if (outcome != SMPY_ANSWER_OPEN) {
            return outcome;
        }
    }
    return wait_for_turn(call);
}

enum smpy_answer_outcome smpy_wsgi_body_resume(struct smpy_wsgi_call *call) {
    enum smpy_answer_outcome outcome = go_on(call);
    return outcome == SMPY_ANSWER_FULL ? SMPY_ANSWER_OPEN : outcome == SMPY_ANSWER_GONE ? SMPY_ANSWER_DONE : outcome;
}

// --- the beginning ---

// The shortest way: one bytes object in a list or tuple.
static enum smpy_answer_outcome send_only(struct smpy_wsgi_call *call, PyObject *piece) {
    enum smpy_answer_outcome outcome = smpy_wsgi_send(call, piece, (int64_t)PyBytes_GET_SIZE(piece));
    return outcome == SMPY_ANSWER_ERROR ? SMPY_ANSWER_ERROR : SMPY_ANSWER_DONE;
}

static enum smpy_answer_outcome begin_sequence(struct smpy_wsgi_call *call, PyObject *result) {
    if (PySequence_Fast_GET_SIZE(result) == 1 && !call->ahead.is_full) {
        PyObject *only = PySequence_Fast_GET_ITEM(result, 0);
        if (PyBytes_Check(only) && PyBytes_GET_SIZE(only) > 0) {
            return send_only(call, only);
        }
    }
    call->is_single = false;
    call->body_len = bytes_in(result);
    call->is_whole = call->body_len >= 0;
    call->iterator = PyObject_GetIter(result);
    return call->iterator == NULL ? SMPY_ANSWER_ERROR : smpy_wsgi_body_resume(call);
}

// A file that the kernel sends: FULL is awaited, so that the application's file stays open until it is sent.
static enum smpy_answer_outcome begin_file(enum smpy_answer_outcome outcome) {
    return outcome == SMPY_ANSWER_FULL ? SMPY_ANSWER_OPEN : outcome == SMPY_ANSWER_GONE ? SMPY_ANSWER_DONE : outcome;
}

enum smpy_answer_outcome smpy_wsgi_body_begin(struct smpy_wsgi_call *call, PyObject *result) {
    enum smpy_answer_outcome outcome = SMPY_ANSWER_ERROR;
    call->result = result;
    if (PyList_CheckExact(result) || PyTuple_CheckExact(result)) {
        return begin_sequence(call, result);
    }
    if (check_result(call, result) < 0) {
        return SMPY_ANSWER_ERROR;
    }
    // A file follows at once, or never: behind pieces that wait it would have to wait too.
    if (!call->ahead.is_full) {
        int is_file = smpy_wsgi_file_send(call, result, &outcome);
        if (is_file != 0) {
            return is_file < 0 ? SMPY_ANSWER_ERROR : begin_file(outcome);
        }
    }
    call->body_len = -1;
    call->is_whole = false;
    call->is_single = !sm_exchange_committed(call->exchange) && has_one_piece(result);
    call->iterator = PyObject_GetIter(result);
    return call->iterator == NULL ? SMPY_ANSWER_ERROR : smpy_wsgi_body_resume(call);
}
