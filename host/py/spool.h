// SPDX-License-Identifier: MIT
// A body that lies in an unlinked file, as a Python raw file with an offset of its own. It duplicates the
// descriptor, so it lives as long as Python wants it. Comes in: `request.input` and `request.data`.
#pragma once

#include "engine/exchange.h"
#include "py/module.h"

// Returns new: the type, for the module that is being made.
PyTypeObject *smpy_spool_type_new(PyObject *module);
// Returns new: a buffered binary file over the body's descriptor.
PyObject *smpy_spool_open(struct smpy_state *state, const struct sm_body *body);
// Reads [off, off + len) of the descriptor into `out`, giving the GIL away while it reads. Bytes read, fewer only at
// the file's end; -1 with an exception.
Py_ssize_t smpy_spool_read(int fd, char *out, size_t len, uint64_t off);
