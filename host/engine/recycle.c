// SPDX-License-Identifier: MIT
// Workers that have served enough (max_requests, max_memory) are succeeded: the new one is ready before the old one
// leaves, so nothing waits and nothing is lost. One at a time, so that memory for one more is enough. And the number
// of workers, by TTIN and TTOU.
#include "engine/slots.h"

enum { SECOND_TRY_MS = 10000, MAX_WORKERS = 1024 };

// The one that shares the index of `slot`, and is ready (`successor` false) or about to succeed it.
static struct sm_slot *sm_master_other(const struct sm_slot *slot, bool successor) {
    struct sm_list *slots = &slot->master->slots;
    for (struct sm_list *node = slots->next; node != slots; node = node->next) {
        struct sm_slot *other = SM_CONTAINER(node, struct sm_slot, node);
        bool fits = successor ? other->is_successor : other->state == SM_SLOT_READY && !other->is_replacement;
        if (other != slot && other->index == slot->index && fits) {
            return other;
        }
    }
    return NULL;
}

static void sm_master_try_later(struct sm_slot *slot) {
    sm_timer_set(&slot->master->wheel, &slot->timer, slot->master->now + SECOND_TRY_MS);
}

static void sm_master_start_successor(struct sm_slot *slot) {
    struct sm_slot *fresh = sm_slot_new(slot->master, slot->index);
    if (fresh == NULL) {
        sm_master_try_later(slot);
        return;
    }
    fresh->is_successor = true;
    if (!sm_slot_start(fresh)) {
        sm_slot_free(fresh);
        sm_master_try_later(slot);
    }
}

void sm_master_recycle(struct sm_master *master) {
    struct sm_slot *worn = NULL;
    for (struct sm_list *node = master->slots.next; node != &master->slots; node = node->next) {
        struct sm_slot *slot = SM_CONTAINER(node, struct sm_slot, node);
        if (slot->is_successor) {
            return;
        }
        if (worn == NULL && slot->is_worn && slot->state == SM_SLOT_READY && !sm_timer_active(&slot->timer)) {
            worn = slot;
        }
    }
    if (worn != NULL && master->phase == SM_MASTER_SERVING) {
        sm_master_start_successor(worn);
    }
}

void sm_master_slot_worn(struct sm_slot *slot, enum sm_worker_word word) {
    if (!slot->is_worn) {
        sm_log(SM_LOG_INFO, "worker %u (pid %d) has %s; starting its successor", slot->index, (int)slot->pid,
               word == SM_WORKER_WORN ? "served max_requests" : "passed max_memory");
        slot->is_worn = true;
        sm_master_recycle(slot->master);
    }
}

void sm_master_succeeded(struct sm_slot *slot) {
    slot->is_successor = false;
    struct sm_slot *predecessor = sm_master_other(slot, false);
    if (predecessor != NULL) {
        sm_slot_leave(predecessor);
    }
    sm_master_recycle(slot->master);
}

bool sm_master_succession_ended(struct sm_slot *slot) {
    struct sm_master *master = slot->master;
    if (slot->is_successor) {
        struct sm_slot *predecessor = sm_master_other(slot, false);
        sm_log(SM_LOG_ERROR, "worker %u has no successor: the old one goes on; next try in %d s", slot->index,
               SECOND_TRY_MS / 1000);
        if (predecessor != NULL) {
            sm_master_try_later(predecessor);
        }
        sm_slot_free(slot);
        sm_master_recycle(master);
        return true;
    }
    struct sm_slot *successor = sm_master_other(slot, true);
    if (successor == NULL) {
        return false;
    }
    successor->is_successor = false; // from now on it is the worker of this index
    sm_slot_free(slot);
    return true;
}

void sm_master_scale(struct sm_master *master, bool up) {
    uint32_t *workers = &master->settings->workers;
    if (master->phase != SM_MASTER_SERVING || (up ? *workers >= MAX_WORKERS : *workers <= 1)) {
        sm_log(SM_LOG_WARNING, "%s: not now, with %u worker%s", up ? "TTIN" : "TTOU", *workers,
               *workers == 1 ? "" : "s");
        return;
    }
    if (up) {
        struct sm_slot *slot = sm_slot_new(master, *workers + 1);
        if (slot == NULL) {
            return;
        }
        ++*workers;
        if (!sm_slot_start(slot)) {
            sm_slot_restart_later(slot);
        }
    } else {
        struct sm_list *node = master->slots.next;
        while (node != &master->slots) {
            struct sm_slot *slot = SM_CONTAINER(node, struct sm_slot, node);
            node = node->next;
            if (slot->index == *workers && slot->state != SM_SLOT_STOPPING) {
                sm_slot_leave(slot);
            }
        }
        --*workers;
    }
    sm_log(SM_LOG_INFO, "%s: %u worker%s", up ? "TTIN" : "TTOU", *workers, *workers == 1 ? "" : "s");
}
