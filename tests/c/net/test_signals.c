// SPDX-License-Identifier: MIT
// Signals as events. Each test installs and removes the handlers itself.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "net/signals.h"

static const int watched[] = {SIGUSR1, SIGUSR2, SIGHUP, 0};

static bool is_readable(int fd) {
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    return poll(&poller, 1, 0) == 1;
}

static sighandler_t disposition(int number) {
    struct sigaction action;
    assert_int_equal(sigaction(number, NULL, &action), 0);
    return action.sa_handler;
}

static void test_signals_raised_come_in_order(void **state) {
    (void)state;
    int fd = sm_signals_open(watched);
    assert_true(fd >= 0);
    assert_false(is_readable(fd));
    assert_int_equal(sm_signals_next(), 0);
    raise(SIGUSR2);
    raise(SIGUSR1);
    raise(SIGHUP);
    raise(SIGUSR1);
    assert_true(is_readable(fd));
    assert_int_equal(sm_signals_next(), SIGUSR2);
    assert_int_equal(sm_signals_next(), SIGUSR1);
    assert_int_equal(sm_signals_next(), SIGHUP);
    assert_int_equal(sm_signals_next(), SIGUSR1);
    assert_int_equal(sm_signals_next(), 0);
    assert_false(is_readable(fd));
    sm_signals_close();
}

static void test_signals_handler_keeps_errno(void **state) {
    (void)state;
    assert_true(sm_signals_open(watched) >= 0);
    errno = EXDEV;
    raise(SIGUSR1);
    assert_int_equal(errno, EXDEV);
    sm_signals_close();
}

static void test_signals_more_than_the_pipe_holds_do_not_block(void **state) {
    (void)state;
    int fd = sm_signals_open(watched);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_SETPIPE_SZ, 4096) >= 4096);
    int capacity = fcntl(fd, F_GETPIPE_SZ);
    for (int i = 0; i < capacity + 100; i++) {
        raise(SIGUSR1);
    }
    int n = 0;
    while (sm_signals_next() == SIGUSR1) {
        n++;
    }
    assert_in_range(n, 1, capacity);
    raise(SIGUSR2); // and the pipe works again
    assert_int_equal(sm_signals_next(), SIGUSR2);
    sm_signals_close();
}

static void test_signals_open_ignores_broken_pipes(void **state) {
    (void)state;
    assert_true(sm_signals_open(watched) >= 0);
    assert_ptr_equal(disposition(SIGPIPE), SIG_IGN);
    sm_signals_close();
}

static void test_signals_others_stay_as_they_were(void **state) {
    (void)state;
    assert_ptr_equal(disposition(SIGWINCH), SIG_DFL);
    assert_true(sm_signals_open(watched) >= 0);
    assert_ptr_equal(disposition(SIGWINCH), SIG_DFL);
    sm_signals_close();
}

static void test_signals_descriptor_is_closed_on_exec(void **state) {
    (void)state;
    int fd = sm_signals_open(watched);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    sm_signals_close();
}

static void test_signals_close_restores_defaults_and_closes_the_pipe(void **state) {
    (void)state;
    int fd = sm_signals_open(watched);
    assert_true(disposition(SIGUSR1) != SIG_DFL);
    sm_signals_close();
    for (int i = 0; watched[i] != 0; i++) {
        assert_ptr_equal(disposition(watched[i]), SIG_DFL);
    }
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    sm_signals_close(); // again: nothing happens
}

// A child that goes its own way would hand an ignored SIGPIPE on over exec(2).
static void test_signals_close_restores_broken_pipe_too(void **state) {
    (void)state;
    assert_true(sm_signals_open(watched) >= 0);
    sm_signals_close();
    assert_ptr_equal(disposition(SIGPIPE), SIG_DFL);
}

static void test_signals_reopened_work_again(void **state) {
    (void)state;
    static const int others[] = {SIGUSR2, 0};
    assert_true(sm_signals_open(watched) >= 0);
    raise(SIGUSR1);
    sm_signals_close();
    assert_true(sm_signals_open(others) >= 0);
    assert_int_equal(sm_signals_next(), 0);
    assert_ptr_equal(disposition(SIGUSR1), SIG_DFL);
    raise(SIGUSR2);
    assert_int_equal(sm_signals_next(), SIGUSR2);
    sm_signals_close();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals_raised_come_in_order),
        cmocka_unit_test(test_signals_handler_keeps_errno),
        cmocka_unit_test(test_signals_more_than_the_pipe_holds_do_not_block),
        cmocka_unit_test(test_signals_open_ignores_broken_pipes),
        cmocka_unit_test(test_signals_others_stay_as_they_were),
        cmocka_unit_test(test_signals_descriptor_is_closed_on_exec),
        cmocka_unit_test(test_signals_close_restores_defaults_and_closes_the_pipe),
        cmocka_unit_test(test_signals_close_restores_broken_pipe_too),
        cmocka_unit_test(test_signals_reopened_work_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
