// SPDX-License-Identifier: MIT
// Words between two ends: order, emptiness, an end that is gone or does not listen.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "net/words.h"

static void test_words_are_heard_in_order_both_ways(void **state) {
    int ends[2];
    (void)state;
    assert_int_equal(sm_words_open(ends), 0);
    assert_int_equal(sm_words_hear(ends[0]), 0);
    assert_int_equal(sm_words_say(ends[1], 'R'), 0);
    assert_int_equal(sm_words_say(ends[1], '\xff'), 0);
    assert_int_equal(sm_words_say(ends[0], 'L'), 0);
    assert_int_equal(sm_words_hear(ends[0]), 'R');
    assert_int_equal(sm_words_hear(ends[0]), 255);
    assert_int_equal(sm_words_hear(ends[0]), 0);
    assert_int_equal(sm_words_hear(ends[1]), 'L');
    assert_int_equal(fcntl(ends[0], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(ends[0]);
    close(ends[1]);
}

static void test_end_that_is_gone_is_told_after_its_last_words(void **state) {
    int ends[2];
    (void)state;
    assert_int_equal(sm_words_open(ends), 0);
    assert_int_equal(sm_words_say(ends[1], 'Q'), 0);
    close(ends[1]);
    assert_int_equal(sm_words_say(ends[0], 'L'), -EPIPE); // and no SIGPIPE
    assert_int_equal(sm_words_hear(ends[0]), 'Q');
    assert_int_equal(sm_words_hear(ends[0]), -EPIPE);
    close(ends[0]);
}

static void test_end_that_does_not_listen_holds_nobody_up(void **state) {
    int ends[2];
    int outcome = 0;
    (void)state;
    assert_int_equal(sm_words_open(ends), 0);
    for (unsigned i = 0; outcome == 0 && i < 10000000; i++) {
        outcome = sm_words_say(ends[0], 'x');
    }
    assert_int_equal(outcome, -EAGAIN);
    close(ends[0]);
    close(ends[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_are_heard_in_order_both_ways),
        cmocka_unit_test(test_end_that_is_gone_is_told_after_its_last_words),
        cmocka_unit_test(test_end_that_does_not_listen_holds_nobody_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
