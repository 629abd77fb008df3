// SPDX-License-Identifier: MIT
// A body that a handler produces piece by piece (see stream.h). The head goes out with the first piece, so that a
// generator which fails before it yields is still answered 500.
#include "py/stream.h"

#include <stdlib.h>

#include "py/error.h"

// What a stream may send in one turn before other exchanges have theirs.
enum { TURN_PIECES = 64, TURN_BYTES = 256 * 1024 };

enum { FILE_PIECE = 64 * 1024 }; // bytes, or characters, asked of a file at once

struct smpy_stream {
    struct smpy_request *request; // owned
    PyObject *iterable;           // owned: what the handler gave, closed at the end
    PyObject *iterator;           // owned; NULL for a file
    PyObject *read;               // owned: the file's method; NULL for what is no file
    PyObject *headers;            // owned, or NULL
    PyObject *content_type;       // owned, or NULL
    int status;
    bool is_committed;
};

// Looks for the method that reads a piece of an open file; read1() gives what a pipe has without waiting for more.
// -1 with an exception.
static int find_read(PyObject *body, PyObject **read_out) {
    *read_out = NULL;
    static const char *const names[] = {"read1", "read"};
    for (size_t i = 0; !PyGen_CheckExact(body) && i < sizeof names / sizeof names[0]; i++) {
        int found = smpy_attribute_find_text(body, names[i], read_out);
        if (found < 0 || (found > 0 && PyCallable_Check(*read_out))) {
            return found < 0 ? -1 : 0;
        }
        Py_CLEAR(*read_out);
    }
    return 0;
}

// A file is read in pieces of a bounded size: iterating it would give lines, which have any length.
static int open_body(struct smpy_stream *stream, PyObject *body) {
    if (find_read(body, &stream->read) < 0) {
        return -1;
    }
    if (stream->read == NULL) {
        stream->iterator = PyObject_GetIter(body);
    }
    return stream->read == NULL && stream->iterator == NULL ? -1 : 0;
}

static struct smpy_stream *stream_new(const struct smpy_answer *answer, struct smpy_request *request) {
    struct smpy_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    if (open_body(stream, answer->body) < 0) {
        free(stream);
        return NULL;
    }
    stream->request = request;
    stream->iterable = Py_NewRef(answer->body);
    stream->headers = Py_XNewRef(answer->headers);
    stream->content_type = Py_XNewRef(answer->content_type);
    stream->status = answer->status;
    return stream;
}

// Calls the iterable's close(), if it has one. Any exception is logged.
static void close_iterable(struct sm_exchange *exchange, struct smpy_stream *stream) {
    PyObject *close = NULL;
    PyObject *result = NULL;
    int found = smpy_attribute_find(stream->iterable, stream->request->state->name_close, &close);
    if (found > 0) {
        result = PyObject_CallNoArgs(close);
    }
    if (PyErr_Occurred()) {
        smpy_error_log_exchange(exchange);
    }
    Py_XDECREF(result);
    Py_XDECREF(close);
}

struct smpy_request *smpy_stream_end(struct sm_exchange *exchange, struct smpy_stream *stream) {
    struct smpy_request *request = stream->request;
    PyObject *pending = smpy_exception_take();
    Py_CLEAR(stream->iterator);
    Py_CLEAR(stream->read);
    close_iterable(exchange, stream);
    Py_CLEAR(stream->iterable);
    Py_CLEAR(stream->headers);
    Py_CLEAR(stream->content_type);
    free(stream);
    if (pending != NULL) {
        smpy_exception_give(pending);
    }
    return request;
}

// --- pieces ---

static PyObject *next_of_iterator(PyObject *iterator) {
    PyObject *piece = Py_TYPE(iterator)->tp_iternext(iterator);
    if (piece == NULL && PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_StopIteration)) {
        PyErr_Clear();
    }
    return piece;
}

// Empty bytes or str is the end of a file.
static PyObject *next_of_file(PyObject *read) {
    PyObject *piece = PyObject_CallFunction(read, "i", (int)FILE_PIECE);
    if (piece != NULL && ((PyBytes_Check(piece) && PyBytes_GET_SIZE(piece) == 0) ||
                          (PyUnicode_Check(piece) && PyUnicode_GET_LENGTH(piece) == 0))) {
        Py_CLEAR(piece);
    }
    return piece;
}

// Returns new: the next piece as str or bytes. NULL at the end, or with an exception.
static PyObject *next_piece(struct smpy_app *app, struct smpy_stream *stream) {
    PyObject *piece = stream->read == NULL ? next_of_iterator(stream->iterator) : next_of_file(stream->read);
    if (piece == NULL || PyBytes_Check(piece) || PyUnicode_Check(piece)) {
        return piece;
    }
    if (PyByteArray_Check(piece) || PyMemoryView_Check(piece)) {
        Py_SETREF(piece, PyBytes_FromObject(piece));
        return piece;
    }
    PyErr_Format(PyExc_TypeError, "%s returned %.100s, which gave %.100s; an iterable body gives bytes or str",
                 app->loaded.label, Py_TYPE(stream->iterable)->tp_name, Py_TYPE(piece)->tp_name);
    Py_DECREF(piece);
    return NULL;
}

// Sends the head. `usual` and `body_len` as for smpy_answer_head.
static enum smpy_answer_outcome send_head(struct smpy_app *app, struct sm_exchange *exchange,
                                          struct smpy_stream *stream, struct sm_str usual, int64_t body_len) {
    struct smpy_answer answer = {stream->iterable, stream->headers, stream->content_type, stream->status,
                                 stream->request};
    stream->is_committed = true;
    return smpy_answer_head(app, exchange, &answer, usual, body_len);
}

// Sends the head if it is still to be sent, then the piece. DONE, FULL, GONE or ERROR.
static enum smpy_answer_outcome send_piece(struct smpy_app *app, struct sm_exchange *exchange,
                                           struct smpy_stream *stream, PyObject *piece, struct sm_str bytes) {
    if (!stream->is_committed) {
        struct sm_str usual =
            PyUnicode_Check(piece) ? SM_STR("text/html; charset=utf-8") : SM_STR("application/octet-stream");
        enum smpy_answer_outcome outcome = send_head(app, exchange, stream, usual, -1);
        if (outcome != SMPY_ANSWER_DONE) {
            return outcome;
        }
        if (smpy_answer_has_no_body(exchange, stream->status)) {
            return SMPY_ANSWER_GONE; // nobody wants the rest
        }
    }
    enum smpy_answer_outcome outcome = smpy_answer_write(app, exchange, bytes, piece);
    if (outcome == SMPY_ANSWER_DONE) {
        int flushed = sm_exchange_flush(exchange);
        outcome = flushed == SM_EXCHANGE_FULL   ? SMPY_ANSWER_FULL
                  : flushed == SM_EXCHANGE_GONE ? SMPY_ANSWER_GONE
                                                : SMPY_ANSWER_DONE;
    }
    return outcome;
}

// Pulls and sends one piece; adds its size to *sent. OPEN: go on. FULL: wait. DONE: the end. ERROR.
static enum smpy_answer_outcome pull(struct smpy_app *app, struct sm_exchange *exchange, struct smpy_stream *stream,
                                     size_t *sent) {
    PyObject *piece = next_piece(app, stream);
    if (piece == NULL) {
        if (PyErr_Occurred()) {
            return SMPY_ANSWER_ERROR;
        }
        return stream->is_committed ? SMPY_ANSWER_DONE : send_head(app, exchange, stream, SM_STR(""), 0);
    }
    enum smpy_answer_outcome outcome = SMPY_ANSWER_ERROR;
    struct sm_str bytes = smpy_answer_bytes(piece);
    if (bytes.ptr != NULL) {
        *sent += bytes.len;
        outcome = bytes.len == 0 ? SMPY_ANSWER_DONE : send_piece(app, exchange, stream, piece, bytes);
    }
    Py_DECREF(piece);
    return outcome == SMPY_ANSWER_DONE ? SMPY_ANSWER_OPEN : outcome;
}

enum smpy_answer_outcome smpy_stream_resume(struct smpy_app *app, struct sm_exchange *exchange,
                                            struct smpy_stream *stream) {
    size_t sent = 0;
    for (int pieces = 0; pieces < TURN_PIECES && sent < TURN_BYTES; pieces++) {
        switch (pull(app, exchange, stream, &sent)) {
        case SMPY_ANSWER_OPEN:
            break;
        case SMPY_ANSWER_FULL:
            return SMPY_ANSWER_OPEN;
        case SMPY_ANSWER_ERROR:
            return SMPY_ANSWER_ERROR;
        case SMPY_ANSWER_DONE:
        case SMPY_ANSWER_GONE:
            return SMPY_ANSWER_DONE;
        }
    }
    sm_exchange_yield(exchange);
    return SMPY_ANSWER_OPEN;
}

enum smpy_answer_outcome smpy_stream_begin(struct smpy_app *app, struct sm_exchange *exchange,
                                           const struct smpy_answer *answer, struct smpy_request *request) {
    struct smpy_stream *stream = stream_new(answer, request);
    if (stream == NULL) {
        return SMPY_ANSWER_ERROR;
    }
    enum smpy_answer_outcome outcome = smpy_stream_resume(app, exchange, stream);
    if (outcome == SMPY_ANSWER_OPEN) {
        sm_exchange_set_user(exchange, stream);
    } else {
        (void)smpy_stream_end(exchange, stream);
    }
    return outcome;
}
