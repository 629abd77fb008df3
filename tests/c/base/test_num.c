// SPDX-License-Identifier: MIT
// Numbers both ways, at their limits.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/num.h"

static void expect_dec(uint64_t value, const char *text) {
    char out[SM_U64_DIGITS];
    assert_int_equal(sm_u64_dec(out, value), strlen(text));
    assert_memory_equal(out, text, strlen(text));
}

static void expect_hex(uint64_t value, const char *text) {
    char out[SM_U64_HEX_DIGITS];
    assert_int_equal(sm_u64_hex(out, value), strlen(text));
    assert_memory_equal(out, text, strlen(text));
}

static void test_u64_dec_writes_shortest_form(void **state) {
    (void)state;
    expect_dec(0, "0");
    expect_dec(9, "9");
    expect_dec(10, "10");
    expect_dec(65535, "65535");
    expect_dec(UINT64_C(9999999999), "9999999999");
    expect_dec(UINT64_MAX, "18446744073709551615");
}

static void test_u64_hex_writes_shortest_lower_case_form(void **state) {
    (void)state;
    expect_hex(0, "0");
    expect_hex(15, "f");
    expect_hex(16, "10");
    expect_hex(0xabcdef, "abcdef");
    expect_hex(UINT64_MAX, "ffffffffffffffff");
}

static void expect_parsed(struct sm_str text, uint64_t max, uint64_t value) {
    uint64_t got = ~value;
    assert_true(sm_u64_parse(text, max, &got));
    assert_true(got == value);
}

static void expect_refused(struct sm_str text, uint64_t max) {
    uint64_t got = 77;
    assert_false(sm_u64_parse(text, max, &got));
    assert_true(got == 77);
}

static void test_u64_parse_digits_gives_value(void **state) {
    (void)state;
    expect_parsed(SM_STR("0"), 100, 0);
    expect_parsed(SM_STR("7"), 100, 7);
    expect_parsed(SM_STR("42"), 100, 42);
    expect_parsed(SM_STR("0042"), 100, 42);
    expect_parsed(SM_STR("00000000000000000000000000000"), 0, 0);
}

static void test_u64_parse_at_limit_is_read(void **state) {
    (void)state;
    expect_parsed(SM_STR("100"), 100, 100);
    expect_parsed(SM_STR("0"), 0, 0);
    expect_parsed(SM_STR("9"), 9, 9);
    expect_parsed(SM_STR("4294967295"), UINT32_MAX, UINT32_MAX);
    expect_parsed(SM_STR("9223372036854775807"), INT64_MAX, INT64_MAX);
    expect_parsed(SM_STR("18446744073709551615"), UINT64_MAX, UINT64_MAX);
}

static void test_u64_parse_past_limit_is_refused(void **state) {
    (void)state;
    expect_refused(SM_STR("101"), 100);
    expect_refused(SM_STR("110"), 100);
    expect_refused(SM_STR("1000"), 100);
    expect_refused(SM_STR("1"), 0);
    expect_refused(SM_STR("6"), 5);
    expect_refused(SM_STR("10"), 9);
    expect_refused(SM_STR("4294967296"), UINT32_MAX);
    expect_refused(SM_STR("9223372036854775808"), INT64_MAX);
}

static void test_u64_parse_overflow_is_refused(void **state) {
    (void)state;
    expect_refused(SM_STR("18446744073709551616"), UINT64_MAX);
    expect_refused(SM_STR("18446744073709551620"), UINT64_MAX);
    expect_refused(SM_STR("99999999999999999999"), UINT64_MAX);
    expect_refused(SM_STR("184467440737095516150"), UINT64_MAX);
    expect_refused(SM_STR("36893488147419103232"), UINT64_MAX); // 2^65 wraps to 0
}

static void test_u64_parse_small_limit_accepts_numbers_below_it(void **state) {
    (void)state;
    for (uint64_t max = 0; max < 120; max++) {
        for (uint64_t value = 0; value < 130; value++) {
            char text[SM_U64_DIGITS];
            uint64_t got = 0;
            bool fine = sm_u64_parse((struct sm_str){text, sm_u64_dec(text, value)}, max, &got);
            assert_int_equal(fine, value <= max);
        }
    }
}

static void test_u64_parse_empty_is_refused(void **state) {
    (void)state;
    expect_refused(SM_STR(""), 100);
    expect_refused((struct sm_str){NULL, 0}, 100);
}

static void test_u64_parse_sign_or_other_bytes_are_refused(void **state) {
    (void)state;
    expect_refused(SM_STR("+1"), 100);
    expect_refused(SM_STR("-1"), 100);
    expect_refused(SM_STR("-0"), 100);
    expect_refused(SM_STR(" 1"), 100);
    expect_refused(SM_STR("1 "), 100);
    expect_refused(SM_STR("1\n"), 100);
    expect_refused(SM_STR("1,1"), 100);
    expect_refused(SM_STR("0x10"), 100);
    expect_refused(SM_STR("1.0"), 100);
    expect_refused(SM_STR("1e1"), 100);
    expect_refused(SM_STR("1\0"), 100);
    expect_refused(SM_STR("/"), UINT64_MAX);
    expect_refused(SM_STR(":"), UINT64_MAX);
    expect_refused(SM_STR("\xb2"), UINT64_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_u64_dec_writes_shortest_form),
        cmocka_unit_test(test_u64_hex_writes_shortest_lower_case_form),
        cmocka_unit_test(test_u64_parse_digits_gives_value),
        cmocka_unit_test(test_u64_parse_at_limit_is_read),
        cmocka_unit_test(test_u64_parse_past_limit_is_refused),
        cmocka_unit_test(test_u64_parse_overflow_is_refused),
        cmocka_unit_test(test_u64_parse_small_limit_accepts_numbers_below_it),
        cmocka_unit_test(test_u64_parse_empty_is_refused),
        cmocka_unit_test(test_u64_parse_sign_or_other_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
