// SPDX-License-Identifier: MIT
// Which request an Application serves just now, in this thread or task. A context variable holds its Response, and
// that leads to the Request and the Application: so what a request starts (a task, a copied context) sees the request
// that it belongs to, and others see none. Comes in: iface_smisk.c sets it; smisk.core reads it.
#pragma once

#include "py/module.h"

struct smpy_response;

// Adds the objects `_request`, `_response` and `_application` to the module. -1 with an exception.
int smpy_current_add(PyObject *module);

// Makes a Response the current one. Returns new: what ends that. NULL with an exception.
PyObject *smpy_current_enter(struct smpy_state *state, struct smpy_response *response);
// Takes what smpy_current_enter returned. Leaves exceptions as they are.
void smpy_current_leave(struct smpy_state *state, PyObject *token);
