// SPDX-License-Identifier: MIT
// Pairs of queries and cookies, written out as `key=value|`, against the edge of the memory.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>

#include "../lib/guard.h"
#include "proto/pairs.h"

static struct guard guard;

typedef bool next_fn(struct sm_str *rest_inout, struct sm_pair *pair_out);

static void expect_pairs(next_fn *next, const char *text, const char *wanted) {
    size_t len = strlen(text);
    struct sm_str rest = {guard_put(&guard, text, len), len};
    struct sm_pair pair;
    char out[256] = "";
    size_t n = 0;
    while (next(&rest, &pair)) {
        n += (size_t)snprintf(out + n, sizeof out - n, "%.*s%s%.*s|", (int)pair.key.len, pair.key.ptr,
                              pair.has_value ? "=" : "", (int)pair.value.len,
                              pair.value.len == 0 ? "" : pair.value.ptr);
    }
    assert_string_equal(out, wanted);
    assert_int_equal(rest.len, 0);
    assert_false(next(&rest, &pair));
}

static void test_form_pairs_are_split(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},
        {"&", ""},
        {"&&", ""},
        {"a", "a|"},
        {"a=", "a=|"},
        {"=x", "=x|"},
        {"=", "=|"},
        {"a=b=c", "a=b=c|"},
        {"a=1&a=2", "a=1|a=2|"},
        {"&a&&b=&", "a|b=|"},
        {"a;b=1;c=2", "a;b=1;c=2|"},
        {" a= 1 ", " a= 1 |"},
        {"a%26b=%3D", "a%26b=%3D|"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_pairs(sm_form_pair_next, rows[i][0], rows[i][1]);
    }
}

static void test_cookie_pairs_are_split(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},
        {";", ""},
        {"; ;\t;", ""},
        {"a=1; b=2;c=3", "a=1|b=2|c=3|"},
        {" \t\r\n\v\fa=1", "a=1|"},
        {"a =1 ; b", "a =1 |b|"},
        {"=x; a", "a|"},
        {" = ; =", ""},
        {"e=\"q z\"; $Version=1", "e=\"q z\"|$Version=1|"},
        {"a=b=c;;", "a=b=c|"},
        {"a=1&b=2", "a=1&b=2|"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_pairs(sm_cookie_pair_next, rows[i][0], rows[i][1]);
    }
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
        cmocka_unit_test(test_form_pairs_are_split),
        cmocka_unit_test(test_cookie_pairs_are_split),
    };
    return cmocka_run_group_tests(tests, make_guard, drop_guard);
}
