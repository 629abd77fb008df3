// SPDX-License-Identifier: MIT
// send() of an HTTP request: messages of ASGI HTTP 2.5 as calls of engine/exchange.h. http.response.start is held
// back until the first piece of the body, so that head and body leave together, and what fails before is still
// answered. A piece that does not fit makes the next send() wait, not this one.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "py/lend.h"
#include "py/refusal.h"
#include "py/websocket.h"

// --- errors ---

// Turns an outcome of the engine into an exception for the application. `field` may be NULL. Always -1.
static int refuse(struct smpy_asgi *call, int outcome, const char *message, PyObject *field) {
    if (outcome == SM_EXCHANGE_GONE) {
        PyErr_SetString(call->app->asgi.lost_error, "the client has gone");
        return -1;
    }
    char who[64];
    (void)snprintf(who, sizeof who, "%s: ", message);
    return smpy_refuse(outcome, who, field);
}

// Borrows a value of a message; NULL without an exception when it is not there.
static PyObject *value_of(PyObject *message, PyObject *name) {
    return PyDict_GetItemWithError(message, name);
}

// Truth of a value of the message; false when it is not there. -1 with an exception.
static int flag_of(PyObject *message, PyObject *name) {
    PyObject *value = value_of(message, name);
    if (value == NULL) {
        return PyErr_Occurred() ? -1 : 0;
    }
    return value == Py_True ? 1 : value == Py_False ? 0 : PyObject_IsTrue(value);
}

// --- headers ---

typedef int put_field(struct sm_exchange *exchange, struct sm_str name, struct sm_str value);

static int put_pair(struct smpy_asgi *call, PyObject *pair, const char *message, put_field *put) {
    if (!(PyTuple_Check(pair) || PyList_Check(pair)) || PySequence_Fast_GET_SIZE(pair) != 2) {
        PyErr_Format(PyExc_TypeError, "%s: headers are pairs (name, value), not %R", message, pair);
        return -1;
    }
    PyObject *name = PySequence_Fast_GET_ITEM(pair, 0);
    PyObject *value = PySequence_Fast_GET_ITEM(pair, 1);
    if (!PyBytes_Check(name) || !PyBytes_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s: names and values of headers are bytes, not (%.80s, %.80s): %R", message,
                     Py_TYPE(name)->tp_name, Py_TYPE(value)->tp_name, pair);
        return -1;
    }
    struct sm_str name_bytes = {PyBytes_AS_STRING(name), (size_t)PyBytes_GET_SIZE(name)};
    struct sm_str value_bytes = {PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value)};
    int outcome = put(call->exchange, name_bytes, value_bytes);
    if (outcome == SM_EXCHANGE_BAD_FIELD && sm_str_ieq(name_bytes, SM_STR("Transfer-Encoding"))) {
        return 0; // the server's affair, and no error (ASGI HTTP, "Response")
    }
    return outcome == 0 ? 0 : refuse(call, outcome, message, pair);
}

// Puts the headers of a message with `put`; `headers` NULL: none.
static int put_headers(struct smpy_asgi *call, PyObject *headers, const char *message, put_field *put) {
    if (headers == NULL) {
        return PyErr_Occurred() ? -1 : 0;
    }
    PyObject *pairs = PySequence_Fast(headers, "headers must be an iterable of pairs");
    int status = pairs == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; status == 0 && i < PySequence_Fast_GET_SIZE(pairs); i++) {
        status = put_pair(call, PySequence_Fast_GET_ITEM(pairs, i), message, put);
    }
    Py_XDECREF(pairs);
    return status;
}

// --- http.response.start ---

// Keeps the headers as they are now: the application may use its list for another response. 0, or -1 with an
// exception.
static int keep_headers(struct smpy_asgi *call, PyObject *headers) {
    PyObject *kept = NULL;
    if (headers == NULL && PyErr_Occurred()) {
        return -1;
    }
    if (headers != NULL) {
        if (Py_TYPE(headers)->tp_iter == NULL && !PySequence_Check(headers)) {
            PyErr_Format(PyExc_TypeError, "http.response.start: \"headers\" is an iterable of pairs, not %.100s",
                         Py_TYPE(headers)->tp_name);
            return -1;
        }
        kept = PySequence_Tuple(headers);
        if (kept == NULL) {
            return -1;
        }
    }
    Py_XSETREF(call->headers, kept);
    return 0;
}

static int take_start(struct smpy_asgi *call, PyObject *message) {
    const struct smpy_asgi_names *names = &call->app->asgi.names;
    if (call->phase != SMPY_ASGI_NEW) {
        PyErr_SetString(PyExc_RuntimeError, "http.response.start was sent already");
        return -1;
    }
    PyObject *status = value_of(message, names->status);
    if (status == NULL || !PyLong_Check(status)) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "http.response.start: \"status\" is an int");
        }
        return -1;
    }
    Py_XSETREF(call->status, Py_NewRef(status));
    int trailers = flag_of(message, names->trailers);
    if (trailers < 0 || keep_headers(call, value_of(message, names->headers)) < 0) {
        return -1;
    }
    call->trailers = trailers != 0;
    call->phase = SMPY_ASGI_STARTED;
    return 0;
}

// Sends the head that was held back. `body_len` as for sm_exchange_commit. On failure the response is as if not
// started.
static int send_head(struct smpy_asgi *call, int64_t body_len) {
    static const char message[] = "http.response.start";
    PyObject *headers = call->headers;
    call->headers = NULL;
    int overflow = 0;
    long status = PyLong_AsLongAndOverflow(call->status, &overflow);
    int outcome = overflow != 0 || status < 200 || status > 999
                      ? SM_EXCHANGE_BAD_STATUS
                      : sm_exchange_start(call->exchange, (int)status, SM_STR(""));
    int done = outcome == 0 ? 0 : refuse(call, outcome, message, call->status);
    done = done < 0 ? -1 : put_headers(call, headers, message, sm_exchange_field);
    if (done == 0) {
        outcome = sm_exchange_commit(call->exchange, body_len);
        done = outcome == 0 ? 0 : refuse(call, outcome, message, NULL);
    }
    Py_XDECREF(headers);
    call->phase = done == 0 ? SMPY_ASGI_BODY : SMPY_ASGI_NEW;
    return done;
}

// Sends the head if it is still to be sent.
static int begin_body(struct smpy_asgi *call, const char *message, int64_t body_len) {
    if (call->phase == SMPY_ASGI_BODY) {
        return 0;
    }
    if (call->phase == SMPY_ASGI_NEW) {
        PyErr_Format(PyExc_RuntimeError, "%s came before http.response.start", message);
        return -1;
    }
    if (call->phase != SMPY_ASGI_STARTED) {
        PyErr_Format(PyExc_RuntimeError, "%s came after the response was complete", message);
        return -1;
    }
    return send_head(call, call->trailers ? -1 : body_len);
}

// After a piece of the body was written with this outcome.
static int after_piece(struct smpy_asgi *call, int outcome, bool more, const char *message) {
    // Also what is too much: where asyncio calls and not the engine, nobody else sends it, and `resume` never comes.
    if ((outcome == 0 || outcome == SM_EXCHANGE_FULL) && (more || call->trailers)) {
        outcome = sm_exchange_flush(call->exchange);
    }
    if (outcome == SM_EXCHANGE_FULL) {
        call->is_full = true;
        outcome = 0;
    }
    if (outcome != 0) {
        return refuse(call, outcome, message, NULL);
    }
    if (!more && call->trailers) {
        call->phase = SMPY_ASGI_TRAILERS;
    } else if (!more) {
        smpy_asgi_end(call);
    }
    return 0;
}

// --- http.response.body ---

static int send_bytes(struct smpy_asgi *call, PyObject *body, bool more) {
    static const char message[] = "http.response.body";
    const char *data = PyBytes_AS_STRING(body);
    size_t len = (size_t)PyBytes_GET_SIZE(body);
    // Of HEAD an empty body says nothing about what GET would give.
    bool is_unsaid = more || (len == 0 && sm_exchange_head(call->exchange)->is_head_method);
    if (begin_body(call, message, is_unsaid ? -1 : (int64_t)len) < 0) {
        return -1;
    }
    int outcome = len == 0 ? 0 : smpy_lend_write(call->exchange, (struct sm_str){data, len}, body);
    return after_piece(call, outcome, more, message);
}

static int send_body(struct smpy_asgi *call, PyObject *message) {
    const struct smpy_asgi_names *names = &call->app->asgi.names;
    int more = flag_of(message, names->more_body);
    PyObject *body = more < 0 ? NULL : value_of(message, names->body);
    if (body == NULL && PyErr_Occurred()) {
        return -1;
    }
    body = body == NULL ? names->empty_bytes : body;
    if (PyBytes_Check(body)) {
        return send_bytes(call, body, more != 0);
    }
    if (!PyByteArray_Check(body) && !PyMemoryView_Check(body)) {
        PyErr_Format(PyExc_TypeError, "http.response.body: \"body\" is bytes, not %.100s", Py_TYPE(body)->tp_name);
        return -1;
    }
    PyObject *bytes = PyBytes_FromObject(body); // what may change while it waits to be sent is copied
    int status = bytes == NULL ? -1 : send_bytes(call, bytes, more != 0);
    Py_XDECREF(bytes);
    return status;
}

// --- files ---

static void release_fd(void *owner) {
    (void)close((int)(intptr_t)owner);
}

// Takes the descriptor.
static int send_file(struct smpy_asgi *call, int fd, uint64_t off, uint64_t len, bool more, const char *message) {
    if (begin_body(call, message, more ? -1 : (int64_t)len) < 0) {
        (void)close(fd);
        return -1;
    }
    int outcome = sm_exchange_write_file(call->exchange, fd, off, len, release_fd, (void *)(intptr_t)fd);
    return after_piece(call, outcome, more, message);
}

static int send_path(struct smpy_asgi *call, PyObject *message) {
    PyObject *path = value_of(message, call->app->asgi.names.path);
    PyObject *encoded = NULL;
    struct stat info;
    if (path == NULL || !PyUnicode_FSConverter(path, &encoded)) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "http.response.pathsend: \"path\" is missing");
        }
        return -1;
    }
    if (PyBytes_AS_STRING(encoded)[0] != '/') {
        PyErr_Format(PyExc_ValueError, "http.response.pathsend: the path must be absolute: %R", path);
        Py_DECREF(encoded);
        return -1;
    }
    int fd = open(PyBytes_AS_STRING(encoded), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    Py_DECREF(encoded);
    if (fd < 0 || fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) {
        errno = fd < 0 ? errno : EINVAL;
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
        if (fd >= 0) {
            (void)close(fd);
        }
        return -1;
    }
    return send_file(call, fd, 0, (uint64_t)info.st_size, false, "http.response.pathsend");
}

// An optional number of the message: -1 when it is not there or None; -2 with an exception.
static long long number_of(PyObject *message, PyObject *name) {
    PyObject *value = value_of(message, name);
    if (value == NULL || value == Py_None) {
        return PyErr_Occurred() ? -2 : -1;
    }
    long long number = PyLong_AsLongLong(value);
    if (number < 0 && !PyErr_Occurred()) {
        PyErr_Format(PyExc_ValueError, "http.response.zerocopysend: %U is negative", name);
    }
    return PyErr_Occurred() ? -2 : number;
}

static int send_descriptor(struct smpy_asgi *call, PyObject *message) {
    const struct smpy_asgi_names *names = &call->app->asgi.names;
    struct stat info;
    PyObject *file = value_of(message, names->file);
    long long off = number_of(message, names->offset);
    long long count = off == -2 ? -2 : number_of(message, names->count);
    int more = count == -2 ? -1 : flag_of(message, names->more_body);
    int given = file == NULL || more < 0 ? -1 : PyObject_AsFileDescriptor(file);
    if (given < 0) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "http.response.zerocopysend: \"file\" is missing");
        }
        return -1;
    }
    int fd = fcntl(given, F_DUPFD_CLOEXEC, 3); // the application may close its own
    off_t at = off >= 0 ? (off_t)off : fd < 0 ? -1 : lseek(fd, 0, SEEK_CUR);
    if (fd < 0 || at < 0 || fstat(fd, &info) < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        if (fd >= 0) {
            (void)close(fd);
        }
        return -1;
    }
    if (!S_ISREG(info.st_mode)) {
        PyErr_SetString(PyExc_ValueError, "http.response.zerocopysend: \"file\" is not a regular file");
        (void)close(fd);
        return -1;
    }
    uint64_t left = at < info.st_size ? (uint64_t)(info.st_size - at) : 0;
    uint64_t len = count >= 0 && (uint64_t)count < left ? (uint64_t)count : left;
    if (off < 0) {
        (void)lseek(fd, at + (off_t)len, SEEK_SET); // as if it had been read
    }
    return send_file(call, fd, (uint64_t)at, len, more != 0, "http.response.zerocopysend");
}

// --- hints and trailers ---

static int send_hint(struct smpy_asgi *call, PyObject *message) {
    static const char what[] = "http.response.early_hint";
    if (call->phase != SMPY_ASGI_NEW) {
        PyErr_Format(PyExc_RuntimeError, "%s came after http.response.start", what);
        return -1;
    }
    PyObject *links = value_of(message, call->app->asgi.names.links);
    PyObject *list = links == NULL ? NULL : PySequence_Fast(links, "http.response.early_hint: links are iterable");
    if (list == NULL) {
        if (!PyErr_Occurred()) {
            PyErr_Format(PyExc_TypeError, "%s: \"links\" is missing", what);
        }
        return -1;
    }
    int outcome = sm_exchange_interim(call->exchange, 103);
    int status = outcome == 0 ? 0 : refuse(call, outcome, what, NULL);
    for (Py_ssize_t i = 0; status == 0 && i < PySequence_Fast_GET_SIZE(list); i++) {
        PyObject *pair = Py_BuildValue("(yO)", "Link", PySequence_Fast_GET_ITEM(list, i));
        status = pair == NULL ? -1 : put_pair(call, pair, what, sm_exchange_field);
        Py_XDECREF(pair);
    }
    Py_DECREF(list);
    if (status == 0) {
        outcome = sm_exchange_interim_end(call->exchange);
        outcome = outcome == 0 || outcome == SM_EXCHANGE_FULL ? sm_exchange_flush(call->exchange) : outcome;
        status = outcome == 0 || outcome == SM_EXCHANGE_FULL ? 0 : refuse(call, outcome, what, NULL);
    }
    return status;
}

static int send_trailers(struct smpy_asgi *call, PyObject *message) {
    static const char what[] = "http.response.trailers";
    const struct smpy_asgi_names *names = &call->app->asgi.names;
    if (call->phase != SMPY_ASGI_TRAILERS) {
        PyErr_Format(PyExc_RuntimeError, "%s came %s", what,
                     call->trailers ? "before the end of the body"
                                    : "without \"trailers\": True in http.response.start");
        return -1;
    }
    int more = flag_of(message, names->more_trailers);
    if (more < 0 || put_headers(call, value_of(message, names->headers), what, sm_exchange_trailer) < 0) {
        return -1;
    }
    if (!more) {
        smpy_asgi_end(call);
    }
    return 0;
}

// --- messages ---

typedef int take_message(struct smpy_asgi *call, PyObject *message);

// Who takes a message of this type. NULL: nobody. An application's word for a type is a constant of its code, but not
// ours: the one that it used last is found by its address.
static take_message *taker_of(struct smpy_asgi_app *asgi, PyObject *type) {
    const struct smpy_asgi_names *names = &asgi->names;
    static take_message *const takers[SMPY_ASGI_SENT_TYPES] = {take_start, send_body, send_trailers,
                                                               send_hint,  send_path, send_descriptor};
    PyObject *const types[SMPY_ASGI_SENT_TYPES] = {names->response_start,    names->response_body,
                                                   names->response_trailers, names->early_hint,
                                                   names->pathsend,          names->zerocopysend};
    for (size_t i = 0; i < SMPY_ASGI_SENT_TYPES; i++) {
        if (type == asgi->sent_types[i] || type == types[i]) {
            return takers[i];
        }
    }
    for (size_t i = 0; i < SMPY_ASGI_SENT_TYPES; i++) {
        if (PyUnicode_Compare(type, types[i]) == 0) {
            if (PyUnicode_CheckExact(type)) {
                Py_XSETREF(asgi->sent_types[i], Py_NewRef(type));
            }
            return takers[i];
        }
    }
    return NULL;
}

static int refuse_message(struct smpy_asgi *call, PyObject *type) {
    static const char *const expected[] = {
        [SMPY_ASGI_NEW] = "http.response.start",
        [SMPY_ASGI_STARTED] = "http.response.body",
        [SMPY_ASGI_BODY] = "http.response.body",
        [SMPY_ASGI_TRAILERS] = "http.response.trailers",
        [SMPY_ASGI_ENDED] = "nothing more, the response being complete",
    };
    PyErr_Format(PyExc_RuntimeError, "unexpected ASGI message %R; expected %s", type, expected[call->phase]);
    return -1;
}

static int dispatch(struct smpy_asgi *call, PyObject *message) {
    struct smpy_asgi_app *asgi = &call->app->asgi;
    if (!PyDict_Check(message)) {
        PyErr_Format(PyExc_TypeError, "send() takes a dict, not %.100s", Py_TYPE(message)->tp_name);
        return -1;
    }
    PyObject *type = value_of(message, asgi->names.type);
    if (type == NULL || !PyUnicode_Check(type)) {
        if (!PyErr_Occurred()) {
            PyErr_Format(PyExc_TypeError, "an ASGI message has a \"type\", a str: %R", message);
        }
        return -1;
    }
    if (call->websocket != NULL) {
        return smpy_websocket_send(call, type, message);
    }
    take_message *take = taker_of(asgi, type);
    if (take == NULL || call->phase == SMPY_ASGI_ENDED) {
        return refuse_message(call, type);
    }
    if (call->exchange == NULL) {
        return refuse(call, SM_EXCHANGE_GONE, "", NULL);
    }
    return take(call, message);
}

int smpy_asgi_take(struct smpy_asgi *call, PyObject *type, PyObject *message) {
    return taker_of(&call->app->asgi, type)(call, message);
}

PyObject *smpy_asgi_send(PyObject *owner, PyObject *message) {
    struct smpy_asgi *call = (struct smpy_asgi *)owner;
    if (call->is_full && call->exchange != NULL) {
        return NULL; // until `resume`
    }
    return dispatch(call, message) < 0 ? NULL : Py_NewRef(Py_None);
}
