// SPDX-License-Identifier: MIT
// Entities in each width: a character at every place of texts up to three blocks long, both ways, with input and
// output flush against unreadable pages.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "../lib/guard.h"
#include "proto/xml.h"

static struct guard in;
static struct guard out;

enum { ROOM = 512 };

// ASCII as units of `width` bytes, at the end of a guard's room.
static void *put(struct guard *guard, const char *text, size_t len, unsigned width) {
    char wide[ROOM * 4];
    for (size_t i = 0; i < len; i++) {
        uint8_t one = (uint8_t)text[i];
        uint16_t two = one;
        uint32_t four = one;
        const void *unit = width == 1 ? (void *)&one : width == 2 ? (void *)&two : (void *)&four;
        memcpy(wide + i * width, unit, width);
    }
    return guard_put(guard, wide, len * width);
}

// In both cases with no more room than it takes, and in the second with all there is.
static void expect_escaped(const char *text, const char *wanted) {
    static const unsigned widths[] = {1, 2, 4};
    size_t len = strlen(text);
    size_t wanted_len = strlen(wanted);
    for (size_t i = 0; i < 3; i++) {
        char made[ROOM * 4];
        const void *src = put(&in, text, len, widths[i]);
        assert_int_equal(sm_xml_escaped_len(src, len, widths[i]), wanted_len);
        void *place = put(&out, text, 0, widths[i]); // the end of the room
        place = (char *)place - wanted_len * widths[i];
        assert_int_equal(sm_xml_escape(place, wanted_len, src, len, widths[i]), wanted_len);
        assert_int_equal(sm_xml_escape(made, ROOM, src, len, widths[i]), wanted_len);
        assert_memory_equal(made, place, wanted_len * widths[i]);
        assert_memory_equal(made, put(&out, wanted, wanted_len, widths[i]), wanted_len * widths[i]);
    }
}

static void expect_unescaped(const char *text, const char *wanted) {
    static const unsigned widths[] = {1, 2, 4};
    size_t len = strlen(text);
    size_t wanted_len = strlen(wanted);
    for (size_t i = 0; i < 3; i++) {
        char made[ROOM * 4];
        const void *src = put(&in, text, len, widths[i]);
        char *place = (char *)put(&out, text, 0, widths[i]) - len * widths[i];
        assert_int_equal(sm_xml_unescape(place, src, len, widths[i]), wanted_len);
        memcpy(made, place, wanted_len * widths[i]);
        assert_memory_equal(made, put(&out, wanted, wanted_len, widths[i]), wanted_len * widths[i]);
    }
}

static void test_xml_escape_of_a_character_anywhere_is_right(void **state) {
    (void)state;
    static const char *const entities[][2] = {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}};
    for (size_t which = 0; which < 4; which++) {
        for (size_t len = 1; len <= 48; len++) {
            for (size_t at = 0; at < len; at++) {
                char text[64] = "";
                char wanted[64] = "";
                memset(text, 'x', len);
                text[at] = entities[which][0][0];
                memset(wanted, 'x', at);
                strcat(wanted, entities[which][1]);
                memset(wanted + strlen(wanted), 'x', len - at - 1);
                expect_escaped(text, wanted);
                expect_unescaped(wanted, text);
            }
        }
    }
}

static void test_xml_escape_of_nothing_else_changes_nothing(void **state) {
    (void)state;
    expect_escaped("", "");
    expect_escaped("'#%,;=?@!\x7f\x01 plain text, longer than a block",
                   "'#%,;=?@!\x7f\x01 plain text, longer than a block");
    expect_escaped("&<>\"&<>\"&<>\"&<>\"&<>\"",
                   "&amp;&lt;&gt;&quot;&amp;&lt;&gt;&quot;&amp;&lt;&gt;&quot;&amp;&lt;&gt;&quot;&amp;&lt;&gt;&quot;");
}

static void test_xml_unescape_leaves_other_references(void **state) {
    (void)state;
    expect_unescaped("", "");
    expect_unescaped("&", "&");
    expect_unescaped("&am", "&am");
    expect_unescaped("&amp", "&amp");
    expect_unescaped("&amp;lt;", "&lt;");
    expect_unescaped("&&amp;&apos;&#39;&quot", "&&&apos;&#39;&quot");
    expect_unescaped("a block of text, then &", "a block of text, then &");
    expect_unescaped("a block of text, then &quot;", "a block of text, then \"");
}

// Units of which only one byte is that of a character that is looked for.
static void test_xml_escape_compares_whole_units(void **state) {
    (void)state;
    static const uint16_t two[8] = {0x2600, 0x0126, 0x3c3c, 0x3e00, 0x223e, 0x043e, 0x2200, 0xff26};
    static const uint32_t four[4] = {0x12600, 0x1003c, 0x3c00, 0x2600};
    assert_int_equal(sm_xml_escaped_len(two, 8, 2), 8);
    assert_int_equal(sm_xml_escaped_len(four, 4, 4), 4);
}

static int make_guards(void **state) {
    (void)state;
    int status = guard_init(&in, ROOM * 4);
    return status != 0 ? status : guard_init(&out, ROOM * 4);
}

static int drop_guards(void **state) {
    (void)state;
    guard_deinit(&in);
    guard_deinit(&out);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xml_escape_of_a_character_anywhere_is_right),
        cmocka_unit_test(test_xml_escape_of_nothing_else_changes_nothing),
        cmocka_unit_test(test_xml_unescape_leaves_other_references),
        cmocka_unit_test(test_xml_escape_compares_whole_units),
    };
    return cmocka_run_group_tests(tests, make_guards, drop_guards);
}
