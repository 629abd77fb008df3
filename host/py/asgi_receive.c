// SPDX-License-Identifier: MIT
// receive() of an HTTP request: http.request as the body comes, then http.disconnect once the client has gone or the
// response is complete (ASGI HTTP 2.5).
#include <errno.h>

#include "py/websocket.h"

enum { MAX_PIECE = 1 << 18 }; // bytes of the body in one message

PyObject *smpy_asgi_message(const struct smpy_asgi_names *names, PyObject *type) {
    PyObject *message = PyDict_New();
    if (message != NULL && PyDict_SetItem(message, names->type, type) < 0) {
        Py_CLEAR(message);
    }
    return message;
}

// Returns new: bytes of the body that have come, at most MAX_PIECE.
static PyObject *read_piece(struct smpy_asgi *call) {
    uint64_t unread = sm_exchange_body_unread(call->exchange);
    if (unread == 0) {
        return Py_NewRef(call->app->asgi.names.empty_bytes);
    }
    PyObject *piece = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(unread < MAX_PIECE ? unread : MAX_PIECE));
    if (piece == NULL) {
        return NULL;
    }
    ssize_t n = sm_exchange_body_read(call->exchange, PyBytes_AS_STRING(piece), (size_t)PyBytes_GET_SIZE(piece));
    if (n < 0) {
        Py_DECREF(piece);
        errno = (int)-n;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    if (n < PyBytes_GET_SIZE(piece) && _PyBytes_Resize(&piece, n) < 0) {
        return NULL;
    }
    return piece;
}

static PyObject *request_message(struct smpy_asgi *call) {
    const struct smpy_asgi_names *names = &call->app->asgi.names;
    PyObject *piece = read_piece(call);
    PyObject *message = piece == NULL ? NULL : smpy_asgi_message(names, names->http_request);
    if (message != NULL) {
        bool more = sm_exchange_body_coming(call->exchange) || sm_exchange_body_unread(call->exchange) > 0;
        if (PyDict_SetItem(message, names->body, piece) < 0 ||
            PyDict_SetItem(message, names->more_body, more ? Py_True : Py_False) < 0) {
            Py_CLEAR(message);
        } else {
            call->body_taken = !more;
        }
    }
    Py_XDECREF(piece);
    return message;
}

PyObject *smpy_asgi_receive(PyObject *owner, PyObject *unused) {
    (void)unused;
    struct smpy_asgi *call = (struct smpy_asgi *)owner;
    const struct smpy_asgi_names *names = &call->app->asgi.names;
    if (call->websocket != NULL) {
        return smpy_websocket_receive(call);
    }
    if (call->exchange == NULL || call->phase == SMPY_ASGI_ENDED) {
        return smpy_asgi_message(names, names->http_disconnect);
    }
    if (!call->body_taken &&
        (sm_exchange_body_unread(call->exchange) > 0 || !sm_exchange_body_coming(call->exchange))) {
        return request_message(call);
    }
    if (call->has_hung_up) {
        return smpy_asgi_message(names, names->http_disconnect);
    }
    if (!call->body_taken) {
        (void)sm_exchange_body_read(call->exchange, NULL, 0); // lets the client send
        smpy_loop_kick(&call->app->loop);
    }
    return NULL;
}
