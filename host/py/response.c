// SPDX-License-Identifier: MIT
// The type Response (see response.h). Names and values of header fields are looked at when they are sent.
#include "py/response.h"

enum { MIN_STATUS = 200, MAX_STATUS = 999 };

int smpy_response_status(PyObject *status, const char *who) {
    if (!PyLong_Check(status) || PyBool_Check(status)) {
        PyErr_Format(PyExc_TypeError, "%s a status that is no int but %.100s", who, Py_TYPE(status)->tp_name);
        return -1;
    }
    int overflow = 0;
    long number = PyLong_AsLongAndOverflow(status, &overflow);
    if (overflow != 0 || number < MIN_STATUS || number > MAX_STATUS) {
        PyErr_Format(PyExc_ValueError, "%s a status that is not between %d and %d: %S", who, MIN_STATUS, MAX_STATUS,
                     status);
        return -1;
    }
    return (int)number;
}

PyObject *smpy_response_pairs(PyObject *headers, const char *who) {
    if (headers == Py_None) {
        return PyList_New(0);
    }
    if (PyList_Check(headers) || PyTuple_Check(headers)) {
        return PySequence_List(headers);
    }
    if (PyUnicode_Check(headers) || PyBytes_Check(headers) || !PyMapping_Check(headers)) {
        PyErr_Format(PyExc_TypeError, "%s headers that are no list of (name, value) and no mapping but %.100s", who,
                     Py_TYPE(headers)->tp_name);
        return NULL;
    }
    return PyMapping_Items(headers);
}

// --- attributes ---

static int must_be_there(PyObject *value, const char *name) {
    if (value == NULL) {
        PyErr_Format(PyExc_AttributeError, "%s cannot be deleted", name);
        return -1;
    }
    return 0;
}

static int set_body(PyObject *self, PyObject *value, void *closure) {
    (void)closure;
    struct smpy_response *response = (struct smpy_response *)self;
    if (must_be_there(value, "body") < 0) {
        return -1;
    }
    Py_XSETREF(response->body, Py_NewRef(value));
    return 0;
}

static int set_status(PyObject *self, PyObject *value, void *closure) {
    (void)closure;
    int status = must_be_there(value, "status") < 0 ? -1 : smpy_response_status(value, "a Response cannot have");
    if (status < 0) {
        return -1;
    }
    ((struct smpy_response *)self)->status = status;
    return 0;
}

static int set_headers(PyObject *self, PyObject *value, void *closure) {
    (void)closure;
    struct smpy_response *response = (struct smpy_response *)self;
    PyObject *pairs =
        must_be_there(value, "headers") < 0 ? NULL : smpy_response_pairs(value, "a Response cannot have");
    if (pairs == NULL) {
        return -1;
    }
    Py_XSETREF(response->headers, pairs);
    return 0;
}

static int set_content_type(PyObject *self, PyObject *value, void *closure) {
    (void)closure;
    struct smpy_response *response = (struct smpy_response *)self;
    if (must_be_there(value, "content_type") < 0) {
        return -1;
    }
    if (value != Py_None && !PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "content_type must be str or None, not %.100s", Py_TYPE(value)->tp_name);
        return -1;
    }
    Py_XSETREF(response->content_type, Py_NewRef(value));
    return 0;
}

static PyObject *get_body(PyObject *self, void *closure) {
    (void)closure;
    return Py_NewRef(((struct smpy_response *)self)->body);
}

static PyObject *get_status(PyObject *self, void *closure) {
    (void)closure;
    return PyLong_FromLong(((struct smpy_response *)self)->status);
}

static PyObject *get_headers(PyObject *self, void *closure) {
    (void)closure;
    return Py_NewRef(((struct smpy_response *)self)->headers);
}

static PyObject *get_content_type(PyObject *self, void *closure) {
    (void)closure;
    return Py_NewRef(((struct smpy_response *)self)->content_type);
}

// --- life ---

static PyObject *response_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)args;
    (void)kwargs;
    struct smpy_response *response = (struct smpy_response *)type->tp_alloc(type, 0);
    if (response == NULL) {
        return NULL;
    }
    response->status = 200;
    response->content_type = Py_NewRef(Py_None);
    response->body = PyBytes_FromStringAndSize("", 0);
    response->headers = PyList_New(0);
    if (response->body == NULL || response->headers == NULL) {
        Py_CLEAR(response);
    }
    return (PyObject *)response;
}

static int response_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"body", "status", "headers", "content_type", NULL};
    PyObject *body = NULL;
    PyObject *status = NULL;
    PyObject *headers = NULL;
    PyObject *content_type = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOOO:Response", names, &body, &status, &headers,
                                     &content_type)) {
        return -1;
    }
    if ((body != NULL && set_body(self, body, NULL) < 0) || (status != NULL && set_status(self, status, NULL) < 0) ||
        (headers != NULL && set_headers(self, headers, NULL) < 0) ||
        (content_type != NULL && set_content_type(self, content_type, NULL) < 0)) {
        return -1;
    }
    return 0;
}

static int response_traverse(PyObject *self, visitproc visit, void *arg) {
    struct smpy_response *response = (struct smpy_response *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(response->body);
    Py_VISIT(response->headers);
    Py_VISIT(response->content_type);
    return 0;
}

static int response_clear(PyObject *self) {
    struct smpy_response *response = (struct smpy_response *)self;
    Py_CLEAR(response->body);
    Py_CLEAR(response->headers);
    Py_CLEAR(response->content_type);
    return 0;
}

static void response_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)response_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

// --- methods ---

static PyObject *response_set_cookie(PyObject *self, PyObject *args, PyObject *kwargs) {
    PyObject *result = NULL;
    PyObject *value = NULL;
    PyObject *pair = NULL;
    struct smpy_state *state = smpy_state_of_type(Py_TYPE(self));
    PyObject *format = state == NULL ? NULL : smpy_import(state, SMPY_IMPORT_FORMAT_COOKIE);
    if (format == NULL) {
        return NULL;
    }
    value = PyObject_Call(format, args, kwargs);
    pair = value == NULL ? NULL : Py_BuildValue("(sO)", "Set-Cookie", value);
    if (pair != NULL && PyList_Append(((struct smpy_response *)self)->headers, pair) == 0) {
        result = Py_NewRef(Py_None);
    }
    Py_XDECREF(pair);
    Py_XDECREF(value);
    return result;
}

static PyObject *response_repr(PyObject *self) {
    struct smpy_response *response = (struct smpy_response *)self;
    return PyUnicode_FromFormat("<Response %d, %.100s>", response->status, Py_TYPE(response->body)->tp_name);
}

static PyGetSetDef response_getset[] = {
    {"body", get_body, set_body, "What is sent: str, bytes, dict, list, None, or an iterable of bytes or str.", NULL},
    {"status", get_status, set_status, "int: the HTTP status, 200 to 999.", NULL},
    {"headers", get_headers, set_headers, "list[tuple[str, str]]: header fields; a mapping may be assigned.", NULL},
    {"content_type", get_content_type, set_content_type, "str or None: by the kind of the body.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef response_methods[] = {
    {"set_cookie", (PyCFunction)(void (*)(void))response_set_cookie, METH_VARARGS | METH_KEYWORDS,
     "set_cookie(name, value, **attributes) -> None\n\nAdds a Set-Cookie field (RFC 6265 4.1); the attributes are "
     "those of\nsmisk.core.cookies.format_cookie. ValueError where a name or value cannot be sent."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot response_slots[] = {
    {Py_tp_doc, "Response(body=b'', status=200, headers=None, content_type=None)\n--\n\n"
                "An answer with its status and header fields, returned by a handler."},
    {Py_tp_new, response_new},
    {Py_tp_init, response_init},
    {Py_tp_dealloc, response_dealloc},
    {Py_tp_traverse, response_traverse},
    {Py_tp_clear, response_clear},
    {Py_tp_repr, response_repr},
    {Py_tp_getset, response_getset},
    {Py_tp_methods, response_methods},
    {0, NULL},
};

static PyType_Spec response_spec = {
    .name = "_smisk.Response",
    .basicsize = sizeof(struct smpy_response),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = response_slots,
};

PyTypeObject *smpy_response_type_new(PyObject *module) {
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &response_spec, NULL);
}
