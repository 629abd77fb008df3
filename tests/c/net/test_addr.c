// SPDX-License-Identifier: MIT
// Addresses in all their forms, and what is none. No name here needs a name server.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/addr.h"

static void expect_same_text(const char *text) {
    struct sm_addr addr;
    char out[SM_ADDR_TEXT_MAX];
    assert_int_equal(sm_addr_parse(text, &addr), 0);
    sm_addr_format(&addr, out);
    assert_string_equal(out, text);
}

static void expect_refused(const char *text, int error) {
    struct sm_addr addr;
    int r = sm_addr_parse(text, &addr);
    if (r != error) {
        fail_msg("\"%s\" gave %d instead of %d", text, r, error);
    }
}

static void test_addr_parse_v4_fills_sockaddr(void **state) {
    (void)state;
    struct sm_addr addr;
    assert_int_equal(sm_addr_parse("192.0.2.7:8080", &addr), 0);
    assert_int_equal(addr.len, sizeof(struct sockaddr_in));
    assert_int_equal(addr.sa.any.sa_family, AF_INET);
    assert_int_equal(ntohs(addr.sa.v4.sin_port), 8080);
    assert_int_equal(ntohl(addr.sa.v4.sin_addr.s_addr), 0xc0000207);
}

static void test_addr_parse_v6_fills_sockaddr(void **state) {
    (void)state;
    struct sm_addr addr;
    static const uint8_t bytes[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    assert_int_equal(sm_addr_parse("[2001:db8::1]:443", &addr), 0);
    assert_int_equal(addr.len, sizeof(struct sockaddr_in6));
    assert_int_equal(addr.sa.any.sa_family, AF_INET6);
    assert_int_equal(ntohs(addr.sa.v6.sin6_port), 443);
    assert_memory_equal(addr.sa.v6.sin6_addr.s6_addr, bytes, 16);
}

static void test_addr_parse_then_format_gives_the_text_back(void **state) {
    (void)state;
    expect_same_text("127.0.0.1:80");
    expect_same_text("0.0.0.0:0");
    expect_same_text("255.255.255.255:65535");
    expect_same_text("[::1]:8080");
    expect_same_text("[::]:1");
    expect_same_text("[2001:db8:1:2:3:4:5:6]:65535");
    expect_same_text("unix:/run/smisk.sock");
    expect_same_text("unix:relative.sock");
    expect_same_text("unix:/a b:80");
}

static void test_addr_parse_any_host_is_the_v4_wildcard(void **state) {
    (void)state;
    static const char *const forms[] = {":8080", "*:8080", "0.0.0.0:8080"};
    for (size_t i = 0; i < 3; i++) {
        struct sm_addr addr;
        char out[SM_ADDR_TEXT_MAX];
        assert_int_equal(sm_addr_parse(forms[i], &addr), 0);
        sm_addr_format(&addr, out);
        assert_string_equal(out, "0.0.0.0:8080");
    }
}

static void test_addr_parse_localhost_resolves_to_loopback(void **state) {
    (void)state;
    struct sm_addr addr;
    char out[SM_ADDR_TEXT_MAX];
    assert_int_equal(sm_addr_parse("localhost:80", &addr), 0);
    sm_addr_format(&addr, out);
    assert_true(strcmp(out, "127.0.0.1:80") == 0 || strcmp(out, "[::1]:80") == 0);
}

static void test_addr_parse_no_such_form_is_refused(void **state) {
    (void)state;
    expect_refused("", -EINVAL);
    expect_refused(":", -EINVAL);
    expect_refused("127.0.0.1", -EINVAL);
    expect_refused("127.0.0.1:", -EINVAL);
    expect_refused("[::1]", -EINVAL);
    expect_refused("[::1]:", -EINVAL);
    expect_refused("[::1:80", -EINVAL);
    expect_refused("[:80", -EINVAL);
    expect_refused("unix:", -EINVAL);
}

static void test_addr_parse_empty_brackets_are_refused(void **state) {
    (void)state;
    expect_refused("[]:80", -EINVAL);
}

static void test_addr_parse_impossible_port_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"127.0.0.1:http",  "127.0.0.1:80x",   "127.0.0.1:-1",
                                        "127.0.0.1:65536", "127.0.0.1:70000", "127.0.0.1:4294967376"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct sm_addr addr;
        if (sm_addr_parse(texts[i], &addr) == 0) {
            fail_msg("\"%s\" was taken for port %u", texts[i], ntohs(addr.sa.v4.sin_port));
        }
    }
}

static void test_addr_parse_name_that_cannot_exist_is_enxio(void **state) {
    (void)state;
    char text[80];
    memset(text, 'a', 64); // a label of more than 63 bytes (RFC 1035 2.3.4): nobody is asked
    strcpy(text + 64, ".invalid:80");
    expect_refused(text, -ENXIO);
}

static void test_addr_parse_host_too_long_is_refused(void **state) {
    (void)state;
    char text[600];
    memset(text, 'a', 500);
    strcpy(text + 500, ":80");
    expect_refused(text, -EINVAL);
}

static void test_addr_parse_unix_path_at_limit_fits_and_past_it_is_refused(void **state) {
    (void)state;
    struct sm_addr addr;
    char text[200] = "unix:";
    char out[SM_ADDR_TEXT_MAX];
    size_t most = sizeof(addr.sa.un.sun_path) - 1;
    memset(text + 5, 'p', most);
    text[5] = '/';
    text[5 + most] = '\0';
    assert_int_equal(sm_addr_parse(text, &addr), 0);
    assert_int_equal(addr.sa.any.sa_family, AF_UNIX);
    assert_true(addr.len <= sizeof(addr.sa.un));
    assert_string_equal(addr.sa.un.sun_path, text + 5);
    sm_addr_format(&addr, out);
    assert_string_equal(out, text);
    text[5 + most] = 'p';
    text[6 + most] = '\0';
    expect_refused(text, -ENAMETOOLONG);
}

// --- peers ---

static void expect_peer(const char *text, int family, const char *host, const char *formatted) {
    struct sm_addr addr;
    struct sm_peer peer;
    char out[SM_HOST_TEXT_MAX];
    char full[SM_ADDR_TEXT_MAX];
    assert_int_equal(sm_addr_parse(text, &addr), 0);
    sm_peer_from(&peer, &addr);
    assert_int_equal(peer.family, family);
    assert_int_equal(sm_peer_host(&peer, out), strlen(host));
    assert_string_equal(out, host);
    sm_peer_format(&peer, full);
    assert_string_equal(full, formatted);
}

static void test_peer_of_each_family_reads_well(void **state) {
    (void)state;
    expect_peer("192.0.2.7:5000", AF_INET, "192.0.2.7", "192.0.2.7:5000");
    expect_peer("255.255.255.255:65535", AF_INET, "255.255.255.255", "255.255.255.255:65535");
    expect_peer("[2001:db8::7]:5000", AF_INET6, "2001:db8::7", "[2001:db8::7]:5000");
    expect_peer("[2001:db8:1111:2222:3333:4444:5555:6666]:65535", AF_INET6, "2001:db8:1111:2222:3333:4444:5555:6666",
                "[2001:db8:1111:2222:3333:4444:5555:6666]:65535");
    expect_peer("unix:/x", AF_UNIX, "", "unix socket");
}

static void test_peer_v4_in_v6_becomes_v4(void **state) {
    (void)state;
    expect_peer("[::ffff:192.0.2.7]:5000", AF_INET, "192.0.2.7", "192.0.2.7:5000");
}

static void test_peer_v4_compatible_stays_v6(void **state) {
    (void)state;
    expect_peer("[::fffe:192.0.2.7]:5000", AF_INET6, "::fffe:c000:207", "[::fffe:c000:207]:5000");
}

static void test_format_of_unnamed_unix_socket_stays_in_bounds(void **state) {
    (void)state;
    char out[SM_ADDR_TEXT_MAX];
    struct sm_addr addr = {.len = sizeof(sa_family_t)};
    memset(&addr.sa, 'x', sizeof(addr.sa)); // nothing past `len` may be looked at
    addr.sa.any.sa_family = AF_UNIX;
    sm_addr_format(&addr, out);
    assert_string_equal(out, "unix:");
}

static void expect_host(struct sm_host *host, const char *text, const char *expected) {
    struct sm_addr addr;
    struct sm_peer peer;
    assert_int_equal(sm_addr_parse(text, &addr), 0);
    sm_peer_from(&peer, &addr);
    struct sm_str said = sm_host_of(host, &peer);
    assert_int_equal(said.len, strlen(expected));
    assert_memory_equal(said.ptr, expected, said.len);
}

static void test_host_that_changes_is_written_anew(void **state) {
    (void)state;
    struct sm_host host = {0};
    expect_host(&host, "192.0.2.7:5000", "192.0.2.7");
    expect_host(&host, "192.0.2.7:5001", "192.0.2.7");
    expect_host(&host, "192.0.2.8:5001", "192.0.2.8");
    expect_host(&host, "[2001:db8::7]:1", "2001:db8::7");
    expect_host(&host, "unix:/tmp/x", "");
    expect_host(&host, "[2001:db8::7]:1", "2001:db8::7");
    // The same first bytes in both families.
    expect_host(&host, "[102:304::]:1", "102:304::");
    expect_host(&host, "1.2.3.4:1", "1.2.3.4");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addr_parse_v4_fills_sockaddr),
        cmocka_unit_test(test_addr_parse_v6_fills_sockaddr),
        cmocka_unit_test(test_addr_parse_then_format_gives_the_text_back),
        cmocka_unit_test(test_addr_parse_any_host_is_the_v4_wildcard),
        cmocka_unit_test(test_addr_parse_localhost_resolves_to_loopback),
        cmocka_unit_test(test_addr_parse_no_such_form_is_refused),
        cmocka_unit_test(test_addr_parse_empty_brackets_are_refused),
        cmocka_unit_test(test_addr_parse_impossible_port_is_refused),
        cmocka_unit_test(test_addr_parse_name_that_cannot_exist_is_enxio),
        cmocka_unit_test(test_addr_parse_host_too_long_is_refused),
        cmocka_unit_test(test_addr_parse_unix_path_at_limit_fits_and_past_it_is_refused),
        cmocka_unit_test(test_peer_of_each_family_reads_well),
        cmocka_unit_test(test_peer_v4_in_v6_becomes_v4),
        cmocka_unit_test(test_peer_v4_compatible_stays_v6),
        cmocka_unit_test(test_format_of_unnamed_unix_socket_stays_in_bounds),
        cmocka_unit_test(test_host_that_changes_is_written_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
