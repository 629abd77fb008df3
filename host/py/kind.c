// SPDX-License-Identifier: MIT
// Tells by its signature which interface a handler speaks (see kind.h). A plain function says it in its code object;
// for anything else the module `inspect` binds one, two and three arguments, as the caller would. It is asked only
// then, because importing it costs each worker about 1 MB.
#include "py/kind.h"

static const enum smpy_kind kinds[2][3] = {
    {SMPY_KIND_NATIVE, SMPY_KIND_WSGI, SMPY_KIND_COUNT},
    {SMPY_KIND_ASYNC, SMPY_KIND_COUNT, SMPY_KIND_ASGI},
};

// --- plain functions ---

// The function behind a function or bound method that hides nothing: NULL, borrowed, for any other. `skip_out`: how
// many arguments are bound already.
static PyObject *plain_function(PyObject *handler, int *skip_out) {
    *skip_out = PyMethod_Check(handler) ? 1 : 0;
    PyObject *function = *skip_out ? PyMethod_GET_FUNCTION(handler) : handler;
    if (!PyFunction_Check(function)) {
        return NULL;
    }
    PyObject *dict = ((PyFunctionObject *)function)->func_dict;
    int flags = ((PyCodeObject *)PyFunction_GET_CODE(function))->co_flags;
    // A decorated function, or one with *args: `inspect` follows __wrapped__.
    bool is_plain = (dict == NULL || PyDict_GET_SIZE(dict) == 0) && !(flags & CO_VARARGS);
    return is_plain ? function : NULL;
}

static int kind_of_function(PyObject *function, int skip) {
    PyCodeObject *code = (PyCodeObject *)PyFunction_GET_CODE(function);
    PyObject *defaults = PyFunction_GET_DEFAULTS(function);
    PyObject *keyword_defaults = PyFunction_GET_KW_DEFAULTS(function);
    int most = code->co_argcount - skip;
    int least = most - (defaults == NULL ? 0 : (int)PyTuple_GET_SIZE(defaults));
    int filled = keyword_defaults == NULL ? 0 : (int)PyDict_GET_SIZE(keyword_defaults);
    int async = (code->co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR)) != 0;
    for (int n = 1; n <= 3 && code->co_kwonlyargcount <= filled; n++) {
        if (least <= n && n <= most) {
            return (int)kinds[async][n - 1];
        }
    }
    return SMPY_KIND_COUNT;
}

// --- any callable ---

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
    for (Py_ssize_t n = 1; n <= 3; n++) {
        int fits = binds(signature, n);
        if (fits < 0) {
            return -1;
        }
        if (fits) {
            return (int)kinds[async][n - 1];
        }
    }
    return SMPY_KIND_COUNT;
}

static int inspect_kind(PyObject *handler) {
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

int smpy_kind_of(PyObject *handler) {
    int skip = 0;
    PyObject *function = plain_function(handler, &skip);
    return function != NULL ? kind_of_function(function, skip) : inspect_kind(handler);
}
