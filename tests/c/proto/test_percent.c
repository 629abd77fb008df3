// SPDX-License-Identifier: MIT
// Percent-encoding: every byte and every pair of digits by arithmetic, at the edge of the memory.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <stdlib.h>

#include "../lib/guard.h"
#include "proto/percent.h"

static struct guard guard;

static struct sm_str put(const char *text, size_t len) {
    return (struct sm_str){guard_put(&guard, text, len), len};
}

static void expect_decoded(const char *text, const char *wanted, const char *wanted_of_form) {
    char out[64];
    struct sm_str src = put(text, strlen(text));
    assert_int_equal(sm_percent_decode(out, src), strlen(wanted));
    assert_memory_equal(out, wanted, strlen(wanted));
    assert_int_equal(sm_form_decode(out, src), strlen(wanted_of_form));
    assert_memory_equal(out, wanted_of_form, strlen(wanted_of_form));
}

static void test_percent_decode_leaves_what_is_no_escape(void **state) {
    (void)state;
    expect_decoded("", "", "");
    expect_decoded("abc", "abc", "abc");
    expect_decoded("a+b", "a+b", "a b");
    expect_decoded("%2B+%2b", "+++", "+ +");
    expect_decoded("%", "%", "%");
    expect_decoded("a%4", "a%4", "a%4");
    expect_decoded("%zz%4g%g4", "%zz%4g%g4", "%zz%4g%g4");
    expect_decoded("%%41", "%A", "%A");
    expect_decoded("%2541", "%41", "%41");
}

// What follows a percent sign is an escape exactly when strtol takes both characters as digits.
static void test_percent_decode_knows_every_two_digits(void **state) {
    (void)state;
    for (int high = 1; high < 256; high++) {
        for (int low = 1; low < 256; low++) {
            char text[4] = {'%', (char)high, (char)low, 0};
            char digits[3] = {(char)high, (char)low, 0};
            char out[3];
            bool is_escape = strspn(digits, "0123456789abcdefABCDEF") == 2;
            size_t len = sm_percent_decode(out, put(text, 3));
            assert_int_equal(len, is_escape ? 1 : 3);
            if (is_escape) {
                assert_int_equal((uint8_t)out[0], strtol(digits, NULL, 16));
            }
        }
    }
}

static void test_percent_decode_in_place_is_the_same(void **state) {
    (void)state;
    char *text = guard_put(&guard, "a%20b%zz+%41", 12);
    assert_int_equal(sm_form_decode(text, (struct sm_str){text, 12}), 8);
    assert_memory_equal(text, "a b%zz A", 8);
}

// Each byte, alone and at every place of texts of the lengths around which the work is cut.
static void test_form_is_plain_finds_every_special_byte_everywhere(void **state) {
    static const size_t lens[] = {1, 7, 8, 255, 256, 257, 600};
    char text[600];
    (void)state;
    assert_true(sm_form_is_plain((struct sm_str){0}));
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        memset(text, 'x', sizeof text);
        assert_true(sm_form_is_plain(put(text, lens[i])));
        for (size_t at = 0; at < lens[i]; at++) {
            for (int byte = 0; byte < 256; byte += lens[i] < 9 ? 1 : 43) {
                text[at] = (char)byte;
                bool is_special = byte == '%' || byte == '+' || byte >= 128;
                assert_int_equal(sm_form_is_plain(put(text, lens[i])), !is_special);
            }
            text[at] = 'x';
        }
    }
}

static void expect_kept(enum sm_percent_keep keep, const char *others) {
    for (int byte = 0; byte < 256; byte++) {
        char text = (char)byte;
        char out[3];
        char wanted[4];
        bool is_letter = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
        bool is_kept = is_letter || (byte != 0 && strchr(others, byte) != NULL);
        size_t len = is_kept ? 1 : 3;
        struct sm_str src = put(&text, 1);
        assert_int_equal(sm_percent_encoded_len(src, keep), len);
        assert_int_equal(sm_percent_encode(out, src, keep), len);
        (void)snprintf(wanted, sizeof wanted, is_kept ? "%c" : "%%%02X", byte);
        assert_memory_equal(out, wanted, len);
    }
}

static void test_percent_encode_keeps_what_the_set_says(void **state) {
    (void)state;
    expect_kept(SM_PERCENT_COMPONENT, "!'()*-._~");
    expect_kept(SM_PERCENT_WHOLE, "!$&'()*+,-./;=?_~");
    expect_kept(SM_PERCENT_PATH, "-._~!$&'()*+,;=:@/");
}

static void test_percent_encode_of_nothing_is_nothing(void **state) {
    (void)state;
    struct sm_str none = {NULL, 0};
    assert_int_equal(sm_percent_encoded_len(none, SM_PERCENT_PATH), 0);
    assert_int_equal(sm_percent_encode(NULL, none, SM_PERCENT_PATH), 0);
    assert_int_equal(sm_percent_decode(NULL, none), 0);
}

static int make_guard(void **state) {
    (void)state;
    return guard_init(&guard, 64);
}

static int drop_guard(void **state) {
    (void)state;
    guard_deinit(&guard);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percent_decode_leaves_what_is_no_escape),
        cmocka_unit_test(test_percent_decode_knows_every_two_digits),
        cmocka_unit_test(test_percent_decode_in_place_is_the_same),
        cmocka_unit_test(test_form_is_plain_finds_every_special_byte_everywhere),
        cmocka_unit_test(test_percent_encode_keeps_what_the_set_says),
        cmocka_unit_test(test_percent_encode_of_nothing_is_nothing),
    };
    return cmocka_run_group_tests(tests, make_guard, drop_guard);
}
