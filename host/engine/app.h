// SPDX-License-Identifier: MIT
// The one door between the engine and whatever answers requests. The engine calls through this table and has
// never heard of Python; `py` implements it. Every call is made by the thread that owns the exchange.
#pragma once

#include <stdbool.h>

struct sm_app;
struct sm_engine;
struct sm_exchange;

// What `notice` tells; a set of bits.
enum sm_notice {
    SM_NOTICE_BODY = 1,   // more of a streamed body has come, or its end
    SM_NOTICE_HANGUP = 2, // nothing more will come from the client: it has gone, or shut its sending side
    SM_NOTICE_DRAIN = 4,  // the worker finishes: what could go on for ever should end
    SM_NOTICE_ALARM = 8,  // the time that sm_exchange_alarm gave is over
};

// The worker's turns, for an application that runs them inside a loop of its own.
struct sm_turns {
    // One turn that waits up to `timeout_ms` (-1: without limit). 1: go on; 0: the worker is done; or -errno.
    int (*turn)(void *context, int timeout_ms);
    void *context;
};

struct sm_app_ops {
    // Loads and starts the application in this process. 0, or an exit code of `enum sm_exit` after having logged
    // why. Called once, after fork, before any request.
    int (*start)(struct sm_app *app, struct sm_engine *engine);

    // Ends the application; every exchange has ended before. Called once if `start` gave 0.
    void (*stop)(struct sm_app *app);

    // Makes turns until one gives 0 or an error, and returns that. NULL: the worker makes them itself.
    int (*run)(struct sm_app *app, const struct sm_turns *turns);

    // Whether work goes on that no exchange stands for any more; a draining worker waits for its end too. NULL:
    // never.
    bool (*is_busy)(struct sm_app *app);

    // A request whose body is complete (memory or spool file), or is still to come where the application streams.
    // Answers through exchange.h, now or later: when
    // it returns without sm_exchange_end, the exchange stays open and `resume` or `abort` follows.
    void (*request)(struct sm_app *app, struct sm_exchange *exchange);

    // There is room again after SM_EXCHANGE_FULL, or the turn that sm_exchange_yield asked for has come.
    void (*resume)(struct sm_app *app, struct sm_exchange *exchange);

    // Something happened to an open exchange: bits of enum sm_notice. NULL: nobody wants to know.
    void (*notice)(struct sm_app *app, struct sm_exchange *exchange, unsigned what);

    // The client has gone, or the server gives up. The exchange is dead when this returns; release what it holds.
    // Not called for an exchange that ended, nor from within one of the calls above.
    void (*abort)(struct sm_app *app, struct sm_exchange *exchange);

    // Around a wait that may block: give the interpreter to other threads, take it back.
    void (*wait_enter)(struct sm_app *app);
    void (*wait_leave)(struct sm_app *app);
};

struct sm_app {
    const struct sm_app_ops *ops;
    bool streams; // wants requests at the end of their head, with their bodies to be read as they come
};
