// SPDX-License-Identifier: MIT
// What stays with the host when the application forks: its signals, of which a child starts with the defaults, and
// its sockets, which a child would hold open. (What is executed gets both from exec.) Comes in: the start of the
// application, in a worker.
#pragma once

#include "engine/engine.h"

// Remembers the host's dispositions, which stand, and the engine (borrowed; NULL: none); from now on forked children
// inherit neither. Call once. 0, or an error number.
int smpy_signals_keep(struct sm_engine *engine);
// Puts back what the application changed while it was loaded, with a warning for each signal.
void smpy_signals_take_back(void);
