// SPDX-License-Identifier: MIT
// What the engine says of a response that an application writes by itself, as the exceptions that tell its author.
// Comes in: WSGI, Applications. Owns nothing.
#pragma once

#include "engine/exchange.h"
#include "py/compat.h"

// Sets the exception for what the engine says; `header` is the item that it says it of, or NULL. Always -1.
int smpy_refuse(int outcome, PyObject *header);
