// SPDX-License-Identifier: MIT
// The one door between the engine and whatever answers requests. The engine calls through this table and has
// never heard of Python; `py` implements it. Every call is made by the thread that owns the exchange.
#pragma once

struct sm_app;
struct sm_engine;
struct sm_exchange;

struct sm_app_ops {
    // Loads and starts the application in this process. 0, or an exit code of `enum sm_exit` after having logged
    // why. Called once, after fork, before any request.
    int (*start)(struct sm_app *app, struct sm_engine *engine);

    // Ends the application; every exchange has ended before. Called once if `start` gave 0.
    void (*stop)(struct sm_app *app);

    // A request whose body is complete (memory or spool file). Answers through exchange.h, now or later: when
    // it returns without sm_exchange_end, the exchange stays open and `resume` or `abort` follows.
    void (*request)(struct sm_app *app, struct sm_exchange *exchange);

    // There is room again after SM_EXCHANGE_FULL, or the turn that sm_exchange_yield asked for has come.
    void (*resume)(struct sm_app *app, struct sm_exchange *exchange);

    // The client has gone, or the server gives up. The exchange is dead when this returns; release what it holds.
    // Not called for an exchange that ended, nor from within one of the calls above.
    void (*abort)(struct sm_app *app, struct sm_exchange *exchange);

    // Around a wait that may block: give the interpreter to other threads, take it back.
    void (*wait_enter)(struct sm_app *app);
    void (*wait_leave)(struct sm_app *app);
};

struct sm_app {
    const struct sm_app_ops *ops;
};
