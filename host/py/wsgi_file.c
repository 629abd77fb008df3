// SPDX-License-Identifier: MIT
// wsgi.file_wrapper (PEP 3333, "Optional Platform-Specific File Handling"): an iterable over a file-like object. When
// the application returns it as it is, and it wraps a plain file, the kernel sends that file from its current place
// on. Anything else, a pipe, a decompressor, a file in memory, is read in blocks.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "py/refusal.h"
#include "py/wsgi.h"

enum { BLOCK = 64 * 1024, BLOCK_MAX = 1024 * 1024 }; // bytes

struct smpy_wsgi_file {
    PyObject ob_base;
    PyObject *file;
    PyObject *read; // its method
    Py_ssize_t block;
};

// --- the kernel's way ---

// Whether this is an open file of Python's own, bytes above a descriptor with nothing but a buffer between: the
// fileno() of another object may lead to other bytes than its read() (gzip). -1 with an exception.
static int is_plain_file(struct smpy_state *state, PyObject *file) {
    PyObject *raw_type = smpy_import(state, SMPY_IMPORT_FILE_IO);
    PyObject *reader = smpy_import(state, SMPY_IMPORT_BUFFERED_READER);
    PyObject *random = smpy_import(state, SMPY_IMPORT_BUFFERED_RANDOM);
    if (raw_type == NULL || reader == NULL || random == NULL) {
        return -1;
    }
    PyObject *type = (PyObject *)Py_TYPE(file);
    if (type != reader && type != random) {
        return type == raw_type;
    }
    PyObject *raw = NULL;
    int found = smpy_attribute_find_text(file, "raw", &raw);
    int is_plain = found <= 0 ? found : (PyObject *)Py_TYPE(raw) == raw_type;
    Py_XDECREF(raw);
    return is_plain;
}

// Bytes from the file's current place to its end; 0 where that cannot be told, or it is no regular file.
static uint64_t find_rest(PyObject *file, int fd, uint64_t *off_out) {
    struct stat status;
    PyObject *flushed = PyObject_CallMethod(file, "flush", NULL);
    PyObject *place = flushed == NULL ? NULL : PyObject_CallMethod(file, "tell", NULL);
    long long off = place == NULL ? -1 : PyLong_AsLongLong(place);
    Py_XDECREF(place);
    Py_XDECREF(flushed);
    PyErr_Clear();
    if (off < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size <= off) {
        return 0;
    }
    *off_out = (uint64_t)off;
    return (uint64_t)status.st_size - (uint64_t)off;
}

static void close_fd(void *owner) {
    (void)close((int)(intptr_t)owner);
}

// Sends head and file. The descriptor is a duplicate: the application may close its own.
static enum smpy_answer_outcome send_file(struct smpy_wsgi_call *call, int fd, uint64_t off, uint64_t len) {
    enum smpy_answer_outcome outcome = SMPY_ANSWER_DONE;
    if (!sm_exchange_committed(call->exchange)) {
        outcome = smpy_wsgi_commit(call, call->content_length < 0 ? (int64_t)len : -1);
    }
    if (outcome != SMPY_ANSWER_DONE || smpy_answer_has_no_body(call->exchange, call->code)) {
        return outcome;
    }
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return SMPY_ANSWER_ERROR;
    }
    call->written += len;
    int sent = sm_exchange_write_file(call->exchange, own, off, len, close_fd, (void *)(intptr_t)own);
    switch (sent) {
    case 0:
        return SMPY_ANSWER_DONE;
    case SM_EXCHANGE_FULL:
        return SMPY_ANSWER_FULL;
    case SM_EXCHANGE_GONE:
        return SMPY_ANSWER_GONE;
    default:
        return (enum smpy_answer_outcome)smpy_refuse(sent, "", NULL);
    }
}

int smpy_wsgi_file_send(struct smpy_wsgi_call *call, PyObject *result, enum smpy_answer_outcome *outcome_out) {
    if (Py_TYPE(result) != call->wsgi->file_type) {
        return 0;
    }
    PyObject *file = ((struct smpy_wsgi_file *)result)->file;
    int is_plain = is_plain_file(call->wsgi->app->state, file);
    if (is_plain <= 0) {
        return is_plain;
    }
    uint64_t off = 0;
    int fd = PyObject_AsFileDescriptor(file);
    uint64_t len = fd < 0 ? 0 : find_rest(file, fd, &off);
    PyErr_Clear();
    if (len == 0) {
        return 0; // nothing, or a file that does not know its size (/proc)
    }
    // No byte more than Content-Length allows (PEP 3333); if the file has less, the end will tell.
    if (call->content_length >= 0 && len > (uint64_t)call->content_length - call->written) {
        len = (uint64_t)call->content_length - call->written;
    }
    *outcome_out = send_file(call, fd, off, len);
    return 1;
}

// --- the iterable ---

static PyObject *file_new(PyTypeObject *type, PyObject *args, PyObject *named) {
    static char *names[] = {"filelike", "block_size", NULL};
    PyObject *file = NULL;
    Py_ssize_t block = BLOCK;
    if (!PyArg_ParseTupleAndKeywords(args, named, "O|n:FileWrapper", names, &file, &block)) {
        return NULL;
    }
    PyObject *read = PyObject_GetAttrString(file, "read");
    struct smpy_wsgi_file *self = read == NULL ? NULL : (struct smpy_wsgi_file *)type->tp_alloc(type, 0);
    if (self == NULL) {
        Py_XDECREF(read);
        return NULL;
    }
    self->file = Py_NewRef(file);
    self->read = read;
    self->block = block <= 0 ? BLOCK : block > BLOCK_MAX ? BLOCK_MAX : block;
    return (PyObject *)self;
}

// An empty block, whatever its type, is the end.
static PyObject *file_next(PyObject *self) {
    struct smpy_wsgi_file *wrapper = (struct smpy_wsgi_file *)self;
    PyObject *block = PyObject_CallFunction(wrapper->read, "n", wrapper->block);
    bool is_end = block != NULL && ((PyBytes_Check(block) && PyBytes_GET_SIZE(block) == 0) ||
                                    (PyUnicode_Check(block) && PyUnicode_GET_LENGTH(block) == 0));
    if (is_end) {
        Py_CLEAR(block);
    }
    return block;
}

static PyObject *file_close(PyObject *self, PyObject *unused) {
    (void)unused;
    PyObject *close = NULL;
    int found = smpy_attribute_find_text(((struct smpy_wsgi_file *)self)->file, "close", &close);
    if (found <= 0) {
        return found < 0 ? NULL : Py_NewRef(Py_None);
    }
    PyObject *closed = PyObject_CallNoArgs(close);
    Py_DECREF(close);
    return closed;
}

static int file_traverse(PyObject *self, visitproc visit, void *arg) {
    struct smpy_wsgi_file *wrapper = (struct smpy_wsgi_file *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(wrapper->file);
    Py_VISIT(wrapper->read);
    return 0;
}

static int file_clear(PyObject *self) {
    struct smpy_wsgi_file *wrapper = (struct smpy_wsgi_file *)self;
    Py_CLEAR(wrapper->read);
    Py_CLEAR(wrapper->file);
    return 0;
}

static void file_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)file_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef file_methods[] = {
    {"close", file_close, METH_NOARGS, "close() -> None\n\nCloses the file-like object, if it can be closed."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef file_members[] = {
    {"filelike", T_OBJECT, offsetof(struct smpy_wsgi_file, file), READONLY, "what is wrapped"},
    {"block_size", T_PYSSIZET, offsetof(struct smpy_wsgi_file, block), READONLY, "bytes asked of it at once"},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot file_slots[] = {
    {Py_tp_doc, "FileWrapper(filelike, block_size=65536)\n\nAn iterable over a file; returned as it is, a plain "
                "file is sent by the kernel."},
    {Py_tp_new, file_new},
    {Py_tp_dealloc, file_dealloc},
    {Py_tp_traverse, file_traverse},
    {Py_tp_clear, file_clear},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, file_next},
    {Py_tp_methods, file_methods},
    {Py_tp_members, file_members},
    {0, NULL},
};

static PyType_Spec file_spec = {
    .name = "_smisk.FileWrapper",
    .basicsize = sizeof(struct smpy_wsgi_file),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = file_slots,
};

PyTypeObject *smpy_wsgi_file_type(PyObject *module) {
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &file_spec, NULL);
}
