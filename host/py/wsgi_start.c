// SPDX-License-Identifier: MIT
// start_response (PEP 3333, "The start_response() Callable"): checks what it is told, names the mistake while the
// application still runs, and builds the head in the engine's scratch. The head is sent with the first piece of the
// body; when another was built in between, it is built again from what was given.
#include "proto/fields.h"
#include "py/refusal.h"
#include "py/wsgi.h"

// --- checks ---

// Borrows the bytes of a native string (PEP 3333, "A Note On String Types"). -1 with an exception.
static int native_string(const char *what, PyObject *object, struct sm_str *out) {
    if (!PyUnicode_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be str, not %.100s: %R", what, Py_TYPE(object)->tp_name, object);
        return -1;
    }
#if PY_VERSION_HEX < 0x030c0000
    if (PyUnicode_READY(object) < 0) {
        return -1;
    }
#endif
    if (PyUnicode_KIND(object) != PyUnicode_1BYTE_KIND) {
        PyErr_Format(PyExc_ValueError, "%s has characters that are not in ISO-8859-1: %R", what, object);
        return -1;
    }
    *out = (struct sm_str){(const char *)PyUnicode_1BYTE_DATA(object), (size_t)PyUnicode_GET_LENGTH(object)};
    return 0;
}

int smpy_wsgi_check_pair(PyObject *pair, struct sm_str *name_out, struct sm_str *value_out) {
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
        PyErr_Format(PyExc_TypeError, "each header must be a tuple (name, value), not %R", pair);
        return -1;
    }
    if (native_string("header name", PyTuple_GET_ITEM(pair, 0), name_out) < 0 ||
        native_string("header value", PyTuple_GET_ITEM(pair, 1), value_out) < 0) {
        return -1;
    }
    if (name_out->len == 10 && sm_str_ieq(*name_out, SM_STR("Connection"))) {
        return smpy_refuse(SM_EXCHANGE_BAD_FIELD, "", pair);
    }
    return 0;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Takes "200 OK" apart. -1 with an exception.
static int parse_status(PyObject *status, int *code_out, struct sm_str *reason_out) {
    struct sm_str text;
    if (native_string("status", status, &text) < 0) {
        return -1;
    }
    const char *at = text.ptr;
    if (text.len < 3 || !is_digit(at[0]) || !is_digit(at[1]) || !is_digit(at[2]) || (text.len > 3 && at[3] != ' ')) {
        PyErr_Format(PyExc_ValueError, "status must be three digits, a space and a reason, as '200 OK', not %R",
                     status);
        return -1;
    }
    *code_out = (at[0] - '0') * 100 + (at[1] - '0') * 10 + (at[2] - '0');
    if (*code_out < 200) {
        PyErr_Format(PyExc_ValueError, "status of a response must be 200 or more, not %R", status);
        return -1;
    }
    *reason_out = text.len > 4 ? (struct sm_str){at + 4, text.len - 4} : SM_STR("");
    return 0;
}

// --- the head ---

// Builds the head from what start_response was told. -1 with an exception.
static int build_head(struct smpy_wsgi_call *call, PyObject *status, PyObject *headers) {
    struct sm_str reason;
    if (parse_status(status, &call->code, &reason) < 0) {
        return -1;
    }
    call->content_length = -1;
    int outcome = sm_exchange_start(call->exchange, call->code, reason);
    if (outcome == SM_EXCHANGE_BAD_VALUE) {
        PyErr_Format(PyExc_ValueError, "CR, LF or NUL in the status: %R", status);
        return -1;
    }
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
        if (name.len == 14 && sm_str_ieq(name, SM_STR("Content-Length"))) {
            call->content_length = sm_str_number(value);
        }
    }
    return outcome == 0 ? 0 : smpy_refuse(outcome, "", NULL);
}

int smpy_wsgi_freeze(struct smpy_wsgi_call *call) {
    if (call->headers == NULL || PyTuple_Check(call->headers) || sm_exchange_committed(call->exchange)) {
        return 0;
    }
    PyObject *frozen = PyList_AsTuple(call->headers);
    if (frozen == NULL) {
        return -1;
    }
    Py_SETREF(call->headers, frozen);
    return 0;
}

static enum smpy_answer_outcome refuse_commit(struct smpy_wsgi_call *call, int outcome, int64_t body_len) {
    if (outcome == SM_EXCHANGE_BAD_LENGTH) {
        PyErr_Format(PyExc_ValueError, "Content-Length says %lld, and the body has %lld bytes",
                     (long long)call->content_length, (long long)body_len);
    } else {
        (void)smpy_refuse(outcome, "", NULL);
    }
    return SMPY_ANSWER_ERROR;
}

enum smpy_answer_outcome smpy_wsgi_commit(struct smpy_wsgi_call *call, int64_t body_len) {
    if (call->headers == NULL) {
        PyErr_Format(PyExc_AssertionError,
                     call->is_started ? "%s began its body although start_response had refused its head"
                                      : "%s did not call start_response before its body began, or ended",
                     call->wsgi->app->loaded.label);
        return SMPY_ANSWER_ERROR;
    }
    int outcome = sm_exchange_commit(call->exchange, body_len);
    if (outcome == SM_EXCHANGE_NOT_STARTED) {
        if (build_head(call, call->status, call->headers) < 0) {
            return SMPY_ANSWER_ERROR;
        }
        outcome = sm_exchange_commit(call->exchange, body_len);
    }
    if (outcome == SM_EXCHANGE_GONE) {
        return SMPY_ANSWER_GONE;
    }
    return outcome == 0 || outcome == SM_EXCHANGE_FULL ? SMPY_ANSWER_DONE : refuse_commit(call, outcome, body_len);
}

// --- the callable ---

static PyObject *raise_again(PyObject *exc_info) {
    PyObject *exception = PyTuple_GET_ITEM(exc_info, 1);
    PyObject *traceback = PyTuple_GET_ITEM(exc_info, 2);
    if (traceback != Py_None && PyException_SetTraceback(exception, traceback) < 0) {
        return NULL;
    }
    smpy_exception_give(Py_NewRef(exception));
    return NULL;
}

// Whether start_response may be called now, and with this exc_info (NULL: none). -1 with an exception.
static int may_start(struct smpy_wsgi_call *call, PyObject *exc_info) {
    if (call->exchange == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "start_response was called after its request was over");
        return -1;
    }
    if (exc_info == NULL) {
        if (call->is_started) {
            PyErr_SetString(PyExc_AssertionError,
                            "start_response was called a second time; that is allowed with exc_info only");
        }
        return call->is_started ? -1 : 0;
    }
    if (!PyTuple_Check(exc_info) || PyTuple_GET_SIZE(exc_info) != 3 ||
        !PyExceptionInstance_Check(PyTuple_GET_ITEM(exc_info, 1))) {
        PyErr_Format(PyExc_TypeError, "exc_info must be the tuple that sys.exc_info() gives for an exception, not %R",
                     exc_info);
        return -1;
    }
    if (sm_exchange_committed(call->exchange)) {
        (void)raise_again(exc_info);
        return -1;
    }
    return 0;
}

static PyObject *wrong_arguments(void) {
    PyErr_SetString(PyExc_TypeError, "start_response takes (status, response_headers, exc_info=None)");
    return NULL;
}

PyObject *smpy_wsgi_start(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names) {
    struct smpy_wsgi_call *call = (struct smpy_wsgi_call *)self;
    Py_ssize_t n = PyVectorcall_NARGS(nargsf);
    Py_ssize_t n_named = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    if (n < 2 || n + n_named > 3 ||
        (n_named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "exc_info") != 0)) {
        return wrong_arguments();
    }
    PyObject *exc_info = n + n_named == 3 && args[2] != Py_None ? args[2] : NULL;
    if (may_start(call, exc_info) < 0) {
        return NULL;
    }
    call->is_started = true;
    Py_CLEAR(call->status);
    Py_CLEAR(call->headers);
    if (!PyList_Check(args[1])) {
        PyErr_Format(PyExc_TypeError, "response headers must be a list of tuples (name, value), not %.100s",
                     Py_TYPE(args[1])->tp_name);
        return NULL;
    }
    if (build_head(call, args[0], args[1]) < 0) {
        return NULL;
    }
    call->status = Py_NewRef(args[0]);
    call->headers = Py_NewRef(args[1]);
    return Py_NewRef(call->write);
}

// The parts are ours alone by now: those that the application kept were let go of at the end of the request.
static void start_dealloc(PyObject *self) {
    struct smpy_wsgi_call *call = (struct smpy_wsgi_call *)self;
    PyTypeObject *type = Py_TYPE(self);
    Py_CLEAR(call->status);
    Py_CLEAR(call->headers);
    Py_CLEAR(call->write);
    Py_CLEAR(call->errors);
    Py_CLEAR(call->hints);
    Py_CLEAR(call->input);
    smpy_ahead_reset(&call->ahead);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef start_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(struct smpy_wsgi_call, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot start_slots[] = {
    {Py_tp_doc, "start_response(status: str, response_headers: list[tuple[str, str]], exc_info=None) -> write"},
    {Py_tp_dealloc, start_dealloc},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, start_members},
    {0, NULL},
};

static PyType_Spec start_spec = {
    .name = "_smisk.StartResponse",
    .basicsize = sizeof(struct smpy_wsgi_call),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = start_slots,
};

PyTypeObject *smpy_wsgi_start_type(PyObject *module) {
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &start_spec, NULL);
}
