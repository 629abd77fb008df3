// SPDX-License-Identifier: MIT
// What receive() and send() return (see await.h).
#include "py/await.h"

#include "py/error.h"

struct smpy_await {
    PyObject ob_base;
    struct smpy_loop *loop; // borrowed
    PyObject *owner;
    PyObject *message;
    PyObject *future; // what it waits on; in `list` while not NULL
    smpy_await_ask *ask;
    struct sm_list node;
    struct sm_list *list;
    bool is_started;
    bool is_over;
};

static struct smpy_await *await_of(PyObject *self) {
    return (struct smpy_await *)self;
}

static void stop_waiting(struct smpy_await *await) {
    sm_list_remove(&await->node);
    Py_CLEAR(await->future);
}

static void end(struct smpy_await *await) {
    stop_waiting(await);
    await->is_over = true;
    Py_CLEAR(await->message);
}

// Begins to wait. Returns new: the future for the task; NULL with an exception.
static PyObject *begin_waiting(struct smpy_await *await) {
    PyObject *future = smpy_loop_future(await->loop);
    if (future == NULL || PyObject_SetAttr(future, await->loop->name_blocking, Py_True) < 0) {
        Py_XDECREF(future);
        end(await);
        return NULL;
    }
    await->future = Py_NewRef(future);
    sm_list_append(await->list, &await->node);
    return future;
}

static PySendResult await_am_send(PyObject *self, PyObject *value, PyObject **result_out) {
    (void)value;
    struct smpy_await *await = await_of(self);
    *result_out = NULL;
    if (await->is_over) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return PYGEN_ERROR;
    }
    await->is_started = true;
    stop_waiting(await);
    *result_out = await->ask(await->owner, await->message);
    if (*result_out != NULL) {
        end(await);
        return PYGEN_RETURN;
    }
    if (PyErr_Occurred()) {
        end(await);
        return PYGEN_ERROR;
    }
    *result_out = begin_waiting(await);
    return *result_out == NULL ? PYGEN_ERROR : PYGEN_NEXT;
}

// StopIteration with a value that may itself be a tuple or an exception.
static void set_stop(PyObject *value) {
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, value);
    if (stop != NULL) {
        PyErr_SetObject(PyExc_StopIteration, stop);
        Py_DECREF(stop);
    }
}

static PyObject *await_next(PyObject *self) {
    PyObject *result = NULL;
    switch (await_am_send(self, Py_None, &result)) {
    case PYGEN_NEXT:
        return result;
    case PYGEN_RETURN:
        if (result != Py_None) {
            set_stop(result);
        }
        Py_DECREF(result);
        return NULL;
    case PYGEN_ERROR:
        break;
    }
    return NULL;
}

static PyObject *await_send(PyObject *self, PyObject *value) {
    (void)value;
    PyObject *result = await_next(self);
    if (result == NULL && !PyErr_Occurred()) {
        PyErr_SetNone(PyExc_StopIteration);
    }
    return result;
}

static PyObject *await_throw(PyObject *self, PyObject *args) {
    PyObject *type = NULL;
    PyObject *value = NULL;
    PyObject *traceback = NULL;
    await_of(self)->is_started = true;
    end(await_of(self));
    if (!PyArg_ParseTuple(args, "O|OO:throw", &type, &value, &traceback)) {
        return NULL;
    }
    if (PyExceptionInstance_Check(type)) {
        PyErr_SetObject((PyObject *)Py_TYPE(type), type);
    } else if (value != NULL && value != Py_None) {
        PyErr_SetObject(type, value);
    } else {
        PyErr_SetNone(type);
    }
    return NULL;
}

static PyObject *await_close(PyObject *self, PyObject *unused) {
    (void)unused;
    await_of(self)->is_started = true;
    end(await_of(self));
    Py_RETURN_NONE;
}

// --- life ---

PyObject *smpy_await_new(struct smpy_loop *loop, PyObject *owner, smpy_await_ask *ask, PyObject *message,
                         struct sm_list *list) {
    struct smpy_await *await = PyObject_New(struct smpy_await, loop->await_type);
    if (await == NULL) {
        return NULL;
    }
    await->loop = loop;
    await->owner = Py_NewRef(owner);
    await->message = Py_XNewRef(message);
    await->future = NULL;
    await->ask = ask;
    sm_list_init(&await->node);
    await->list = list;
    await->is_started = await->is_over = false;
    // Not the collector's: while it waits, nothing that the collector knows leads to it and its task: what
    // will wake them is the engine. It ends with its exchange, which wakes all that wait.
    return (PyObject *)await;
}

void smpy_await_wake(struct smpy_loop *loop, struct sm_list *list) {
    struct sm_list *node;
    while ((node = sm_list_pop(list)) != NULL) {
        PyObject *future = Py_NewRef(SM_CONTAINER(node, struct smpy_await, node)->future);
        smpy_loop_wake(loop, future);
        Py_DECREF(future);
    }
}

// The await of a coroutine is forgotten easily, and then nothing is sent.
static void warn_forgotten(PyObject *self) {
    PyObject *error = smpy_exception_take();
    if (PyErr_WarnEx(PyExc_RuntimeWarning, "coroutine of receive() or send() was never awaited", 1) < 0) {
        PyErr_WriteUnraisable(self);
    }
    if (error != NULL) {
        smpy_exception_give(error);
    }
}

static void await_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    struct smpy_await *await = await_of(self);
    if (!await->is_started) {
        warn_forgotten(Py_None);
    }
    stop_waiting(await);
    Py_CLEAR(await->message);
    Py_CLEAR(await->owner);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyMethodDef await_methods[] = {
    {"send", await_send, METH_O, NULL},
    {"throw", await_throw, METH_VARARGS, NULL},
    {"close", await_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot await_slots[] = {
    {Py_tp_doc, "What receive() and send() of an ASGI application return."},
    {Py_tp_dealloc, await_dealloc},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, await_next},
    {Py_am_await, PyObject_SelfIter},
    {Py_am_send, await_am_send},
    {Py_tp_methods, await_methods},
    {0, NULL},
};

static PyType_Spec await_spec = {
    .name = "_smisk.Await",
    .basicsize = sizeof(struct smpy_await),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = await_slots,
};

PyTypeObject *smpy_await_type_new(void) {
    return (PyTypeObject *)PyType_FromSpec(&await_spec);
}
