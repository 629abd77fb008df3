// SPDX-License-Identifier: MIT
// The master from inside: its workers and what it waits for. Shared by master.c (the loop, signals, reload) and
// slots.c (one worker's way from fork to wait) only.
#pragma once

#include <sys/types.h>

#include "engine/master.h"
#include "engine/ports.h"
#include "net/loop.h"
#include "net/timer.h"

struct sm_master;

enum sm_slot_state { SM_SLOT_EMPTY, SM_SLOT_STARTING, SM_SLOT_READY, SM_SLOT_STOPPING };

// One worker process.
struct sm_slot {
    struct sm_list node; // master->slots
    struct sm_master *master;
    struct sm_source ready; // reads the byte that says so
    struct sm_timer timer;  // startup_timeout, back-off before the next start, or the end of patience
    uint64_t started_at;    // ms
    uint32_t index;         // 1..workers; a replacement has the index of what it replaces
    uint32_t generation;
    uint32_t failures; // starts in a row that did not last
    uint8_t state;
    bool is_replacement; // of a reload: leaves nothing behind when it fails
    pid_t pid;           // 0: none
};

enum sm_master_phase { SM_MASTER_STARTING, SM_MASTER_SERVING, SM_MASTER_RELOADING, SM_MASTER_STOPPING };

struct sm_master {
    const struct sm_master_hooks *hooks;
    struct sm_settings *settings;
    struct sm_ports ports;
    struct sm_loop loop;
    struct sm_wheel wheel;
    struct sm_source signals;
    struct sm_timer stop_timer;
    struct sm_list slots;
    uint64_t now;
    uint32_t next_generation;
    uint32_t reload_next; // index of the worker that is replaced next; past the last: done
    uint8_t phase;
    bool reload_again; // HUP came during a reload
    int status;        // to exit with
    int lifeline[2];
    int report_fd; // the waiting parent of --daemonize, or -1
};

// A new slot for this index, unstarted. NULL: no memory.
struct sm_slot *sm_slot_new(struct sm_master *master, uint32_t index);
void sm_slot_free(struct sm_slot *slot);
// Forks its worker. False after a log line.
bool sm_slot_start(struct sm_slot *slot);
// Asks the worker to finish (TERM), with an end of patience.
void sm_slot_stop(struct sm_slot *slot);
// Starts the worker again after a pause that grows with every failure in a row.
void sm_slot_restart_later(struct sm_slot *slot);
// "was killed by signal 11 (Segmentation fault)": how a wait status reads.
void sm_slot_describe(int wait_status, char *out, size_t cap);

// Called by slots.c: the worker reported ready.
void sm_master_slot_ready(struct sm_slot *slot);
