// SPDX-License-Identifier: MIT
// smisk.core.Application as the host sees it: recognising one, and finding the one that a module means. The class is
// only looked at where the application has imported it. Comes in: load.c, kind.c, maker.c, iface_smisk.c. Owns
// nothing.
#pragma once

#include "py/module.h"

enum smpy_application_kind { SMPY_APPLICATION_NONE, SMPY_APPLICATION_INSTANCE, SMPY_APPLICATION_CLASS };

// What the object is, by its type, not by what it says of itself: a proxy is none. Leaves no exception.
enum smpy_application_kind smpy_application_kind(PyObject *object);
// Finds what a module means that names none: Application.current, or the only class of its own that derives from
// Application. 1 with a new reference; 0: there is none. -1 with an exception: there are several.
int smpy_application_find(PyObject *module, PyObject **found_out);
// Makes the instance the current Application; `show_traceback`: also where it does not say so. -1 with an exception.
int smpy_application_take(struct smpy_state *state, PyObject *instance, bool show_traceback);
