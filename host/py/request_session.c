// SPDX-License-Identifier: MIT
// The session of a request. Nothing happens until it is touched; then smisk.session.life decides which one it is, and
// when it is stored and its cookie sent. Comes in: request.c's table,
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
    PyObject *has_begun = PyObject_GetAttrString((PyObject *)request, "_has_begun");
    PyObject *life =
        has_begun == NULL ? NULL : PyObject_CallFunctionObjArgs(begin, (PyObject *)request, store, has_begun, NULL);
    Py_XDECREF(has_begun);
    Py_DECREF(store);
    return life;
}

int smpy_request_session_cookie(struct smpy_request *request, PyObject **value_out) {
    *value_out = NULL;
    if (!smpy_request_has_session(request)) {
        return 0;
    }
    PyObject *value = PyObject_CallMethod(request->cache[SMPY_FIELD_SESSION], "cookie", NULL);
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

PyObject *smpy_request_has_begun(PyObject *self, PyObject *unused) {
    (void)unused;
    struct smpy_request *request = (struct smpy_request *)self;
    return PyBool_FromLong(request->has_begun || request->ops == NULL || request->ops->has_begun(request->source));
}

PyObject *smpy_request_session(PyObject *self, void *name) {
    PyObject *life = smpy_request_field((struct smpy_request *)self, SMPY_FIELD_SESSION);
    PyObject *value = life == NULL ? NULL : PyObject_GetAttrString(life, name);
    Py_XDECREF(life);
    return value;
}

int smpy_request_set_session(PyObject *self, PyObject *value, void *name) {
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "a session is not deleted; set it to None");
        return -1;
    }
    PyObject *life = smpy_request_field((struct smpy_request *)self, SMPY_FIELD_SESSION);
    int status = life == NULL ? -1 : PyObject_SetAttrString(life, name, value);
    Py_XDECREF(life);
    return status;
}
