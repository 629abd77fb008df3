// SPDX-License-Identifier: MIT
// The application as the engine sees it: a `struct sm_app` that holds Python, the loaded handler and the interface
// that calls it. Comes in: the worker (smpy_app_new, then through the vtable), the interfaces. Owns its fields.
#pragma once

#include "engine/app.h"
#include "engine/settings.h"
#include "py/asgi_app.h"
#include "py/iface.h"
#include "py/load.h"
#include "py/loop.h"
#include "py/module.h"

struct sm_reload;

struct smpy_app {
    struct sm_app base;
    const struct sm_settings *settings; // borrowed, outlives the app
    const struct smpy_iface *iface;
    struct smpy_state *state; // borrowed from `smisk`
    PyObject *smisk;          // the module `_smisk`
    PyObject *handler;        // the same as loaded.handler, borrowed
    struct smpy_loaded loaded;
    void *iface_state;         // the interface's own, between its `start` and `stop`
    struct smpy_loop loop;     // where the interface needs one
    struct smpy_asgi_app asgi; // where it is ASGI
    PyTypeObject *async_type;  // iface_async's calls
    PyThreadState *saved;      // while the interpreter is given away (wait_enter)
    struct sm_engine *engine;  // borrowed; NULL: nothing is served (smiskd -t)
    struct sm_reload *reload;  // borrowed from the engine; NULL without `autoreload`
    PyObject *watcher;         // of files, in one worker with `autoreload`
    bool is_live;              // Python could not be ended
};

// A new application for these settings, which it borrows; starts nothing, calls no Python. NULL: no memory.
struct sm_app *smpy_app_new(const struct sm_settings *settings);
void smpy_app_free(struct sm_app *app);
// Calls a hook of a module or an Application, if it has one. 0, or SM_EXIT_APP after having logged why.
int smpy_app_call_hook(PyObject *object, const char *name);
// The name of the interface that serves it, once started: "native".
const char *smpy_app_interface(const struct sm_app *app);
// "hello:handle", once started.
const char *smpy_app_label(const struct sm_app *app);
// Whether, after `stop`, threads of the application still run: the process must then leave by _exit().
bool smpy_app_is_live(const struct sm_app *app);
