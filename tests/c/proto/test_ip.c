// SPDX-License-Identifier: MIT
// Addresses as text: what inet_pton(3) takes is taken with the same bytes, and nothing else.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <arpa/inet.h>

#include "../lib/guard.h"
#include "proto/ip.h"

static struct guard guard;

// Flush against the unreadable page.
static bool parse(const char *text, struct sm_ip *ip) {
    size_t len = strlen(text);
    return sm_ip_parse((struct sm_str){guard_put(&guard, text, len), len}, ip);
}

static void expect_agreement(const char *text) {
    uint8_t bytes[16];
    struct sm_ip ip;
    struct sm_ip wanted = {0};
    bool taken = true;
    if (inet_pton(AF_INET, text, bytes) == 1) {
        sm_ip_from(4, bytes, &wanted);
    } else if (inet_pton(AF_INET6, text, bytes) == 1) {
        sm_ip_from(6, bytes, &wanted);
    } else {
        taken = false;
    }
    if (parse(text, &ip) != taken) {
        fail_msg("\"%s\" should be %s", text, taken ? "an address" : "none");
    }
    if (taken) {
        assert_int_equal(ip.version, wanted.version);
        assert_memory_equal(ip.bytes, wanted.bytes, sizeof ip.bytes);
    }
}

static void test_ip_parse_agrees_with_inet_pton(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "0.0.0.0",
        "192.0.2.1",
        "255.255.255.255",
        "256.0.0.1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.4.",
        ".1.2.3.4",
        "1..2.3",
        "01.2.3.4",
        "1.2.3.00",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.x",
        "1.2.3.-4",
        "0x1.2.3.4",
        "1234.1.1.1",
        "::",
        "::1",
        "1::",
        ":",
        ":::",
        "1:",
        ":1",
        "::1::",
        "1::2::3",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "::2:3:4",
        "1:2:3:4:5::8",
        "1:::2",
        "::1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7::",
        "::1:2:3:4:5:6:7:8",
        "1:2::8:",
        "12345::",
        "g::",
        "FFFF::ABCD",
        "::ffff:1.2.3.4",
        "::1.2.3.4",
        "::1.2.3",
        "::1.2.3.4:5",
        "1.2.3.4::",
        "1:2:3:4:5:6:1.2.3.4",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::fFfF:102:304",
        "fe80::1%1",
        "[::1]",
        "2001:db8::",
        "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:1.2.3.4",
        "1::1.2.3.4.5",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        expect_agreement(texts[i]);
    }
}

// Every text of up to seven bytes from an alphabet in which the rules for colons, dots and groups can be broken.
static void test_ip_parse_agrees_with_inet_pton_on_all_short_texts(void **state) {
    (void)state;
    static const char alphabet[] = {'1', 'f', ':', '.', '0'};
    for (size_t len = 1; len <= 7; len++) {
        size_t count = 1;
        for (size_t i = 0; i < len; i++) {
            count *= sizeof alphabet;
        }
        for (size_t number = 0; number < count; number++) {
            char text[8] = "";
            size_t rest = number;
            for (size_t i = 0; i < len; i++) {
                text[i] = alphabet[rest % sizeof alphabet];
                rest /= sizeof alphabet;
            }
            expect_agreement(text);
        }
    }
}

static void test_ip_of_ipv4_in_ipv6_is_ipv4(void **state) {
    (void)state;
    static const uint8_t wanted[4] = {192, 0, 2, 1};
    struct sm_ip ip;
    assert_true(parse("::ffff:192.0.2.1", &ip));
    assert_int_equal(ip.version, 4);
    assert_memory_equal(ip.bytes, wanted, sizeof wanted);
    assert_true(parse("::fffe:192.0.2.1", &ip));
    assert_int_equal(ip.version, 6);
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
        cmocka_unit_test(test_ip_parse_agrees_with_inet_pton),
        cmocka_unit_test(test_ip_parse_agrees_with_inet_pton_on_all_short_texts),
        cmocka_unit_test(test_ip_of_ipv4_in_ipv6_is_ipv4),
    };
    return cmocka_run_group_tests(tests, make_guard, drop_guard);
}
