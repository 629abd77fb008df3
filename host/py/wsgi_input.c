// SPDX-License-Identifier: MIT
// wsgi.input: the body as a binary file that can be read, by line too, and sought in. It is complete when the
// application is called; bytes are copied once, from where they lie, to the object that the application gets. At its
// end, and without a body, reading gives b"" (PEP 3333, "Input and Error Streams").
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "py/spool.h"
#include "py/wsgi.h"

enum { WINDOW = 64 * 1024 }; // bytes of a spooled body that are searched for lines at once

static struct smpy_wsgi_input *input_of(PyObject *self) {
    return (struct smpy_wsgi_input *)self;
}

static uint64_t bytes_left(const struct smpy_wsgi_input *input) {
    return input->off < input->body.len ? input->body.len - input->off : 0;
}

// --- bytes ---

// Copies `len` bytes, which are there, from the offset on, and moves it. How many, fewer only if the file was cut; -1
// with an exception.
static Py_ssize_t take(struct smpy_wsgi_input *input, char *out, size_t len) {
    if (input->body.fd >= 0) {
        Py_ssize_t n = smpy_spool_read(input->body.fd, out, len, input->off);
        input->off += n > 0 ? (uint64_t)n : 0;
        return n;
    }
    if (len > 0) {
        memcpy(out, input->body.data + input->off, len);
    }
    input->off += len;
    return (Py_ssize_t)len;
}

// Returns new: up to `wanted` bytes, all that are left where it is negative.
static PyObject *take_bytes(struct smpy_wsgi_input *input, Py_ssize_t wanted) {
    uint64_t left = bytes_left(input);
    uint64_t len = wanted < 0 || (uint64_t)wanted > left ? left : (uint64_t)wanted;
    if (len == 0) {
        return PyBytes_FromStringAndSize("", 0);
    }
    if (len > (uint64_t)PY_SSIZE_T_MAX) {
        return PyErr_NoMemory();
    }
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)len);
    Py_ssize_t n = bytes == NULL ? -1 : take(input, PyBytes_AS_STRING(bytes), (size_t)len);
    if (n < 0) {
        Py_CLEAR(bytes);
    } else if ((uint64_t)n < len) {
        (void)_PyBytes_Resize(&bytes, n);
    }
    return bytes;
}

// --- lines ---

// Borrows what can be seen from `off` on without copying: all of a body in memory, a window of one in a file. ptr
// NULL with an exception.
static struct sm_str look(struct smpy_wsgi_input *input, uint64_t off) {
    if (input->body.fd < 0) {
        return (struct sm_str){input->body.data + off, (size_t)(input->body.len - off)};
    }
    if (off < input->window_off || off >= input->window_off + input->window_len) {
        if (input->window == NULL) {
            input->window = malloc(WINDOW);
        }
        if (input->window == NULL) {
            PyErr_NoMemory();
            return (struct sm_str){NULL, 0};
        }
        uint64_t left = input->body.len - off;
        input->window_len = 0;
        Py_ssize_t n = smpy_spool_read(input->body.fd, input->window, left < WINDOW ? (size_t)left : WINDOW, off);
        if (n < 0) {
            return (struct sm_str){NULL, 0};
        }
        input->window_off = off;
        input->window_len = (size_t)n;
    }
    size_t at = (size_t)(off - input->window_off);
    return (struct sm_str){input->window + at, input->window_len - at};
}

// Length of the line at the offset, with its newline, at most `most`. -1 with an exception.
static Py_ssize_t line_len(struct smpy_wsgi_input *input, uint64_t most) {
    uint64_t len = 0;
    while (len < most) {
        struct sm_str seen = look(input, input->off + len);
        if (seen.ptr == NULL) {
            return -1;
        }
        const char *end = seen.len == 0 ? NULL : memchr(seen.ptr, '\n', seen.len);
        if (end != NULL || seen.len == 0) {
            len += end == NULL ? 0 : (uint64_t)(end - seen.ptr) + 1;
            break;
        }
        len += seen.len;
    }
    return (Py_ssize_t)(len < most ? len : most);
}

// Returns new: the next line, b"" at the end.
static PyObject *take_line(struct smpy_wsgi_input *input, Py_ssize_t wanted) {
    uint64_t left = bytes_left(input);
    uint64_t most = wanted < 0 || (uint64_t)wanted > left ? left : (uint64_t)wanted;
    Py_ssize_t len = most > (uint64_t)PY_SSIZE_T_MAX ? -1 : line_len(input, most);
    if (len < 0) {
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    }
    return take_bytes(input, len);
}

// --- methods ---

// The optional size of read(), readline() and readlines(): None and negative numbers mean all. -1 with an exception.
static int parse_size(const char *name, PyObject *const *args, Py_ssize_t n, Py_ssize_t *size_out) {
    *size_out = -1;
    if (n > 1) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most one argument", name);
        return -1;
    }
    if (n == 1 && args[0] != Py_None) {
        *size_out = PyNumber_AsSsize_t(args[0], PyExc_OverflowError);
        if (*size_out == -1 && PyErr_Occurred()) {
            return -1;
        }
    }
    return 0;
}

static PyObject *input_read(PyObject *self, PyObject *const *args, Py_ssize_t n) {
    Py_ssize_t size = -1;
    return parse_size("read", args, n, &size) < 0 ? NULL : take_bytes(input_of(self), size);
}

static PyObject *input_readline(PyObject *self, PyObject *const *args, Py_ssize_t n) {
    Py_ssize_t size = -1;
    return parse_size("readline", args, n, &size) < 0 ? NULL : take_line(input_of(self), size);
}

static PyObject *input_readlines(PyObject *self, PyObject *const *args, Py_ssize_t n) {
    Py_ssize_t hint = -1;
    Py_ssize_t total = 0;
    PyObject *lines = parse_size("readlines", args, n, &hint) < 0 ? NULL : PyList_New(0);
    while (lines != NULL && bytes_left(input_of(self)) > 0 && (hint <= 0 || total < hint)) {
        PyObject *line = take_line(input_of(self), -1);
        Py_ssize_t len = line == NULL ? 0 : PyBytes_GET_SIZE(line);
        if (line == NULL || PyList_Append(lines, line) < 0) {
            Py_CLEAR(lines);
        }
        Py_XDECREF(line);
        if (len == 0) {
            break;
        }
        total += len;
    }
    return lines;
}

static PyObject *input_readinto(PyObject *self, PyObject *target) {
    Py_buffer buffer;
    if (!PyArg_Parse(target, "w*:readinto", &buffer)) {
        return NULL;
    }
    uint64_t left = bytes_left(input_of(self));
    Py_ssize_t n = take(input_of(self), buffer.buf, (uint64_t)buffer.len < left ? (size_t)buffer.len : (size_t)left);
    PyBuffer_Release(&buffer);
    return n < 0 ? NULL : PyLong_FromSsize_t(n);
}

static PyObject *input_next(PyObject *self) {
    return bytes_left(input_of(self)) == 0 ? NULL : take_line(input_of(self), -1);
}

static PyObject *input_seek(PyObject *self, PyObject *args) {
    struct smpy_wsgi_input *input = input_of(self);
    long long off = 0;
    int whence = SEEK_SET;
    if (!PyArg_ParseTuple(args, "L|i:seek", &off, &whence)) {
        return NULL;
    }
    long long base = whence == SEEK_SET ? 0 : (long long)(whence == SEEK_CUR ? input->off : input->body.len);
    if (whence < SEEK_SET || whence > SEEK_END || __builtin_add_overflow(base, off, &off) || off < 0) {
        PyErr_SetString(PyExc_ValueError, "cannot seek there");
        return NULL;
    }
    input->off = (uint64_t)off;
    return PyLong_FromLongLong(off);
}

static PyObject *input_tell(PyObject *self, PyObject *unused) {
    (void)unused;
    return PyLong_FromUnsignedLongLong(input_of(self)->off);
}

static PyObject *input_true(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
    Py_RETURN_TRUE;
}

static PyObject *input_false(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
    Py_RETURN_FALSE;
}

static PyObject *input_none(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
    Py_RETURN_NONE;
}

// The stream is the server's, and an application must not close it; one that wraps it does so without wanting to.
static PyObject *input_closed(PyObject *self, void *closure) {
    (void)self;
    (void)closure;
    Py_RETURN_FALSE;
}

static PyObject *input_fileno(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
    PyObject *io = PyImport_ImportModule("io");
    PyObject *type = io == NULL ? NULL : PyObject_GetAttrString(io, "UnsupportedOperation");
    if (type != NULL) {
        PyErr_SetString(type, "fileno");
    }
    Py_XDECREF(type);
    Py_XDECREF(io);
    return NULL;
}

static PyObject *input_enter(PyObject *self, PyObject *unused) {
    (void)unused;
    return Py_NewRef(self);
}

static PyObject *input_exit(PyObject *self, PyObject *args) {
    (void)self;
    (void)args;
    Py_RETURN_NONE;
}

// --- life ---

struct smpy_wsgi_input *smpy_wsgi_input_new(struct smpy_wsgi *wsgi) {
    struct smpy_wsgi_input *input = (struct smpy_wsgi_input *)wsgi->input_type->tp_alloc(wsgi->input_type, 0);
    if (input != NULL) {
        input->body.fd = -1;
    }
    return input;
}

static void drop_window(struct smpy_wsgi_input *input) {
    free(input->window);
    input->window = NULL;
    input->window_len = 0;
}

struct smpy_wsgi_input *smpy_wsgi_input_end(struct smpy_wsgi_input *input, struct sm_exchange *exchange) {
    if (smpy_is_only_reference((PyObject *)input)) {
        input->body = (struct sm_body){.fd = -1};
        if (input->window != NULL) {
            drop_window(input);
        }
        return input;
    }
    // Another thread may be in the middle of a read: the bytes stay where they are, and become its own.
    if (input->body.len > 0) {
        input->body = sm_exchange_take_body(exchange, false);
        input->owns_body = true;
    }
    Py_DECREF(input);
    return NULL;
}

static void input_dealloc(PyObject *self) {
    struct smpy_wsgi_input *input = input_of(self);
    PyTypeObject *type = Py_TYPE(self);
    drop_window(input);
    if (input->owns_body) {
        free((char *)(uintptr_t)input->body.data);
        if (input->body.fd >= 0) {
            (void)close(input->body.fd);
        }
    }
    type->tp_free(self);
    Py_DECREF(type);
}

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef input_methods[] = {
    {"read", FAST(input_read), METH_FASTCALL, "read(size: int | None = -1) -> bytes"},
    {"read1", FAST(input_read), METH_FASTCALL, "read1(size: int | None = -1) -> bytes"},
    {"readline", FAST(input_readline), METH_FASTCALL, "readline(size: int | None = -1) -> bytes"},
    {"readlines", FAST(input_readlines), METH_FASTCALL, "readlines(hint: int | None = -1) -> list[bytes]"},
    {"readinto", input_readinto, METH_O, "readinto(buffer) -> int"},
    {"readinto1", input_readinto, METH_O, "readinto1(buffer) -> int"},
    {"seek", input_seek, METH_VARARGS, "seek(offset: int, whence: int = 0) -> int"},
    {"tell", input_tell, METH_NOARGS, "tell() -> int"},
    {"readable", input_true, METH_NOARGS, NULL},
    {"seekable", input_true, METH_NOARGS, NULL},
    {"writable", input_false, METH_NOARGS, NULL},
    {"isatty", input_false, METH_NOARGS, NULL},
    {"fileno", input_fileno, METH_NOARGS, NULL},
    {"flush", input_none, METH_NOARGS, NULL},
    {"close", input_none, METH_NOARGS, "close() -> None\n\nDoes nothing: the stream is the server's."},
    {"__enter__", input_enter, METH_NOARGS, NULL},
    {"__exit__", input_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef input_getset[] = {
    {"closed", input_closed, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot input_slots[] = {
    {Py_tp_doc, "wsgi.input: the body of a request as a binary file."},
    {Py_tp_dealloc, input_dealloc},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, input_next},
    {Py_tp_methods, input_methods},
    {Py_tp_getset, input_getset},
    {0, NULL},
};

static PyType_Spec input_spec = {
    .name = "_smisk.Input",
    .basicsize = sizeof(struct smpy_wsgi_input),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = input_slots,
};

PyTypeObject *smpy_wsgi_input_type(PyObject *module) {
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &input_spec, NULL);
}
