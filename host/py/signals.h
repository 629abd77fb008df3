// SPDX-License-Identifier: MIT
// Signals between host and application: the host's stay with the host, and what the application forks starts with
// the defaults. (What is executed gets them from exec.) Comes in: the start of the application, in a worker.
#pragma once

// Remembers the host's dispositions, which stand; from now on forked children do not inherit them. Call once.
// 0, or an error number.
int smpy_signals_keep(void);
// Puts back what the application changed while it was loaded, with a warning for each signal.
void smpy_signals_take_back(void);
