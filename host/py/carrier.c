// SPDX-License-Identifier: MIT
// Carriers (see carrier.h). A carrier is the coroutine of an asyncio.Task, and, while it has nothing to do, also the
// future that this task waits for. The first step of a request is made by us, between asyncio's _enter_task and
// _leave_task; if the request then waits for a future, the carrier is woken and hands that future to its task, which
// does the rest as asyncio always does.
#include "py/carrier.h"

#include <stddef.h>

#include "base/log.h"
#include "py/error.h"

struct smpy_carrier {
    PyObject ob_base;
    struct smpy_loop *loop;   // borrowed; NULL once the loop is closed
    PyObject *task;           // owned while the carrier lives
    PyObject *name;           // the task's first name
    PyObject *coroutine;      // NULL: idle
    PyObject *context;        // the request's contextvars.Context
    PyObject *yielded;        // what the first step waits for, until the task takes it
    PyObject *wakeup;         // the task's callback while it waits for us
    PyObject *wakeup_context; // ... to be run in
    struct smpy_job *job;
    bool is_blocking; // the protocol of futures: `_asyncio_future_blocking`
    bool is_marked;   // cancelled, or otherwise not fit for another request
    bool is_over;     // the task has ended, or is about to
};

static struct smpy_carrier *carrier_of(PyObject *self) {
    return (struct smpy_carrier *)self;
}

// --- the task's view: a future ---

// Has the task stepped soon. 0, or -1 with an exception.
static int wake(struct smpy_carrier *carrier) {
    if (carrier->wakeup == NULL) {
        return 0; // its step is on its way
    }
    PyObject *wakeup = carrier->wakeup;
    PyObject *context = carrier->wakeup_context;
    carrier->wakeup = carrier->wakeup_context = NULL;
    PyObject *names = context == NULL ? NULL : PyTuple_Pack(1, carrier->loop->name_context);
    PyObject *arguments[] = {wakeup, (PyObject *)carrier, context};
    PyObject *handle =
        context != NULL && names == NULL ? NULL : PyObject_Vectorcall(carrier->loop->call_soon, arguments, 2, names);
    Py_XDECREF(names);
    Py_XDECREF(context);
    Py_DECREF(wakeup);
    Py_XDECREF(handle);
    return handle == NULL ? -1 : 0;
}

static PyObject *carrier_add_done_callback(PyObject *self, PyObject *args, PyObject *kwargs) {
    struct smpy_carrier *carrier = carrier_of(self);
    static char *names[] = {"", "context", NULL};
    PyObject *callback = NULL;
    PyObject *context = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$O:add_done_callback", names, &callback, &context)) {
        return NULL;
    }
    Py_XSETREF(carrier->wakeup, Py_NewRef(callback));
    Py_XSETREF(carrier->wakeup_context, Py_XNewRef(context));
    Py_RETURN_NONE;
}

static PyObject *carrier_result(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
    Py_RETURN_NONE;
}

static PyObject *carrier_get_loop(PyObject *self, PyObject *unused) {
    (void)unused;
    struct smpy_carrier *carrier = carrier_of(self);
    return Py_NewRef(carrier->loop == NULL ? Py_None : carrier->loop->loop);
}

// 1 when the future was cancelled by this. -1 with an exception.
static int cancel_future(struct smpy_carrier *carrier, PyObject *future, PyObject *args, PyObject *kwargs) {
    PyObject *cancel = PyObject_GetAttr(future, carrier->loop->name_cancel);
    PyObject *answer = cancel == NULL ? NULL : PyObject_Call(cancel, args, kwargs);
    int cancelled = answer == NULL ? -1 : PyObject_IsTrue(answer);
    Py_XDECREF(answer);
    Py_XDECREF(cancel);
    return cancelled;
}

// The task is cancelled while it waits for us: what the request waits for is what has to be cancelled; without that
// the task throws CancelledError into its next step.
static PyObject *carrier_cancel(PyObject *self, PyObject *args, PyObject *kwargs) {
    struct smpy_carrier *carrier = carrier_of(self);
    carrier->is_marked = true;
    if (carrier->loop == NULL) {
        Py_RETURN_FALSE;
    }
    if (carrier->yielded != NULL && carrier->yielded != Py_None) {
        int cancelled = cancel_future(carrier, carrier->yielded, args, kwargs);
        return cancelled < 0 ? NULL : PyBool_FromLong(cancelled);
    }
    if (wake(carrier) < 0) {
        return NULL;
    }
    Py_RETURN_FALSE;
}

static PyObject *get_blocking(PyObject *self, void *closure) {
    (void)closure;
    return PyBool_FromLong(carrier_of(self)->is_blocking);
}

static int set_blocking(PyObject *self, PyObject *value, void *closure) {
    (void)closure;
    int is_true = value == NULL ? 0 : PyObject_IsTrue(value);
    carrier_of(self)->is_blocking = is_true > 0;
    return is_true < 0 ? -1 : 0;
}

// --- steps ---

// The coroutine has ended; an exception is set when `result` is NULL. Goes on with the next one, or becomes idle.
static void finish(struct smpy_carrier *carrier, PyObject *result) {
    struct smpy_job *job = carrier->job;
    job->carrier = NULL;
    PyObject *next = job->done(job, result);
    Py_XSETREF(carrier->coroutine, next);
    if (next == NULL) {
        carrier->job = NULL;
        Py_CLEAR(carrier->context);
    } else {
        job->carrier = carrier;
    }
}

// Sends `value` into the coroutine, or throws `error` when that is not NULL. NEXT: waits for *result_out; RETURN or
// ERROR: it has ended.
static PySendResult send_or_throw(struct smpy_carrier *carrier, PyObject *value, PyObject *error,
                                  PyObject **result_out) {
    if (error == NULL) {
        return PyIter_Send(carrier->coroutine, value, result_out);
    }
    *result_out = PyObject_CallMethodOneArg(carrier->coroutine, carrier->loop->name_throw, error);
    if (*result_out != NULL) {
        return PYGEN_NEXT;
    }
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) {
        return PYGEN_ERROR;
    }
    PyObject *stop = smpy_exception_take();
    *result_out = PyObject_GetAttrString(stop, "value");
    Py_DECREF(stop);
    return *result_out == NULL ? PYGEN_ERROR : PYGEN_RETURN;
}

// Steps until the coroutine waits (returns new: for what) or the job is over (NULL).
static PyObject *step(struct smpy_carrier *carrier, PyObject *value, PyObject *error) {
    PyObject *result = NULL;
    while (carrier->coroutine != NULL) {
        if (PyContext_Enter(carrier->context) < 0) {
            finish(carrier, NULL);
            continue;
        }
        PySendResult outcome = send_or_throw(carrier, value, error, &result);
        if (PyContext_Exit(carrier->context) < 0) {
            smpy_error_log("a request left its context");
        }
        if (outcome == PYGEN_NEXT) {
            return result;
        }
        finish(carrier, result);
        Py_CLEAR(result);
        value = Py_None;
        error = NULL;
    }
    return NULL;
}

// --- the task's view: a coroutine ---

// The task ends with this step: there is nothing that it could be used for again.
static void retire(struct smpy_carrier *carrier) {
    carrier->is_over = true;
    if (carrier->loop != NULL && carrier->loop->spare == carrier) {
        carrier->loop->spare = NULL;
        Py_DECREF(carrier); // the task holds another
    }
    Py_CLEAR(carrier->task);
}

static PySendResult carrier_am_send(PyObject *self, PyObject *value, PyObject **result_out) {
    struct smpy_carrier *carrier = carrier_of(self);
    if (carrier->yielded != NULL) { // taken over from the first step
        *result_out = carrier->yielded;
        carrier->yielded = NULL;
        return PYGEN_NEXT;
    }
    if (carrier->coroutine == NULL && !carrier->is_marked && !carrier->is_over && carrier->loop != NULL) {
        carrier->is_blocking = true;
        *result_out = Py_NewRef(self);
        return PYGEN_NEXT;
    }
    if (carrier->coroutine != NULL) {
        *result_out = step(carrier, value, NULL);
        if (*result_out != NULL) {
            return PYGEN_NEXT;
        }
        carrier->loop->n_suspended--;
    }
    retire(carrier);
    *result_out = Py_NewRef(Py_None);
    return PYGEN_RETURN;
}

static PyObject *send_result(PySendResult outcome, PyObject *result) {
    if (outcome == PYGEN_RETURN) {
        Py_XDECREF(result);
        PyErr_SetNone(PyExc_StopIteration);
        return NULL;
    }
    return outcome == PYGEN_NEXT ? result : NULL;
}

static PyObject *carrier_send(PyObject *self, PyObject *value) {
    PyObject *result = NULL;
    return send_result(carrier_am_send(self, value, &result), result);
}

static PyObject *carrier_next(PyObject *self) {
    return carrier_send(self, Py_None);
}

// Returns new: the exception of throw()'s arguments: an instance, or a class and perhaps a value.
static PyObject *thrown(PyObject *args) {
    PyObject *type = PyTuple_GET_SIZE(args) > 0 ? PyTuple_GET_ITEM(args, 0) : NULL;
    PyObject *value = PyTuple_GET_SIZE(args) > 1 ? PyTuple_GET_ITEM(args, 1) : NULL;
    if (type != NULL && PyExceptionInstance_Check(type)) {
        return Py_NewRef(type);
    }
    if (value != NULL && PyExceptionInstance_Check(value)) {
        return Py_NewRef(value);
    }
    if (type != NULL && PyExceptionClass_Check(type)) {
        return value == NULL || value == Py_None ? PyObject_CallNoArgs(type) : PyObject_CallOneArg(type, value);
    }
    PyErr_SetString(PyExc_TypeError, "throw() takes an exception");
    return NULL;
}

// A cancellation that comes before the task has taken what the first step waits for. Its message goes along: anyio
// tells by it whose cancellation it is.
static int cancel_yielded(struct smpy_carrier *carrier, PyObject *error) {
    if (carrier->yielded == NULL || carrier->yielded == Py_None ||
        PyObject_IsInstance(error, carrier->loop->cancelled_error) != 1) {
        return 0;
    }
    PyObject *args = PyObject_GetAttrString(error, "args");
    int cancelled = args == NULL ? -1 : cancel_future(carrier, carrier->yielded, args, NULL);
    Py_XDECREF(args);
    return cancelled;
}

static PyObject *carrier_throw(PyObject *self, PyObject *args) {
    struct smpy_carrier *carrier = carrier_of(self);
    PyObject *error = thrown(args);
    if (error == NULL) {
        return NULL;
    }
    PyObject *result = NULL;
    if (carrier->coroutine == NULL) {
        retire(carrier);
        smpy_exception_give(error);
        return NULL;
    }
    int cancelled = cancel_yielded(carrier, error);
    if (cancelled > 0) {
        result = carrier->yielded; // the task waits for its cancellation
        carrier->yielded = NULL;
    } else if (cancelled == 0) {
        Py_CLEAR(carrier->yielded);
        result = step(carrier, NULL, error);
    }
    Py_DECREF(error);
    if (result == NULL && cancelled >= 0) {
        carrier->loop->n_suspended--;
        retire(carrier);
        PyErr_SetNone(PyExc_StopIteration);
    }
    return result;
}

static PyObject *carrier_close(PyObject *self, PyObject *unused) {
    (void)unused;
    struct smpy_carrier *carrier = carrier_of(self);
    PyObject *closed =
        carrier->coroutine == NULL ? Py_NewRef(Py_None) : PyObject_CallMethod(carrier->coroutine, "close", NULL);
    return closed;
}

// cr_frame, cr_running and the like are those of the request's coroutine.
static PyObject *carrier_getattro(PyObject *self, PyObject *name) {
    PyObject *value = PyObject_GenericGetAttr(self, name);
    PyObject *coroutine = carrier_of(self)->coroutine;
    if (value == NULL && coroutine != NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        value = PyObject_GetAttr(coroutine, name);
    }
    return value;
}

// --- requests ---

bool smpy_is_awaitable(PyObject *object) {
    return PyCoro_CheckExact(object) ||
           (Py_TYPE(object)->tp_as_async != NULL && Py_TYPE(object)->tp_as_async->am_await != NULL);
}

// Takes an awaitable; returns new: something that can be sent into.
static PyObject *as_coroutine(struct smpy_loop *loop, PyObject *awaitable) {
    if (PyCoro_CheckExact(awaitable)) {
        return awaitable;
    }
    PyObject *coroutine = PyObject_CallOneArg(loop->wait_for_other, awaitable);
    Py_DECREF(awaitable);
    return coroutine;
}

static struct smpy_carrier *carrier_new(struct smpy_loop *loop) {
    struct smpy_carrier *carrier = PyObject_GC_New(struct smpy_carrier, loop->carrier_type);
    if (carrier == NULL) {
        return NULL;
    }
    PyObject base = carrier->ob_base;
    *carrier = (struct smpy_carrier){.loop = loop};
    carrier->ob_base = base;
    PyObject *names = Py_BuildValue("(s)", "loop");
    PyObject *arguments[] = {(PyObject *)carrier, loop->loop};
    carrier->task = names == NULL ? NULL : PyObject_Vectorcall(loop->task_type, arguments, 1, names);
    carrier->name = carrier->task == NULL ? NULL : PyObject_CallMethodNoArgs(carrier->task, loop->name_get_name);
    Py_XDECREF(names);
    PyObject_GC_Track((PyObject *)carrier);
    if (carrier->name == NULL) {
        Py_DECREF(carrier);
        return NULL;
    }
    return carrier;
}

// Weak references to the task: who has one keeps something by this task.
static unsigned weak_references(PyObject *task) {
    Py_ssize_t offset = Py_TYPE(task)->tp_weaklistoffset;
    unsigned n = 0;
    if (offset == 0) {
        return 0;
    }
    PyWeakReference *ref = *(PyWeakReference **)(void *)((char *)task + offset);
    for (; ref != NULL && n < 16; ref = ref->wr_next) {
        n++;
    }
    return n;
}

struct traces {
    Py_ssize_t references;
    unsigned weak;
};

static struct traces look(PyObject *task) {
    return (struct traces){Py_REFCNT(task), weak_references(task)};
}

// Whether the request left nothing behind on the task, so that the next one may have it.
static bool is_clean(struct smpy_carrier *carrier, struct traces before) {
    struct traces now = look(carrier->task);
    if (carrier->is_marked || carrier->is_over || now.references != before.references || now.weak != before.weak) {
        return false;
    }
    PyObject *callbacks = PyObject_GetAttr(carrier->task, carrier->loop->name_callbacks);
    PyObject *name = PyObject_CallMethodNoArgs(carrier->task, carrier->loop->name_get_name);
    bool clean = callbacks == Py_None && name == carrier->name;
    PyErr_Clear();
    Py_XDECREF(name);
    Py_XDECREF(callbacks);
    return clean;
}

// The job ended in the first step: the carrier is kept for the next request, or its task is brought to its end.
static void put_back(struct smpy_carrier *carrier, struct traces before) {
    struct smpy_loop *loop = carrier->loop;
    if (loop->spare == NULL && is_clean(carrier, before)) {
        loop->spare = carrier;
        return;
    }
    carrier->is_marked = true;
    if (wake(carrier) < 0) {
        smpy_error_log("a request's task cannot end");
    }
    Py_DECREF(carrier);
}

static void first_step(struct smpy_loop *loop, struct smpy_carrier *carrier) {
    struct traces before = look(carrier->task);
    PyObject *arguments[] = {loop->loop, carrier->task};
    PyObject *entered = PyObject_Vectorcall(loop->enter_task, arguments, 2, NULL);
    if (entered == NULL) {
        finish(carrier, NULL); // another task is being stepped: the loop is turned from within it
        put_back(carrier, before);
        return;
    }
    Py_DECREF(entered);
    carrier->yielded = step(carrier, Py_None, NULL);
    PyObject *left = PyObject_Vectorcall(loop->leave_task, arguments, 2, NULL);
    if (left == NULL) {
        smpy_error_log("a request's task was left by another");
    }
    Py_XDECREF(left);
    if (carrier->yielded == NULL) {
        put_back(carrier, before);
        return;
    }
    loop->n_suspended++;
    if (wake(carrier) < 0) {
        smpy_error_log("a request's task cannot go on");
    }
    Py_DECREF(carrier); // its task has it
}

void smpy_carrier_run(struct smpy_loop *loop, PyObject *awaitable, struct smpy_job *job) {
    PyObject *coroutine = as_coroutine(loop, awaitable);
    struct smpy_carrier *carrier = coroutine == NULL ? NULL : loop->spare;
    loop->spare = coroutine == NULL ? loop->spare : NULL;
    if (coroutine != NULL && carrier == NULL) {
        carrier = carrier_new(loop);
    }
    PyObject *context = carrier == NULL ? NULL : PyContext_CopyCurrent();
    if (context == NULL) {
        Py_XDECREF(coroutine);
        Py_XDECREF((PyObject *)carrier);
        (void)job->done(job, NULL);
        return;
    }
    carrier->coroutine = coroutine;
    carrier->context = context;
    carrier->job = job;
    job->carrier = carrier;
    first_step(loop, carrier);
}

void smpy_carrier_cancel(struct smpy_job *job) {
    struct smpy_carrier *carrier = job->carrier;
    if (carrier == NULL || carrier->task == NULL || carrier->loop == NULL) {
        return;
    }
    PyObject *done = PyObject_CallMethodNoArgs(carrier->task, carrier->loop->name_cancel);
    if (done == NULL) {
        smpy_error_log("a request's task could not be cancelled");
    }
    Py_XDECREF(done);
}

void smpy_carrier_drop_spare(struct smpy_loop *loop) {
    if (loop->spare != NULL) {
        struct smpy_carrier *carrier = loop->spare;
        loop->spare = NULL;
        carrier->loop = NULL;
        Py_DECREF(carrier);
    }
}

// --- the type ---

static int carrier_traverse(PyObject *self, visitproc visit, void *arg) {
    struct smpy_carrier *carrier = carrier_of(self);
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(carrier->task);
    Py_VISIT(carrier->coroutine);
    Py_VISIT(carrier->context);
    Py_VISIT(carrier->yielded);
    Py_VISIT(carrier->wakeup);
    Py_VISIT(carrier->wakeup_context);
    return 0;
}

static int carrier_clear(PyObject *self) {
    struct smpy_carrier *carrier = carrier_of(self);
    Py_CLEAR(carrier->task);
    Py_CLEAR(carrier->name);
    Py_CLEAR(carrier->coroutine);
    Py_CLEAR(carrier->context);
    Py_CLEAR(carrier->yielded);
    Py_CLEAR(carrier->wakeup);
    Py_CLEAR(carrier->wakeup_context);
    return 0;
}

static void carrier_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)carrier_clear(self);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyMethodDef carrier_methods[] = {
    {"send", carrier_send, METH_O, NULL},
    {"throw", carrier_throw, METH_VARARGS, NULL},
    {"close", carrier_close, METH_NOARGS, NULL},
    {"add_done_callback", (PyCFunction)(void (*)(void))carrier_add_done_callback, METH_VARARGS | METH_KEYWORDS, NULL},
    {"result", carrier_result, METH_NOARGS, NULL},
    {"get_loop", carrier_get_loop, METH_NOARGS, NULL},
    {"cancel", (PyCFunction)(void (*)(void))carrier_cancel, METH_VARARGS | METH_KEYWORDS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef carrier_getset[] = {
    {"_asyncio_future_blocking", get_blocking, set_blocking, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot carrier_slots[] = {
    {Py_tp_doc, "The coroutine of a task that runs requests."},
    {Py_tp_dealloc, carrier_dealloc},
    {Py_tp_traverse, carrier_traverse},
    {Py_tp_clear, carrier_clear},
    {Py_tp_getattro, carrier_getattro},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, carrier_next},
    {Py_am_await, PyObject_SelfIter},
    {Py_am_send, carrier_am_send},
    {Py_tp_methods, carrier_methods},
    {Py_tp_getset, carrier_getset},
    {0, NULL},
};

static PyType_Spec carrier_spec = {
    .name = "_smisk.Carrier",
    .basicsize = sizeof(struct smpy_carrier),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = carrier_slots,
};

PyTypeObject *smpy_carrier_type_new(void) {
    return (PyTypeObject *)PyType_FromSpec(&carrier_spec);
}
