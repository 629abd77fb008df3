// SPDX-License-Identifier: MIT
// Tells by its signature which interface a handler speaks (DESIGN 5). Comes in: load.c.
#pragma once

#include "py/load.h"

enum smpy_kind_outcome {
    SMPY_KIND_FOUND,
    SMPY_KIND_FACTORY, // to be called without arguments for what to serve
    SMPY_KIND_REFUSED, // logged
};

// Finds the kind of loaded->handler, a callable, and writes it to loaded->kind. `interface` as for smpy_load;
// `is_made`: a factory returned the handler. Logs what was found where more than one was possible. Calls Python.
enum smpy_kind_outcome smpy_kind_find(struct smpy_loaded *loaded, const char *interface, bool is_made);
