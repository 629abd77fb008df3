// SPDX-License-Identifier: MIT
// The timer wheel, against a clock that the test moves.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "net/timer.h"

enum { ROUND_MS = SM_WHEEL_SLOTS * SM_WHEEL_TICK_MS };

struct alarm {
    struct sm_timer timer;
    struct sm_wheel *wheel;
    unsigned fired;
    uint64_t again_at;        // set again by its own fire
    struct sm_timer *cleared; // cleared by its fire
    struct sm_timer *set;     // set by its fire, to set_at
    uint64_t set_at;
};

static void fire(struct sm_timer *timer) {
    struct alarm *alarm = SM_CONTAINER(timer, struct alarm, timer);
    alarm->fired++;
    if (alarm->again_at != 0) {
        sm_timer_set(alarm->wheel, timer, alarm->again_at);
    }
    if (alarm->cleared != NULL) {
        sm_timer_clear(alarm->cleared);
    }
    if (alarm->set != NULL) {
        sm_timer_set(alarm->wheel, alarm->set, alarm->set_at);
    }
}

static void alarm_init(struct alarm *alarm, struct sm_wheel *wheel) {
    *alarm = (struct alarm){.wheel = wheel};
    sm_timer_init(&alarm->timer, fire);
}

// --- when ---

static void expect_on_time(uint64_t start, uint64_t delay) {
    struct sm_wheel wheel;
    struct alarm alarm;
    uint64_t at = start + delay;
    sm_wheel_init(&wheel, start);
    alarm_init(&alarm, &wheel);
    sm_timer_set(&wheel, &alarm.timer, at);
    uint64_t now = start;
    while (now < at) {
        sm_wheel_advance(&wheel, now);
        assert_int_equal(alarm.fired, 0);
        now += at - now < 7 ? 1 : 7;
    }
    while (alarm.fired == 0) {
        assert_true(now <= at + SM_WHEEL_TICK_MS);
        sm_wheel_advance(&wheel, now++);
    }
    assert_false(sm_timer_active(&alarm.timer));
    sm_wheel_advance(&wheel, now + 3 * (uint64_t)ROUND_MS);
    assert_int_equal(alarm.fired, 1);
}

static void test_timer_fires_not_early_and_one_tick_late_at_most(void **state) {
    (void)state;
    for (uint64_t start = 1000; start < 1000 + 2 * SM_WHEEL_TICK_MS; start += 5) {
        for (uint64_t delay = 1; delay < 4 * SM_WHEEL_TICK_MS; delay += 3) {
            expect_on_time(start, delay);
        }
        expect_on_time(start, SM_WHEEL_TICK_MS * 100 + 1);
    }
}

static void test_timer_many_rounds_ahead_fires_in_its_round(void **state) {
    (void)state;
    expect_on_time(5, ROUND_MS - 1);
    expect_on_time(5, ROUND_MS);
    expect_on_time(5, ROUND_MS + 1);
    expect_on_time(12345, 7 * (uint64_t)ROUND_MS + 33);
}

static void test_timer_in_the_past_fires_at_the_next_tick(void **state) {
    (void)state;
    struct sm_wheel wheel;
    struct alarm alarm;
    sm_wheel_init(&wheel, 10000);
    alarm_init(&alarm, &wheel);
    sm_timer_set(&wheel, &alarm.timer, 0);
    assert_int_equal(alarm.fired, 0);
    sm_wheel_advance(&wheel, 10000 + SM_WHEEL_TICK_MS);
    assert_int_equal(alarm.fired, 1);
}

static void test_timer_set_again_moves(void **state) {
    (void)state;
    struct sm_wheel wheel;
    struct alarm alarm;
    sm_wheel_init(&wheel, 0);
    alarm_init(&alarm, &wheel);
    sm_timer_set(&wheel, &alarm.timer, 100);
    sm_timer_set(&wheel, &alarm.timer, 1000);
    sm_wheel_advance(&wheel, 999);
    assert_int_equal(alarm.fired, 0);
    sm_timer_set(&wheel, &alarm.timer, 2000);
    sm_timer_set(&wheel, &alarm.timer, 1100);
    sm_wheel_advance(&wheel, 1100 + SM_WHEEL_TICK_MS);
    assert_int_equal(alarm.fired, 1);
    sm_wheel_advance(&wheel, 5000);
    assert_int_equal(alarm.fired, 1);
}

static void test_timer_clear_keeps_it_from_firing(void **state) {
    (void)state;
    struct sm_wheel wheel;
    struct alarm alarm;
    sm_wheel_init(&wheel, 0);
    alarm_init(&alarm, &wheel);
    sm_timer_clear(&alarm.timer); // not set: nothing happens
    sm_timer_set(&wheel, &alarm.timer, 100);
    assert_true(sm_timer_active(&alarm.timer));
    sm_timer_clear(&alarm.timer);
    assert_false(sm_timer_active(&alarm.timer));
    sm_wheel_advance(&wheel, 10000);
    assert_int_equal(alarm.fired, 0);
}

static void test_wheel_after_long_sleep_fires_all_that_is_due_and_no_more(void **state) {
    (void)state;
    enum { N = 600 };
    struct sm_wheel wheel;
    static struct alarm alarms[N];
    uint64_t now = UINT64_C(1000000007);
    sm_wheel_init(&wheel, now);
    for (unsigned i = 0; i < N; i++) {
        alarm_init(&alarms[i], &wheel);
        sm_timer_set(&wheel, &alarms[i].timer, now + 1 + i * 131);
    }
    uint64_t later = now + 300 * 131;
    sm_wheel_advance(&wheel, later);
    for (unsigned i = 0; i < N; i++) {
        bool due = alarms[i].timer.at + SM_WHEEL_TICK_MS <= later;
        bool early = alarms[i].timer.at > later;
        assert_true(!due || alarms[i].fired == 1);
        assert_true(!early || alarms[i].fired == 0);
    }
    sm_wheel_advance(&wheel, later + UINT64_C(1000) * 3600 * 24 * 365);
    for (unsigned i = 0; i < N; i++) {
        assert_int_equal(alarms[i].fired, 1);
    }
}

// --- within fire ---

static void test_timer_set_by_its_own_fire_fires_again_later(void **state) {
    (void)state;
    struct sm_wheel wheel;
    struct alarm alarm;
    sm_wheel_init(&wheel, 0);
    alarm_init(&alarm, &wheel);
    alarm.again_at = 64 + ROUND_MS; // the same slot, the next round
    sm_timer_set(&wheel, &alarm.timer, 64);
    sm_wheel_advance(&wheel, 64);
    assert_int_equal(alarm.fired, 1);
    assert_true(sm_timer_active(&alarm.timer));
    sm_wheel_advance(&wheel, 63 + ROUND_MS);
    assert_int_equal(alarm.fired, 1);
    alarm.again_at = 0;
    sm_wheel_advance(&wheel, 64 + ROUND_MS);
    assert_int_equal(alarm.fired, 2);
}

static void test_timer_set_by_its_own_fire_for_now_does_not_hang_the_wheel(void **state) {
    (void)state;
    struct sm_wheel wheel;
    struct alarm alarm;
    sm_wheel_init(&wheel, 0);
    alarm_init(&alarm, &wheel);
    alarm.again_at = 1;
    sm_timer_set(&wheel, &alarm.timer, 1);
    sm_wheel_advance(&wheel, 10 * SM_WHEEL_TICK_MS);
    assert_in_range(alarm.fired, 1, 10);
    assert_true(sm_timer_active(&alarm.timer));
}

static void test_timer_cleared_by_a_fire_of_the_same_tick_stays_silent(void **state) {
    (void)state;
    struct sm_wheel wheel;
    struct alarm first;
    struct alarm second;
    sm_wheel_init(&wheel, 0);
    alarm_init(&first, &wheel);
    alarm_init(&second, &wheel);
    first.cleared = &second.timer;
    second.cleared = &first.timer;
    sm_timer_set(&wheel, &first.timer, 50);
    sm_timer_set(&wheel, &second.timer, 50);
    sm_wheel_advance(&wheel, 200);
    assert_int_equal(first.fired + second.fired, 1);
    assert_false(sm_timer_active(&first.timer));
    assert_false(sm_timer_active(&second.timer));
}

static void test_timer_set_by_another_fire_fires_once(void **state) {
    (void)state;
    struct sm_wheel wheel;
    struct alarm first;
    struct alarm second;
    sm_wheel_init(&wheel, 0);
    alarm_init(&first, &wheel);
    alarm_init(&second, &wheel);
    first.set = &second.timer;
    first.set_at = 500;
    sm_timer_set(&wheel, &first.timer, 50);
    sm_timer_set(&wheel, &second.timer, 50); // due too, but moved before its turn
    sm_wheel_advance(&wheel, 64);
    assert_int_equal(first.fired, 1);
    assert_int_equal(second.fired, 0);
    sm_wheel_advance(&wheel, 600);
    assert_int_equal(second.fired, 1);
}

// --- how long to wait ---

static void test_wheel_wait_without_timers_is_unlimited(void **state) {
    (void)state;
    struct sm_wheel wheel;
    sm_wheel_init(&wheel, 4711);
    assert_int_equal(sm_wheel_wait(&wheel, 4711), -1);
}

// Waiting as long as the wheel says, then advancing, must fire: nothing in between, no extra turn.
static void test_wheel_wait_leads_to_the_fire_in_one_step(void **state) {
    (void)state;
    for (uint64_t start = 0; start < 5000; start += 37) {
        for (uint64_t delay = 1; delay < ROUND_MS - SM_WHEEL_TICK_MS; delay += 577) {
            struct sm_wheel wheel;
            struct alarm alarm;
            sm_wheel_init(&wheel, start);
            alarm_init(&alarm, &wheel);
            sm_timer_set(&wheel, &alarm.timer, start + delay);
            int wait = sm_wheel_wait(&wheel, start);
            assert_in_range(wait, delay, delay + SM_WHEEL_TICK_MS);
            sm_wheel_advance(&wheel, start + (uint64_t)wait - 1);
            assert_int_equal(alarm.fired, 0);
            sm_wheel_advance(&wheel, start + (uint64_t)wait);
            assert_int_equal(alarm.fired, 1);
        }
    }
}

static void test_wheel_wait_names_the_earliest_timer(void **state) {
    (void)state;
    struct sm_wheel wheel;
    struct alarm late;
    struct alarm early;
    sm_wheel_init(&wheel, 0);
    alarm_init(&late, &wheel);
    alarm_init(&early, &wheel);
    sm_timer_set(&wheel, &late.timer, 9600);
    sm_timer_set(&wheel, &early.timer, 3200);
    assert_int_equal(sm_wheel_wait(&wheel, 0), 3200);
    assert_int_equal(sm_wheel_wait(&wheel, 3000), 200);
    assert_int_equal(sm_wheel_wait(&wheel, 4000), 0);
}

static void test_wheel_wait_after_clear_settles_in_one_needless_turn(void **state) {
    (void)state;
    struct sm_wheel wheel;
    struct alarm alarm;
    sm_wheel_init(&wheel, 0);
    alarm_init(&alarm, &wheel);
    sm_timer_set(&wheel, &alarm.timer, 320);
    sm_timer_clear(&alarm.timer);
    int wait = sm_wheel_wait(&wheel, 0);
    assert_true(wait == -1 || wait == 320); // the stale bit may cost one wake-up, not two
    sm_wheel_advance(&wheel, 320);
    assert_int_equal(alarm.fired, 0);
    assert_int_equal(sm_wheel_wait(&wheel, 320), -1);
}

static void test_wheel_wait_for_a_far_timer_comes_back_at_most_once_a_round(void **state) {
    (void)state;
    struct sm_wheel wheel;
    struct alarm alarm;
    uint64_t now = 77;
    uint64_t at = now + 5 * (uint64_t)ROUND_MS + 1000;
    sm_wheel_init(&wheel, now);
    alarm_init(&alarm, &wheel);
    sm_timer_set(&wheel, &alarm.timer, at);
    unsigned turns = 0;
    while (alarm.fired == 0) {
        int wait = sm_wheel_wait(&wheel, now);
        assert_true(wait > 0);
        now += (uint64_t)wait;
        sm_wheel_advance(&wheel, now);
        turns++;
        assert_true(turns <= 6);
    }
    assert_true(now >= at && now <= at + SM_WHEEL_TICK_MS);
}

static void test_wheel_wait_in_every_slot_is_right(void **state) {
    (void)state;
    for (uint64_t start_tick = 0; start_tick < SM_WHEEL_SLOTS; start_tick += 61) {
        for (uint64_t step = 1; step <= SM_WHEEL_SLOTS; step++) {
            struct sm_wheel wheel;
            struct alarm alarm;
            sm_wheel_init(&wheel, start_tick * SM_WHEEL_TICK_MS);
            alarm_init(&alarm, &wheel);
            sm_timer_set(&wheel, &alarm.timer, (start_tick + step) * SM_WHEEL_TICK_MS);
            assert_int_equal(sm_wheel_wait(&wheel, start_tick * SM_WHEEL_TICK_MS), step * SM_WHEEL_TICK_MS);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timer_fires_not_early_and_one_tick_late_at_most),
        cmocka_unit_test(test_timer_many_rounds_ahead_fires_in_its_round),
        cmocka_unit_test(test_timer_in_the_past_fires_at_the_next_tick),
        cmocka_unit_test(test_timer_set_again_moves),
        cmocka_unit_test(test_timer_clear_keeps_it_from_firing),
        cmocka_unit_test(test_wheel_after_long_sleep_fires_all_that_is_due_and_no_more),
        cmocka_unit_test(test_timer_set_by_its_own_fire_fires_again_later),
        cmocka_unit_test(test_timer_set_by_its_own_fire_for_now_does_not_hang_the_wheel),
        cmocka_unit_test(test_timer_cleared_by_a_fire_of_the_same_tick_stays_silent),
        cmocka_unit_test(test_timer_set_by_another_fire_fires_once),
        cmocka_unit_test(test_wheel_wait_without_timers_is_unlimited),
        cmocka_unit_test(test_wheel_wait_leads_to_the_fire_in_one_step),
        cmocka_unit_test(test_wheel_wait_names_the_earliest_timer),
        cmocka_unit_test(test_wheel_wait_after_clear_settles_in_one_needless_turn),
        cmocka_unit_test(test_wheel_wait_for_a_far_timer_comes_back_at_most_once_a_round),
        cmocka_unit_test(test_wheel_wait_in_every_slot_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
