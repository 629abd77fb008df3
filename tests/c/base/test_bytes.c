// SPDX-License-Identifier: MIT
// Growing blocks of bytes: capacity, contents after growth, refusal of impossible sizes.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>

#include "base/bytes.h"

static void test_bytes_reserve_fresh_gives_room(void **state) {
    (void)state;
    struct sm_bytes bytes = {0};
    assert_int_equal(sm_bytes_reserve(&bytes, 1), 0);
    assert_non_null(bytes.data);
    assert_true(bytes.cap >= 1);
    assert_int_equal(bytes.len, 0);
    sm_bytes_deinit(&bytes);
}

static void test_bytes_reserve_with_room_left_keeps_block(void **state) {
    (void)state;
    struct sm_bytes bytes = {0};
    assert_int_equal(sm_bytes_reserve(&bytes, 100), 0);
    char *before = bytes.data;
    size_t cap = bytes.cap;
    assert_int_equal(sm_bytes_reserve(&bytes, cap), 0);
    assert_ptr_equal(bytes.data, before);
    assert_int_equal(bytes.cap, cap);
    sm_bytes_deinit(&bytes);
}

static void test_bytes_reserve_one_past_room_grows_and_keeps_contents(void **state) {
    (void)state;
    struct sm_bytes bytes = {0};
    assert_int_equal(sm_bytes_append(&bytes, "abc", 3), 0);
    size_t cap = bytes.cap;
    assert_int_equal(sm_bytes_reserve(&bytes, cap - 2), 0);
    assert_true(bytes.cap >= cap + 1);
    assert_int_equal(bytes.len, 3);
    assert_memory_equal(bytes.data, "abc", 3);
    sm_bytes_deinit(&bytes);
}

static void test_bytes_reserve_impossible_is_refused_and_changes_nothing(void **state) {
    (void)state;
    struct sm_bytes bytes = {0};
    assert_int_equal(sm_bytes_append(&bytes, "abc", 3), 0);
    struct sm_bytes before = bytes;
    assert_int_equal(sm_bytes_reserve(&bytes, SIZE_MAX), -ENOMEM);
    assert_int_equal(sm_bytes_reserve(&bytes, SIZE_MAX / 2), -ENOMEM);
    assert_ptr_equal(bytes.data, before.data);
    assert_int_equal(bytes.cap, before.cap);
    assert_int_equal(bytes.len, 3);
    sm_bytes_deinit(&bytes);
}

static void test_bytes_append_byte_by_byte_keeps_every_byte(void **state) {
    (void)state;
    struct sm_bytes bytes = {0};
    for (unsigned i = 0; i < 70000; i++) {
        char byte = (char)(i * 7);
        assert_int_equal(sm_bytes_append(&bytes, &byte, 1), 0);
    }
    assert_int_equal(bytes.len, 70000);
    for (unsigned i = 0; i < 70000; i++) {
        assert_int_equal(bytes.data[i], (char)(i * 7));
    }
    sm_bytes_deinit(&bytes);
}

static void test_bytes_append_nothing_to_nothing_allocates_nothing(void **state) {
    (void)state;
    struct sm_bytes bytes = {0};
    assert_int_equal(sm_bytes_append(&bytes, NULL, 0), 0);
    assert_null(bytes.data);
}

static void test_bytes_append_str_appends(void **state) {
    (void)state;
    struct sm_bytes bytes = {0};
    assert_int_equal(sm_bytes_append_str(&bytes, SM_STR("ab")), 0);
    assert_int_equal(sm_bytes_append_str(&bytes, SM_STR("cd")), 0);
    assert_int_equal(bytes.len, 4);
    assert_memory_equal(bytes.data, "abcd", 4);
    sm_bytes_deinit(&bytes);
}

static void test_bytes_consume_part_moves_the_rest_to_the_front(void **state) {
    (void)state;
    struct sm_bytes bytes = {0};
    assert_int_equal(sm_bytes_append(&bytes, "abcdef", 6), 0);
    sm_bytes_consume(&bytes, 2);
    assert_int_equal(bytes.len, 4);
    assert_memory_equal(bytes.data, "cdef", 4);
    sm_bytes_consume(&bytes, 0);
    assert_int_equal(bytes.len, 4);
    sm_bytes_consume(&bytes, 4);
    assert_int_equal(bytes.len, 0);
    sm_bytes_deinit(&bytes);
}

static void test_bytes_deinit_leaves_an_empty_block_that_works_again(void **state) {
    (void)state;
    struct sm_bytes bytes = {0};
    assert_int_equal(sm_bytes_append(&bytes, "x", 1), 0);
    sm_bytes_deinit(&bytes);
    assert_null(bytes.data);
    assert_int_equal(bytes.len, 0);
    assert_int_equal(bytes.cap, 0);
    assert_int_equal(sm_bytes_append(&bytes, "y", 1), 0);
    assert_int_equal(bytes.data[0], 'y');
    sm_bytes_deinit(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_reserve_fresh_gives_room),
        cmocka_unit_test(test_bytes_reserve_with_room_left_keeps_block),
        cmocka_unit_test(test_bytes_reserve_one_past_room_grows_and_keeps_contents),
        cmocka_unit_test(test_bytes_reserve_impossible_is_refused_and_changes_nothing),
        cmocka_unit_test(test_bytes_append_byte_by_byte_keeps_every_byte),
        cmocka_unit_test(test_bytes_append_nothing_to_nothing_allocates_nothing),
        cmocka_unit_test(test_bytes_append_str_appends),
        cmocka_unit_test(test_bytes_consume_part_moves_the_rest_to_the_front),
        cmocka_unit_test(test_bytes_deinit_leaves_an_empty_block_that_works_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
