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
static const struct front {
    const char *software;
    const char *header;
    bool decodes; // percent-encoding in the header: nginx reads a URI, lighttpd does as it does; mod_xsendfile 0.12
                  // not
} fronts[] = {
    {"lighttpd/1.4", "X-LIGHTTPD-send-file", true},
    {"lighttpd/", "X-Sendfile", true},
    {"Apache/2", "X-Sendfile", false},
    {"nginx/", "X-Accel-Redirect", true},
};

static bool contains(struct sm_str text, struct sm_str part) {
    for (size_t i = 0; i + part.len <= text.len; i++) {
        if (memcmp(text.ptr + i, part.ptr, part.len) == 0) {
            return true;
        }
    }
    return false;
}

// The server in front that can send a file; NULL: it cannot, or there is none.
static const struct front *front_of(struct sm_exchange *exchange) {
    const struct sm_head *head = sm_exchange_head(exchange);
    struct sm_str software = sm_head_find(head, SM_FIELD_NAME("", "SERVER_SOFTWARE"));
    for (size_t i = 0; i < sizeof fronts / sizeof fronts[0] && head->kind == SM_HEAD_CGI; i++) {
        if (contains(software, sm_str_from(fronts[i].software))) {
            return &fronts[i];
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

// Returns new: the path as text for a header line, where each character stands for a byte.
static PyObject *path_for(const struct front *front, struct sm_str path) {
    if (!front->decodes) {
        return PyUnicode_DecodeLatin1(path.ptr, (Py_ssize_t)path.len, NULL);
    }
    PyObject *encoded = smpy_text_encode_path(path, SM_STR(""));
    PyObject *text = encoded == NULL ? NULL : PyUnicode_FromEncodedObject(encoded, "ascii", NULL);
    Py_XDECREF(encoded);
    return text;
}

static int name_to_front(struct smpy_response *response, const struct front *front, PyObject *path) {
    PyObject *headers = PyObject_GetAttrString((PyObject *)response, "headers");
    struct sm_str bytes = {PyBytes_AS_STRING(path), (size_t)PyBytes_GET_SIZE(path)};
    PyObject *text = headers == NULL ? NULL : path_for(front, bytes);
    PyObject *line = text == NULL ? NULL : PyUnicode_FromFormat("%s: %U", front->header, text);
    int status = line == NULL ? -1 : PyList_Append(headers, line);
    Py_XDECREF(line);
    Py_XDECREF(text);
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
    const struct front *front = front_of(live->exchange);
    int status = type == NULL ? -1 : front != NULL ? name_to_front(response, front, bytes) : open_file(live, bytes);
    if (status == 0) {
        live->file_type = Py_NewRef(type);
    }
    Py_XDECREF(type);
    Py_XDECREF(bytes);
    return status;
}
