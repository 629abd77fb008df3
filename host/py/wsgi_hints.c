// SPDX-License-Identifier: MIT
// wsgi.early_hints: a callable that sends an interim response 103 with the headers it is given (RFC 8297), while the
// application still works on the final one. Where the protocol knows no interim responses it does nothing.

#include "py/refusal.h"
#include "py/wsgi.h"

enum { EARLY_HINTS = 103 };

// Sends 103 with the headers, a list or tuple. -1 with an exception.
static int send_hints(struct smpy_wsgi_call *call, PyObject *headers) {
    int outcome = sm_exchange_interim(call->exchange, EARLY_HINTS);
    for (Py_ssize_t i = 0; outcome == 0 && i < PySequence_Fast_GET_SIZE(headers); i++) {
        struct sm_str name;
        struct sm_str value;
        PyObject *pair = PySequence_Fast_GET_ITEM(headers, i);
        if (smpy_wsgi_check_pair(pair, &name, &value) < 0) {
            return -1;
        }
        outcome = sm_exchange_field(call->exchange, name, value);
        if (outcome != 0) {
            return smpy_refuse(outcome, "", pair);
        }
    }
    if (outcome == 0) {
        outcome = sm_exchange_interim_end(call->exchange);
    }
    // That the client has gone is told to who sends the body.
    return outcome == 0 || outcome == SM_EXCHANGE_FULL || outcome == SM_EXCHANGE_GONE
               ? 0
               : smpy_refuse(outcome, "", NULL);
}

PyObject *smpy_wsgi_hints(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names) {
    struct smpy_wsgi_call *call = ((struct smpy_wsgi_part *)self)->call;
    if (PyVectorcall_NARGS(nargsf) != 1 || (names != NULL && PyTuple_GET_SIZE(names) > 0) ||
        !(PyList_Check(args[0]) || PyTuple_Check(args[0]))) {
        PyErr_SetString(PyExc_TypeError, "wsgi.early_hints takes one argument, a list of tuples (name, value)");
        return NULL;
    }
    if (call == NULL || call->exchange == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "wsgi.early_hints was called after its request was over");
        return NULL;
    }
    if (sm_exchange_committed(call->exchange)) {
        PyErr_SetString(PyExc_AssertionError, "wsgi.early_hints was called after the head of the response was sent");
        return NULL;
    }
    // It takes the place of the head under construction, which is built again when it is sent.
    if (smpy_wsgi_freeze(call) < 0 || send_hints(call, args[0]) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static void hints_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef hints_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(struct smpy_wsgi_part, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot hints_slots[] = {
    {Py_tp_doc, "early_hints(headers: list[tuple[str, str]]) -> None\n\nSends them as 103 Early Hints (RFC 8297)."},
    {Py_tp_dealloc, hints_dealloc},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, hints_members},
    {0, NULL},
};

static PyType_Spec hints_spec = {
    .name = "_smisk.EarlyHints",
    .basicsize = sizeof(struct smpy_wsgi_part),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = hints_slots,
};

PyTypeObject *smpy_wsgi_hints_type(PyObject *module) {
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &hints_spec, NULL);
}
