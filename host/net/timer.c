// SPDX-License-Identifier: MIT
// Slots hold timers of every round; one that is not due yet when its slot is served stays for the next round.
#include "net/timer.h"

static unsigned sm_wheel_slot(uint64_t tick) {
    return (unsigned)(tick % SM_WHEEL_SLOTS);
}

void sm_wheel_init(struct sm_wheel *wheel, uint64_t now) {
    *wheel = (struct sm_wheel){.tick = now / SM_WHEEL_TICK_MS};
    for (unsigned i = 0; i < SM_WHEEL_SLOTS; i++) {
        sm_list_init(&wheel->slots[i]);
    }
}

void sm_timer_init(struct sm_timer *timer, void (*fire)(struct sm_timer *timer)) {
    sm_list_init(&timer->node);
    timer->at = 0;
    timer->fire = fire;
}

void sm_timer_set(struct sm_wheel *wheel, struct sm_timer *timer, uint64_t at) {
    uint64_t tick = (at + SM_WHEEL_TICK_MS - 1) / SM_WHEEL_TICK_MS;
    if (tick <= wheel->tick) {
        tick = wheel->tick + 1;
    }
    unsigned slot = sm_wheel_slot(tick);
    sm_list_remove(&timer->node);
    timer->at = at;
    sm_list_append(&wheel->slots[slot], &timer->node);
    wheel->occupied[slot / 64] |= UINT64_C(1) << (slot % 64);
}

void sm_timer_clear(struct sm_timer *timer) {
    sm_list_remove(&timer->node);
}

static void sm_wheel_serve(struct sm_wheel *wheel, unsigned slot, uint64_t now) {
    // Moved to a list of its own first: `fire` may set timers into this very slot.
    struct sm_list due;
    sm_list_init(&due);
    struct sm_list *head = &wheel->slots[slot];
    if (!sm_list_empty(head)) {
        sm_list_append(head, &due);
        sm_list_remove(head);
    }
    wheel->occupied[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
    struct sm_list *node;
    while ((node = sm_list_pop(&due)) != NULL) {
        struct sm_timer *timer = SM_CONTAINER(node, struct sm_timer, node);
        if (timer->at > now) {
            sm_list_append(head, node);
            wheel->occupied[slot / 64] |= UINT64_C(1) << (slot % 64);
        } else {
            timer->fire(timer);
        }
    }
}

void sm_wheel_advance(struct sm_wheel *wheel, uint64_t now) {
    uint64_t target = now / SM_WHEEL_TICK_MS;
    // After a long sleep one round serves every slot.
    if (target > wheel->tick + SM_WHEEL_SLOTS) {
        wheel->tick = target - SM_WHEEL_SLOTS;
    }
    while (wheel->tick < target) {
        wheel->tick++;
        unsigned slot = sm_wheel_slot(wheel->tick);
        if ((wheel->occupied[slot / 64] >> (slot % 64) & 1) != 0) {
            sm_wheel_serve(wheel, slot, now);
        }
    }
}

int sm_wheel_wait(const struct sm_wheel *wheel, uint64_t now) {
    for (uint64_t step = 1; step <= SM_WHEEL_SLOTS; step++) {
        unsigned slot = sm_wheel_slot(wheel->tick + step);
        if (slot % 64 == 0 && wheel->occupied[slot / 64] == 0) {
            step += 63;
            continue;
        }
        if ((wheel->occupied[slot / 64] >> (slot % 64) & 1) != 0) {
            uint64_t at = (wheel->tick + step) * SM_WHEEL_TICK_MS;
            return at <= now ? 0 : (int)(at - now);
        }
    }
    return -1;
}
