// SPDX-License-Identifier: MIT
// Calls what makes the application: a factory, or a class whose instance is the application. Comes in: load.c.
#pragma once

#include "py/load.h"

// Replaces out->handler by what calling it gives. `arguments`: literals in parentheses, as in the setting. 0, or
// SM_EXIT_APP after having logged why. Calls Python.
int smpy_maker_call(struct smpy_loaded *out, const char *arguments);
