// SPDX-License-Identifier: MIT
// Reload: one worker after the other, the new one ready before the old one leaves. With `autoreload` workers ask for
// it, code that is outdated before it is ready is given up, and what goes wrong is kept to be shown.
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/exit.h"
#include "engine/slots.h"
#include "net/notify.h"

// --- what is shown ---

void sm_master_expect_failure(struct sm_master *master) {
    if (master->settings->autoreload && master->failure.fd < 0) {
        int r = sm_failure_open(&master->failure);
        if (r < 0) {
            sm_log(SM_LOG_WARNING, "errors of new code cannot be shown in the browser: %s", strerror(-r));
        }
    }
    master->old_stamp = sm_failure_stamp(&master->failure);
}

void sm_master_show_failure(struct sm_master *master, const char *heading, const struct sm_bytes *text) {
    if (sm_failure_stamp(&master->failure) == master->old_stamp) {
        master->failure.len = 0;
        sm_failure_put(&master->failure, heading, text == NULL ? NULL : text->data, text == NULL ? 0 : text->len);
    }
}

// --- one after the other ---

static void sm_master_reload_step(struct sm_master *master) {
    if (master->reload_next > master->settings->workers) {
        sm_log(SM_LOG_INFO, "reloaded: all workers run the new code");
        // Fewer workers than before: the surplus ends.
        struct sm_list *node = master->slots.next;
        while (node != &master->slots) {
            struct sm_slot *slot = SM_CONTAINER(node, struct sm_slot, node);
            node = node->next;
            if (slot->index > master->settings->workers && slot->state != SM_SLOT_STOPPING) {
                sm_slot_leave(slot);
            }
        }
        sm_master_settled(master);
        return;
    }
    struct sm_slot *slot = sm_slot_new(master, master->reload_next);
    if (slot != NULL) {
        slot->is_replacement = true;
    }
    if (slot == NULL || !sm_slot_start(slot)) {
        if (slot != NULL) {
            sm_slot_free(slot);
        }
        sm_master_settled(master);
    }
}

void sm_master_replaced(struct sm_master *master, struct sm_slot *fresh) {
    struct sm_list *node = master->slots.next;
    while (node != &master->slots) {
        struct sm_slot *slot = SM_CONTAINER(node, struct sm_slot, node);
        node = node->next;
        if (slot != fresh && slot->index == fresh->index && slot->state != SM_SLOT_STOPPING) {
            sm_slot_leave(slot);
        }
    }
    fresh->is_replacement = false;
    master->reload_next++;
    sm_master_reload_step(master);
}

static bool sm_master_same_listeners(const struct sm_settings *a, const struct sm_settings *b) {
    bool same = a->n_listen == b->n_listen;
    for (size_t i = 0; same && i < a->n_listen; i++) {
        same =
            a->listen[i].protocol == b->listen[i].protocol && strcmp(a->listen[i].address, b->listen[i].address) == 0;
    }
    return same;
}

// The settings of a reload. False after having said why there will be none.
static bool sm_master_reconfigure(struct sm_master *master, struct sm_settings *fresh) {
    const char *why = NULL;
    struct sm_bytes answer = {0};
    master->old_stamp = sm_failure_stamp(&master->failure);
    int status = sm_master_ask(master->hooks, fresh, &answer);
    if (status != SM_EXIT_OK) {
        why = "reload refused: the configuration is wrong; the old workers go on";
    } else if (!sm_master_same_listeners(master->settings, fresh)) {
        why = "reload refused: listeners cannot change while running; restart smiskd for that";
        sm_settings_deinit(fresh);
        answer.len = 0;
    }
    if (why != NULL) {
        sm_master_show_failure(master, why, &answer);
        sm_log(SM_LOG_ERROR, "%s", why);
    }
    sm_bytes_deinit(&answer);
    return why == NULL;
}

void sm_master_reload(struct sm_master *master) {
    struct sm_settings fresh;
    if (master->phase != SM_MASTER_SERVING) {
        master->reload_again = master->phase != SM_MASTER_STOPPING;
        sm_log(SM_LOG_INFO, "HUP: %s", master->reload_again ? "reloading as soon as this start is over" : "stopping");
        return;
    }
    sm_log(SM_LOG_INFO, "reloading");
    sm_notify("RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reloading", sm_clock_us());
    if (!sm_master_reconfigure(master, &fresh)) {
        sm_master_tell_ready(master);
        return;
    }
    sm_ports_allow_from_env(&fresh);
    char *pidfile = fresh.pidfile; // written at the start: it stays where it is
    fresh.pidfile = master->settings->pidfile;
    master->settings->pidfile = pidfile;
    sm_settings_deinit(master->settings);
    *master->settings = fresh;
    sm_log_set_level(fresh.log_level);
    sm_master_reopen_log(master);
    master->phase = SM_MASTER_RELOADING;
    master->reload_next = 1;
    sm_master_reload_step(master);
}

// --- changes ---

void sm_master_slot_changed(struct sm_master *master) {
    if (master->phase == SM_MASTER_SERVING) {
        sm_master_reload(master);
        return;
    }
    if (master->phase != SM_MASTER_STARTING && master->phase != SM_MASTER_RELOADING) {
        return;
    }
    bool all_fresh = master->phase == SM_MASTER_STARTING;
    for (struct sm_list *node = master->slots.next; node != &master->slots; node = node->next) {
        bool is_fresh = sm_slot_outdate(SM_CONTAINER(node, struct sm_slot, node));
        all_fresh = all_fresh && is_fresh;
    }
    master->reload_again = !all_fresh;
}

void sm_master_outdated_ended(struct sm_slot *slot) {
    struct sm_master *master = slot->master;
    slot->is_outdated = false;
    if (slot->is_replacement) {
        sm_slot_free(slot);
        sm_master_settled(master);
    } else if (!sm_slot_start(slot)) {
        sm_slot_restart_later(slot);
    }
}
