// SPDX-License-Identifier: MIT
// epoll behind struct sm_loop: what is reported, what removal takes back, when a wait is announced.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "net/loop.h"

struct watched {
    struct sm_source source;
    int other;
};

static void open_watched(struct watched *watched) {
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    *watched = (struct watched){.source = {.fd = ends[0]}, .other = ends[1]};
}

static void close_watched(struct watched *watched) {
    close(watched->source.fd);
    if (watched->other >= 0) {
        close(watched->other);
    }
}

static struct sm_source *next(struct sm_loop *loop, unsigned *flags_out) {
    *flags_out = 0;
    return sm_loop_next(loop, flags_out);
}

static void test_loop_fresh_has_no_events(void **state) {
    struct sm_loop *loop = *state;
    unsigned flags;
    assert_null(next(loop, &flags));
    assert_int_equal(sm_loop_wait(loop, 0), 0);
    assert_null(next(loop, &flags));
}

static void test_loop_stream_reports_writable_once(void **state) {
    struct sm_loop *loop = *state;
    struct watched watched;
    unsigned flags;
    open_watched(&watched);
    assert_int_equal(sm_loop_add_stream(loop, &watched.source), 0);
    assert_true(watched.source.registered);
    assert_int_equal(sm_loop_wait(loop, 0), 0);
    assert_ptr_equal(next(loop, &flags), &watched.source);
    assert_int_equal(flags, SM_WRITABLE);
    assert_null(next(loop, &flags));
    assert_int_equal(sm_loop_wait(loop, 0), 0);
    assert_null(next(loop, &flags)); // edge-triggered
    sm_loop_remove(loop, &watched.source);
    close_watched(&watched);
}

static void test_loop_stream_reports_bytes_hangup_and_break(void **state) {
    struct sm_loop *loop = *state;
    struct watched watched;
    unsigned flags;
    open_watched(&watched);
    assert_int_equal(sm_loop_add_stream(loop, &watched.source), 0);
    assert_int_equal(write(watched.other, "x", 1), 1);
    assert_int_equal(sm_loop_wait(loop, 0), 0);
    assert_non_null(next(loop, &flags));
    assert_int_equal(flags & (SM_READABLE | SM_HANGUP | SM_BROKEN), SM_READABLE);
    shutdown(watched.other, SHUT_WR);
    assert_int_equal(sm_loop_wait(loop, 0), 0);
    assert_non_null(next(loop, &flags));
    assert_int_equal(flags & (SM_READABLE | SM_HANGUP | SM_BROKEN), SM_READABLE | SM_HANGUP);
    close(watched.other);
    watched.other = -1;
    assert_int_equal(sm_loop_wait(loop, 0), 0);
    assert_non_null(next(loop, &flags));
    assert_int_equal(flags & (SM_READABLE | SM_BROKEN), SM_READABLE | SM_BROKEN);
    sm_loop_remove(loop, &watched.source);
    close_watched(&watched);
}

static void test_loop_level_reports_until_read_empty(void **state) {
    struct sm_loop *loop = *state;
    struct watched watched;
    unsigned flags;
    char byte;
    open_watched(&watched);
    assert_int_equal(sm_loop_add_level(loop, &watched.source), 0);
    assert_int_equal(sm_loop_wait(loop, 0), 0);
    assert_null(next(loop, &flags));
    assert_int_equal(write(watched.other, "x", 1), 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sm_loop_wait(loop, 0), 0);
        assert_ptr_equal(next(loop, &flags), &watched.source);
        assert_int_equal(flags, SM_READABLE);
    }
    assert_int_equal(read(watched.source.fd, &byte, 1), 1);
    assert_int_equal(sm_loop_wait(loop, 0), 0);
    assert_null(next(loop, &flags));
    sm_loop_remove(loop, &watched.source);
    close_watched(&watched);
}

static void expect_flags(struct sm_loop *loop, struct sm_source *source, unsigned expected) {
    unsigned flags;
    assert_int_equal(sm_loop_wait(loop, 0), 0);
    assert_ptr_equal(next(loop, &flags), expected == 0 ? NULL : source);
    assert_int_equal(flags, expected);
    assert_null(next(loop, &flags));
}

static void test_loop_watch_reports_what_is_wanted_as_long_as_it_is_so(void **state) {
    struct sm_loop *loop = *state;
    struct watched watched;
    char byte;
    open_watched(&watched);
    assert_int_equal(sm_loop_watch(loop, &watched.source, SM_READABLE), 0);
    assert_true(watched.source.registered);
    expect_flags(loop, &watched.source, 0);
    assert_int_equal(write(watched.other, "x", 1), 1);
    expect_flags(loop, &watched.source, SM_READABLE);
    expect_flags(loop, &watched.source, SM_READABLE); // level-triggered
    assert_int_equal(sm_loop_watch(loop, &watched.source, SM_WRITABLE), 0);
    expect_flags(loop, &watched.source, SM_WRITABLE);
    expect_flags(loop, &watched.source, SM_WRITABLE);
    assert_int_equal(sm_loop_watch(loop, &watched.source, SM_READABLE | SM_WRITABLE), 0);
    expect_flags(loop, &watched.source, SM_READABLE | SM_WRITABLE);
    assert_int_equal(read(watched.source.fd, &byte, 1), 1);
    expect_flags(loop, &watched.source, SM_WRITABLE);
    assert_int_equal(sm_loop_watch(loop, &watched.source, 0), 0);
    expect_flags(loop, &watched.source, 0);
    sm_loop_remove(loop, &watched.source);
    assert_false(watched.source.registered);
    close_watched(&watched);
}

static void test_loop_watch_again_after_remove_is_a_new_beginning(void **state) {
    struct sm_loop *loop = *state;
    struct watched watched;
    open_watched(&watched);
    assert_int_equal(sm_loop_watch(loop, &watched.source, SM_WRITABLE), 0);
    sm_loop_remove(loop, &watched.source);
    expect_flags(loop, &watched.source, 0);
    assert_int_equal(sm_loop_watch(loop, &watched.source, SM_WRITABLE), 0);
    expect_flags(loop, &watched.source, SM_WRITABLE);
    sm_loop_remove(loop, &watched.source);
    close_watched(&watched);
}

static void test_loop_watch_tells_of_a_break_whatever_is_wanted(void **state) {
    struct sm_loop *loop = *state;
    struct watched watched;
    unsigned flags;
    open_watched(&watched);
    assert_int_equal(sm_loop_watch(loop, &watched.source, SM_WRITABLE), 0);
    close(watched.other);
    watched.other = -1;
    assert_int_equal(sm_loop_wait(loop, 0), 0);
    assert_ptr_equal(next(loop, &flags), &watched.source);
    assert_int_equal(flags & SM_BROKEN, SM_BROKEN);
    sm_loop_remove(loop, &watched.source);
    close_watched(&watched);
}

static void test_loop_watch_what_cannot_be_watched_is_an_error(void **state) {
    struct sm_loop *loop = *state;
    struct sm_source source = {.fd = -1};
    assert_int_equal(sm_loop_watch(loop, &source, SM_READABLE), -EBADF);
    assert_false(source.registered);
    source.fd = open("/dev/null", O_RDONLY | O_CLOEXEC); // always ready: epoll refuses such
    assert_true(source.fd >= 0);
    assert_int_equal(sm_loop_watch(loop, &source, SM_READABLE), -EPERM);
    assert_false(source.registered);
    close(source.fd);
}

static void test_loop_add_bad_descriptor_is_an_error(void **state) {
    struct sm_loop *loop = *state;
    struct sm_source source = {.fd = -1};
    assert_int_equal(sm_loop_add_stream(loop, &source), -EBADF);
    assert_false(source.registered);
    assert_int_equal(sm_loop_add_level(loop, &source), -EBADF);
    assert_int_equal(sm_loop_add_listener(loop, &source), -EBADF);
    sm_loop_remove(loop, &source); // not registered: nothing happens
}

static void test_loop_remove_takes_back_events_of_the_same_batch(void **state) {
    struct sm_loop *loop = *state;
    struct watched watched[4];
    unsigned flags;
    for (int i = 0; i < 4; i++) {
        open_watched(&watched[i]);
        assert_int_equal(sm_loop_add_stream(loop, &watched[i].source), 0);
    }
    assert_int_equal(sm_loop_wait(loop, 0), 0);
    struct sm_source *first = next(loop, &flags);
    assert_non_null(first);
    // All but the first go away, one of them last in the batch: nothing of theirs may come any more.
    for (int i = 0; i < 4; i++) {
        if (&watched[i].source != first) {
            sm_loop_remove(loop, &watched[i].source);
            assert_false(watched[i].source.registered);
        }
    }
    assert_null(next(loop, &flags));
    sm_loop_remove(loop, first);
    assert_int_equal(sm_loop_wait(loop, 0), 0);
    assert_null(next(loop, &flags));
    for (int i = 0; i < 4; i++) {
        close_watched(&watched[i]);
    }
}

static void test_loop_remove_keeps_other_events_of_the_batch(void **state) {
    struct sm_loop *loop = *state;
    struct watched watched[3];
    unsigned flags;
    unsigned seen = 0;
    for (int i = 0; i < 3; i++) {
        open_watched(&watched[i]);
        assert_int_equal(sm_loop_add_stream(loop, &watched[i].source), 0);
    }
    assert_int_equal(sm_loop_wait(loop, 0), 0);
    sm_loop_remove(loop, &watched[1].source);
    struct sm_source *source;
    while ((source = next(loop, &flags)) != NULL) {
        assert_ptr_not_equal(source, &watched[1].source);
        seen++;
    }
    assert_int_equal(seen, 2);
    for (int i = 0; i < 3; i++) {
        sm_loop_remove(loop, &watched[i].source);
        close_watched(&watched[i]);
    }
}

static void test_loop_more_events_than_a_batch_all_come(void **state) {
    enum { N = SM_LOOP_BATCH + 20 };
    struct sm_loop *loop = *state;
    static struct watched watched[N];
    unsigned flags;
    unsigned seen = 0;
    for (int i = 0; i < N; i++) {
        open_watched(&watched[i]);
        assert_int_equal(sm_loop_add_stream(loop, &watched[i].source), 0);
    }
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(sm_loop_wait(loop, 0), 0);
        while (next(loop, &flags) != NULL) {
            seen++;
        }
    }
    assert_int_equal(seen, N);
    for (int i = 0; i < N; i++) {
        sm_loop_remove(loop, &watched[i].source);
        close_watched(&watched[i]);
    }
}

// --- hooks ---

struct hooks {
    unsigned entered, left;
    int wake_fd; // written to when entered
};

static void enter(void *context) {
    struct hooks *hooks = context;
    hooks->entered++;
    if (hooks->wake_fd >= 0) {
        assert_int_equal(write(hooks->wake_fd, "x", 1), 1);
    }
    errno = EDOM;
}

static void leave(void *context) {
    struct hooks *hooks = context;
    hooks->left++;
    errno = EDOM;
}

static void test_loop_wait_without_blocking_calls_no_hook(void **state) {
    struct sm_loop *loop = *state;
    struct hooks hooks = {.wake_fd = -1};
    struct watched watched;
    unsigned flags;
    loop->wait_enter = enter;
    loop->wait_leave = leave;
    loop->context = &hooks;
    assert_int_equal(sm_loop_wait(loop, 0), 0); // nothing, but not asked to wait
    open_watched(&watched);
    assert_int_equal(sm_loop_add_level(loop, &watched.source), 0);
    assert_int_equal(write(watched.other, "x", 1), 1);
    assert_int_equal(sm_loop_wait(loop, -1), 0); // something is there already
    assert_non_null(next(loop, &flags));
    assert_int_equal(hooks.entered, 0);
    assert_int_equal(hooks.left, 0);
    sm_loop_remove(loop, &watched.source);
    close_watched(&watched);
}

static void test_loop_wait_that_blocks_calls_both_hooks_once(void **state) {
    struct sm_loop *loop = *state;
    struct watched watched;
    unsigned flags;
    open_watched(&watched);
    struct hooks hooks = {.wake_fd = watched.other};
    loop->wait_enter = enter;
    loop->wait_leave = leave;
    loop->context = &hooks;
    assert_int_equal(sm_loop_add_level(loop, &watched.source), 0);
    assert_int_equal(sm_loop_wait(loop, -1), 0);
    assert_int_equal(hooks.entered, 1);
    assert_int_equal(hooks.left, 1);
    assert_ptr_equal(next(loop, &flags), &watched.source);
    sm_loop_remove(loop, &watched.source);
    close_watched(&watched);
}

static void test_loop_wait_that_times_out_has_no_events(void **state) {
    struct sm_loop *loop = *state;
    struct hooks hooks = {.wake_fd = -1};
    unsigned flags;
    loop->wait_enter = enter;
    loop->wait_leave = leave;
    loop->context = &hooks;
    assert_int_equal(sm_loop_wait(loop, 1), 0);
    assert_null(next(loop, &flags));
    assert_int_equal(hooks.entered, 1);
    assert_int_equal(hooks.left, 1);
}

static void test_loop_wait_on_closed_epoll_is_an_error(void **state) {
    (void)state;
    struct sm_loop loop;
    assert_int_equal(sm_loop_init(&loop), 0);
    close(loop.fd);
    loop.fd = -1;
    assert_int_equal(sm_loop_wait(&loop, 0), -EBADF);
    sm_loop_deinit(&loop);
}

static int open_loop(void **state) {
    static struct sm_loop loop;
    *state = &loop;
    return sm_loop_init(&loop);
}

static int close_loop(void **state) {
    sm_loop_deinit(*state);
    return 0;
}

#define LOOPED(name) cmocka_unit_test_setup_teardown(name, open_loop, close_loop)

int main(void) {
    const struct CMUnitTest tests[] = {
        LOOPED(test_loop_fresh_has_no_events),
        LOOPED(test_loop_stream_reports_writable_once),
        LOOPED(test_loop_stream_reports_bytes_hangup_and_break),
        LOOPED(test_loop_level_reports_until_read_empty),
        LOOPED(test_loop_watch_reports_what_is_wanted_as_long_as_it_is_so),
        LOOPED(test_loop_watch_again_after_remove_is_a_new_beginning),
        LOOPED(test_loop_watch_tells_of_a_break_whatever_is_wanted),
        LOOPED(test_loop_watch_what_cannot_be_watched_is_an_error),
        LOOPED(test_loop_add_bad_descriptor_is_an_error),
        LOOPED(test_loop_remove_takes_back_events_of_the_same_batch),
        LOOPED(test_loop_remove_keeps_other_events_of_the_batch),
        LOOPED(test_loop_more_events_than_a_batch_all_come),
        LOOPED(test_loop_wait_without_blocking_calls_no_hook),
        LOOPED(test_loop_wait_that_blocks_calls_both_hooks_once),
        LOOPED(test_loop_wait_that_times_out_has_no_events),
        cmocka_unit_test(test_loop_wait_on_closed_epoll_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
