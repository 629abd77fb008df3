// SPDX-License-Identifier: MIT
// The table between app.c and the interfaces: one row, one file each. An interface calls the handler for a request
// and writes its answer through engine/exchange.h. The GIL is held in every call.
#pragma once

#include "engine/exchange.h"

struct smpy_app;

struct smpy_iface {
    const char *name;
    // The calls of `struct sm_app_ops`; what they say holds. They leave no exception set.
    void (*request)(struct smpy_app *app, struct sm_exchange *exchange);
    void (*resume)(struct smpy_app *app, struct sm_exchange *exchange);
    void (*abort)(struct smpy_app *app, struct sm_exchange *exchange);
};

extern const struct smpy_iface smpy_iface_native;
