// SPDX-License-Identifier: MIT
// The engine as asyncio's selector sees it (see poll.h). A turn that served requests only goes on to the next one
// here: control returns to Python when Python has something to do, not for each batch of events.
#include "py/poll.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "net/loop.h"

struct smpy_watch {
    struct sm_source source;
    struct sm_list node; // in poll->ready
    struct smpy_poll *poll;
    unsigned events; // as in `selectors`: 1 readable, 2 writable
};

enum { EVENT_READ = 1, EVENT_WRITE = 2 };

// --- watches ---

// Runs in a turn; calls no Python.
static void watch_ready(struct sm_source *source, unsigned flags) {
    struct smpy_watch *watch = SM_CONTAINER(source, struct smpy_watch, source);
    watch->events |= (flags & SM_READABLE) != 0 ? EVENT_READ : 0u;
    watch->events |= (flags & SM_WRITABLE) != 0 ? EVENT_WRITE : 0u;
    watch->events |= (flags & SM_BROKEN) != 0 ? EVENT_READ | EVENT_WRITE : 0u;
    if (!sm_list_linked(&watch->node)) {
        sm_list_append(&watch->poll->ready, &watch->node);
    }
}

static struct smpy_watch *watch_of(const struct smpy_poll *poll, int fd) {
    return fd >= 0 && (size_t)fd < poll->n_watches ? poll->watches[fd] : NULL;
}

static int make_room(struct smpy_poll *poll, int fd) {
    size_t n = poll->n_watches == 0 ? 64 : poll->n_watches;
    while (n <= (size_t)fd) {
        n *= 2;
    }
    if (n == poll->n_watches) {
        return 0;
    }
    struct smpy_watch **grown = realloc(poll->watches, n * sizeof *grown);
    if (grown == NULL) {
        return -1;
    }
    memset(grown + poll->n_watches, 0, (n - poll->n_watches) * sizeof *grown);
    poll->watches = grown;
    poll->n_watches = n;
    return 0;
}

static struct smpy_watch *watch_new(struct smpy_poll *poll, int fd) {
    struct smpy_watch *watch = make_room(poll, fd) < 0 ? NULL : calloc(1, sizeof *watch);
    if (watch == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    watch->source = (struct sm_source){.fd = fd, .ready = watch_ready};
    watch->poll = poll;
    sm_list_init(&watch->node);
    poll->watches[fd] = watch;
    return watch;
}

static void watch_drop(struct smpy_poll *poll, int fd) {
    struct smpy_watch *watch = watch_of(poll, fd);
    if (watch != NULL) {
        sm_loop_remove(&poll->engine->net.loop, &watch->source);
        sm_list_remove(&watch->node);
        poll->watches[fd] = NULL;
        free(watch);
    }
}

static PyObject *engine_is_gone(void) {
    PyErr_SetString(PyExc_RuntimeError, "the worker has ended");
    return NULL;
}

static PyObject *poll_watch(PyObject *self, PyObject *args) {
    struct smpy_poll *poll = (struct smpy_poll *)self;
    int fd = -1;
    unsigned events = 0;
    if (!PyArg_ParseTuple(args, "iI:watch", &fd, &events)) {
        return NULL;
    }
    if (poll->engine == NULL) {
        return engine_is_gone();
    }
    struct smpy_watch *watch = fd < 0 ? NULL : watch_of(poll, fd);
    bool is_new = watch == NULL;
    if (fd < 0) {
        PyErr_SetString(PyExc_ValueError, "a descriptor is not negative");
        return NULL;
    }
    watch = is_new ? watch_new(poll, fd) : watch;
    if (watch == NULL) {
        return NULL;
    }
    unsigned wanted = ((events & EVENT_READ) != 0 ? (unsigned)SM_READABLE : 0u) |
                      ((events & EVENT_WRITE) != 0 ? (unsigned)SM_WRITABLE : 0u);
    int r = sm_loop_watch(&poll->engine->net.loop, &watch->source, wanted);
    if (r < 0) {
        if (is_new) {
            watch_drop(poll, fd);
        }
        errno = -r;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

static PyObject *poll_forget(PyObject *self, PyObject *arg) {
    struct smpy_poll *poll = (struct smpy_poll *)self;
    int fd = (int)PyLong_AsLong(arg);
    if (fd == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (poll->engine != NULL) {
        watch_drop(poll, fd);
    }
    Py_RETURN_NONE;
}

// --- turns ---

static int make_turn(struct smpy_poll *poll, int timeout_ms) {
    poll->is_turning = true;
    int r = poll->turns != NULL ? poll->turns->turn(poll->turns->context, timeout_ms)
                                : sm_engine_turn(poll->engine, timeout_ms);
    poll->is_turning = false;
    poll->n_turns++;
    return r;
}

// 0, or -1 with an exception.
static int checked_turn(struct smpy_poll *poll, int timeout_ms) {
    if (poll->engine == NULL || poll->is_turning) {
        PyErr_SetString(PyExc_RuntimeError,
                        poll->engine == NULL ? "the worker has ended" : "the loop runs already, below this call");
        return -1;
    }
    int r = make_turn(poll, timeout_ms);
    if (r < 0) {
        errno = -r;
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    if (r == 0 && poll->turns != NULL && !poll->is_over) {
        poll->is_over = true;
        PyObject *done = PyObject_CallNoArgs(poll->over);
        if (done == NULL) {
            return -1;
        }
        Py_DECREF(done);
    }
    return PyErr_CheckSignals();
}

// Whether the loop has something to do besides waiting; `n_timers` as when it began to wait.
static bool python_waits(const struct smpy_poll *poll, Py_ssize_t n_timers) {
    if (!sm_list_empty(&poll->ready) || poll->is_over || poll->queue == NULL || poll->timers == NULL) {
        return true;
    }
    return PyObject_Size(poll->queue) != 0 || PyList_GET_SIZE(poll->timers) != n_timers;
}

static PyObject *take_ready(struct smpy_poll *poll) {
    struct sm_list *node;
    PyObject *list = PyList_New(0);
    while (list != NULL && (node = sm_list_pop(&poll->ready)) != NULL) {
        struct smpy_watch *watch = SM_CONTAINER(node, struct smpy_watch, node);
        PyObject *pair = Py_BuildValue("(iI)", watch->source.fd, watch->events);
        watch->events = 0;
        if (pair == NULL || PyList_Append(list, pair) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(pair);
    }
    return list;
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int milliseconds(double seconds) {
    return seconds <= 0 ? 0 : seconds > 1e6 ? 1000000000 : (int)(seconds * 1000.0 + 0.999);
}

static PyObject *poll_select(PyObject *self, PyObject *arg) {
    struct smpy_poll *poll = (struct smpy_poll *)self;
    double timeout = arg == Py_None ? -1.0 : PyFloat_AsDouble(arg);
    if (timeout == -1.0 && PyErr_Occurred()) {
        return NULL;
    }
    timeout = arg != Py_None && timeout < 0 ? 0 : timeout;
    double until = timeout > 0 ? seconds_now() + timeout : 0;
    Py_ssize_t n_timers = poll->timers == NULL ? 0 : PyList_GET_SIZE(poll->timers);
    double left = timeout;
    for (;;) {
        if (checked_turn(poll, arg == Py_None ? -1 : milliseconds(left)) < 0) {
            return NULL;
        }
        left = timeout > 0 ? until - seconds_now() : timeout;
        if (timeout == 0 || (timeout > 0 && left <= 0) || python_waits(poll, n_timers)) {
            return take_ready(poll);
        }
    }
}

static PyObject *poll_turn(PyObject *self, PyObject *unused) {
    (void)unused;
    struct smpy_poll *poll = (struct smpy_poll *)self;
    return checked_turn(poll, 0) < 0 ? NULL : PyLong_FromLong(sm_engine_wait_time(poll->engine, -1));
}

static PyObject *poll_fileno(PyObject *self, PyObject *unused) {
    (void)unused;
    struct smpy_poll *poll = (struct smpy_poll *)self;
    return poll->engine == NULL ? engine_is_gone() : PyLong_FromLong(poll->engine->net.loop.fd);
}

// --- life ---

void smpy_poll_close(struct smpy_poll *poll) {
    for (size_t fd = 0; poll->engine != NULL && fd < poll->n_watches; fd++) {
        watch_drop(poll, (int)fd);
    }
    free(poll->watches);
    poll->watches = NULL;
    poll->n_watches = 0;
    poll->engine = NULL;
    Py_CLEAR(poll->queue);
    Py_CLEAR(poll->timers);
    Py_CLEAR(poll->over);
}

static void poll_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    smpy_poll_close((struct smpy_poll *)self);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyMethodDef poll_methods[] = {
    {"watch", poll_watch, METH_VARARGS, NULL},  {"forget", poll_forget, METH_O, NULL},
    {"select", poll_select, METH_O, NULL},      {"turn", poll_turn, METH_NOARGS, NULL},
    {"fileno", poll_fileno, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL},
};

static PyType_Slot poll_slots[] = {
    {Py_tp_doc, "The host's epoll set and turns, for smisk.aio."},
    {Py_tp_dealloc, poll_dealloc},
    {Py_tp_methods, poll_methods},
    {0, NULL},
};

static PyType_Spec poll_spec = {
    .name = "_smisk.Poll",
    .basicsize = sizeof(struct smpy_poll),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = poll_slots,
};

struct smpy_poll *smpy_poll_new(struct sm_engine *engine) {
    PyObject *type = PyType_FromSpec(&poll_spec);
    struct smpy_poll *poll = type == NULL ? NULL : PyObject_New(struct smpy_poll, (PyTypeObject *)type);
    Py_XDECREF(type);
    if (poll != NULL) {
        PyObject base = poll->ob_base;
        *poll = (struct smpy_poll){.engine = engine};
        poll->ob_base = base;
        sm_list_init(&poll->ready);
    }
    return poll;
}
