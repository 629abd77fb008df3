// SPDX-License-Identifier: MIT
// A hashed timer wheel: setting, clearing and firing cost O(1). Ticks are 32 ms coarse, enough for deadlines
// on people and networks. Timers are embedded in what they guard and owned by it.
#pragma once

#include <stdint.h>

#include "base/list.h"

enum { SM_WHEEL_SLOTS = 512, SM_WHEEL_TICK_MS = 32 };

struct sm_timer {
    struct sm_list node;
    uint64_t at; // ms of sm_clock_ms
    void (*fire)(struct sm_timer *timer);
};

struct sm_wheel {
    uint64_t tick; // the last tick that was served
    uint64_t occupied[SM_WHEEL_SLOTS / 64];
    struct sm_list slots[SM_WHEEL_SLOTS];
};

void sm_wheel_init(struct sm_wheel *wheel, uint64_t now);
void sm_timer_init(struct sm_timer *timer, void (*fire)(struct sm_timer *timer));
// (Re)arms: fires in the first sm_wheel_advance that is called at or after `at` (a tick late at most).
void sm_timer_set(struct sm_wheel *wheel, struct sm_timer *timer, uint64_t at);
void sm_timer_clear(struct sm_timer *timer);
static inline bool sm_timer_active(const struct sm_timer *timer) {
    return sm_list_linked(&timer->node);
}
// Fires what is due. A timer may set or clear any timer, itself included.
void sm_wheel_advance(struct sm_wheel *wheel, uint64_t now);
// Milliseconds until the wheel wants sm_wheel_advance again; -1: no timer.
int sm_wheel_wait(const struct sm_wheel *wheel, uint64_t now);
