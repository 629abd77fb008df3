// SPDX-License-Identifier: MIT
// The small judgements about text: which bytes belong to which class, where a line's scan stops, which response
// fields are fit to be sent, what a status is called.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "../lib/guard.h"
#include "proto/byteclass.h"
#include "proto/http1.h"

static bool is_in(int byte, const char *set) {
    return byte != 0 && strchr(set, byte) != NULL;
}

static bool is_alnum(int byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

static void test_byte_classes_follow_the_grammars(void **state) {
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        bool text = byte > 0x20 && byte != 0x7f;
        assert_int_equal(sm_byte_is(c, SM_BYTE_TOKEN), is_alnum(byte) || is_in(byte, "!#$%&'*+-.^_`|~"));
        assert_int_equal(sm_byte_is(c, SM_BYTE_HOST), is_alnum(byte) || is_in(byte, "-._~!$&'()*+,;="));
        assert_int_equal(sm_byte_is(c, SM_BYTE_TARGET), text && byte != '?' && byte != '#');
        assert_int_equal(sm_byte_is(c, SM_BYTE_VALUE), text || byte == ' ' || byte == '\t');
        assert_int_equal(sm_byte_is(c, SM_BYTE_SPACE), byte == ' ' || byte == '\t');
        assert_int_equal(sm_byte_is(c, SM_BYTE_DIGIT), byte >= '0' && byte <= '9');
        assert_int_equal(sm_byte_is(c, SM_BYTE_HEX), is_in(byte, "0123456789ABCDEFabcdef"));
    }
}

static void expect_scan(struct guard *guard, const char *line, size_t len) {
    const char *ptr = guard_put(guard, line, len);
    size_t expected = 0;
    while (expected < len && sm_byte_is(line[expected], SM_BYTE_VALUE)) {
        expected++;
    }
    assert_int_equal(sm_scan_line(ptr, ptr + len) - ptr, expected);
}

// Every byte value at every position of lines of every short length, among neighbours that could mislead the scan
// of eight bytes at a time.
static void test_scan_line_agrees_with_the_table(void **state) {
    (void)state;
    static const char fillers[] = {'a', '\t', ' ', '~', '\x80', '\xff'};
    char line[27];
    struct guard guard;
    assert_int_equal(guard_init(&guard, sizeof line), 0);
    for (size_t filler = 0; filler < sizeof fillers; filler++) {
        for (size_t len = 1; len <= sizeof line; len++) {
            for (size_t at = 0; at < len; at++) {
                for (int byte = 0; byte < 256; byte++) {
                    memset(line, fillers[filler], len);
                    line[at] = (char)byte;
                    expect_scan(&guard, line, len);
                }
            }
        }
    }
    guard_deinit(&guard);
}

static void test_name_ok_takes_tokens_only(void **state) {
    (void)state;
    assert_true(sm_http1_name_ok(SM_STR("X-Frame-Options")));
    assert_true(sm_http1_name_ok(SM_STR("!#$%&'*+-.^_`|~")));
    assert_false(sm_http1_name_ok(SM_STR("")));
    assert_false(sm_http1_name_ok(SM_STR("X Y")));
    assert_false(sm_http1_name_ok(SM_STR("X:")));
    assert_false(sm_http1_name_ok(SM_STR("X\r\nY")));
    assert_false(sm_http1_name_ok(SM_STR("X\0")));
    assert_false(sm_http1_name_ok(SM_STR("\xc3\x84")));
}

static void test_value_ok_refuses_what_splits_responses(void **state) {
    (void)state;
    assert_true(sm_http1_value_ok(SM_STR("")));
    assert_true(sm_http1_value_ok(SM_STR("text/html; charset=utf-8")));
    assert_true(sm_http1_value_ok(SM_STR("\ta \xc3\x84")));
    assert_false(sm_http1_value_ok(SM_STR("a\r\nSet-Cookie: b")));
    assert_false(sm_http1_value_ok(SM_STR("a\n")));
    assert_false(sm_http1_value_ok(SM_STR("\ra")));
    assert_false(sm_http1_value_ok(SM_STR("a\0b")));
}

static void test_reason_names_registered_statuses(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *reason;
    } known[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {204, "No Content"},
        {206, "Partial Content"},
        {226, "IM Used"},
        {300, "Multiple Choices"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {404, "Not Found"},
        {408, "Request Timeout"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {451, "Unavailable For Legal Reasons"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
        {511, "Network Authentication Required"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_string_equal(sm_http1_reason(known[i].status), known[i].reason);
    }
}

static void test_reason_of_unknown_status_is_empty(void **state) {
    (void)state;
    static const int unknown[] = {-1, 0, 99, 104, 209, 299, 306, 309, 418, 427, 430, 499, 509, 512, 600, 999, 1200};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_string_equal(sm_http1_reason(unknown[i]), "");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_byte_classes_follow_the_grammars),
        cmocka_unit_test(test_scan_line_agrees_with_the_table),
        cmocka_unit_test(test_name_ok_takes_tokens_only),
        cmocka_unit_test(test_value_ok_refuses_what_splits_responses),
        cmocka_unit_test(test_reason_names_registered_statuses),
        cmocka_unit_test(test_reason_of_unknown_status_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
