// SPDX-License-Identifier: MIT
// Calls what makes the application (see maker.h). Arguments are literals, read by smisk.host_app.call: nothing in a
// configuration is ever evaluated. They may be secrets, so no message shows them.
#include "py/maker.h"

#include <stdio.h>
#include <string.h>

#include "base/exit.h"
#include "base/log.h"
#include "py/application.h"
#include "py/error.h"

// Returns new: (positional, named). NULL with an exception.
static PyObject *read_arguments(const char *arguments) {
    if (strcmp(arguments, "()") == 0) {
        return Py_BuildValue("((){})");
    }
    PyObject *pair = NULL;
    PyObject *module = PyImport_ImportModule("smisk.host_app.call");
    PyObject *text = module == NULL ? NULL : PyUnicode_DecodeFSDefault(arguments);
    if (text != NULL) {
        pair = PyObject_CallMethod(module, "read_arguments", "O", text);
    }
    Py_XDECREF(text);
    Py_XDECREF(module);
    return pair;
}

// The log's heading for what goes wrong from now on, with the exception that is set.
static int failed(const char *label, const char *what) {
    char heading[512];
    (void)snprintf(heading, sizeof heading, "app: %s %s", label, what);
    smpy_error_log(heading);
    return SM_EXIT_APP;
}

// What an `async def` returns was never started: closing it tells Python that nobody forgot it.
static void close_coroutine(PyObject *coroutine) {
    PyObject *closed = PyObject_CallMethod(coroutine, "close", NULL);
    if (closed == NULL) {
        PyErr_WriteUnraisable(coroutine);
    }
    Py_XDECREF(closed);
}

// Whether it can be an application at all.
static int check_made(const char *label, PyObject *made) {
    if (PyCoro_CheckExact(made)) {
        close_coroutine(made);
        sm_log(
            SM_LOG_CRITICAL,
            "app: %s is an async def: a factory is called before there is an event loop, so it must be an ordinary "
            "function",
            label);
        return SM_EXIT_APP;
    }
    if (made == Py_None) {
        sm_log(SM_LOG_CRITICAL, "app: %s returned None, not an application; does it end with `return app`?", label);
        return SM_EXIT_APP;
    }
    if (!PyCallable_Check(made) && smpy_application_kind(made) == SMPY_APPLICATION_NONE) {
        sm_log(SM_LOG_CRITICAL, "app: %s returned %.100s, which cannot be called and so is no application", label,
               Py_TYPE(made)->tp_name);
        return SM_EXIT_APP;
    }
    return 0;
}

int smpy_maker_call(struct smpy_loaded *out, const char *arguments) {
    PyObject *made = NULL;
    size_t len = strlen(out->label);
    (void)snprintf(out->label + len, sizeof out->label - len, "%s", strcmp(arguments, "()") == 0 ? "()" : "(…)");
    PyObject *pair = read_arguments(arguments);
    if (pair == NULL) {
        return failed(out->label, "cannot be called with these arguments");
    }
    made = PyObject_Call(out->handler, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1));
    Py_DECREF(pair);
    int status = made == NULL ? failed(out->label, "failed") : check_made(out->label, made);
    if (status == 0) {
        Py_XSETREF(out->handler, made);
        made = NULL;
    }
    Py_XDECREF(made);
    return status;
}
