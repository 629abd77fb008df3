// SPDX-License-Identifier: MIT
// The failure of the newest code: what is logged as an error ends there, replaces the older one, and has an end.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "engine/failure.h"

static char text[SM_FAILURE_MAX + 1];

static const char *shown(const struct sm_failure *failure) {
    text[sm_failure_read(failure, text, SM_FAILURE_MAX)] = '\0';
    return text;
}

static void test_failure_is_what_was_logged_as_error(void **state) {
    (void)state;
    struct sm_failure failure;
    assert_int_equal(sm_failure_open(&failure), 0);
    assert_true(sm_failure_stamp(&failure) == 0);
    assert_int_equal(sm_log_open("/dev/null"), 0);
    sm_log_set_level(SM_LOG_CRITICAL); // what is not logged is shown all the same
    sm_failure_listen(&failure);
    sm_log(SM_LOG_WARNING, "not this");
    sm_log_text(SM_LOG_ERROR, "first", "line 1\nline 2\n", 14);
    sm_log(SM_LOG_ERROR, "second %d", 2);
    sm_failure_ignore();
    sm_log(SM_LOG_ERROR, "not this either");
    assert_string_equal(shown(&failure), "first\nline 1\nline 2\nsecond 2\n");
    assert_true(sm_failure_stamp(&failure) != 0);
    close(failure.fd);
}

static void test_failure_replaces_an_older_longer_one(void **state) {
    (void)state;
    struct sm_failure failure;
    assert_int_equal(sm_failure_open(&failure), 0);
    sm_failure_put(&failure, "a long old heading", "with lines", 10);
    struct sm_failure other = {.fd = failure.fd};
    sm_failure_put(&other, "new", NULL, 0);
    assert_string_equal(shown(&failure), "new\n");
    sm_failure_clear(&other);
    assert_true(sm_failure_stamp(&failure) == 0);
    assert_string_equal(shown(&failure), "");
    close(failure.fd);
}

static void test_failure_longer_than_the_limit_is_cut(void **state) {
    (void)state;
    struct sm_failure failure;
    char *big = malloc(2 * SM_FAILURE_MAX);
    assert_non_null(big);
    memset(big, 'x', 2 * SM_FAILURE_MAX);
    assert_int_equal(sm_failure_open(&failure), 0);
    sm_failure_put(&failure, "h", big, 2 * SM_FAILURE_MAX);
    sm_failure_put(&failure, "more", NULL, 0);
    assert_int_equal(strlen(shown(&failure)), SM_FAILURE_MAX);
    assert_int_equal(lseek(failure.fd, 0, SEEK_END), SM_FAILURE_MAX);
    close(failure.fd);
    free(big);
}

static void test_failure_without_memory_file_does_nothing(void **state) {
    (void)state;
    struct sm_failure failure = {.fd = -1};
    sm_failure_put(&failure, "x", "y", 1);
    sm_failure_clear(&failure);
    assert_true(sm_failure_stamp(&failure) == 0);
    assert_string_equal(shown(&failure), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failure_is_what_was_logged_as_error),
        cmocka_unit_test(test_failure_replaces_an_older_longer_one),
        cmocka_unit_test(test_failure_longer_than_the_limit_is_cut),
        cmocka_unit_test(test_failure_without_memory_file_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
