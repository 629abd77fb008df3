// SPDX-License-Identifier: MIT
// The application's threads at the end of the process (see threads.h). Py_FinalizeEx would wait for them without a
// bound; so a daemon thread of our own does that waiting first, and we wait for that thread with a bound.
#include "py/threads.h"

#include <time.h>

#include "base/log.h"

enum { SETTLE_STEPS = 50, SETTLE_STEP_NS = 1000000 }; // how long an ended thread may take to give its state back

// Calls what was registered to run before threads are waited for (executors are told to stop), the latest first.
static void call_exit_hooks(PyObject *threading) {
    PyObject *hooks = NULL;
    if (smpy_attribute_find_text(threading, "_threading_atexits", &hooks) <= 0) {
        PyErr_Clear();
        return;
    }
    while (PyList_Check(hooks) && PyList_GET_SIZE(hooks) > 0) {
        Py_ssize_t last = PyList_GET_SIZE(hooks) - 1;
        PyObject *hook = Py_NewRef(PyList_GET_ITEM(hooks, last));
        PyObject *result = PyList_SetSlice(hooks, last, last + 1, NULL) < 0 ? NULL : PyObject_CallNoArgs(hook);
        if (result == NULL) {
            PyErr_WriteUnraisable(hook);
        }
        Py_XDECREF(result);
        Py_DECREF(hook);
    }
    Py_DECREF(hooks);
}

// 1 when the thread keeps the process alive: no daemon, not the main thread, not `self`. -1 with an exception.
static int counts(PyObject *thread, PyObject *self, PyObject *main_thread) {
    if (thread == self || thread == main_thread) {
        return 0;
    }
    PyObject *daemon = PyObject_GetAttrString(thread, "daemon");
    int is_daemon = daemon == NULL ? -1 : PyObject_IsTrue(daemon);
    Py_XDECREF(daemon);
    return is_daemon < 0 ? -1 : !is_daemon;
}

// Returns new: a list of the threads that keep the process alive.
static PyObject *foreground_threads(PyObject *threading) {
    PyObject *found = PyList_New(0);
    PyObject *all = PyObject_CallMethod(threading, "enumerate", NULL);
    PyObject *self = PyObject_CallMethod(threading, "current_thread", NULL);
    PyObject *main_thread = PyObject_CallMethod(threading, "main_thread", NULL);
    int status = found == NULL || all == NULL || self == NULL || main_thread == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; status == 0 && i < PyList_GET_SIZE(all); i++) {
        PyObject *thread = PyList_GET_ITEM(all, i);
        status = counts(thread, self, main_thread);
        if (status > 0) {
            status = PyList_Append(found, thread);
        }
    }
    if (status < 0) {
        Py_CLEAR(found);
    }
    Py_XDECREF(main_thread);
    Py_XDECREF(self);
    Py_XDECREF(all);
    return found;
}

// The waiting thread's work: until no foreground thread is left.
static PyObject *wait_for_all(PyObject *threading, PyObject *unused) {
    (void)unused;
    call_exit_hooks(threading);
    for (;;) {
        PyObject *threads = foreground_threads(threading);
        if (threads == NULL) {
            return NULL;
        }
        Py_ssize_t n = PyList_GET_SIZE(threads);
        PyObject *joined = n == 0 ? NULL : PyObject_CallMethod(PyList_GET_ITEM(threads, 0), "join", NULL);
        Py_DECREF(threads);
        if (n == 0) {
            Py_RETURN_NONE;
        }
        if (joined == NULL) {
            return NULL;
        }
        Py_DECREF(joined);
    }
}

static PyMethodDef wait_method = {"wait_for_all", wait_for_all, METH_NOARGS, NULL};

// Returns new: the started thread that waits.
static PyObject *start_waiting(PyObject *threading) {
    PyObject *thread = NULL;
    PyObject *started = NULL;
    PyObject *type = PyObject_GetAttrString(threading, "Thread");
    PyObject *target = PyCFunction_New(&wait_method, threading);
    PyObject *none = PyTuple_New(0);
    PyObject *arguments = target == NULL ? NULL
                                         : Py_BuildValue("{s:O,s:s,s:O}", "target", target, "name", "smiskd-shutdown",
                                                         "daemon", Py_True);
    if (type != NULL && none != NULL && arguments != NULL) {
        thread = PyObject_Call(type, none, arguments);
    }
    if (thread != NULL) {
        started = PyObject_CallMethod(thread, "start", NULL);
    }
    if (started == NULL) {
        Py_CLEAR(thread);
    }
    Py_XDECREF(started);
    Py_XDECREF(arguments);
    Py_XDECREF(none);
    Py_XDECREF(target);
    Py_XDECREF(type);
    return thread;
}

static void log_left(PyObject *threading) {
    PyObject *threads = foreground_threads(threading);
    if (threads == NULL || PyList_GET_SIZE(threads) == 0) {
        PyErr_Clear();
        Py_XDECREF(threads);
        return;
    }
    PyObject *text = PyObject_Str(threads);
    const char *names = text == NULL ? NULL : PyUnicode_AsUTF8(text);
    sm_log(SM_LOG_WARNING, "threads of the application do not end, and are left: %s", names == NULL ? "?" : names);
    PyErr_Clear();
    Py_XDECREF(text);
    Py_DECREF(threads);
}

void smpy_threads_join(uint64_t timeout) {
    PyObject *modules = PyImport_GetModuleDict();
    PyObject *threading = PyMapping_GetItemString(modules, "threading");
    if (threading == NULL) {
        PyErr_Clear(); // nobody imported it: there are no such threads
        return;
    }
    PyObject *joined = NULL;
    PyObject *alive = NULL;
    PyObject *waiter = start_waiting(threading);
    if (waiter == NULL) {
        goto done;
    }
    joined = PyObject_CallMethod(waiter, "join", "d", (double)timeout / 1000.0);
    alive = joined == NULL ? NULL : PyObject_CallMethod(waiter, "is_alive", NULL);
    if (alive == Py_True) {
        log_left(threading);
    }
done:
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(threading);
    }
    Py_XDECREF(alive);
    Py_XDECREF(joined);
    Py_XDECREF(waiter);
    Py_DECREF(threading);
}

static bool has_other_states(void) {
    PyThreadState *own = PyThreadState_Get();
    PyThreadState *state = PyInterpreterState_ThreadHead(PyThreadState_GetInterpreter(own));
    for (; state != NULL; state = PyThreadState_Next(state)) {
        if (state != own) {
            return true;
        }
    }
    return false;
}

bool smpy_threads_are_live(void) {
    // A thread that was joined may still be on its last few instructions.
    for (int i = 0; i < SETTLE_STEPS && has_other_states(); i++) {
        PyThreadState *state = PyEval_SaveThread();
        (void)nanosleep(&(struct timespec){0, SETTLE_STEP_NS}, NULL);
        PyEval_RestoreThread(state);
    }
    return has_other_states();
}
