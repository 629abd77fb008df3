// SPDX-License-Identifier: MIT
// What the engine refuses of an answer, as an exception: the same words for every interface.
#pragma once

#include "engine/exchange.h"
#include "py/compat.h"

// Sets the exception for an outcome of engine/exchange.h that is neither FULL nor GONE: OSError for a negative one,
// else ValueError "<who>a header that …: <what>". `who` says whose mistake it is and ends in its own space or is
// empty; `what` is the value in question, or NULL. Always -1.
int smpy_refuse(int outcome, const char *who, PyObject *what);
