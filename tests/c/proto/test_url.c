// SPDX-License-Identifier: MIT
// URLs taken apart, written out as `scheme|user|password|host|port|path|query|fragment` with `-` for what is absent.
// The tables of Smisk 1.1 are in tests/py/test_core_url.py; here are the edges, and every short text.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>

#include "../lib/guard.h"
#include "proto/url.h"

static struct guard guard;

static const char *split(const char *text, size_t len, struct sm_url *url) {
    return sm_url_split((struct sm_str){guard_put(&guard, text, len), len}, url);
}

static size_t print_part(char *out, size_t room, struct sm_str part) {
    return part.ptr == NULL ? (size_t)snprintf(out, room, "-|")
                            : (size_t)snprintf(out, room, "%.*s|", (int)part.len, part.ptr);
}

static void print(char *out, size_t room, const struct sm_url *url) {
    size_t n = print_part(out, room, url->scheme);
    n += print_part(out + n, room - n, url->user);
    n += print_part(out + n, room - n, url->password);
    n += print_part(out + n, room - n, url->host);
    n += (size_t)snprintf(out + n, room - n, "%u|", url->port);
    n += print_part(out + n, room - n, url->path);
    n += print_part(out + n, room - n, url->query);
    (void)print_part(out + n, room - n, url->fragment);
}

static void test_url_parts_are_found(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"", "-|-|-|-|0|-|-|-|"},
        {"http://john:secret@www.mos.tld:8080/a/b.ext?x=1#frag",
         "http|john|secret|www.mos.tld|8080|/a/b.ext|x=1|frag|"},
        {"HTTP://Host.TLD", "HTTP|-|-|Host.TLD|0|-|-|-|"},
        {"/p?", "-|-|-|-|0|/p||-|"},
        {"/p#", "-|-|-|-|0|/p|-||"},
        {"?", "-|-|-|-|0|-||-|"},
        {"#?", "-|-|-|-|0|-|-|?|"},
        {"//host/path", "-|-|-|-|0|//host/path|-|-|"},
        {"http:///path", "http|-|-|-|0|/path|-|-|"},
        {"john:pw@host:81/p", "-|john|pw|host|81|/p|-|-|"},
        {"john:@host", "-|john||host|0|-|-|-|"},
        {"host:80abc/", "-|-|-|host|80|/|-|-|"},
        {"http://[::1]:81?q", "http|-|-|::1|81|-|q|-|"},
        {"mailto:foo@bar.com", "mailto|-|-|-|0|foo@bar.com|-|-|"},
        {"mailto:", "mailto|-|-|-|0||-|-|"},
        {"http://\xc3\xa5/\xff", "http|-|-|\xc3\xa5|0|/\xff|-|-|"},
        {":", "-|-|-|-|0|-|-|-|"},
        {"@", "-|-|-|-|0|-|-|-|"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sm_url url;
        char out[256];
        assert_null(split(rows[i][0], strlen(rows[i][0]), &url));
        print(out, sizeof out, &url);
        assert_string_equal(out, rows[i][1]);
    }
}

static void test_url_that_is_none_says_why(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"a/b", "a path begins with a slash"},
        {"http://a@b@c/", "two @ before the host"},
        {"http://a b/", "a character that no host has"},
        {"://host", "the scheme is malformed"},
        {"1a://host", "the scheme is malformed"},
        {"http://::1/", "an IPv6 address stands in brackets"},
        {"http://a]/", "an IPv6 address stands in brackets"},
        {"http://[::1", "the IPv6 address is malformed"},
        {"http://[::1]x", "the IPv6 address is malformed"},
        {"http://[1]", "the IPv6 address is malformed"},
        {"host:65536", "the port is larger than 65535"},
        {"host:4294967376", "the port is larger than 65535"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sm_url url;
        const char *why = split(rows[i][0], strlen(rows[i][0]), &url);
        assert_non_null(why);
        assert_string_equal(why, rows[i][1]);
    }
}

static bool is_within(struct sm_str part, struct sm_str text) {
    return part.ptr == NULL || (part.ptr >= text.ptr && part.ptr + part.len <= text.ptr + text.len);
}

// Whatever the text, its parts lie in it: every text of up to six bytes from an alphabet of delimiters.
static void test_url_parts_lie_in_the_text(void **state) {
    (void)state;
    static const char alphabet[] = {'a', ':', '/', '@', '[', ']', '?', '#', '1'};
    for (size_t len = 0; len <= 6; len++) {
        size_t count = 1;
        for (size_t i = 0; i < len; i++) {
            count *= sizeof alphabet;
        }
        for (size_t number = 0; number < count; number++) {
            char text[8];
            size_t rest = number;
            struct sm_url url;
            for (size_t i = 0; i < len; i++) {
                text[i] = alphabet[rest % sizeof alphabet];
                rest /= sizeof alphabet;
            }
            (void)split(text, len, &url);
            struct sm_str all = {guard_put(&guard, text, len), len};
            assert_true(is_within(url.scheme, all) && is_within(url.user, all) && is_within(url.password, all) &&
                        is_within(url.host, all) && is_within(url.path, all) && is_within(url.query, all) &&
                        is_within(url.fragment, all));
        }
    }
}

static void test_url_scheme_without_authority_is_known(void **state) {
    (void)state;
    assert_true(sm_url_is_opaque(SM_STR("mailto")));
    assert_true(sm_url_is_opaque(SM_STR("MailTo")));
    assert_false(sm_url_is_opaque(SM_STR("http")));
    assert_false(sm_url_is_opaque(SM_STR("mail")));
    assert_false(sm_url_is_opaque(SM_STR("")));
}

static int make_guard(void **state) {
    (void)state;
    return guard_init(&guard, 256);
}

static int drop_guard(void **state) {
    (void)state;
    guard_deinit(&guard);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url_parts_are_found),
        cmocka_unit_test(test_url_that_is_none_says_why),
        cmocka_unit_test(test_url_parts_lie_in_the_text),
        cmocka_unit_test(test_url_scheme_without_authority_is_known),
    };
    return cmocka_run_group_tests(tests, make_guard, drop_guard);
}
