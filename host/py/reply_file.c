// SPDX-License-Identifier: MIT
// Response.send_file(): over HTTP the kernel sends the file. A server in front of FastCGI is nearer to it: those that
// can are told its name in a header of their own, chosen by what they call themselves (SERVER_SOFTWARE); for all
// others it is sent by us.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/fields.h"
#include "py/refusal.h"
#include "py/reply_live.h"
#include "py/text.h"

// In this order: the first name that is part of SERVER_SOFTWARE counts.
static const struct {
    const char *software;
    const char *header;
} fronts[] = {
    {"lighttpd/1.4", "X-LIGHTTPD-send-file"},
    {"lighttpd/", "X-Sendfile"},
    {"Apache/2", "X-Sendfile"},
    {"nginx/", "X-Accel-Redirect"},
};

static bool contains(struct sm_str text, struct sm_str part) {
    for (size_t i = 0; i + part.len <= text.len; i++) {
        if (memcmp(text.ptr + i, part.ptr, part.len) == 0) {
            return true;
        }
    }
    return false;
}

// The header that makes the server in front send a file; NULL: it knows none, or there is no such server.
static const char *front_header(struct sm_exchange *exchange) {
    const struct sm_head *head = sm_exchange_head(exchange);
    struct sm_str software = sm_head_find(head, SM_FIELD_NAME("", "SERVER_SOFTWARE"));
    for (size_t i = 0; i < sizeof fronts / sizeof fronts[0] && head->kind == SM_HEAD_CGI; i++) {
        if (contains(software, sm_str_from(fronts[i].software))) {
            return fronts[i].header;
        }
    }
    return NULL;
}

// Returns new: the path as bytes without CR, LF and NUL.
static PyObject *path_bytes(PyObject *path) {
    PyObject *bytes = NULL;
    if (!PyUnicode_FSConverter(path, &bytes)) {
        return NULL;
    }
    if (strpbrk(PyBytes_AS_STRING(bytes), "\r\n") != NULL) {
        PyErr_Format(PyExc_ValueError, "CR or LF in the path of a file: %R", path);
        Py_CLEAR(bytes);
    }
    return bytes;
}

// Returns new: the media type by the file's name. One that is compressed has the type of its compression: it is sent
// as it is, and not for the client to unpack.
static PyObject *type_of(struct smpy_state *state, PyObject *path) {
    PyObject *type = NULL;
    PyObject *guess = smpy_import(state, SMPY_IMPORT_GUESS_TYPE);
    PyObject *name = guess == NULL ? NULL : PyUnicode_DecodeFSDefault(PyBytes_AS_STRING(path));
    PyObject *pair = name == NULL ? NULL : PyObject_CallOneArg(guess, name);
    if (pair != NULL && PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2) {
        PyObject *coding = PyTuple_GET_ITEM(pair, 1);
        type = PyTuple_GET_ITEM(pair, 0);
        if (coding != Py_None) {
            bool is_gzip = PyUnicode_Check(coding) && PyUnicode_CompareWithASCIIString(coding, "gzip") == 0;
            type = PyUnicode_FromString(is_gzip ? "application/gzip" : "application/octet-stream");
        } else {
            type = type == Py_None ? PyUnicode_FromString("application/octet-stream") : Py_NewRef(type);
        }
    }
    Py_XDECREF(pair);
    Py_XDECREF(name);
    return type;
}

// --- by the server in front ---

// Percent-encoded: nginx reads a URI, and the others decode what they are given as well.
static int name_to_front(struct smpy_response *response, const char *header, PyObject *path) {
    struct sm_str text = {PyBytes_AS_STRING(path), (size_t)PyBytes_GET_SIZE(path)};
    PyObject *headers = PyObject_GetAttrString((PyObject *)response, "headers");
    PyObject *encoded = headers == NULL ? NULL : smpy_text_encode_path(text, SM_STR(""));
    PyObject *line = encoded == NULL ? NULL : PyUnicode_FromFormat("%s: %s", header, PyBytes_AS_STRING(encoded));
    int status = line == NULL ? -1 : PyList_Append(headers, line);
    Py_XDECREF(line);
    Py_XDECREF(encoded);
    Py_XDECREF(headers);
    return status;
}

// --- by us ---

static int open_file(struct smpy_live *live, PyObject *path) {
    struct stat status;
    int fd = open(PyBytes_AS_STRING(path), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &status) < 0) {
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
    } else if (S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
    } else if (!S_ISREG(status.st_mode)) {
        PyErr_Format(PyExc_OSError, "not a regular file: %R", path);
    } else {
        live->file = fd;
        live->file_len = (uint64_t)status.st_size;
        return 0;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return -1;
}

static void close_fd(void *owner) {
    (void)close((int)(intptr_t)owner);
}

enum smpy_answer_outcome smpy_live_write_file(struct smpy_live *live) {
    int fd = live->file;
    live->file = -1;
    int sent = sm_exchange_write_file(live->exchange, fd, 0, live->file_len, close_fd, (void *)(intptr_t)fd);
    switch (sent) {
    case 0:
    case SM_EXCHANGE_FULL: // the server goes on with it by itself
        return SMPY_ANSWER_DONE;
    case SM_EXCHANGE_GONE:
        return SMPY_ANSWER_GONE;
    default:
        (void)smpy_refuse(sent, "", NULL);
        return SMPY_ANSWER_ERROR;
    }
}

int smpy_live_send_file(struct smpy_response *response, PyObject *path) {
    struct smpy_live *live = response->sink;
    if (live->file_type != NULL) {
        PyErr_SetString(PyExc_OSError, "send_file() was called already");
        return -1;
    }
    PyObject *bytes = path_bytes(path);
    PyObject *type = bytes == NULL ? NULL : type_of(live->app->state, bytes);
    const char *header = front_header(live->exchange);
    int status = type == NULL ? -1 : header != NULL ? name_to_front(response, header, bytes) : open_file(live, bytes);
    if (status == 0) {
        live->file_type = Py_NewRef(type);
    }
    Py_XDECREF(type);
    Py_XDECREF(bytes);
    return status;
}
