// SPDX-License-Identifier: MIT
// What the configuration helper says: every key, values that do not fit, and an answer that is cut.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <stdlib.h>

#include "../base/capture.h"
#include "engine/settings.h"

#define PAIR(key, value) key "\0" value "\0"
#define READ(settings, text) sm_settings_read(settings, text, sizeof(text) - 1)

static struct capture capture;

static void expect_refused(const char *text, size_t len, const char *said) {
    struct sm_settings settings;
    capture_clear(&capture);
    assert_int_equal(sm_settings_read(&settings, text, len), -EINVAL);
    if (!capture_has(&capture, said)) {
        fail_msg("\"%s\" is not in: %s", said, capture_text(&capture, NULL));
    }
    assert_int_equal(capture_lines(&capture), 1);
    sm_settings_deinit(&settings);
}

#define REFUSED(text, said) expect_refused(text, sizeof(text) - 1, said)

static void test_settings_nothing_gives_the_neutral_state(void **state) {
    (void)state;
    struct sm_settings settings;
    assert_int_equal(sm_settings_read(&settings, "", 0), 0);
    assert_null(settings.app);
    assert_int_equal(settings.umask, -1);
    assert_int_equal(settings.log_level, SM_LOG_INFO);
    assert_int_equal(settings.n_listen, 0);
    sm_settings_deinit(&settings);
}

static void test_settings_texts_are_read(void **state) {
    (void)state;
    struct sm_settings s;
    assert_int_equal(
        READ(&s, PAIR("app", "mod:attr") PAIR("interface", "auto") PAIR("root_path", "/r") PAIR("loop", "engine")
                     PAIR("lifespan", "on") PAIR("chdir", "/c") PAIR("venv", "/v") PAIR("pidfile", "/p")
                         PAIR("user", "u") PAIR("group", "g") PAIR("error_log", "stderr") PAIR("temp_dir", "/t")
                             PAIR("pythonpath.0", "/a") PAIR("pythonpath.1", "/b") PAIR("trusted_proxies.0", "unix")
                                 PAIR("trusted_proxies.1", "10.0.0.0/8") PAIR("config_file", "/f")
                                     PAIR("config_files.0", "/c") PAIR("autoreload_paths.0", "/d")),
        0);
    assert_string_equal(s.app, "mod:attr");
    assert_string_equal(s.interface, "auto");
    assert_string_equal(s.root_path, "/r");
    assert_string_equal(s.loop, "engine");
    assert_string_equal(s.lifespan, "on");
    assert_string_equal(s.chdir, "/c");
    assert_string_equal(s.venv, "/v");
    assert_string_equal(s.pidfile, "/p");
    assert_string_equal(s.user, "u");
    assert_string_equal(s.group, "g");
    assert_string_equal(s.error_log, "stderr");
    assert_string_equal(s.temp_dir, "/t");
    assert_string_equal(s.pythonpath[0], "/a");
    assert_string_equal(s.pythonpath[1], "/b");
    assert_null(s.pythonpath[2]);
    assert_string_equal(s.trusted_proxies[0], "unix");
    assert_string_equal(s.trusted_proxies[1], "10.0.0.0/8");
    assert_null(s.trusted_proxies[2]);
    assert_string_equal(s.config_file, "/f");
    assert_string_equal(s.config_files[0], "/c");
    assert_string_equal(s.autoreload_paths[0], "/d");
    sm_settings_deinit(&s);
}

static void test_settings_counts_are_read(void **state) {
    (void)state;
    struct sm_settings s;
    assert_int_equal(READ(&s, PAIR("workers", "1") PAIR("threads", "2") PAIR("max_connections", "3")
                                  PAIR("max_headers", "4") PAIR("max_header_size", "5") PAIR("max_multiplexed", "6")
                                      PAIR("max_form_fields", "7") PAIR("max_form_parts", "4294967295")),
                     0);
    assert_int_equal(s.workers, 1);
    assert_int_equal(s.threads, 2);
    assert_int_equal(s.max_connections, 3);
    assert_int_equal(s.max_headers, 4);
    assert_int_equal(s.max_header_size, 5);
    assert_int_equal(s.max_multiplexed, 6);
    assert_int_equal(s.max_form_fields, 7);
    assert_int_equal(s.max_form_parts, UINT32_MAX);
    sm_settings_deinit(&s);
}

static void test_settings_sizes_and_times_are_read(void **state) {
    (void)state;
    struct sm_settings s;
    assert_int_equal(
        READ(&s, PAIR("max_body_size", "18446744073709551615") PAIR("request_body_memory", "2")
                     PAIR("write_buffer", "3") PAIR("header_timeout", "4") PAIR("body_timeout", "5")
                         PAIR("write_timeout", "6") PAIR("keepalive_timeout", "7") PAIR("linger_timeout", "8") PAIR(
                             "shutdown_timeout", "9") PAIR("startup_timeout", "10") PAIR("handoff_after", "11")
                             PAIR("ws_max_size", "12") PAIR("ws_ping_interval", "13") PAIR("ws_ping_timeout", "14")),
        0);
    assert_true(s.max_body_size == UINT64_MAX);
    assert_int_equal(s.request_body_memory, 2);
    assert_int_equal(s.write_buffer, 3);
    assert_int_equal(s.header_timeout, 4);
    assert_int_equal(s.body_timeout, 5);
    assert_int_equal(s.write_timeout, 6);
    assert_int_equal(s.keepalive_timeout, 7);
    assert_int_equal(s.linger_timeout, 8);
    assert_int_equal(s.shutdown_timeout, 9);
    assert_int_equal(s.startup_timeout, 10);
    assert_int_equal(s.handoff_after, 11);
    assert_int_equal(s.ws_max_size, 12);
    assert_int_equal(s.ws_ping_interval, 13);
    assert_int_equal(s.ws_ping_timeout, 14);
    sm_settings_deinit(&s);
}

static void test_settings_flags_levels_and_umask_are_read(void **state) {
    (void)state;
    static const char *const levels[] = {"debug", "info", "warning", "error", "critical"};
    struct sm_settings s;
    assert_int_equal(READ(&s, PAIR("show_traceback", "true") PAIR("autoreload", "true") PAIR("daemonize", "false")
                                  PAIR("logging", "true") PAIR("ws_compression", "true") PAIR("umask", "027")),
                     0);
    assert_true(s.ws_compression);
    assert_true(s.show_traceback);
    assert_true(s.autoreload);
    assert_false(s.daemonize);
    assert_true(s.logging);
    assert_int_equal(s.umask, 027);
    sm_settings_deinit(&s);
    for (int i = 0; i < 5; i++) {
        char text[32] = "log_level";
        strcpy(text + 10, levels[i]);
        assert_int_equal(sm_settings_read(&s, text, 10 + strlen(levels[i]) + 1), 0);
        assert_int_equal(s.log_level, i);
        sm_settings_deinit(&s);
    }
}

static void test_settings_listeners_are_read(void **state) {
    (void)state;
    struct sm_settings s;
    assert_int_equal(READ(&s, PAIR("listen.0.protocol", "http") PAIR("listen.0.address", "127.0.0.1:80")
                                  PAIR("listen.1.protocol", "fastcgi") PAIR("listen.1.address", "unix:/s") PAIR(
                                      "listen.1.owner", "o") PAIR("listen.1.group", "g") PAIR("listen.1.mode", "660")
                                      PAIR("listen.1.backlog", "7") PAIR("listen.1.allow.0", "192.0.2.1")
                                          PAIR("listen.1.allow.1", "192.0.2.2")),
                     0);
    assert_int_equal(s.n_listen, 2);
    assert_int_equal(s.listen[0].protocol, SM_PROTOCOL_HTTP);
    assert_string_equal(s.listen[0].address, "127.0.0.1:80");
    assert_int_equal(s.listen[0].mode, -1);
    assert_true(s.listen[0].backlog > 0);
    assert_null(s.listen[0].allow);
    assert_int_equal(s.listen[1].protocol, SM_PROTOCOL_FASTCGI);
    assert_string_equal(s.listen[1].address, "unix:/s");
    assert_string_equal(s.listen[1].owner, "o");
    assert_string_equal(s.listen[1].group, "g");
    assert_int_equal(s.listen[1].mode, 0660);
    assert_int_equal(s.listen[1].backlog, 7);
    assert_string_equal(s.listen[1].allow[0], "192.0.2.1");
    assert_string_equal(s.listen[1].allow[1], "192.0.2.2");
    assert_null(s.listen[1].allow[2]);
    sm_settings_deinit(&s);
}

static void test_settings_text_given_twice_keeps_the_last(void **state) {
    (void)state;
    struct sm_settings s;
    assert_int_equal(READ(&s, PAIR("app", "one") PAIR("app", "two") PAIR("venv", "")), 0);
    assert_string_equal(s.app, "two");
    assert_string_equal(s.venv, "");
    sm_settings_deinit(&s);
}

static void test_settings_unknown_key_is_refused_by_name(void **state) {
    (void)state;
    REFUSED(PAIR("app", "m") PAIR("worker", "1"), "worker = \"1\"");
    REFUSED(PAIR("workersx", "1"), "workersx");
    REFUSED(PAIR("", "1"), " = \"1\"");
    REFUSED(PAIR("listen.0.colour", "red"), "listen.0.colour");
    REFUSED(PAIR("listen.0", "x"), "listen.0");
    REFUSED(PAIR("listen.x.address", "x"), "listen.x.address");
    REFUSED(PAIR("listen.5.address", "x"), "listen.5.address"); // leaves a gap
    REFUSED(PAIR("listen.-1.address", "x"), "listen.-1.address");
}

static void test_settings_plain_key_with_an_index_is_refused(void **state) {
    (void)state;
    REFUSED(PAIR("workers.0", "1"), "workers.0");
    REFUSED(PAIR("app.x", "m"), "app.x");
}

static void test_settings_value_that_does_not_fit_is_refused(void **state) {
    (void)state;
    REFUSED(PAIR("workers", ""), "workers");
    REFUSED(PAIR("workers", "x"), "workers = \"x\"");
    REFUSED(PAIR("workers", "-1"), "workers");
    REFUSED(PAIR("workers", "4294967296"), "workers");
    REFUSED(PAIR("max_body_size", "18446744073709551616"), "max_body_size");
    REFUSED(PAIR("header_timeout", "10s"), "header_timeout");
    REFUSED(PAIR("daemonize", "yes"), "daemonize");
    REFUSED(PAIR("umask", "08"), "umask");
    REFUSED(PAIR("umask", ""), "umask");
    REFUSED(PAIR("umask", "-1"), "umask");
    REFUSED(PAIR("umask", "10000"), "umask");
    REFUSED(PAIR("log_level", "loud"), "log_level");
    REFUSED(PAIR("listen.0.mode", "9"), "listen.0.mode");
}

static void test_settings_unknown_protocol_is_refused(void **state) {
    (void)state;
    REFUSED(PAIR("listen.0.protocol", "spdy"), "listen.0.protocol");
}

static void test_settings_backlog_past_int_is_refused(void **state) {
    (void)state;
    REFUSED(PAIR("listen.0.backlog", "4294967295"), "listen.0.backlog");
}

static void test_settings_cut_anywhere_is_never_misread(void **state) {
    (void)state;
    static const char text[] = PAIR("app", "m") PAIR("workers", "12") PAIR("listen.0.address", "a");
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        char *exact = malloc(len + 1); // so that a read past the end is seen
        assert_non_null(exact);
        memcpy(exact, text, len);
        exact = realloc(exact, len == 0 ? 1 : len);
        struct sm_settings settings;
        capture_clear(&capture);
        int r = sm_settings_read(&settings, exact, len);
        bool whole = len == 0 || len == 6 || len == 17;
        assert_int_equal(r, whole ? 0 : -EINVAL);
        assert_int_equal(capture_lines(&capture), whole ? 0 : 1);
        sm_settings_deinit(&settings);
        free(exact);
    }
}

static int open_capture(void **state) {
    (void)state;
    return capture_init(&capture);
}

static int close_capture(void **state) {
    (void)state;
    capture_deinit(&capture);
    return 0;
}

#define LOGGED(name) cmocka_unit_test_setup_teardown(name, open_capture, close_capture)

int main(void) {
    const struct CMUnitTest tests[] = {
        LOGGED(test_settings_nothing_gives_the_neutral_state),
        LOGGED(test_settings_texts_are_read),
        LOGGED(test_settings_counts_are_read),
        LOGGED(test_settings_sizes_and_times_are_read),
        LOGGED(test_settings_flags_levels_and_umask_are_read),
        LOGGED(test_settings_listeners_are_read),
        LOGGED(test_settings_text_given_twice_keeps_the_last),
        LOGGED(test_settings_unknown_key_is_refused_by_name),
        LOGGED(test_settings_plain_key_with_an_index_is_refused),
        LOGGED(test_settings_value_that_does_not_fit_is_refused),
        LOGGED(test_settings_unknown_protocol_is_refused),
        LOGGED(test_settings_backlog_past_int_is_refused),
        LOGGED(test_settings_cut_anywhere_is_never_misread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
