// SPDX-License-Identifier: MIT
// Percent-encoding of Python's text, and packing of bytes into letters: functions without state. Comes in: the type
// URL, the module's table of functions. Owns nothing.
#pragma once

#include "proto/percent.h"
#include "py/compat.h"

// Returns new: percent-encoded, of the argument's type, or the argument itself when nothing changes. str goes through
// UTF-8, surrogate escapes as the bytes that they stand for. TypeError for anything but str and bytes.
PyObject *smpy_percent_encode(PyObject *text, enum sm_percent_keep keep);
// Returns new: percent-decoded, under the same rules. UnicodeDecodeError when str would not be UTF-8.
PyObject *smpy_percent_decode(PyObject *text);

extern const char smpy_pack_doc[];
// _smisk.pack(): returns new.
PyObject *smpy_pack(PyObject *module, PyObject *const *args, Py_ssize_t n_args);
