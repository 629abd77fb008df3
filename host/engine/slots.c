// SPDX-License-Identifier: MIT
// One worker as the master sees it: forked, ready, stopping, gone. Forking happens in master.c.
#define _GNU_SOURCE
#include "engine/slots.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/words.h"

enum { BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 30000, STABLE_MS = 10000, KILL_GRACE_MS = 2000 };

static void sm_slot_timer(struct sm_timer *timer) {
    struct sm_slot *slot = SM_CONTAINER(timer, struct sm_slot, timer);
    switch ((enum sm_slot_state)slot->state) {
    case SM_SLOT_EMPTY:
        if (!sm_slot_start(slot)) {
            sm_slot_restart_later(slot);
        }
        break;
    case SM_SLOT_STARTING:
        sm_log(SM_LOG_ERROR, "worker %u (pid %d) was not ready within startup_timeout; killing it", slot->index,
               (int)slot->pid);
        kill(slot->pid, SIGKILL);
        break;
    case SM_SLOT_STOPPING:
        sm_log(SM_LOG_ERROR, "worker %u (pid %d) did not end within shutdown_timeout; killing it", slot->index,
               (int)slot->pid);
        kill(slot->pid, SIGKILL);
        break;
    case SM_SLOT_READY:
        sm_master_recycle(slot->master);
        break;
    }
}

// Also when the worker has died: a process that it left behind may hold the other end open.
static void sm_slot_close_words(struct sm_slot *slot) {
    if (slot->words.fd >= 0) {
        sm_loop_remove(&slot->master->loop, &slot->words);
        close(slot->words.fd);
        slot->words.fd = -1;
    }
}

static void sm_slot_readable(struct sm_source *source, unsigned flags) {
    (void)flags;
    struct sm_slot *slot = SM_CONTAINER(source, struct sm_slot, words);
    int word = sm_words_hear(source->fd);
    if (word < 0) {
        sm_slot_close_words(slot);
    } else if (word == SM_WORKER_READY && slot->state == SM_SLOT_STARTING) {
        slot->state = SM_SLOT_READY;
        sm_timer_clear(&slot->timer);
        sm_master_slot_ready(slot);
    } else if (word == SM_WORKER_CHANGED && slot->master->settings->autoreload && slot->state != SM_SLOT_STOPPING) {
        sm_master_slot_changed(slot->master);
    } else if ((word == SM_WORKER_WORN || word == SM_WORKER_LARGE) && slot->state == SM_SLOT_READY) {
        sm_master_slot_worn(slot, (enum sm_worker_word)word);
    }
}

struct sm_slot *sm_slot_new(struct sm_master *master, uint32_t index) {
    struct sm_slot *slot = calloc(1, sizeof(*slot));
    if (slot == NULL) {
        sm_log(SM_LOG_ERROR, "no memory for another worker");
        return NULL;
    }
    slot->master = master;
    slot->index = index;
    slot->words = (struct sm_source){.fd = -1, .ready = sm_slot_readable};
    sm_timer_init(&slot->timer, sm_slot_timer);
    sm_list_init(&slot->node);
    sm_list_append(&master->slots, &slot->node);
    return slot;
}

void sm_slot_free(struct sm_slot *slot) {
    sm_slot_close_words(slot);
    sm_timer_clear(&slot->timer);
    sm_list_remove(&slot->node);
    free(slot);
}

static void sm_slot_end(struct sm_slot *slot, bool gently) {
    struct sm_master *master = slot->master;
    if (slot->pid == 0) {
        sm_slot_free(slot);
        return;
    }
    slot->state = SM_SLOT_STOPPING;
    slot->is_successor = slot->is_worn = false;
    if (!gently || sm_words_say(slot->words.fd, SM_WORKER_LEAVE) < 0) {
        kill(slot->pid, SIGTERM);
    }
    uint64_t patience = master->settings->shutdown_timeout;
    if (patience > 0) {
        sm_timer_set(&master->wheel, &slot->timer, master->now + patience + KILL_GRACE_MS);
    }
}

void sm_slot_stop(struct sm_slot *slot) {
    sm_slot_end(slot, false);
}

void sm_slot_leave(struct sm_slot *slot) {
    sm_slot_end(slot, true);
}

bool sm_slot_outdate(struct sm_slot *slot) {
    struct pollfd said = {.fd = slot->words.fd, .events = POLLIN};
    if (slot->state == SM_SLOT_STARTING && !slot->is_outdated && poll(&said, 1, 0) == 0) {
        slot->is_outdated = true;
        kill(slot->pid, SIGKILL);
    }
    return slot->is_outdated || slot->state == SM_SLOT_EMPTY;
}

void sm_slot_restart_now(struct sm_slot *slot) {
    struct sm_master *master = slot->master;
    sm_slot_close_words(slot);
    slot->is_worn = false;
    slot->state = SM_SLOT_EMPTY;
    sm_timer_set(&master->wheel, &slot->timer, master->now);
}

void sm_slot_restart_later(struct sm_slot *slot) {
    struct sm_master *master = slot->master;
    sm_slot_close_words(slot);
    slot->is_worn = false;
    slot->failures = master->now - slot->started_at >= STABLE_MS ? 0 : slot->failures + 1;
    uint64_t pause = 0;
    if (slot->failures > 0) {
        unsigned shift = slot->failures < 10 ? slot->failures - 1 : 9;
        pause = (uint64_t)BACKOFF_FIRST_MS << shift;
        pause = pause < BACKOFF_MAX_MS ? pause : BACKOFF_MAX_MS;
    }
    slot->state = SM_SLOT_EMPTY;
    if (slot->failures > 2) {
        sm_log(SM_LOG_WARNING, "worker %u has ended %u times in a row; next start in %.1f s", slot->index,
               slot->failures, (double)pause / 1000);
    }
    sm_timer_set(&master->wheel, &slot->timer, master->now + pause);
}

void sm_slot_describe(int wait_status, char *out, size_t cap) {
    if (WIFSIGNALED(wait_status)) {
        int number = WTERMSIG(wait_status);
        snprintf(out, cap, "was killed by signal %d (%s)%s", number, strsignal(number),
                 WCOREDUMP(wait_status) ? ", core dumped" : "");
    } else {
        snprintf(out, cap, "exited with status %d", WEXITSTATUS(wait_status));
    }
}
