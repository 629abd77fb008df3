// SPDX-License-Identifier: MIT
// Tells by its signature which interface a handler speaks (see kind.h). A plain function says it in its code object;
// about anything else, and about a function that does not fit, smisk.host_app.choice decides and finds the words. It
// is asked only then, because it needs the module `inspect`, which costs each worker about 1 MB.
#include "py/kind.h"

#include <string.h>

#include "base/log.h"
#include "py/application.h"
#include "py/error.h"

static const char *const kind_names[SMPY_KIND_COUNT] = {
    [SMPY_KIND_NATIVE] = "native", [SMPY_KIND_ASYNC] = "async", [SMPY_KIND_SMISK] = "smisk",
    [SMPY_KIND_WSGI] = "wsgi",     [SMPY_KIND_ASGI] = "asgi",
};

// --- plain functions ---

// The function behind a function or bound method: NULL, borrowed, for any other. `skip_out`: how many arguments are
// bound already.
static PyObject *function_of(PyObject *handler, int *skip_out) {
    *skip_out = PyMethod_Check(handler) ? 1 : 0;
    PyObject *function = *skip_out ? PyMethod_GET_FUNCTION(handler) : handler;
    return PyFunction_Check(function) ? function : NULL;
}

// How many arguments a function takes when it can only be that many, else 0.
static int exact_count(PyObject *function, int skip) {
    const PyCodeObject *code = (PyCodeObject *)PyFunction_GET_CODE(function);
    PyObject *defaults = PyFunction_GET_DEFAULTS(function);
    bool is_exact = (code->co_flags & CO_VARARGS) == 0 && code->co_kwonlyargcount == 0 &&
                    (defaults == NULL || defaults == Py_None || PyTuple_GET_SIZE(defaults) == 0);
    return is_exact ? code->co_argcount - skip : 0;
}

// Whether parameter number `index` has this name. -1 with an exception.
static int is_parameter(PyObject *function, Py_ssize_t index, const char *name) {
    PyObject *names = PyObject_GetAttrString(PyFunction_GET_CODE(function), "co_varnames");
    if (names == NULL) {
        return -1;
    }
    int is_it = PyTuple_Check(names) && index < PyTuple_GET_SIZE(names) &&
                PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, index), name) == 0;
    Py_DECREF(names);
    return is_it;
}

static bool ends_with(const char *text, const char *end) {
    size_t text_len = strlen(text);
    size_t end_len = strlen(end);
    return text_len >= end_len && strcmp(text + text_len - end_len, end) == 0;
}

// A function of one argument that may be something else than a handler: a factory, or an ASGI 2 application.
static int is_doubtful(PyObject *function, int skip, const char *label) {
    if (ends_with(label, "create_app") || ends_with(label, "make_app")) {
        return 1;
    }
    return is_parameter(function, skip, "scope");
}

// The kind of a plain function that leaves no doubt; SMPY_KIND_COUNT: it does. -1 with an exception.
static int plain_kind(PyObject *handler, const char *label) {
    int skip = 0;
    PyObject *function = function_of(handler, &skip);
    if (function == NULL) {
        return SMPY_KIND_COUNT;
    }
    int flags = ((PyCodeObject *)PyFunction_GET_CODE(function))->co_flags;
    bool is_async = (flags & (CO_COROUTINE | CO_ASYNC_GENERATOR)) != 0;
    int doubtful = 0;
    switch (exact_count(function, skip)) {
    case 1:
        doubtful = is_doubtful(function, skip, label);
        return doubtful < 0 ? -1 : doubtful > 0 ? SMPY_KIND_COUNT : is_async ? SMPY_KIND_ASYNC : SMPY_KIND_NATIVE;
    case 2:
        return is_async ? SMPY_KIND_COUNT : SMPY_KIND_WSGI;
    case 3:
        return flags & CO_ASYNC_GENERATOR ? SMPY_KIND_COUNT : SMPY_KIND_ASGI;
    default:
        return SMPY_KIND_COUNT;
    }
}

// Whether the configured interface is the one that was found.
static bool is_wanted(int kind, const char *interface) {
    const char *name = kind == SMPY_KIND_ASYNC ? "native" : kind_names[kind];
    return strcmp(interface, "auto") == 0 || strcmp(interface, name) == 0;
}

// --- any callable ---

// Returns new: (name, line for the log). NULL with an exception.
static PyObject *choose(const struct smpy_loaded *loaded, const char *interface, bool is_made) {
    PyObject *pair = NULL;
    PyObject *module = PyImport_ImportModule("smisk.host_app.choice");
    PyObject *label = module == NULL ? NULL : PyUnicode_DecodeFSDefault(loaded->label);
    if (label != NULL) {
        pair = PyObject_CallMethod(module, "choose", "OOsO", loaded->handler, label, interface,
                                   is_made ? Py_True : Py_False);
    }
    Py_XDECREF(label);
    Py_XDECREF(module);
    if (pair != NULL && !(PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2)) {
        PyErr_SetString(PyExc_TypeError, "smisk.host_app.choice.choose() returned no pair");
        Py_CLEAR(pair);
    }
    return pair;
}

// Takes the choice apart and logs its line.
static enum smpy_kind_outcome take_choice(struct smpy_loaded *loaded, PyObject *name, PyObject *line) {
    if (PyUnicode_CompareWithASCIIString(name, "") == 0) {
        smpy_error_log_line(SM_LOG_CRITICAL, Py_NewRef(line));
        return SMPY_KIND_REFUSED;
    }
    if (PyUnicode_GET_LENGTH(line) > 0) {
        smpy_error_log_line(SM_LOG_INFO, Py_NewRef(line));
    }
    for (int kind = 0; kind < SMPY_KIND_COUNT; kind++) {
        if (PyUnicode_CompareWithASCIIString(name, kind_names[kind]) == 0) {
            loaded->kind = (enum smpy_kind)kind;
            return SMPY_KIND_FOUND;
        }
    }
    return SMPY_KIND_FACTORY;
}

// --- Applications ---

// Of an Application, and where one is wanted; FACTORY: it is neither.
static enum smpy_kind_outcome judge_application(struct smpy_loaded *loaded, const char *wanted) {
    bool is_one = smpy_application_kind(loaded->handler) == SMPY_APPLICATION_INSTANCE;
    if (is_one && is_wanted(SMPY_KIND_SMISK, wanted)) {
        loaded->kind = SMPY_KIND_SMISK;
        return SMPY_KIND_FOUND;
    }
    if (is_one && !PyCallable_Check(loaded->handler)) {
        sm_log(SM_LOG_CRITICAL, "app: %s is an Application, so interface is smisk or auto, not %s", loaded->label,
               wanted);
        return SMPY_KIND_REFUSED;
    }
    if (strcmp(wanted, kind_names[SMPY_KIND_SMISK]) == 0) {
        sm_log(SM_LOG_CRITICAL, "app: %s is %.100s and no smisk.core.Application, which interface asks for",
               loaded->label, Py_TYPE(loaded->handler)->tp_name);
        return SMPY_KIND_REFUSED;
    }
    return SMPY_KIND_FACTORY;
}

enum smpy_kind_outcome smpy_kind_find(struct smpy_loaded *loaded, const char *interface, bool is_made) {
    const char *wanted = interface == NULL ? "auto" : interface;
    enum smpy_kind_outcome judged = judge_application(loaded, wanted);
    if (judged != SMPY_KIND_FACTORY) {
        return judged;
    }
    int kind = plain_kind(loaded->handler, loaded->label);
    if (kind >= 0 && kind < SMPY_KIND_COUNT && is_wanted(kind, wanted)) {
        loaded->kind = (enum smpy_kind)kind;
        return SMPY_KIND_FOUND;
    }
    PyObject *pair = kind < 0 ? NULL : choose(loaded, wanted, is_made);
    if (pair == NULL) {
        smpy_error_log("app: what is to be served could not be looked at");
        return SMPY_KIND_REFUSED;
    }
    enum smpy_kind_outcome outcome = take_choice(loaded, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1));
    Py_DECREF(pair);
    return outcome;
}
