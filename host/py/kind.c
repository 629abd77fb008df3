// SPDX-License-Identifier: MIT
// Tells by its signature which interface a handler speaks (see kind.h), by trying to bind one, two and three
// arguments to it, as the caller would.
#include "py/kind.h"

// 1 when `n` positional arguments bind to the signature. -1 with an exception.
static int binds(PyObject *signature, Py_ssize_t n) {
    PyObject *bound = NULL;
    PyObject *bind = PyObject_GetAttrString(signature, "bind");
    PyObject *arguments = bind == NULL ? NULL : PyTuple_New(n);
    if (arguments == NULL) {
        Py_XDECREF(bind);
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        PyTuple_SET_ITEM(arguments, i, Py_NewRef(Py_None));
    }
    bound = PyObject_Call(bind, arguments, NULL);
    int outcome = bound != NULL;
    if (bound == NULL) {
        if (PyErr_ExceptionMatches(PyExc_TypeError)) {
            PyErr_Clear();
        } else {
            outcome = -1;
        }
    }
    Py_XDECREF(bound);
    Py_DECREF(arguments);
    Py_DECREF(bind);
    return outcome;
}

// 1 when calling it gives a coroutine or an asynchronous generator: it or its __call__ is an `async def`.
static int is_async_function(PyObject *inspect, PyObject *object) {
    static const char *const checks[] = {"iscoroutinefunction", "isasyncgenfunction"};
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        PyObject *answer = PyObject_CallMethod(inspect, checks[i], "O", object);
        int is_true = answer == NULL ? -1 : PyObject_IsTrue(answer);
        Py_XDECREF(answer);
        if (is_true != 0) {
            return is_true;
        }
    }
    return 0;
}

static int is_async(PyObject *inspect, PyObject *handler) {
    PyObject *call = NULL;
    int outcome = is_async_function(inspect, handler);
    if (outcome != 0) {
        return outcome;
    }
    outcome = smpy_attribute_find_text(handler, "__call__", &call);
    if (outcome > 0) {
        outcome = is_async_function(inspect, call);
    }
    Py_XDECREF(call);
    return outcome;
}

static int kind_by_count(PyObject *signature, int async) {
    static const enum smpy_kind kinds[2][3] = {
        {SMPY_KIND_NATIVE, SMPY_KIND_WSGI, SMPY_KIND_COUNT},
        {SMPY_KIND_ASYNC, SMPY_KIND_COUNT, SMPY_KIND_ASGI},
    };
    for (Py_ssize_t n = 1; n <= 3; n++) {
        int fits = binds(signature, n);
        if (fits < 0) {
            return -1;
        }
        if (fits) {
            return kinds[async][n - 1];
        }
    }
    return SMPY_KIND_COUNT;
}

int smpy_kind_of(PyObject *handler) {
    int kind = -1;
    PyObject *signature = NULL;
    PyObject *inspect = PyImport_ImportModule("inspect");
    int async = inspect == NULL ? -1 : is_async(inspect, handler);
    if (async < 0) {
        goto done;
    }
    signature = PyObject_CallMethod(inspect, "signature", "O", handler);
    if (signature != NULL) {
        kind = kind_by_count(signature, async);
    } else if (PyErr_ExceptionMatches(PyExc_ValueError) || PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Clear();
        kind = async ? SMPY_KIND_ASYNC : SMPY_KIND_NATIVE;
    }
done:
    Py_XDECREF(signature);
    Py_XDECREF(inspect);
    return kind;
}
