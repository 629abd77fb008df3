// SPDX-License-Identifier: MIT
// The worker's asyncio loop: made for an application that needs one, driven by the engine or driving it, closed at
// the end. Comes in: app.c (life), the asynchronous interfaces (carriers, futures). Owns the loop and all around it.
#pragma once

#include "py/poll.h"

struct smpy_app;
struct smpy_carrier;

struct smpy_loop {
    struct smpy_app *app; // borrowed
    struct smpy_poll *poll;
    PyObject *runner; // smisk.aio.runner.Runner
    PyObject *loop;
    PyTypeObject *carrier_type, *await_type;
    PyObject *task_type;                        // asyncio.Task
    PyObject *enter_task, *leave_task;          // asyncio's hooks for whoever steps tasks
    PyObject *create_future, *call_soon, *kick; // bound methods
    PyObject *cancelled_error, *wait_for_other; // asyncio.CancelledError; smisk.aio.pump.wait
    PyObject *name_blocking, *name_callbacks, *name_get_name, *name_set_result, *name_cancel, *name_done;
    PyObject *name_throw, *name_context;
    struct smpy_carrier *spare; // owned: an idle one
    unsigned n_suspended;       // carriers whose coroutine waits
    bool drives;                // the loop makes the engine's turns, not the other way round
};

// Makes the loop of this kind ("engine", "uvloop", "asyncio") around the engine; NULL: without one, to try the
// application. 0, or an exit code after having
// logged why. Calls Python.
int smpy_loop_start(struct smpy_loop *loop, struct smpy_app *app, struct sm_engine *engine, const char *kind);
// Serves until the turns are over. 0 or -errno. Calls Python.
int smpy_loop_run(struct smpy_loop *loop, const struct sm_turns *turns);
// Runs a coroutine, which it takes, to its end, at most `timeout_ms` (0: without bound). Returns new, or NULL with an
// exception.
PyObject *smpy_loop_complete(struct smpy_loop *loop, PyObject *coroutine, uint64_t timeout_ms);
// Ends tasks, generators, executors, and the loop. Does nothing for one that was never made. Calls Python.
void smpy_loop_stop(struct smpy_loop *loop);
// After something was done to an exchange outside of the engine's turns: sees to it that a turn follows.
void smpy_loop_kick(struct smpy_loop *loop);
// Returns new: a future of the loop.
static inline PyObject *smpy_loop_future(struct smpy_loop *loop) {
    return PyObject_CallNoArgs(loop->create_future);
}
// Wakes who waits for the future, if it still waits. Leaves no exception.
void smpy_loop_wake(struct smpy_loop *loop, PyObject *future);
