// SPDX-License-Identifier: MIT
// The worker's asyncio loop (see loop.h). What happens once in a life is Python (smisk.aio.runner); what happens for
// each request is kept here as bound methods and interned names.
#include "py/loop.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/exit.h"
#include "base/log.h"
#include "py/app.h"
#include "py/await.h"
#include "py/carrier.h"
#include "py/error.h"

// --- names ---

static int intern_names(struct smpy_loop *loop) {
    const struct {
        PyObject **slot;
        const char *text;
    } names[] = {
        {&loop->name_blocking, "_asyncio_future_blocking"},
        {&loop->name_callbacks, "_callbacks"},
        {&loop->name_get_name, "get_name"},
        {&loop->name_set_result, "set_result"},
        {&loop->name_cancel, "cancel"},
        {&loop->name_done, "done"},
        {&loop->name_throw, "throw"},
        {&loop->name_context, "context"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        *names[i].slot = PyUnicode_InternFromString(names[i].text);
        if (*names[i].slot == NULL) {
            return -1;
        }
    }
    return 0;
}

// Returns new: module.attribute.
static PyObject *import_from(const char *module, const char *attribute) {
    PyObject *from = PyImport_ImportModule(module);
    PyObject *object = from == NULL ? NULL : PyObject_GetAttrString(from, attribute);
    Py_XDECREF(from);
    return object;
}

static int import_asyncio(struct smpy_loop *loop) {
    loop->task_type = import_from("asyncio", "Task");
    loop->enter_task = import_from("asyncio.tasks", "_enter_task");
    loop->leave_task = import_from("asyncio.tasks", "_leave_task");
    loop->cancelled_error = import_from("asyncio", "CancelledError");
    loop->wait_for_other = import_from("smisk.aio.pump", "wait");
    loop->carrier_type = smpy_carrier_type_new();
    loop->await_type = smpy_await_type_new();
    return loop->task_type == NULL || loop->enter_task == NULL || loop->leave_task == NULL ||
                   loop->cancelled_error == NULL || loop->wait_for_other == NULL || loop->carrier_type == NULL ||
                   loop->await_type == NULL
               ? -1
               : 0;
}

// What the loop has scheduled, so that a turn can tell whether Python has work. Any loop may lack them.
static void find_queues(struct smpy_loop *loop) {
    if (smpy_attribute_find_text(loop->loop, "_ready", &loop->poll->queue) < 0 ||
        smpy_attribute_find_text(loop->loop, "_scheduled", &loop->poll->timers) < 0) {
        PyErr_Clear();
    }
    if (loop->poll->timers != NULL && !PyList_Check(loop->poll->timers)) {
        Py_CLEAR(loop->poll->timers);
    }
}

// --- life ---

static int make(struct smpy_loop *loop, const char *kind) {
    PyObject *type = import_from("smisk.aio.runner", "Runner");
    if (type == NULL || intern_names(loop) < 0 || import_asyncio(loop) < 0) {
        Py_XDECREF(type);
        return -1;
    }
    loop->runner =
        PyObject_CallFunction(type, "sO", kind, loop->poll->engine == NULL ? Py_None : (PyObject *)loop->poll);
    Py_DECREF(type);
    loop->loop = loop->runner == NULL ? NULL : PyObject_GetAttrString(loop->runner, "loop");
    if (loop->loop == NULL) {
        return -1;
    }
    loop->create_future = PyObject_GetAttrString(loop->loop, "create_future");
    loop->call_soon = PyObject_GetAttrString(loop->loop, "call_soon");
    loop->kick = PyObject_GetAttrString(loop->runner, "kick");
    loop->poll->over = PyObject_GetAttrString(loop->runner, "over");
    loop->drives = strcmp(kind, "engine") != 0;
    if (!loop->drives) {
        find_queues(loop);
    }
    return loop->create_future == NULL || loop->call_soon == NULL || loop->kick == NULL || loop->poll->over == NULL
               ? -1
               : 0;
}

int smpy_loop_start(struct smpy_loop *loop, struct smpy_app *app, struct sm_engine *engine, const char *kind) {
    loop->app = app;
    loop->poll = smpy_poll_new(engine);
    if (loop->poll == NULL || make(loop, kind) < 0) {
        char heading[64];
        bool is_missing =
            strcmp(kind, "uvloop") == 0 && PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_ModuleNotFoundError);
        (void)snprintf(heading, sizeof heading, "loop: \"%s\" %s", kind,
                       is_missing ? "is not installed" : "cannot be made");
        smpy_error_log(heading);
        return SM_EXIT_PYTHON;
    }
    return 0;
}

// Whether the loop still goes round: one that the application has closed fails before it makes a turn.
static bool run_once(struct smpy_loop *loop) {
    uint64_t before = loop->poll->n_turns;
    PyObject *done = PyObject_CallMethod(loop->runner, "run", NULL);
    if (done == NULL) {
        smpy_error_log("the event loop was broken off, and goes on");
    }
    Py_XDECREF(done);
    return done != NULL || loop->poll->n_turns != before;
}

int smpy_loop_run(struct smpy_loop *loop, const struct sm_turns *turns) {
    loop->poll->turns = turns;
    // A server goes on when a signal handler raises out of select(), or the application stops the loop.
    while (!loop->poll->is_over && run_once(loop)) {
    }
    loop->poll->turns = NULL;
    return loop->poll->is_over ? 0 : -ECANCELED;
}

PyObject *smpy_loop_complete(struct smpy_loop *loop, PyObject *coroutine, uint64_t timeout_ms) {
    PyObject *bounded = coroutine;
    if (coroutine != NULL && timeout_ms > 0) {
        PyObject *wait_for = import_from("asyncio", "wait_for");
        bounded =
            wait_for == NULL ? NULL : PyObject_CallFunction(wait_for, "Od", coroutine, (double)timeout_ms / 1000.0);
        Py_XDECREF(wait_for);
        Py_DECREF(coroutine);
    }
    PyObject *result = bounded == NULL ? NULL : PyObject_CallMethod(loop->runner, "complete", "O", bounded);
    Py_XDECREF(bounded);
    return result;
}

void smpy_loop_stop(struct smpy_loop *loop) {
    if (loop->poll == NULL) {
        return;
    }
    if (loop->runner != NULL) {
        PyObject *closed = PyObject_CallMethod(loop->runner, "close", NULL);
        if (closed == NULL) {
            smpy_error_log("the event loop could not be closed in order");
        }
        Py_XDECREF(closed);
    }
    smpy_poll_close(loop->poll);
    smpy_carrier_drop_spare(loop);
    PyObject **owned[] = {
        &loop->runner,          &loop->loop,
        &loop->task_type,       &loop->enter_task,
        &loop->leave_task,      &loop->create_future,
        &loop->call_soon,       &loop->kick,
        &loop->cancelled_error, &loop->wait_for_other,
        &loop->name_blocking,   &loop->name_callbacks,
        &loop->name_get_name,   &loop->name_set_result,
        &loop->name_cancel,     &loop->name_done,
        &loop->name_throw,      &loop->name_context,
    };
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++) {
        Py_CLEAR(*owned[i]);
    }
    Py_CLEAR(loop->poll);
    Py_CLEAR(loop->carrier_type);
    Py_CLEAR(loop->await_type);
}

void smpy_loop_kick(struct smpy_loop *loop) {
    if (!loop->drives || loop->poll->is_turning) {
        return;
    }
    PyObject *done = PyObject_CallNoArgs(loop->kick);
    if (done == NULL) {
        smpy_error_log("the event loop takes no work");
    }
    Py_XDECREF(done);
}

void smpy_loop_wake(struct smpy_loop *loop, PyObject *future) {
    PyObject *done = PyObject_CallMethodNoArgs(future, loop->name_done);
    PyObject *set = NULL;
    if (done == Py_False) {
        set = PyObject_CallMethodOneArg(future, loop->name_set_result, Py_None);
    }
    if (done == NULL || (done == Py_False && set == NULL)) {
        smpy_error_log("a waiting task could not be woken");
    }
    Py_XDECREF(set);
    Py_XDECREF(done);
}
