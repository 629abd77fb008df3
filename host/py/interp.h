// SPDX-License-Identifier: MIT
// The one place that starts Python and ends it. Python runs as its users know it (site, PYTHONPATH, virtual
// environments, sys.executable), but signals and the command line stay with the host. One interpreter a process.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct smpy_interp_options {
    const char *app_name;    // becomes sys.argv[0]
    const char *venv;        // NULL: $VIRTUAL_ENV, else the one around this program
    char *const *pythonpath; // folders for the front of sys.path; NULL-terminated, or NULL
    bool without_cwd;        // leave the working directory off sys.path
    bool without_active;     // do not look at $VIRTUAL_ENV
    bool without_site;       // do not import `site` (the configuration helper: a quick start)
};

enum smpy_interp_outcome {
    SMPY_INTERP_ENDED = 0,
    // Threads of the application still run: nothing of Python was freed, and the process must leave by _exit().
    SMPY_INTERP_LIVE = 1,
};

// Starts Python; the calling thread then holds the GIL. 0, or SM_EXIT_PYTHON after having logged why.
int smpy_interp_start(const struct smpy_interp_options *options);
// Ends Python: waits for threads that are no daemons, at most `timeout` milliseconds, and names in the log those
// that are left; runs exit handlers, flushes sys.stdout and sys.stderr. May call Python.
enum smpy_interp_outcome smpy_interp_stop(uint64_t timeout);
