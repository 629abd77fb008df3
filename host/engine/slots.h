// SPDX-License-Identifier: MIT
// The master from inside: its workers and what it waits for. Shared by master.c (the loop, forks, signals),
// slots.c (one worker's way from fork to wait) and reload.c only.
#pragma once

#include <sys/types.h>

#include "engine/failure.h"
#include "engine/master.h"
#include "engine/ports.h"
#include "engine/worker.h"
#include "net/loop.h"
#include "net/timer.h"

struct sm_master;

enum sm_slot_state { SM_SLOT_EMPTY, SM_SLOT_STARTING, SM_SLOT_READY, SM_SLOT_STOPPING };

// One worker process.
struct sm_slot {
    struct sm_list node; // master->slots
    struct sm_master *master;
    struct sm_source words; // the master's end of a socket, for enum sm_worker_word
    struct sm_timer timer;  // startup_timeout, back-off before the next start or successor, or the end of patience
    uint64_t started_at;    // ms
    uint32_t index;         // 1..workers; a replacement has the index of what it replaces
    uint32_t generation;
    uint32_t failures; // starts in a row that did not last
    uint8_t state;
    bool is_replacement; // of a reload: leaves nothing behind when it fails
    bool is_outdated;    // ended by us, since files changed before it was ready
    bool is_worn;        // wants a successor: it has served enough
    bool is_successor;   // of one that is worn, and not ready yet
    pid_t pid;           // 0: none
};

enum sm_master_phase {
    SM_MASTER_STARTING,
    SM_MASTER_SERVING,
    SM_MASTER_RELOADING,
    SM_MASTER_LEAVING,
    SM_MASTER_STOPPING
};

struct sm_master {
    const struct sm_master_hooks *hooks;
    struct sm_settings *settings;
    struct sm_ports ports;
    struct sm_loop loop;
    struct sm_wheel wheel;
    struct sm_source signals;
    struct sm_timer stop_timer;
    struct sm_timer watchdog; // the service manager's
    struct sm_list slots;
    uint64_t now;
    uint32_t next_generation;
    uint32_t reload_next; // index of the worker that is replaced next; past the last: done
    uint8_t phase;
    bool reload_again;         // HUP, or a change, came during a reload
    struct sm_failure failure; // why the newest code does not run; fd -1 without `autoreload`
    uint64_t old_stamp;        // of the failure when the newest worker started
    int status;                // to exit with
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
// The same for one whose place another worker has taken: what comes on its idle connections is still served.
void sm_slot_leave(struct sm_slot *slot);
// Ends a worker that is not ready, since the code that it loads has changed. False: it was ready, or is about to be.
bool sm_slot_outdate(struct sm_slot *slot);
// Starts the worker again: it has ended because it was asked to.
void sm_slot_restart_now(struct sm_slot *slot);
// Starts the worker again after a pause that grows with every failure in a row.
void sm_slot_restart_later(struct sm_slot *slot);
// "was killed by signal 11 (Segmentation fault)": how a wait status reads.
void sm_slot_describe(int wait_status, char *out, size_t cap);

// Called by slots.c: the worker reported ready.
void sm_master_slot_ready(struct sm_slot *slot);
// Called by slots.c: a worker says that files of the application changed. Reloads; what is not ready by then is given
// up.
void sm_master_slot_changed(struct sm_master *master);

// --- recycle.c ---

// A worker has served max_requests (`word` SM_WORKER_WORN), or is too large: another one takes its place.
void sm_master_slot_worn(struct sm_slot *slot, enum sm_worker_word word);
// Starts the next successor, one at a time, as soon as nothing else goes on.
void sm_master_recycle(struct sm_master *master);
// The successor is ready: its predecessor leaves.
void sm_master_succeeded(struct sm_slot *slot);
// A worker has died. True: it was a successor, or had one, and that is all there is to do.
bool sm_master_succession_ended(struct sm_slot *slot);
// TTIN, TTOU: a worker more, or less, until the next reload.
void sm_master_scale(struct sm_master *master, bool up);

// --- master.c, for reload.c ---

// Asks the configuration helper. `answer_out`: its words, settings or what is wrong with them; the caller frees them.
int sm_master_ask(const struct sm_master_hooks *hooks, struct sm_settings *settings_out, struct sm_bytes *answer_out);
// The end of a start or reload, whatever came of it. A HUP that came meanwhile speaks of newer code.
void sm_master_settled(struct sm_master *master);
// Tells the service manager that all is as it should be.
void sm_master_tell_ready(const struct sm_master *master);
void sm_master_reopen_log(const struct sm_master *master);

// --- reload.c ---

void sm_master_reload(struct sm_master *master);
// The replacement is ready: whoever had its index leaves, and the next is replaced.
void sm_master_replaced(struct sm_master *master, struct sm_slot *fresh);
// A worker that sm_slot_outdate ended is gone: the newest code takes its place.
void sm_master_outdated_ended(struct sm_slot *slot);
// Before a worker starts: what it leaves behind is its own failure, and not an older one.
void sm_master_expect_failure(struct sm_master *master);
// A replacement that died without a word, or a configuration that does not hold: the old code goes on, and this is
// shown. `text` may be NULL.
void sm_master_show_failure(struct sm_master *master, const char *heading, const struct sm_bytes *text);
