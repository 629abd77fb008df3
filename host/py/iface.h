// SPDX-License-Identifier: MIT
// The table between app.c and the interfaces: one row, one file each. An interface calls the handler for a request
// and writes its answer through engine/exchange.h. The GIL is held in every call.
#pragma once

#include "engine/exchange.h"

struct smpy_app;

struct smpy_iface {
    const char *name;
    // Requests are handed over at the end of their head; bodies follow with `notice`.
    bool streams;
    // Called in the loop of asyncio (loop.h), which then drives the engine.
    bool needs_loop;
    // Around the life of the application; NULL: nothing to do. `start` gives 0, or an exit code after having logged
    // why.
    int (*start)(struct smpy_app *app);
    void (*stop)(struct smpy_app *app);
    // After the loop has ended.
    void (*drop)(struct smpy_app *app);
    // The calls of `struct sm_app_ops`; what they say holds. They leave no exception set.
    void (*request)(struct smpy_app *app, struct sm_exchange *exchange);
    void (*resume)(struct smpy_app *app, struct sm_exchange *exchange);
    void (*abort)(struct smpy_app *app, struct sm_exchange *exchange);
    // NULL: the interface does not want to know.
    void (*notice)(struct smpy_app *app, struct sm_exchange *exchange, unsigned what);
};

extern const struct smpy_iface smpy_iface_native;
extern const struct smpy_iface smpy_iface_async;
extern const struct smpy_iface smpy_iface_asgi;
extern const struct smpy_iface smpy_iface_smisk;
extern const struct smpy_iface smpy_iface_wsgi;
