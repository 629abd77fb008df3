// SPDX-License-Identifier: MIT
// The session of a request. Nothing happens until it is touched; then smisk.session.life decides which one it is, and
// when it is stored and its cookie sent. Here is only when that can still be said. Comes in: request.c's table,
// whoever writes the head, and the end of the exchange. The life of the session is a field of the Request.
#include "py/request.h"

// Returns new: the store of the Application, or the one that all native handlers share.
static PyObject *find_store(struct smpy_request *request) {
    PyObject *app = smpy_request_app(request);
    if (app != NULL) {
        return PyObject_GetAttrString(app, "sessions");
    }
    PyObject *default_store = smpy_import(request->state, SMPY_IMPORT_DEFAULT_STORE);
    return default_store == NULL ? NULL : PyObject_CallNoArgs(default_store);
}

static bool has_begun(struct smpy_request *request) {
    return request->has_begun || request->ops == NULL || request->ops->has_begun(request->source);
}

static int too_late(const char *what) {
    PyErr_Format(PyExc_OSError, "Output already started - too late to %s", what);
    return -1;
}

PyObject *smpy_build_app(struct smpy_request *request) {
    (void)request;
    Py_RETURN_NONE;
}

PyObject *smpy_build_session(struct smpy_request *request) {
    PyObject *begin = smpy_import(request->state, SMPY_IMPORT_SESSION_BEGIN);
    PyObject *store = begin == NULL ? NULL : find_store(request);
    if (store == NULL) {
        return NULL;
    }
    PyObject *life = PyObject_CallFunctionObjArgs(begin, (PyObject *)request, store, NULL);
    Py_DECREF(store);
    return life;
}

static PyObject *life_of(PyObject *self) {
    return smpy_request_field((struct smpy_request *)self, SMPY_FIELD_SESSION);
}

// 1 with a new str: the cookie that would be sent; 0: none. -1 with an exception.
static int ask_cookie(PyObject *life, PyObject **value_out) {
    PyObject *value = PyObject_CallMethod(life, "cookie", NULL);
    *value_out = NULL;
    if (value == NULL) {
        return -1;
    }
    if (value == Py_None) {
        Py_DECREF(value);
        return 0;
    }
    *value_out = value;
    return 1;
}

int smpy_request_session_cookie(struct smpy_request *request, PyObject **value_out) {
    *value_out = NULL;
    return smpy_request_has_session(request) ? ask_cookie(request->cache[SMPY_FIELD_SESSION], value_out) : 0;
}

int smpy_request_session_finish(struct smpy_request *request) {
    PyObject *life = request->cache[SMPY_FIELD_SESSION];
    request->cache[SMPY_FIELD_SESSION] = NULL;
    request->built &= ~(1u << SMPY_FIELD_SESSION);
    PyObject *finished = PyObject_CallMethod(life, "finish", NULL);
    Py_DECREF(life);
    Py_XDECREF(finished);
    return finished == NULL ? -1 : 0;
}

// --- attributes ---

PyObject *smpy_request_session(PyObject *self, void *closure) {
    (void)closure;
    PyObject *life = life_of(self);
    PyObject *data = life == NULL ? NULL : PyObject_GetAttrString(life, "data");
    Py_XDECREF(life);
    return data;
}

// Whether a cookie is due. -1 with an exception.
static int is_cookie_due(PyObject *life) {
    PyObject *value = NULL;
    int due = ask_cookie(life, &value);
    Py_XDECREF(value);
    return due;
}

// Data that makes a new session come into being needs its cookie: it is taken back where the head is out.
static int set_late(PyObject *life, PyObject *value) {
    PyObject *before = PyObject_GetAttrString(life, "data");
    int due = before == NULL ? -1 : is_cookie_due(life);
    int status = due < 0 ? -1 : PyObject_SetAttrString(life, "data", value);
    if (status == 0 && due == 0) {
        due = is_cookie_due(life);
        status = due < 0 ? -1 : 0;
        if (due > 0) {
            status =
                PyObject_SetAttrString(life, "data", before) < 0 ? -1 : too_late("send session id with response");
        }
    }
    Py_XDECREF(before);
    return status;
}

int smpy_request_set_session(PyObject *self, PyObject *value, void *closure) {
    (void)closure;
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "session cannot be deleted; set it to None");
        return -1;
    }
    PyObject *life = life_of(self);
    if (life == NULL) {
        return -1;
    }
    // Ending a session is never too late: its data goes, and the client's cookie then names nothing.
    bool is_late = value != Py_None && has_begun((struct smpy_request *)self);
    int status = is_late ? set_late(life, value) : PyObject_SetAttrString(life, "data", value);
    Py_DECREF(life);
    return status;
}

PyObject *smpy_request_session_id(PyObject *self, void *closure) {
    (void)closure;
    PyObject *life = life_of(self);
    PyObject *id = life == NULL ? NULL : PyObject_GetAttrString(life, "id");
    Py_XDECREF(life);
    return id;
}

int smpy_request_set_session_id(PyObject *self, PyObject *value, void *closure) {
    (void)closure;
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "session_id cannot be deleted");
        return -1;
    }
    if (has_begun((struct smpy_request *)self)) {
        return too_late("set session id");
    }
    PyObject *life = life_of(self);
    int status = life == NULL ? -1 : PyObject_SetAttrString(life, "id", value);
    Py_XDECREF(life);
    return status;
}
