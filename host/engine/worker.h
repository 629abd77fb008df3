// SPDX-License-Identifier: MIT
// The life of one worker process, from after fork to its exit status.
#pragma once

#include "engine/app.h"
#include "engine/settings.h"

struct sm_reload;

struct sm_worker_options {
    const struct sm_settings *settings;
    struct sm_app *app;
    const int *listeners;     // settings->n_listen descriptors
    uint32_t index;           // 1..workers, for the log
    uint32_t generation;      // unique in the life of the master
    int ready_fd;             // one byte is written here when requests are taken
    int lifeline_fd;          // reads an end when the master is gone
    struct sm_reload *reload; // NULL without `autoreload`
};

// Loads the application, serves until told to stop, ends. Returns the exit status (enum sm_exit).
int sm_worker_run(const struct sm_worker_options *options);
