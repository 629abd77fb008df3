// SPDX-License-Identifier: MIT
// The type Response (see response.h). Names and values of header fields are looked at when they are sent.
#include "py/response.h"

#include <string.h>

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
    struct smpy_response *response = (struct smpy_response *)self;
    if (response->headers == NULL) {
        response->headers = PyList_New(0);
    }
    return Py_XNewRef(response->headers);
}

static PyObject *get_has_begun(PyObject *self, void *closure) {
    (void)closure;
    return PyBool_FromLong(((struct smpy_response *)self)->has_begun);
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
    response->vectorcall = smpy_response_call;
    response->content_type = Py_NewRef(Py_None);
    response->body = PyBytes_FromStringAndSize("", 0);
    if (response->body == NULL) {
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
    Py_VISIT(response->request);
    Py_VISIT(response->app);
    return 0;
}

static int response_clear(PyObject *self) {
    struct smpy_response *response = (struct smpy_response *)self;
    Py_CLEAR(response->body);
    Py_CLEAR(response->headers);
    Py_CLEAR(response->content_type);
    Py_CLEAR(response->request);
    Py_CLEAR(response->app);
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

enum { COOKIE_NAME_AND_VALUE = 2, COOKIE_ARGUMENTS = 9 };

// The order of Smisk 1.1. `version` is of RFC 2109, which RFC 6265 has replaced: it is not sent.
static const char *const cookie_order[COOKIE_ARGUMENTS] = {"name",   "value",   "comment", "domain",   "path",
                                                           "secure", "version", "max_age", "http_only"};

// Whether an argument says only what is so without it.
static bool is_usual(const char *name, PyObject *value) {
    bool is_session = strcmp(name, "max_age") == 0 && PyLong_Check(value) && PyLong_AsLong(value) == -1;
    PyErr_Clear();
    return is_session || strcmp(name, "version") == 0;
}

// Moves what stands behind name and value to the arguments by name. -1 with an exception.
static int name_arguments(PyObject *args, PyObject *named) {
    Py_ssize_t n = PyTuple_GET_SIZE(args);
    if (n > COOKIE_ARGUMENTS) {
        PyErr_Format(PyExc_TypeError, "set_cookie() takes at most %d positional arguments, not %zd", COOKIE_ARGUMENTS,
                     n);
        return -1;
    }
    for (Py_ssize_t i = COOKIE_NAME_AND_VALUE; i < n; i++) {
        if (PyDict_GetItemString(named, cookie_order[i]) != NULL) {
            PyErr_Format(PyExc_TypeError, "set_cookie() got %s twice", cookie_order[i]);
            return -1;
        }
        if (PyDict_SetItemString(named, cookie_order[i], PyTuple_GET_ITEM(args, i)) < 0) {
            return -1;
        }
    }
    return 0;
}

// Returns new: what format_cookie() takes by name.
static PyObject *cookie_arguments(PyObject *args, PyObject *kwargs) {
    PyObject *named = kwargs == NULL ? PyDict_New() : PyDict_Copy(kwargs);
    int status = named == NULL ? -1 : name_arguments(args, named);
    for (size_t i = COOKIE_NAME_AND_VALUE; status == 0 && i < COOKIE_ARGUMENTS; i++) {
        PyObject *value = PyDict_GetItemString(named, cookie_order[i]);
        if (value != NULL && is_usual(cookie_order[i], value)) {
            status = PyDict_DelItemString(named, cookie_order[i]);
        }
    }
    if (status < 0) {
        Py_CLEAR(named);
    }
    return named;
}

// Returns new: the value of a Set-Cookie field.
static PyObject *cookie_value(PyObject *self, PyObject *args, PyObject *kwargs) {
    struct smpy_state *state = smpy_state_of_type(Py_TYPE(self));
    PyObject *format = state == NULL ? NULL : smpy_import(state, SMPY_IMPORT_FORMAT_COOKIE);
    if (format == NULL) {
        return NULL;
    }
    PyObject *value = NULL;
    PyObject *named = cookie_arguments(args, kwargs);
    PyObject *first = named == NULL ? NULL : PyTuple_GetSlice(args, 0, COOKIE_NAME_AND_VALUE);
    if (first != NULL) {
        value = PyObject_Call(format, first, named);
    }
    Py_XDECREF(first);
    Py_XDECREF(named);
    return value;
}

// Returns new: the header as those who read `headers` expect it: a line in an Application, a pair in a handler.
static PyObject *cookie_header(const struct smpy_response *response, PyObject *value) {
    return response->reply != NULL ? PyUnicode_FromFormat("Set-Cookie: %U", value)
                                   : Py_BuildValue("(sO)", "Set-Cookie", value);
}

static PyObject *response_set_cookie(PyObject *self, PyObject *args, PyObject *kwargs) {
    struct smpy_response *response = (struct smpy_response *)self;
    if (response->has_begun) {
        PyErr_SetString(PyExc_OSError, "Cookies can not be set when output has already begun.");
        return NULL;
    }
    PyObject *result = NULL;
    PyObject *headers = get_headers(self, NULL);
    PyObject *value = headers == NULL ? NULL : cookie_value(self, args, kwargs);
    PyObject *header = value == NULL ? NULL : cookie_header(response, value);
    if (header != NULL && PyList_Append(headers, header) == 0) {
        result = Py_NewRef(Py_None);
    }
    Py_XDECREF(header);
    Py_XDECREF(value);
    Py_XDECREF(headers);
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
    {"has_begun", get_has_begun, NULL, "bool: whether the head can no longer be changed.", NULL},
    {"out", smpy_response_out, NULL, "smisk.core.stream.Stream: the body as a file that is written to.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef response_methods[] = {
    {"set_cookie", (PyCFunction)(void (*)(void))response_set_cookie, METH_VARARGS | METH_KEYWORDS,
     "set_cookie(name, value, **attributes) -> None\n\nAdds a Set-Cookie field (RFC 6265 4.1); the attributes are "
     "those of\nsmisk.core.cookies.format_cookie; they may also be given in the order of Smisk 1.1: comment, domain,"
     "\npath, secure, version, max_age, http_only. ValueError where a name or value cannot be sent, OSError after "
     "begin()."},
    {"begin", smpy_response_begin, METH_NOARGS,
     "begin() -> None\n\nFixes the head. OSError if it is already; ValueError or TypeError for a header that cannot "
     "be sent."},
    {"write", smpy_response_write, METH_O,
     "write(piece: bytes | str) -> None\n\nSends a piece of the body; text in the charset of the Application. Begins "
     "if needed. Never waits\nfor the client. BrokenPipeError when it has gone."},
    {"writelines", smpy_response_writelines, METH_O,
     "writelines(pieces: Iterable[object]) -> None\n\nWrites each; what is neither bytes nor str as str() says it."},
    {"find_header", smpy_response_find_header, METH_O,
     "find_header(prefix: str) -> int\n\nIndex of the first of `headers` that begins so, whatever the case; or -1."},
    {"send_file", smpy_response_send_file, METH_O,
     "send_file(path: str | bytes | os.PathLike) -> None\n\nMakes a file the body: the kernel sends it, or the "
     "server "
     "in front. OSError after begin(), or if\nthere is no such file; ValueError for CR, LF or NUL in its name."},
    {"_flush", smpy_response_flush, METH_NOARGS, NULL},
    {"_log_exception", smpy_response_log, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef response_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(struct smpy_response, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot response_slots[] = {
    {Py_tp_doc, "Response(body=b'', status=200, headers=None, content_type=None)\n--\n\n"
                "An answer with its status and header fields: returned by a handler, written to by an Application."},
    {Py_tp_new, response_new},
    {Py_tp_init, response_init},
    {Py_tp_dealloc, response_dealloc},
    {Py_tp_traverse, response_traverse},
    {Py_tp_clear, response_clear},
    {Py_tp_repr, response_repr},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, response_members},
    {Py_tp_getset, response_getset},
    {Py_tp_methods, response_methods},
    {0, NULL},
};

static PyType_Spec response_spec = {
    .name = "_smisk.Response",
    .basicsize = sizeof(struct smpy_response),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_VECTORCALL,
    .slots = response_slots,
};

PyTypeObject *smpy_response_type_new(PyObject *module) {
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &response_spec, NULL);
}
