// SPDX-License-Identifier: MIT
// Comparing bytes: every length, every place of a difference, right up to the end of readable memory.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "../lib/guard.h"
#include "base/str.h"

enum { LONGEST = 40 };

static void fill(char out[static LONGEST]) {
    for (size_t i = 0; i < LONGEST; i++) {
        out[i] = (char)('a' + i % 23);
    }
}

static void test_same_of_equal_bytes_reads_nothing_behind_them(void **state) {
    (void)state;
    struct guard guard;
    struct guard other;
    char text[LONGEST];
    fill(text);
    assert_int_equal(guard_init(&guard, LONGEST), 0);
    assert_int_equal(guard_init(&other, LONGEST), 0);
    for (size_t len = 0; len <= LONGEST; len++) {
        assert_true(sm_same(guard_put(&guard, text, len), guard_put(&other, text, len), len));
    }
    guard_deinit(&guard);
    guard_deinit(&other);
}

static void test_same_sees_one_other_byte_wherever_it_is(void **state) {
    (void)state;
    char text[LONGEST];
    char other[LONGEST];
    fill(text);
    for (size_t len = 1; len <= LONGEST; len++) {
        for (size_t at = 0; at < len; at++) {
            fill(other);
            other[at] = (char)(other[at] ^ 0x80);
            assert_false(sm_same(text, other, len));
            assert_false(sm_str_eq((struct sm_str){text, len}, (struct sm_str){other, len}));
            assert_true(sm_same(text, other, at)); // what stands before it is the same
        }
    }
}

static void test_eq_tells_lengths_apart_and_takes_nothing_for_empty(void **state) {
    (void)state;
    assert_false(sm_str_eq(SM_STR("HTTP_HOST"), SM_STR("HTTP_HOST2")));
    assert_true(sm_str_eq((struct sm_str){NULL, 0}, SM_STR("")));
    assert_true(sm_str_eq(SM_STR("HTTP_HOST"), SM_STR("HTTP_HOST")));
}

static bool is_letter(int c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Two strings that differ in one byte are the same exactly when that byte is one letter in two cases.
static void test_ieq_of_every_two_bytes_at_every_place(void **state) {
    (void)state;
    for (size_t len = 1; len <= 17; len += 4) {
        for (size_t at = 0; at < len; at++) {
            char one[LONGEST];
            char other[LONGEST];
            fill(one);
            fill(other);
            for (int a = 0; a < 256; a++) {
                for (int b = 0; b < 256; b++) {
                    one[at] = (char)a;
                    other[at] = (char)b;
                    bool expected = a == b || (is_letter(a) && (a ^ b) == 0x20);
                    assert_int_equal(sm_str_ieq((struct sm_str){one, len}, (struct sm_str){other, len}), expected);
                }
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_of_equal_bytes_reads_nothing_behind_them),
        cmocka_unit_test(test_same_sees_one_other_byte_wherever_it_is),
        cmocka_unit_test(test_ieq_of_every_two_bytes_at_every_place),
        cmocka_unit_test(test_eq_tells_lengths_apart_and_takes_nothing_for_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
