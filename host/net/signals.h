// SPDX-License-Identifier: MIT
// Signals as events: a handler that only writes into a pipe. Handlers, unlike a blocked mask, do not survive exec,
// so programs that the application starts get ordinary signals.
#pragma once

#include "net/loop.h"

// Installs the handler for the signals of the 0-terminated list; ignores SIGPIPE. One set for a process.
// The descriptor to watch, or -errno.
int sm_signals_open(const int *signals);
// Back to the defaults, the pipe closed (a child that goes its own way after fork).
void sm_signals_close(void);
// The next noted signal, 0 when there is none.
int sm_signals_next(void);
