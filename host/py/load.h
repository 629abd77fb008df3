// SPDX-License-Identifier: MIT
// From the text of the `app` setting to a handler: imports the module, finds the attribute, tells which interface
// the handler speaks. Everything that can be wrong is explained in the log. Comes in: app.c, once in a process.
#pragma once

#include "py/compat.h"

// What a handler looks like; app.c knows which of them this version serves.
enum smpy_kind {
    SMPY_KIND_NATIVE, // a callable of one: the request
    SMPY_KIND_ASYNC,  // a coroutine function of one
    SMPY_KIND_SMISK,  // a smisk.core.Application
    SMPY_KIND_WSGI,   // a callable of two: environ, start_response
    SMPY_KIND_ASGI,   // a coroutine function of three: scope, receive, send
    SMPY_KIND_COUNT
};

struct smpy_loaded {
    PyObject *module;  // owned
    PyObject *handler; // owned
    enum smpy_kind kind;
    char label[256]; // "hello:handle", "shop:create_app()", for messages
};

// Loads `app`: "module", "module:attribute.dotted", "module:factory(…)", or path/to/file.py for the module.
// `interface`: NULL or "auto" finds out; "native", "smisk", "wsgi" and "asgi" are believed unless they can never
// work. 0, or SM_EXIT_APP after having logged why. Calls Python; `out` is empty on failure.
int smpy_load(const char *app, const char *interface, struct smpy_loaded *out);
void smpy_loaded_clear(struct smpy_loaded *loaded);
