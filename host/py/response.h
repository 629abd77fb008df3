// SPDX-License-Identifier: MIT
// The type Response: an answer with its status and header fields. A native handler makes one and returns it; an
// Application is given one for each request, and writes to it. Comes in: handlers make them, the native interface
// sends them; iface_smisk.c lends them a request. A Response owns its attributes.
#pragma once

#include "base/str.h"
#include "py/module.h"

struct smpy_response;

// Where a Response goes while its request is answered. Each call gives 0, or -1 with an exception.
struct smpy_reply_ops {
    // Builds the head from what the Response says.
    int (*begin)(struct smpy_response *response);
    // Takes a piece of the body, which lies in `owner` and does not change; begins if needed. Never waits.
    int (*write)(struct smpy_response *response, struct sm_str bytes, PyObject *owner);
    // Sends what was taken so far.
    int (*flush)(struct smpy_response *response);
    // Makes a file the body; `path`: what os.fspath takes.
    int (*send_file)(struct smpy_response *response, PyObject *path);
    // Logs an exception as one of this request.
    int (*log)(struct smpy_response *response, PyObject *exception);
};

struct smpy_response {
    PyObject ob_base;
    PyObject *body;         // any kind that a handler may return, but no Response and no tuple
    PyObject *headers;      // a list of (name, value) and "Name: value"; NULL: an empty one that nobody asked for
    PyObject *content_type; // str, or None: as the kind of the body says
    int status;
    bool has_begun;
    bool is_utf8; // text was written, and in that charset
    vectorcallfunc vectorcall;
    // While an Application answers a request with it; else NULL.
    const struct smpy_reply_ops *reply;
    void *sink;                   // of `reply`
    struct smpy_request *request; // owned
    PyObject *app;                // owned
};

// Returns new: the type, for the module that is being made.
PyTypeObject *smpy_response_type_new(PyObject *module);

// Methods and attributes of a Response that answers a request (response_write.c).
PyObject *smpy_response_begin(PyObject *self, PyObject *unused);
PyObject *smpy_response_write(PyObject *self, PyObject *piece);
PyObject *smpy_response_writelines(PyObject *self, PyObject *pieces);
PyObject *smpy_response_call(PyObject *self, PyObject *const *pieces, size_t nargsf, PyObject *names);
PyObject *smpy_response_flush(PyObject *self, PyObject *unused);
PyObject *smpy_response_send_file(PyObject *self, PyObject *path);
PyObject *smpy_response_find_header(PyObject *self, PyObject *prefix);
PyObject *smpy_response_log(PyObject *self, PyObject *exception);
PyObject *smpy_response_out(PyObject *self, void *closure);
// Takes an item of a list of headers apart, (name, value) or "Name: value", both borrowed from it. -1 with an
// exception.
int smpy_response_header(PyObject *item, struct sm_str *name_out, struct sm_str *value_out);

// Returns new: a list of the (name, value) pairs of a list of pairs, a mapping, or None. `who` begins the message
// of the exception, as "hello:handle returned". May call Python.
PyObject *smpy_response_pairs(PyObject *headers, const char *who);
// The number of an HTTP status: an int (or IntEnum) from 200 to 999. -1 with an exception that begins with `who`.
int smpy_response_status(PyObject *status, const char *who);
