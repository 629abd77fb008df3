// SPDX-License-Identifier: MIT
// A body that lies in an unlinked file, as a Python raw file (see spool.h).
#include "py/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { BUFFER_SIZE = 64 * 1024 }; // bytes read ahead

struct smpy_spool {
    PyObject ob_base;
    int fd; // owned; -1: closed
    uint64_t len;
    uint64_t off;
};

Py_ssize_t smpy_spool_read(int fd, char *out, size_t len, uint64_t off) {
    size_t done = 0;
    while (done < len) {
        PyThreadState *state = PyEval_SaveThread();
        ssize_t n = pread(fd, out + done, len - done, (off_t)(off + done));
        PyEval_RestoreThread(state);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            PyErr_SetFromErrno(PyExc_OSError);
            return -1;
        }
        if (n == 0) {
            break;
        }
        done += (size_t)n;
    }
    return (Py_ssize_t)done;
}

static int must_be_open(const struct smpy_spool *spool) {
    if (spool->fd < 0) {
        PyErr_SetString(PyExc_ValueError, "I/O operation on closed file");
        return -1;
    }
    return 0;
}

// Bytes between the offset and the end.
static uint64_t bytes_left(const struct smpy_spool *spool) {
    return spool->off < spool->len ? spool->len - spool->off : 0;
}

static PyObject *spool_readall(PyObject *self, PyObject *unused) {
    (void)unused;
    struct smpy_spool *spool = (struct smpy_spool *)self;
    uint64_t left = bytes_left(spool);
    if (must_be_open(spool) < 0) {
        return NULL;
    }
    if (left > (uint64_t)PY_SSIZE_T_MAX) {
        return PyErr_NoMemory();
    }
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)left);
    if (bytes == NULL) {
        return NULL;
    }
    Py_ssize_t n = smpy_spool_read(spool->fd, PyBytes_AS_STRING(bytes), (size_t)left, spool->off);
    if (n < 0) {
        Py_DECREF(bytes);
        return NULL;
    }
    spool->off += (uint64_t)n;
    if ((uint64_t)n < left && _PyBytes_Resize(&bytes, n) < 0) {
        return NULL;
    }
    return bytes;
}

static PyObject *spool_readinto(PyObject *self, PyObject *target) {
    struct smpy_spool *spool = (struct smpy_spool *)self;
    if (must_be_open(spool) < 0) {
        return NULL;
    }
    Py_buffer buffer;
    if (!PyArg_Parse(target, "w*:readinto", &buffer)) {
        return NULL;
    }
    uint64_t left = bytes_left(spool);
    size_t wanted = (uint64_t)buffer.len < left ? (size_t)buffer.len : (size_t)left;
    Py_ssize_t n = smpy_spool_read(spool->fd, buffer.buf, wanted, spool->off);
    PyBuffer_Release(&buffer);
    if (n < 0) {
        return NULL;
    }
    spool->off += (uint64_t)n;
    return PyLong_FromSsize_t(n);
}

static PyObject *spool_seek(PyObject *self, PyObject *args) {
    struct smpy_spool *spool = (struct smpy_spool *)self;
    long long off = 0;
    int whence = SEEK_SET;
    if (!PyArg_ParseTuple(args, "L|i:seek", &off, &whence)) {
        return NULL;
    }
    long long base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (long long)spool->off : (long long)spool->len;
    if (whence < SEEK_SET || whence > SEEK_END || __builtin_add_overflow(base, off, &off) || off < 0) {
        PyErr_SetString(PyExc_ValueError, "cannot seek there");
        return NULL;
    }
    spool->off = (uint64_t)off;
    return PyLong_FromLongLong(off);
}

static PyObject *spool_true(PyObject *self, PyObject *unused) {
    (void)unused;
    if (must_be_open((struct smpy_spool *)self) < 0) {
        return NULL;
    }
    Py_RETURN_TRUE;
}

static void spool_close_fd(struct smpy_spool *spool) {
    if (spool->fd >= 0) {
        (void)close(spool->fd);
        spool->fd = -1;
    }
}

static PyObject *spool_close(PyObject *self, PyObject *unused) {
    (void)unused;
    spool_close_fd((struct smpy_spool *)self);
    Py_RETURN_NONE;
}

static PyObject *spool_closed(PyObject *self, void *closure) {
    (void)closure;
    return PyBool_FromLong(((struct smpy_spool *)self)->fd < 0);
}

static PyObject *spool_false(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
    Py_RETURN_FALSE;
}

// As io.BytesIO does, which request.input is for a small body: the descriptor's own offset is no position in it.
static PyObject *spool_fileno(PyObject *self, PyObject *unused) {
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

// For uploads that stay where they are in the body: a new descriptor of its file, the caller's to close.
static PyObject *spool_duplicate(PyObject *self, PyObject *unused) {
    (void)unused;
    struct smpy_spool *spool = (struct smpy_spool *)self;
    if (must_be_open(spool) < 0) {
        return NULL;
    }
    int fd = fcntl(spool->fd, F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? PyErr_SetFromErrno(PyExc_OSError) : PyLong_FromLong(fd);
}

static PyObject *spool_flush(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
    Py_RETURN_NONE;
}

static PyObject *spool_tell(PyObject *self, PyObject *unused) {
    (void)unused;
    return PyLong_FromUnsignedLongLong(((struct smpy_spool *)self)->off);
}

static void spool_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    spool_close_fd((struct smpy_spool *)self);
    PyObject_Free(self);
    Py_DECREF(type);
}

// What io.BufferedReader asks of the raw file below it.
static PyMethodDef spool_methods[] = {
    {"readall", spool_readall, METH_NOARGS, NULL},
    {"readinto", spool_readinto, METH_O, NULL},
    {"seek", spool_seek, METH_VARARGS, NULL},
    {"tell", spool_tell, METH_NOARGS, NULL},
    {"readable", spool_true, METH_NOARGS, NULL},
    {"seekable", spool_true, METH_NOARGS, NULL},
    {"writable", spool_false, METH_NOARGS, NULL},
    {"isatty", spool_false, METH_NOARGS, NULL},
    {"fileno", spool_fileno, METH_NOARGS, NULL},
    {"flush", spool_flush, METH_NOARGS, NULL},
    {"close", spool_close, METH_NOARGS, NULL},
    {"duplicate", spool_duplicate, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef spool_getset[] = {
    {"closed", spool_closed, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot spool_slots[] = {
    {Py_tp_doc, "A request body in a file: the raw file below request.input."},
    {Py_tp_dealloc, spool_dealloc},
    {Py_tp_methods, spool_methods},
    {Py_tp_getset, spool_getset},
    {0, NULL},
};

static PyType_Spec spool_spec = {
    .name = "_smisk.Spool",
    .basicsize = sizeof(struct smpy_spool),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = spool_slots,
};

PyTypeObject *smpy_spool_type_new(PyObject *module) {
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &spool_spec, NULL);
}

PyObject *smpy_spool_open(struct smpy_state *state, const struct sm_body *body) {
    PyObject *file = NULL;
    PyObject *open = smpy_import(state, SMPY_IMPORT_BUFFERED_READER);
    if (open == NULL) {
        return NULL;
    }
    int fd = fcntl(body->fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    struct smpy_spool *spool = PyObject_New(struct smpy_spool, state->spool_type);
    if (spool == NULL) {
        (void)close(fd);
        return NULL;
    }
    spool->fd = fd;
    spool->len = body->len;
    spool->off = 0;
    file = PyObject_CallFunction(open, "Oi", (PyObject *)spool, (int)BUFFER_SIZE);
    Py_DECREF(spool);
    return file;
}
