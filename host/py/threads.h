// SPDX-License-Identifier: MIT
// The application's threads at the end of the process: waiting for them, but not for ever. Comes in: interp.c.
#pragma once

#include "py/compat.h"

// Tells executors to stop, as Python does when it ends, and waits at most `timeout` milliseconds for the threads
// that are no daemons; names those that are left in the log. Calls Python, gives the GIL away while it waits.
void smpy_threads_join(uint64_t timeout);
// Whether any thread but the calling one still has a thread state: a daemon, or one that was not waited out.
bool smpy_threads_are_live(void);
