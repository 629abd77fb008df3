// SPDX-License-Identifier: MIT
// Makes a Request without a server, through the real parsers: what tests and smisk.testing build on.
#pragma once

#include "py/compat.h"

extern const char smpy_make_request_doc[];
// _smisk._make_request(): returns new.
PyObject *smpy_make_request(PyObject *module, PyObject *args, PyObject *kwargs);

// The method `_serve` of the module: runs an Application for such a Request (reply_memory.c).
PyObject *smpy_serve(PyObject *module, PyObject *args);
extern const char smpy_serve_doc[];
