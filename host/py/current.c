// SPDX-License-Identifier: MIT
// Which request an Application serves just now (see current.h). What Python sees of it are three objects that are
// attributes of a class (`Application.request`) and callables (for the proxies) at once.
#include "py/current.h"

#include "py/response.h"

enum what { REQUEST, RESPONSE, APPLICATION };

struct current {
    PyObject ob_base;
    enum what what;
    struct smpy_state *state; // borrowed: the type keeps the module alive
};

static PyObject *part(const struct smpy_response *response, enum what what) {
    switch (what) {
    case REQUEST:
        return (PyObject *)response->request;
    case RESPONSE:
        return (PyObject *)response;
    case APPLICATION:
        return response->app;
    }
    return NULL;
}

static PyObject *find(PyObject *self) {
    const struct current *current = (struct current *)self;
    PyObject *response = NULL;
    if (PyContextVar_Get(current->state->current, Py_None, &response) < 0) {
        return NULL;
    }
    bool is_served = response != Py_None && ((const struct smpy_response *)response)->reply != NULL;
    PyObject *found = is_served ? part((const struct smpy_response *)response, current->what) : NULL;
    found = Py_NewRef(found == NULL ? Py_None : found);
    Py_DECREF(response);
    return found;
}

static PyObject *current_get(PyObject *self, PyObject *owner, PyObject *type) {
    (void)type;
    return owner == NULL ? Py_NewRef(self) : find(self);
}

static int current_set(PyObject *self, PyObject *owner, PyObject *value) {
    (void)self;
    (void)owner;
    (void)value;
    PyErr_SetString(PyExc_AttributeError, "request and response belong to the request that is served");
    return -1;
}

static PyObject *current_call(PyObject *self, PyObject *args, PyObject *named) {
    (void)args;
    (void)named;
    return find(self);
}

static void current_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyType_Slot current_slots[] = {
    {Py_tp_doc, "What an Application serves in this context, or None: as an attribute of a class, or called."},
    {Py_tp_descr_get, current_get},
    {Py_tp_descr_set, current_set},
    {Py_tp_call, current_call},
    {Py_tp_dealloc, current_dealloc},
    {0, NULL},
};

static PyType_Spec current_spec = {
    .name = "_smisk._Current",
    .basicsize = sizeof(struct current),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = current_slots,
};

int smpy_current_add(PyObject *module) {
    static const char *const names[] = {
        [REQUEST] = "_request", [RESPONSE] = "_response", [APPLICATION] = "_application"};
    int status = 0;
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &current_spec, NULL);
    if (type == NULL) {
        return -1;
    }
    for (size_t i = 0; status == 0 && i < sizeof names / sizeof names[0]; i++) {
        struct current *current = PyObject_New(struct current, type);
        if (current == NULL) {
            status = -1;
            break;
        }
        current->what = (enum what)i;
        current->state = smpy_state_of_module(module);
        status = PyModule_AddObjectRef(module, names[i], (PyObject *)current);
        Py_DECREF(current);
    }
    Py_DECREF(type);
    return status;
}

PyObject *smpy_current_enter(struct smpy_state *state, struct smpy_response *response) {
    return PyContextVar_Set(state->current, (PyObject *)response);
}

void smpy_current_leave(struct smpy_state *state, PyObject *token) {
    PyObject *pending = PyErr_Occurred() == NULL ? NULL : smpy_exception_take();
    // The application may have changed the context under us; then this value goes with that context.
    if (PyContextVar_Reset(state->current, token) < 0) {
        PyErr_Clear();
    }
    Py_DECREF(token);
    if (pending != NULL) {
        smpy_exception_give(pending);
    }
}
