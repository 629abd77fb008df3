// SPDX-License-Identifier: MIT
// Carriers: real asyncio tasks that step one request's coroutine after another. A coroutine that finishes in its
// first step, as most do, costs no task and no turn of the scheduler, and yet current_task(), cancellation, timeouts
// and context variables are a task's own. One that suspends keeps its carrier, whose task then ends with it.
#pragma once

#include "py/loop.h"

// What a coroutine is run for. Embedded in what its interface keeps of a request.
struct smpy_job {
    // The coroutine has ended: `result` is borrowed, or NULL with an exception set, which this takes. Returns new: a
    // coroutine to go on with in the same task; NULL without an exception: the job is over and may be freed.
    PyObject *(*done)(struct smpy_job *job, PyObject *result);
    struct smpy_carrier *carrier; // borrowed: who runs it; NULL when nobody does
};

// Takes an awaitable and steps it at once, as far as it goes without waiting. `done` is called now or later, once for
// each coroutine. Leaves no exception.
void smpy_carrier_run(struct smpy_loop *loop, PyObject *awaitable, struct smpy_job *job);
// Cancels the job's task, if it still runs. Leaves no exception.
void smpy_carrier_cancel(struct smpy_job *job);
// Whether the object is a coroutine, or another awaitable.
bool smpy_is_awaitable(PyObject *object);

// Returns new: the type.
PyTypeObject *smpy_carrier_type_new(void);
// Lets go of the idle carrier.
void smpy_carrier_drop_spare(struct smpy_loop *loop);
