// SPDX-License-Identifier: MIT
// The engine as asyncio's selector sees it: an object with turns to make and descriptors to watch (the other half is
// smisk.aio.selector). Comes in: loop.c. Owns the watches; borrows engine and turns.
#pragma once

#include "engine/engine.h"
#include "py/compat.h"

struct smpy_poll {
    PyObject ob_base;
    struct sm_engine *engine;     // borrowed; NULL: the engine is gone
    const struct sm_turns *turns; // borrowed, while the worker serves; NULL: before and after
    struct smpy_watch **watches;  // by descriptor
    size_t n_watches;
    struct sm_list ready; // watches with something to tell
    PyObject *queue;      // what the loop has scheduled for its next iteration; NULL: unknown
    PyObject *timers;     // what it has scheduled for later; NULL: unknown
    PyObject *over;       // called once, when the worker is done
    uint64_t n_turns;
    bool is_turning;
    bool is_over;
};

// Returns new. NULL with an exception.
struct smpy_poll *smpy_poll_new(struct sm_engine *engine);
// Lets go of the engine and everything watched in it.
void smpy_poll_close(struct smpy_poll *poll);
