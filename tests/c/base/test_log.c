// SPDX-License-Identifier: MIT
// The log: what a client's bytes become, what is cut, what is dropped, and that one entry is one write.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "capture.h"

// --- escaping ---

static void expect_escaped(struct sm_str raw, struct sm_str text) {
    char out[256];
    assert_int_equal(sm_log_escape(out, sizeof(out), raw.ptr, raw.len), text.len);
    assert_memory_equal(out, text.ptr, text.len);
}

static void test_escape_printable_stays(void **state) {
    (void)state;
    expect_escaped(SM_STR(""), SM_STR(""));
    expect_escaped(SM_STR(" !\"GET /x?a=b~"), SM_STR(" !\"GET /x?a=b~"));
    expect_escaped(SM_STR("\xc3\xa5\xe2\x82\xac\xf0\x9f\x98\x80"), SM_STR("\xc3\xa5\xe2\x82\xac\xf0\x9f\x98\x80"));
    expect_escaped(SM_STR("\xc2\xa0"), SM_STR("\xc2\xa0")); // U+00A0 is no control
}

static void test_escape_c0_and_del_become_hex(void **state) {
    (void)state;
    for (unsigned c = 0; c < 0x20; c++) {
        char raw = (char)c;
        char text[8];
        snprintf(text, sizeof(text), "\\x%02x", c);
        expect_escaped((struct sm_str){&raw, 1}, (struct sm_str){text, 4});
    }
    expect_escaped(SM_STR("\x7f"), SM_STR("\\x7f"));
    expect_escaped(SM_STR("a\r\nb"), SM_STR("a\\x0d\\x0ab"));
    expect_escaped(SM_STR("\x1b[31m"), SM_STR("\\x1b[31m"));
}

static void test_escape_c1_in_utf8_becomes_hex_whole(void **state) {
    (void)state;
    // U+0080..U+009F are C2 80..C2 9F; U+009B is CSI. Neither byte may pass.
    expect_escaped(SM_STR("\xc2\x80"), SM_STR("\\xc2\\x80"));
    expect_escaped(SM_STR("\xc2\x9b"
                          "31m"),
                   SM_STR("\\xc2\\x9b31m"));
    expect_escaped(SM_STR("\xc2\x9f"), SM_STR("\\xc2\\x9f"));
}

static void test_escape_invalid_utf8_becomes_hex(void **state) {
    (void)state;
    // A bare C1 byte steers an 8-bit terminal; FF and FE never occur in UTF-8; C2 at the end is a lead-in alone.
    expect_escaped(SM_STR("\x9b"
                          "31m"),
                   SM_STR("\\x9b31m"));
    expect_escaped(SM_STR("\xff\xfe"), SM_STR("\\xff\\xfe"));
    expect_escaped(SM_STR("a\xc2"), SM_STR("a\\xc2"));
    expect_escaped(SM_STR("\xe2\x82 b"), SM_STR("\\xe2\\x82 b"));
}

static void test_escape_output_full_stops_between_escapes(void **state) {
    (void)state;
    char out[16];
    memset(out, '#', sizeof(out));
    assert_int_equal(sm_log_escape(out, 9, "\n\n\n", 3), 8);
    assert_memory_equal(out, "\\x0a\\x0a########", 16);
    assert_int_equal(sm_log_escape(out, 0, "a", 1), 0);
    assert_int_equal(sm_log_escape(out, 3, "\n", 1), 0);
    assert_int_equal(sm_log_escape(out, 4, "\n", 1), 4);
    assert_int_equal(sm_log_escape(out, 3, "abcd", 4), 3);
}

// --- lines ---

static void test_log_line_has_stamp_pid_and_level(void **state) {
    struct capture *log = *state;
    char pattern[160];
    snprintf(pattern, sizeof(pattern),
             "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3} smiskd\\[%d\\] warning: text 7\n$",
             (int)getpid());
    sm_log(SM_LOG_WARNING, "text %d", 7);
    regex_t regex;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    assert_int_equal(regexec(&regex, capture_text(log, NULL), 0, NULL, 0), 0);
    regfree(&regex);
}

static void test_log_with_name_says_it(void **state) {
    struct capture *log = *state;
    sm_log_set_name("worker 2");
    sm_log(SM_LOG_ERROR, "x");
    sm_log_set_name(NULL);
    char expected[64];
    snprintf(expected, sizeof(expected), " smiskd[%d] worker 2 error: x\n", (int)getpid());
    assert_true(capture_has(log, expected));
}

static void test_log_levels_are_named(void **state) {
    struct capture *log = *state;
    static const char *const names[] = {"debug", "info", "warning", "error", "critical"};
    sm_log_set_level(SM_LOG_DEBUG);
    for (int level = SM_LOG_DEBUG; level <= SM_LOG_CRITICAL; level++) {
        char expected[32];
        capture_clear(log);
        sm_log((enum sm_log_level)level, "x");
        snprintf(expected, sizeof(expected), "] %s: x\n", names[level]);
        assert_true(capture_has(log, expected));
    }
}

static void test_log_below_level_is_dropped(void **state) {
    struct capture *log = *state;
    sm_log_set_level(SM_LOG_ERROR);
    sm_log(SM_LOG_WARNING, "one");
    sm_log_text(SM_LOG_WARNING, "two", "three", 5);
    assert_int_equal(capture_lines(log), 0);
    sm_log(SM_LOG_ERROR, "four");
    sm_log(SM_LOG_CRITICAL, "five");
    assert_int_equal(capture_lines(log), 2);
}

static void test_log_text_of_a_client_cannot_forge_a_line(void **state) {
    struct capture *log = *state;
    sm_log(SM_LOG_WARNING, "%s", "GET /\n2026-01-01 00:00:00.000 smiskd[1] critical: forged\r\x1b[2J");
    assert_int_equal(capture_lines(log), 1);
    assert_true(capture_has(log, "GET /\\x0a2026-01-01"));
    assert_true(capture_has(log, "forged\\x0d\\x1b[2J\n"));
}

static void test_log_long_line_is_cut_and_marked(void **state) {
    struct capture *log = *state;
    char text[20001];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    sm_log(SM_LOG_WARNING, "%s", text);
    size_t len = 0;
    const char *line = capture_text(log, &len);
    assert_int_equal(capture_lines(log), 1);
    line = capture_text(log, &len);
    assert_true(len < 8192 + 256);
    assert_true(len > 8000);
    assert_string_equal(line + len - 6, "a ...\n");
}

static void test_log_line_that_grows_too_long_by_escaping_is_marked(void **state) {
    struct capture *log = *state;
    char text[6001];
    memset(text, '\t', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    sm_log(SM_LOG_WARNING, "%s", text);
    size_t len = 0;
    const char *line = capture_text(log, &len);
    assert_true(len < 8192 + 256);
    assert_string_equal(line + len - 5, " ...\n");
}

static void test_log_just_below_limit_is_whole(void **state) {
    struct capture *log = *state;
    char text[8001];
    memset(text, 'b', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    sm_log(SM_LOG_WARNING, "%s", text);
    size_t len = 0;
    const char *line = capture_text(log, &len);
    assert_non_null(strstr(line, text));
    assert_int_equal(line[len - 2], 'b');
}

static void test_log_keeps_errno(void **state) {
    (void)state;
    errno = EXDEV;
    sm_log(SM_LOG_WARNING, "x");
    sm_log_text(SM_LOG_WARNING, "x", "y", 1);
    assert_int_equal(errno, EXDEV);
}

// --- several lines ---

static void test_log_text_indents_and_sanitises_each_line(void **state) {
    struct capture *log = *state;
    static const char text[] = "Traceback:\n  File \"a.py\"\n\x1b[2J\r\nlast";
    sm_log_text(SM_LOG_ERROR, "request\nfailed", text, sizeof(text) - 1);
    assert_int_equal(capture_lines(log), 5);
    assert_true(capture_has(log, "error: request\\x0afailed\n    Traceback:\n      File \"a.py\"\n"
                                 "    \\x1b[2J\\x0d\n    last\n"));
}

static void test_log_text_with_final_newline_adds_no_empty_line(void **state) {
    struct capture *log = *state;
    sm_log_text(SM_LOG_ERROR, "h", "a\n\nb\n", 5);
    assert_true(capture_has(log, "error: h\n    a\n    \n    b\n"));
    assert_int_equal(capture_lines(log), 4);
}

static void test_log_text_without_text_is_the_heading(void **state) {
    struct capture *log = *state;
    sm_log_text(SM_LOG_ERROR, "h", "", 0);
    assert_int_equal(capture_lines(log), 1);
    assert_true(capture_has(log, "error: h\n"));
}

static void test_log_text_that_is_huge_is_bounded(void **state) {
    struct capture *log = *state;
    size_t len = 4 << 20;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, '\n', len);
    sm_log_text(SM_LOG_ERROR, "h", text, len);
    size_t logged = 0;
    capture_text(log, &logged);
    assert_true(logged > 1000);
    assert_true(logged <= 128 * 1024);
    memset(text, '\x01', len);
    capture_clear(log);
    sm_log_text(SM_LOG_ERROR, "h", text, len);
    const char *line = capture_text(log, &logged);
    assert_true(logged <= 128 * 1024);
    assert_int_equal(line[logged - 1], '\n');
    free(text);
}

// --- where it goes ---

// A datagram socket keeps the borders between writes: each entry must be one datagram.
static void test_log_each_entry_is_one_write(void **state) {
    (void)state;
    int ends[2];
    char buffer[65536];
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    fflush(NULL);
    sm_log_open(NULL);
    int kept = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    char text[9000];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    sm_log(SM_LOG_WARNING, "first");
    sm_log(SM_LOG_WARNING, "%s", text);
    sm_log_text(SM_LOG_WARNING, "third", "a\nb\nc", 5);
    dup2(kept, STDERR_FILENO);
    close(kept);
    ssize_t n[4];
    bool ends_with_newline = true;
    for (int i = 0; i < 4; i++) {
        n[i] = recv(ends[0], buffer, sizeof(buffer), 0);
        ends_with_newline = ends_with_newline && (n[i] <= 0 || buffer[n[i] - 1] == '\n');
    }
    close(ends[0]);
    close(ends[1]);
    assert_true(n[0] > 0 && n[1] > 8000 && n[2] > 0);
    assert_int_equal(n[3], -1);
    assert_true(ends_with_newline);
}

static void test_log_open_appends_to_the_file(void **state) {
    (void)state;
    char path[] = "/tmp/smisk-log-XXXXXX";
    char text[512] = "";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "kept\n", 5), 5);
    assert_int_equal(sm_log_open(path), 0);
    sm_log(SM_LOG_WARNING, "one");
    assert_int_equal(sm_log_open(path), 0); // as after USR1
    sm_log(SM_LOG_WARNING, "two");
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    unlink(path);
    close(fd);
    assert_true(n > 0);
    assert_int_equal(strncmp(text, "kept\n", 5), 0);
    assert_non_null(strstr(text, "warning: one\n"));
    assert_non_null(strstr(text, "warning: two\n"));
}

static void test_log_open_impossible_path_keeps_the_log(void **state) {
    struct capture *log = *state;
    assert_int_equal(sm_log_open("/nonexistent/folder/log"), -ENOENT);
    sm_log(SM_LOG_WARNING, "still here");
    assert_true(capture_has(log, "still here"));
}

static int open_capture(void **state) {
    static struct capture log;
    *state = &log;
    sm_log_set_level(SM_LOG_INFO);
    return capture_init(&log);
}

static int close_capture(void **state) {
    sm_log_set_level(SM_LOG_INFO);
    capture_deinit(*state);
    return 0;
}

#define LOGGED(name) cmocka_unit_test_setup_teardown(name, open_capture, close_capture)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape_printable_stays),
        cmocka_unit_test(test_escape_c0_and_del_become_hex),
        cmocka_unit_test(test_escape_c1_in_utf8_becomes_hex_whole),
        cmocka_unit_test(test_escape_invalid_utf8_becomes_hex),
        cmocka_unit_test(test_escape_output_full_stops_between_escapes),
        LOGGED(test_log_line_has_stamp_pid_and_level),
        LOGGED(test_log_with_name_says_it),
        LOGGED(test_log_levels_are_named),
        LOGGED(test_log_below_level_is_dropped),
        LOGGED(test_log_text_of_a_client_cannot_forge_a_line),
        LOGGED(test_log_long_line_is_cut_and_marked),
        LOGGED(test_log_line_that_grows_too_long_by_escaping_is_marked),
        LOGGED(test_log_just_below_limit_is_whole),
        LOGGED(test_log_keeps_errno),
        LOGGED(test_log_text_indents_and_sanitises_each_line),
        LOGGED(test_log_text_with_final_newline_adds_no_empty_line),
        LOGGED(test_log_text_without_text_is_the_heading),
        LOGGED(test_log_text_that_is_huge_is_bounded),
        LOGGED(test_log_each_entry_is_one_write),
        LOGGED(test_log_open_appends_to_the_file),
        LOGGED(test_log_open_impossible_path_keeps_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
