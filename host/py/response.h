// SPDX-License-Identifier: MIT
// The type Response: an answer with its status and header fields, for handlers that want to say more than a body.
// Comes in: handlers make them, the native interface sends them. A Response owns its attributes.
#pragma once

#include "py/module.h"

struct smpy_response {
    PyObject ob_base;
    PyObject *body;         // any kind that a handler may return, but no Response and no tuple
    PyObject *headers;      // a list of (name, value)
    PyObject *content_type; // str, or None: as the kind of the body says
    int status;
};

// Returns new: the type, for the module that is being made.
PyTypeObject *smpy_response_type_new(PyObject *module);

// Returns new: a list of the (name, value) pairs of a list of pairs, a mapping, or None. `who` begins the message
// of the exception, as "hello:handle returned". May call Python.
PyObject *smpy_response_pairs(PyObject *headers, const char *who);
// The number of an HTTP status: an int (or IntEnum) from 200 to 999. -1 with an exception that begins with `who`.
int smpy_response_status(PyObject *status, const char *who);
