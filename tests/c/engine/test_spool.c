// SPDX-License-Identifier: MIT
// Bodies on their way in: memory up to the limit, an unlinked file beyond it, the same bytes either way.
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
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/spool.h"

static char byte_at(size_t i) {
    return (char)(i * 17 + i / 257);
}

static void add(struct sm_spool *spool, size_t len, size_t limit) {
    char piece[5000];
    assert_true(len <= sizeof(piece));
    for (size_t i = 0; i < len; i++) {
        piece[i] = byte_at((size_t)spool->body.len + i);
    }
    assert_int_equal(sm_spool_add(spool, (struct sm_str){piece, len}, limit, "/tmp"), 0);
}

static void expect_contents(const struct sm_spool *spool, size_t len) {
    assert_int_equal(spool->body.len, len);
    char *copy = malloc(len + 1);
    assert_non_null(copy);
    if (spool->body.fd >= 0) {
        assert_null(spool->body.data);
        assert_int_equal(pread(spool->body.fd, copy, len + 1, 0), len);
    } else if (len > 0) {
        memcpy(copy, spool->body.data, len);
    }
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(copy[i], byte_at(i));
    }
    free(copy);
}

static void test_spool_up_to_the_limit_stays_in_memory(void **state) {
    (void)state;
    struct sm_spool spool = {.body.fd = -1};
    for (size_t len = 0; len < 10000; len += 2500) {
        add(&spool, 2500, 10000);
        assert_int_equal(spool.body.fd, -1);
    }
    expect_contents(&spool, 10000);
    sm_spool_deinit(&spool);
}

static void test_spool_one_byte_past_the_limit_moves_to_a_file(void **state) {
    (void)state;
    struct sm_spool spool = {.body.fd = -1};
    add(&spool, 4999, 5000);
    add(&spool, 1, 5000);
    assert_int_equal(spool.body.fd, -1);
    add(&spool, 1, 5000);
    assert_true(spool.body.fd >= 0);
    expect_contents(&spool, 5001);
    for (int i = 0; i < 50; i++) {
        add(&spool, 4321, 5000);
    }
    expect_contents(&spool, 5001 + 50 * 4321);
    sm_spool_deinit(&spool);
}

static void test_spool_without_memory_goes_to_a_file_at_once(void **state) {
    (void)state;
    struct sm_spool spool = {.body.fd = -1};
    assert_int_equal(sm_spool_add(&spool, SM_STR(""), 0, "/tmp"), 0);
    assert_int_equal(spool.body.fd, -1);
    add(&spool, 1, 0);
    assert_true(spool.body.fd >= 0);
    expect_contents(&spool, 1);
    sm_spool_deinit(&spool);
}

static void test_spool_file_has_no_name_and_is_private(void **state) {
    (void)state;
    struct sm_spool spool = {.body.fd = -1};
    struct stat st;
    add(&spool, 10, 0);
    assert_int_equal(fstat(spool.body.fd, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(st.st_mode & 0077, 0);
    assert_true((fcntl(spool.body.fd, F_GETFD) & FD_CLOEXEC) != 0);
    int fd = spool.body.fd;
    sm_spool_deinit(&spool);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(spool.body.fd, -1);
}

static void test_spool_in_a_folder_that_is_none_is_an_error_and_keeps_what_it_has(void **state) {
    (void)state;
    struct sm_spool spool = {.body.fd = -1};
    add(&spool, 100, 100);
    assert_int_equal(sm_spool_add(&spool, SM_STR("x"), 100, "/nonexistent/folder"), -ENOENT);
    expect_contents(&spool, 100);
    sm_spool_deinit(&spool);
}

static void test_spool_on_a_full_disk_is_an_error(void **state) {
    (void)state;
    int full = open("/dev/full", O_RDWR | O_CLOEXEC);
    if (full < 0) {
        skip();
    }
    struct sm_spool spool = {.body.fd = full};
    assert_int_equal(sm_spool_add(&spool, SM_STR("x"), 0, "/tmp"), -ENOSPC);
    assert_int_equal(spool.body.len, 0);
    sm_spool_deinit(&spool);
}

static void test_spool_reset_works_again_in_memory(void **state) {
    (void)state;
    struct sm_spool spool = {.body.fd = -1};
    add(&spool, 1000, 500);
    int fd = spool.body.fd;
    sm_spool_reset(&spool);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    add(&spool, 400, 500);
    assert_int_equal(spool.body.fd, -1);
    expect_contents(&spool, 400);
    sm_spool_reset(&spool);
    sm_spool_reset(&spool);
    assert_int_equal(spool.body.len, 0);
    sm_spool_deinit(&spool);
}

static void test_spool_reset_keeps_little_memory(void **state) {
    (void)state;
    struct sm_spool spool = {.body.fd = -1};
    for (int i = 0; i < 100; i++) {
        add(&spool, 5000, 1 << 20);
    }
    sm_spool_reset(&spool);
    assert_true(spool.cap <= 16384);
    sm_spool_deinit(&spool);
}

// Reads `want` bytes in pieces and checks that they are those behind `at`.
static void expect_read(struct sm_spool *spool, size_t at, size_t want) {
    char piece[777];
    while (want > 0) {
        ssize_t n = sm_spool_read(spool, piece, want < sizeof(piece) ? want : sizeof(piece));
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++) {
            assert_int_equal(piece[i], byte_at(at + (size_t)i));
        }
        at += (size_t)n;
        want -= (size_t)n;
    }
}

// Bytes that go on where those before ended, however much of them was read.
static void add_behind(struct sm_spool *spool, size_t len, size_t limit) {
    char piece[5000];
    for (size_t i = 0; i < len; i++) {
        piece[i] = byte_at((size_t)spool->received + i);
    }
    assert_int_equal(sm_spool_add(spool, (struct sm_str){piece, len}, limit, "/tmp"), 0);
}

static void test_spool_read_of_nothing_is_nothing(void **state) {
    (void)state;
    struct sm_spool spool = {.body.fd = -1};
    char byte;
    assert_int_equal(sm_spool_read(&spool, &byte, 1), 0);
    add(&spool, 10, 100);
    assert_int_equal(sm_spool_read(&spool, NULL, 0), 0);
    assert_int_equal(sm_spool_unread(&spool), 10);
    sm_spool_deinit(&spool);
}

static void test_spool_read_to_the_end_begins_anew_in_memory(void **state) {
    (void)state;
    struct sm_spool spool = {.body.fd = -1};
    add_behind(&spool, 4000, 5000);
    expect_read(&spool, 0, 3000);
    assert_int_equal(sm_spool_unread(&spool), 1000);
    expect_read(&spool, 3000, 1000);
    assert_int_equal(spool.body.len, 0);
    add_behind(&spool, 5000, 5000); // 9000 in all, and still no file
    assert_int_equal(spool.body.fd, -1);
    expect_read(&spool, 4000, 5000);
    assert_int_equal(spool.received, 9000);
    sm_spool_deinit(&spool);
}

static void test_spool_read_to_the_end_empties_the_file(void **state) {
    (void)state;
    struct sm_spool spool = {.body.fd = -1};
    struct stat st;
    add_behind(&spool, 400, 500);
    expect_read(&spool, 0, 100);
    add_behind(&spool, 3000, 500);
    assert_true(spool.body.fd >= 0);
    expect_read(&spool, 100, 3300);
    assert_int_equal(sm_spool_unread(&spool), 0);
    assert_int_equal(fstat(spool.body.fd, &st), 0);
    assert_int_equal(st.st_size, 0);
    add_behind(&spool, 5000, 500);
    expect_read(&spool, 3400, 5000);
    sm_spool_deinit(&spool);
}

static void test_spool_read_never_to_the_end_takes_no_more_room(void **state) {
    (void)state;
    struct sm_spool spool = {.body.fd = -1};
    add_behind(&spool, 5000, 12000);
    for (size_t at = 0; at < 5000000; at += 5000) {
        add_behind(&spool, 5000, 12000);
        expect_read(&spool, at, 5000);
        assert_int_equal(sm_spool_unread(&spool), 5000);
        assert_int_equal(spool.body.fd, -1);
        assert_true(spool.cap <= 32768);
    }
    sm_spool_deinit(&spool);
}

static void test_spool_read_of_a_file_that_shrank_is_an_error(void **state) {
    (void)state;
    struct sm_spool spool = {.body.fd = -1};
    char piece[100];
    add(&spool, 100, 0);
    assert_int_equal(ftruncate(spool.body.fd, 0), 0);
    assert_int_equal(sm_spool_read(&spool, piece, sizeof(piece)), -EIO);
    sm_spool_deinit(&spool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spool_up_to_the_limit_stays_in_memory),
        cmocka_unit_test(test_spool_one_byte_past_the_limit_moves_to_a_file),
        cmocka_unit_test(test_spool_without_memory_goes_to_a_file_at_once),
        cmocka_unit_test(test_spool_file_has_no_name_and_is_private),
        cmocka_unit_test(test_spool_in_a_folder_that_is_none_is_an_error_and_keeps_what_it_has),
        cmocka_unit_test(test_spool_on_a_full_disk_is_an_error),
        cmocka_unit_test(test_spool_reset_works_again_in_memory),
        cmocka_unit_test(test_spool_reset_keeps_little_memory),
        cmocka_unit_test(test_spool_read_of_nothing_is_nothing),
        cmocka_unit_test(test_spool_read_to_the_end_begins_anew_in_memory),
        cmocka_unit_test(test_spool_read_to_the_end_empties_the_file),
        cmocka_unit_test(test_spool_read_never_to_the_end_takes_no_more_room),
        cmocka_unit_test(test_spool_read_of_a_file_that_shrank_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
