// SPDX-License-Identifier: MIT
// The life of one worker process, from after fork to its exit status.
#pragma once

#include "engine/app.h"
#include "engine/settings.h"

struct sm_reload;

// What a worker and its master say to each other, a byte each.
enum sm_worker_word {
    SM_WORKER_READY = 'R',   // it takes requests
    SM_WORKER_CHANGED = 'C', // files of the application changed (autoreload)
    SM_WORKER_WORN = 'Q',    // it has served max_requests
    SM_WORKER_LARGE = 'M',   // it has passed max_memory
    SM_WORKER_LEAVE = 'L',   // to it: finish, another one has taken your place
};

struct sm_worker_options {
    const struct sm_settings *settings;
    struct sm_app *app;
    const int *listeners;     // settings->n_listen descriptors
    uint32_t index;           // 1..workers, for the log
    uint32_t generation;      // unique in the life of the master
    int master_fd;            // the worker's end of a socket, for enum sm_worker_word
    int lifeline_fd;          // reads an end when the master is gone
    struct sm_reload *reload; // NULL without `autoreload`
};

// Loads the application, serves until told to stop, ends. Returns the exit status (enum sm_exit).
int sm_worker_run(const struct sm_worker_options *options);
