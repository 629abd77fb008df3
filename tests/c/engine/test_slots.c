// SPDX-License-Identifier: MIT
// Slots without processes: how a death reads, and the pause before the next start.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/capture.h"
#include "engine/slots.h"

struct place {
    struct sm_master master;
    struct sm_settings settings;
    struct capture log;
};

static void expect_described(int status, const char *text) {
    char out[128];
    sm_slot_describe(status, out, sizeof(out));
    assert_string_equal(out, text);
}

static void test_describe_reads_like_a_sentence(void **state) {
    (void)state;
    expect_described(W_EXITCODE(0, 0), "exited with status 0");
    expect_described(W_EXITCODE(3, 0), "exited with status 3");
    expect_described(W_EXITCODE(255, 0), "exited with status 255");
    expect_described(SIGKILL, "was killed by signal 9 (Killed)");
    expect_described(SIGSEGV, "was killed by signal 11 (Segmentation fault)");
    expect_described(SIGSEGV | WCOREFLAG, "was killed by signal 11 (Segmentation fault), core dumped");
}

static void test_describe_in_little_room_is_terminated(void **state) {
    (void)state;
    char out[8];
    memset(out, 'x', sizeof(out));
    sm_slot_describe(SIGSEGV, out, sizeof(out));
    assert_string_equal(out, "was kil");
}

static uint64_t next_pause(struct sm_slot *slot, uint64_t lived) {
    struct sm_master *master = slot->master;
    slot->started_at = master->now;
    master->now += lived;
    slot->state = SM_SLOT_STARTING;
    sm_slot_restart_later(slot);
    assert_int_equal(slot->state, SM_SLOT_EMPTY);
    assert_true(sm_timer_active(&slot->timer));
    assert_true(slot->timer.at >= master->now);
    return slot->timer.at - master->now;
}

static void test_restart_after_a_long_life_comes_at_once(void **state) {
    struct place *place = *state;
    struct sm_slot *slot = sm_slot_new(&place->master, 1);
    assert_non_null(slot);
    assert_int_equal(next_pause(slot, 3600000), 0);
    assert_int_equal(slot->failures, 0);
    assert_int_equal(next_pause(slot, 3600000), 0);
    assert_int_equal(capture_lines(&place->log), 0);
    sm_slot_free(slot);
}

static void test_restart_after_short_lives_waits_longer_and_longer_up_to_a_bound(void **state) {
    struct place *place = *state;
    struct sm_slot *slot = sm_slot_new(&place->master, 1);
    uint64_t before = 0;
    assert_non_null(slot);
    for (unsigned i = 0; i < 40; i++) {
        uint64_t pause = next_pause(slot, 50);
        assert_true(pause > 0);
        assert_true(pause >= before);
        assert_true(pause <= 30000);
        assert_int_equal(slot->failures, i + 1);
        before = pause;
    }
    assert_int_equal(before, 30000);
    assert_true(capture_has(&place->log, "worker 1 has ended 3 times in a row"));
    assert_int_equal(next_pause(slot, 3600000), 0); // it held: all is forgiven
    sm_slot_free(slot);
}

static void test_slot_is_listed_until_it_is_freed(void **state) {
    struct place *place = *state;
    struct sm_slot *slot = sm_slot_new(&place->master, 7);
    int ends[2];
    assert_non_null(slot);
    assert_int_equal(slot->index, 7);
    assert_false(sm_list_empty(&place->master.slots));
    assert_int_equal(pipe2(ends, 0), 0);
    slot->words.fd = ends[0];
    assert_int_equal(sm_loop_add_level(&place->master.loop, &slot->words), 0);
    sm_timer_set(&place->master.wheel, &slot->timer, 1000);
    sm_slot_free(slot);
    assert_true(sm_list_empty(&place->master.slots));
    assert_int_equal(close(ends[0]), -1); // closed with it
    close(ends[1]);
    sm_wheel_advance(&place->master.wheel, 100000);
}

static void test_stop_of_a_slot_without_process_frees_it(void **state) {
    struct place *place = *state;
    struct sm_slot *slot = sm_slot_new(&place->master, 1);
    assert_non_null(slot);
    sm_slot_stop(slot);
    assert_true(sm_list_empty(&place->master.slots));
}

static int open_place(void **state) {
    static struct place place;
    *state = &place;
    place = (struct place){.master.settings = &place.settings};
    sm_list_init(&place.master.slots);
    sm_wheel_init(&place.master.wheel, 0);
    return capture_init(&place.log) < 0 ? -1 : sm_loop_init(&place.master.loop);
}

static int close_place(void **state) {
    struct place *place = *state;
    sm_loop_deinit(&place->master.loop);
    capture_deinit(&place->log);
    return 0;
}

#define PLACED(name) cmocka_unit_test_setup_teardown(name, open_place, close_place)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_describe_reads_like_a_sentence),
        cmocka_unit_test(test_describe_in_little_room_is_terminated),
        PLACED(test_restart_after_a_long_life_comes_at_once),
        PLACED(test_restart_after_short_lives_waits_longer_and_longer_up_to_a_bound),
        PLACED(test_slot_is_listed_until_it_is_freed),
        PLACED(test_stop_of_a_slot_without_process_frees_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
