// SPDX-License-Identifier: MIT
// wsgi.errors: a text stream into the log, under the request's id, and over FastCGI to the front server too. A line
// is an entry; several lines written at once (a traceback) are one. It can be kept and written to after the request.
#include <stdio.h>

#include "py/wsgi.h"

enum { MAX_PENDING = 8000 }; // characters of a line without an end

// --- entries ---

// To the front server, line by line: it escapes control bytes.
static void log_front(struct sm_exchange *exchange, struct sm_str text) {
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end == NULL ? text.len : (size_t)(end - text.ptr);
        sm_exchange_log_front(exchange, (struct sm_str){text.ptr, len});
        len += end != NULL;
        text = (struct sm_str){text.ptr + len, text.len - len};
    }
}

// Logs whole lines, without the newline after the last.
static void log_lines(struct sm_exchange *exchange, struct sm_str text) {
    bool is_one_line = memchr(text.ptr, '\n', text.len) == NULL;
    if (exchange == NULL && is_one_line) {
        sm_log(SM_LOG_WARNING, "wsgi.errors: %.*s", (int)text.len, text.ptr);
    } else if (exchange == NULL) {
        sm_log_text(SM_LOG_WARNING, "wsgi.errors", text.ptr, text.len);
    } else if (is_one_line) {
        sm_exchange_log(exchange, text);
    } else {
        char heading[64];
        struct sm_str id = sm_exchange_id(exchange);
        (void)snprintf(heading, sizeof heading, "[%.*s] wsgi.errors", (int)id.len, id.ptr);
        sm_log_text(SM_LOG_WARNING, heading, text.ptr, text.len);
        log_front(exchange, text);
    }
}

// Logs a str up to `end` characters. -1 with an exception.
static int log_text(struct smpy_wsgi_part *errors, PyObject *text, Py_ssize_t end) {
    PyObject *part = PyUnicode_Substring(text, 0, end);
    PyObject *bytes = part == NULL ? NULL : PyUnicode_AsEncodedString(part, "utf-8", "backslashreplace");
    if (bytes != NULL && PyBytes_GET_SIZE(bytes) > 0) {
        struct sm_exchange *exchange = errors->call == NULL ? NULL : errors->call->exchange;
        log_lines(exchange, (struct sm_str){PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)});
    }
    int status = bytes == NULL ? -1 : 0;
    Py_XDECREF(bytes);
    Py_XDECREF(part);
    return status;
}

// Logs what waits. -1 with an exception.
static int log_pending(struct smpy_wsgi_part *errors) {
    PyObject *pending = errors->pending;
    if (pending == NULL) {
        return 0;
    }
    errors->pending = NULL;
    int status = log_text(errors, pending, PyUnicode_GET_LENGTH(pending));
    Py_DECREF(pending);
    return status;
}

void smpy_wsgi_errors_end(struct smpy_wsgi_part *errors) {
    if (errors->pending != NULL && log_pending(errors) < 0) {
        PyErr_Clear();
    }
}

// --- the stream ---

// Adds text to what waits, and logs the lines that are whole. -1 with an exception.
static int add(struct smpy_wsgi_part *errors, PyObject *text) {
    PyObject *all = errors->pending == NULL ? Py_NewRef(text) : PyUnicode_Concat(errors->pending, text);
    if (all == NULL) {
        return -1;
    }
    Py_CLEAR(errors->pending);
    Py_ssize_t len = PyUnicode_GET_LENGTH(all);
    Py_ssize_t end = PyUnicode_FindChar(all, '\n', 0, len, -1);
    int status = end < 0 ? 0 : log_text(errors, all, end);
    if (status == 0 && end + 1 < len) {
        errors->pending = PyUnicode_Substring(all, end + 1, len);
        status = errors->pending == NULL ? -1 : 0;
    }
    Py_DECREF(all);
    if (status == 0 && errors->pending != NULL && PyUnicode_GET_LENGTH(errors->pending) > MAX_PENDING) {
        status = log_pending(errors);
    }
    return status;
}

static PyObject *errors_write(PyObject *self, PyObject *text) {
    if (!PyUnicode_Check(text)) {
        PyErr_Format(PyExc_TypeError, "wsgi.errors takes str, not %.100s", Py_TYPE(text)->tp_name);
        return NULL;
    }
    if (add((struct smpy_wsgi_part *)self, text) < 0) {
        return NULL;
    }
    return PyLong_FromSsize_t(PyUnicode_GET_LENGTH(text));
}

static PyObject *errors_writelines(PyObject *self, PyObject *lines) {
    PyObject *line = NULL;
    PyObject *iterator = PyObject_GetIter(lines);
    if (iterator == NULL) {
        return NULL;
    }
    while ((line = PyIter_Next(iterator)) != NULL) {
        PyObject *count = errors_write(self, line);
        Py_DECREF(line);
        if (count == NULL) {
            break;
        }
        Py_DECREF(count);
    }
    Py_DECREF(iterator);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

static PyObject *errors_flush(PyObject *self, PyObject *unused) {
    (void)unused;
    return log_pending((struct smpy_wsgi_part *)self) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *errors_true(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
    Py_RETURN_TRUE;
}

static PyObject *errors_false(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
    Py_RETURN_FALSE;
}

static PyObject *errors_closed(PyObject *self, void *closure) {
    (void)self;
    (void)closure;
    Py_RETURN_FALSE;
}

static PyObject *errors_encoding(PyObject *self, void *closure) {
    (void)self;
    (void)closure;
    return PyUnicode_FromString("utf-8");
}

static void errors_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    smpy_wsgi_errors_end((struct smpy_wsgi_part *)self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef errors_methods[] = {
    {"write", errors_write, METH_O, "write(text: str) -> int"},
    {"writelines", errors_writelines, METH_O, "writelines(lines: Iterable[str]) -> None"},
    {"flush", errors_flush, METH_NOARGS, "flush() -> None\n\nEnds a line that has no newline yet."},
    {"writable", errors_true, METH_NOARGS, NULL},
    {"readable", errors_false, METH_NOARGS, NULL},
    {"seekable", errors_false, METH_NOARGS, NULL},
    {"isatty", errors_false, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef errors_getset[] = {
    {"closed", errors_closed, NULL, NULL, NULL},
    {"encoding", errors_encoding, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot errors_slots[] = {
    {Py_tp_doc, "wsgi.errors: a text stream into the server's log."},
    {Py_tp_dealloc, errors_dealloc},
    {Py_tp_methods, errors_methods},
    {Py_tp_getset, errors_getset},
    {0, NULL},
};

static PyType_Spec errors_spec = {
    .name = "_smisk.Errors",
    .basicsize = sizeof(struct smpy_wsgi_part),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = errors_slots,
};

PyTypeObject *smpy_wsgi_errors_type(PyObject *module) {
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &errors_spec, NULL);
}
