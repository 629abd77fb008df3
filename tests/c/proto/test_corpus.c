// SPDX-License-Identifier: MIT
// Replays tests/corpus: every file whole, byte by byte, and cut at every position, each piece flush against an
// unreadable page, with the very events that its expectation lists. Arguments: the kind, its folder.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <stdlib.h>

#include "corpus.h"
#include "replay.h"

enum { CUT_MAX = 16384 }; // longer files are cut at every 61st position only

static void replay_fcgi_case(const struct replay *input, const struct corpus_case *item, struct dump *out) {
    replay_fastcgi(input, item->headers, out);
}

static void replay_http_case(const struct replay *input, const struct corpus_case *item, struct dump *out) {
    struct sm_http1_limits limits = {item->header, item->headers, item->body};
    replay_http1(input, &limits, out);
}

static void replay_proxy_case(const struct replay *input, const struct corpus_case *item, struct dump *out) {
    (void)item;
    replay_proxy(input, out);
}

// A head is read whole; its beginning, as far as the first piece goes, must not lead the reader past its end.
static void replay_fields_case(const struct replay *input, const struct corpus_case *item, struct dump *out) {
    struct dump ignored;
    size_t len = input->first < input->len ? input->first : input->len;
    (void)item;
    dump_init(&ignored);
    replay_forwarded(guard_put(input->guard, input->data, len), len, &ignored);
    dump_deinit(&ignored);
    replay_forwarded(guard_put(input->guard, input->data, input->len), input->len, out);
}

// Cases whose name begins with "deflate_" are of a connection that agreed on permessage-deflate.
static void replay_websocket_case(const struct replay *input, const struct corpus_case *item, struct dump *out) {
    replay_websocket(input, item->body, strstr(item->name, "/deflate_") != NULL, out);
}

// A protocol, the suffix of its files, and how they are replayed.
static const struct protocol {
    const char *name;
    const char *suffix;
    void (*replay)(const struct replay *input, const struct corpus_case *item, struct dump *out);
} protocols[] = {
    {"fastcgi", ".bin", replay_fcgi_case},        {"forwarded", ".fields", replay_fields_case},
    {"http1", ".http", replay_http_case},         {"proxy", ".bin", replay_proxy_case},
    {"websocket", ".bin", replay_websocket_case},
};

static const struct protocol *find_protocol(const char *name) {
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
        if (strcmp(protocols[i].name, name) == 0) {
            return &protocols[i];
        }
    }
    return NULL;
}

static void (*replay_case)(const struct replay *input, const struct corpus_case *item, struct dump *out);

static void expect_events(const struct corpus_case *item, const struct replay *input) {
    struct dump out;
    dump_init(&out);
    replay_case(input, item, &out);
    if (strcmp(out.text, item->expected) != 0) {
        print_message("first piece %zu, further pieces %zu bytes\n", input->first, input->step);
    }
    assert_string_equal(out.text, item->expected);
    dump_deinit(&out);
}

// Whether the expectation agrees with the folder that the file lies in.
static bool is_refused(const char *expected) {
    return strncmp(expected, "bad", 3) == 0 || strstr(expected, "\nbad") != NULL ||
           strstr(expected, " malformed\n") != NULL || strstr(expected, " too-many\n") != NULL ||
           strstr(expected, " bad-") != NULL || strstr(expected, "ignored") != NULL ||
           strstr(expected, "conflict\n") != NULL;
}

static void test_corpus_file_gives_expected_events(void **state) {
    const struct corpus_case *item = *state;
    struct guard guard;
    assert_int_equal(guard_init(&guard, item->len), 0);
    struct replay input = {.data = item->data, .len = item->len, .first = item->len, .step = 1, .guard = &guard};
    expect_events(item, &input);
    input.first = 1;
    expect_events(item, &input);
    input.step = item->len + 1;
    size_t stride = item->len > CUT_MAX ? 61 : 1;
    for (input.first = 0; input.first < item->len; input.first += stride) {
        expect_events(item, &input);
    }
    assert_int_equal(item->valid, !is_refused(item->expected));
    guard_deinit(&guard);
}

int main(int argc, char **argv) {
    const struct protocol *protocol = argc == 3 ? find_protocol(argv[1]) : NULL;
    if (protocol == NULL) {
        fprintf(stderr, "usage: test_corpus fastcgi|forwarded|http1|proxy|websocket FOLDER\n");
        return 2;
    }
    replay_case = protocol->replay;
    struct corpus corpus;
    corpus_load(&corpus, argv[2], protocol->suffix);
    struct CMUnitTest *tests = calloc(corpus.n_cases, sizeof *tests);
    if (tests == NULL) {
        return 1;
    }
    for (size_t i = 0; i < corpus.n_cases; i++) {
        tests[i].name = corpus.cases[i].name;
        tests[i].test_func = test_corpus_file_gives_expected_events;
        tests[i].initial_state = &corpus.cases[i];
    }
    int failed = _cmocka_run_group_tests(argv[1], tests, corpus.n_cases, NULL, NULL);
    free(tests);
    corpus_free(&corpus);
    return failed != 0;
}
