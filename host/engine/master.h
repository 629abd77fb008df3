// SPDX-License-Identifier: MIT
// The master: binds, forks, watches, answers signals. Single-threaded C; it never starts an interpreter and reads
// nothing that a worker can write, but one byte that says "ready" and what wait(2) tells.
#pragma once

#include "base/bytes.h"
#include "engine/app.h"
#include "engine/settings.h"

struct sm_master_hooks {
    // In a short-lived child: writes the resolved settings to out_fd; returns an exit status.
    int (*configure)(void *context, int out_fd);
    // In a worker, after fork: the application. NULL after a log line.
    struct sm_app *(*make_app)(void *context, const struct sm_settings *settings);
    // In the child of -t, after a start that worked.
    void (*tested)(void *context, const struct sm_settings *settings, const struct sm_app *app);
    void *context;
};

// Runs `configure` in a child and reads what it says. SM_EXIT_OK, or the exit status to end with; what was wrong
// has been said on stderr.
int sm_master_configure(const struct sm_master_hooks *hooks, struct sm_settings *settings_out);
// -t: loads the application in a child, and ends it. An exit status.
int sm_master_test(const struct sm_master_hooks *hooks, const struct sm_settings *settings);
// Serves until told to stop. Takes over `settings` (a reload replaces them). An exit status.
int sm_master_run(const struct sm_master_hooks *hooks, struct sm_settings *settings);
