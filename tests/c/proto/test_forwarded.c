// SPDX-License-Identifier: MIT
// The parts of forwarded.h on their own; whole heads are in tests/corpus/forwarded. And the variables of a CGI head.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "../lib/guard.h"
#include "proto/fastcgi.h"
#include "proto/forwarded.h"

static struct guard guard;

static struct sm_str put(const char *text) {
    size_t len = strlen(text);
    return (struct sm_str){guard_put(&guard, text, len), len};
}

static void expect_elements(const char *list, const char *const *elements) {
    struct sm_str rest = put(list);
    struct sm_str element;
    for (; *elements != NULL; elements++) {
        assert_true(sm_list_prev(&rest, &element));
        assert_int_equal(element.len, strlen(*elements));
        assert_memory_equal(element.ptr, *elements, element.len);
    }
    assert_false(sm_list_prev(&rest, &element));
}

static void test_list_prev_gives_elements_from_the_right(void **state) {
    (void)state;
    expect_elements("", (const char *const[]){NULL});
    expect_elements(" , ,\t", (const char *const[]){NULL});
    expect_elements("a", (const char *const[]){"a", NULL});
    expect_elements("a, b ,c", (const char *const[]){"c", "b", "a", NULL});
    expect_elements("a=\"x,y\", b", (const char *const[]){"b", "a=\"x,y\"", NULL});
    expect_elements("a=\"x\\\",y\", b", (const char *const[]){"b", "a=\"x\\\",y\"", NULL});
    expect_elements("a=\"x\\\\\", b", (const char *const[]){"b", "a=\"x\\\\\"", NULL});
}

// Whatever a client has sent before, what a server has added behind it is cut off the same way.
static void test_list_prev_does_not_depend_on_what_stands_before(void **state) {
    (void)state;
    static const char *const before[] = {"", "\"", "\\", "\"\\", "\\\"", "a=\"", "a=\"b\\", ",", "\",\"", "a;b=\","};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        char text[64];
        struct sm_str element;
        strcpy(text, before[i]);
        strcat(text, ", for=\"[2001:db8::1]\"");
        struct sm_str rest = put(text);
        assert_true(sm_list_prev(&rest, &element));
        assert_true(sm_str_eq(element, SM_STR("for=\"[2001:db8::1]\"")));
    }
}

static void expect_node(const char *text, enum sm_node_kind kind, uint16_t port) {
    struct sm_node node = sm_node_parse(put(text));
    if (node.kind != kind || node.port != port) {
        fail_msg("\"%s\" is %d with port %u", text, (int)node.kind, node.port);
    }
}

static void test_node_parse_tells_addresses_from_identifiers(void **state) {
    (void)state;
    expect_node("192.0.2.1", SM_NODE_ADDRESS, 0);
    expect_node("192.0.2.1:0", SM_NODE_ADDRESS, 0);
    expect_node("192.0.2.1:65535", SM_NODE_ADDRESS, 65535);
    expect_node("2001:db8::1", SM_NODE_ADDRESS, 0);
    expect_node("[2001:db8::1]", SM_NODE_ADDRESS, 0);
    expect_node("[2001:db8::1]:1", SM_NODE_ADDRESS, 1);
    expect_node("Unknown", SM_NODE_HIDDEN, 0);
    expect_node("unknown:7", SM_NODE_HIDDEN, 7);
    expect_node("_SEVKISEK", SM_NODE_HIDDEN, 0);
    expect_node("_a.b-c_d9:_p", SM_NODE_HIDDEN, 0);
}

static void test_node_parse_refuses_everything_else(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "",       ":",          ":80",          "_",         "_a b",       "x",           "192.0.2.1:",
        "[",      "]",          "[]",           "[]:1",      "[::1",       "::1]",        "192.0.2.1:65536",
        "[::1]x", "[::1]:",     "[::1]:_",      "[unknown]", "[_x]",       "192.0.2.1:x", "192.0.2.1:000001",
        "a:1",    "192.0.2:80", "unknown:1:2:", "_x:_y:_z",  "1.2.3.4:-1", "localhost",   "[192.0.2.1]:80",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        expect_node(wrong[i], SM_NODE_BAD, 0);
    }
}

static void test_authority_ok_takes_hosts_only(void **state) {
    (void)state;
    static const char *const right[] = {"a", "example.com", "example.com:1", "192.0.2.1:65535", "[::1]", "[::1]:80"};
    static const char *const wrong[] = {"",    ":80", "a:",  "a:0", "a:65536", "a:80:80", "[::1",
                                        "::1", "a b", "a/b", "a@b", "a\"",     "a\r\nb"};
    char text[300];
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        assert_true(sm_authority_ok(put(right[i])));
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(sm_authority_ok(put(wrong[i])));
    }
    memset(text, 'a', sizeof text);
    text[SM_AUTHORITY_MAX] = '\0';
    assert_true(sm_authority_ok(put(text)));
    text[SM_AUTHORITY_MAX] = 'a';
    text[SM_AUTHORITY_MAX + 1] = '\0';
    assert_false(sm_authority_ok(put(text)));
}

static bool trust_ten(const void *context, const struct sm_ip *ip) {
    (void)context;
    return ip->version == 4 && ip->bytes[0] == 10;
}

static size_t put_pair(char *out, size_t cap, const char *name, const char *value) {
    return sm_fcgi_pair_put(out, cap, sm_str_from(name), sm_str_from(value));
}

static void test_forwarded_read_takes_variables_of_a_cgi_head(void **state) {
    (void)state;
    char block[512];
    struct sm_field fields[8];
    struct sm_head head = {.base = block, .fields = fields, .max_fields = 8, .kind = SM_HEAD_CGI};
    struct sm_forwarded said;
    size_t len = put_pair(block, sizeof block, "HTTP_X_FORWARDED_FOR", "192.0.2.43, 10.0.0.2");
    len += put_pair(block + len, sizeof block - len, "HTTP_X_FORWARDED_PROTO", "https");
    len += put_pair(block + len, sizeof block - len, "X-Forwarded-Host", "not.a.variable");
    assert_int_equal(sm_fcgi_params_parse(block, len, &head), SM_FCGI_PARAMS_OK);
    sm_forwarded_read(&head, trust_ten, NULL, &said);
    assert_int_equal(said.client.kind, SM_NODE_ADDRESS);
    assert_int_equal(said.client.ip.bytes[3], 43);
    assert_int_equal(said.scheme, SM_SCHEME_HTTPS);
    assert_int_equal(said.host.len, 0);
}

static int make_guard(void **state) {
    (void)state;
    return guard_init(&guard, 512);
}

static int drop_guard(void **state) {
    (void)state;
    guard_deinit(&guard);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_prev_gives_elements_from_the_right),
        cmocka_unit_test(test_list_prev_does_not_depend_on_what_stands_before),
        cmocka_unit_test(test_node_parse_tells_addresses_from_identifiers),
        cmocka_unit_test(test_node_parse_refuses_everything_else),
        cmocka_unit_test(test_authority_ok_takes_hosts_only),
        cmocka_unit_test(test_forwarded_read_takes_variables_of_a_cgi_head),
    };
    return cmocka_run_group_tests(tests, make_guard, drop_guard);
}
