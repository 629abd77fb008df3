// SPDX-License-Identifier: MIT
// UTF-8 in pieces: every sequence of up to three bytes, and those of four that lie at an edge, against the arithmetic
// of RFC 3629 (decode, then compare with the shortest form), whole and cut.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "../lib/guard.h"
#include "proto/utf8.h"

// Length of the character that begins at data, 0 if there is none: by arithmetic, not by table.
static size_t character_len(const uint8_t *data, size_t len) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t need = data[0] < 0x80 ? 1 : data[0] >> 5 == 6 ? 2 : data[0] >> 4 == 14 ? 3 : data[0] >> 3 == 30 ? 4 : 0;
    if (need == 0 || need > len) {
        return 0;
    }
    uint32_t point = need == 1 ? data[0] : data[0] & (0x7fu >> need);
    for (size_t i = 1; i < need; i++) {
        if (data[i] >> 6 != 2) {
            return 0;
        }
        point = point << 6 | (data[i] & 0x3f);
    }
    return point >= least[need] && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff) ? need : 0;
}

static bool is_text(const uint8_t *data, size_t len) {
    while (len > 0) {
        size_t taken = character_len(data, len);
        if (taken == 0) {
            return false;
        }
        data += taken;
        len -= taken;
    }
    return true;
}

static bool is_text_cut_at(struct guard *guard, const uint8_t *data, size_t len, size_t cut) {
    struct sm_utf8 state = {0};
    return sm_utf8_feed(&state, guard_put(guard, data, cut), cut) &&
           sm_utf8_feed(&state, guard_put(guard, data + cut, len - cut), len - cut) && sm_utf8_complete(&state);
}

static void expect_agreement(struct guard *guard, const uint8_t *data, size_t len) {
    for (size_t cut = 0; cut <= len; cut++) {
        assert_int_equal(is_text_cut_at(guard, data, len, cut), is_text(data, len));
    }
}

static void test_utf8_sequence_agrees_with_arithmetic(void **state) {
    (void)state;
    static const uint8_t edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    struct guard guard;
    assert_int_equal(guard_init(&guard, 16), 0);
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned second = 0; second < 256; second++) {
            uint8_t data[4] = {(uint8_t)first, (uint8_t)second};
            expect_agreement(&guard, data, 1);
            expect_agreement(&guard, data, 2);
            for (size_t i = 0; i < sizeof edges; i++) {
                data[2] = edges[i];
                expect_agreement(&guard, data, 3);
                for (size_t j = 0; j < sizeof edges; j++) {
                    data[3] = edges[j];
                    expect_agreement(&guard, data, 4);
                }
            }
        }
    }
    guard_deinit(&guard);
}

// A byte that is wrong, or begins a character, anywhere among ASCII that is skipped eight bytes at a time.
static void test_utf8_among_ascii_is_found(void **state) {
    (void)state;
    static const char *const inserted[] = {"\x80", "\xff", "\xce\xba", "\xf0\x9f\x98\x80", "\xed\xa0\x80"};
    struct guard guard;
    assert_int_equal(guard_init(&guard, 32), 0);
    for (size_t i = 0; i < sizeof inserted / sizeof inserted[0]; i++) {
        size_t len = strlen(inserted[i]);
        for (size_t at = 0; at + len <= 27; at++) {
            uint8_t data[27];
            memset(data, 'a', sizeof data);
            memcpy(data + at, inserted[i], len);
            expect_agreement(&guard, data, sizeof data);
        }
    }
    guard_deinit(&guard);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_sequence_agrees_with_arithmetic),
        cmocka_unit_test(test_utf8_among_ascii_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
