// SPDX-License-Identifier: MIT
// Tells by its signature which interface a handler speaks (DESIGN 5). Comes in: load.c.
#pragma once

#include "py/load.h"

// An `enum smpy_kind`; SMPY_KIND_COUNT for a callable that no interface would call; -1 with an exception. A callable
// without a signature (some that are written in C) counts as native. Calls Python.
int smpy_kind_of(PyObject *handler);
