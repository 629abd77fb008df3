// SPDX-License-Identifier: MIT
// Fuzz target for the HTTP/1 parser: any input, under generous and under tight limits, must give the same events
// whole, byte by byte and in pieces, keep the promises that replay.h checks, and never look past its end.
// Seeds: tests/corpus/http1.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../c/proto/replay.h"

enum {
    INPUT_MAX = 16384,
    BYTEWISE_MAX = 1024, // longer inputs are not fed byte by byte: the buffer is copied for each piece
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sm_http1_limits generous = {
    .max_header_size = 8192, .max_headers = 100, .max_body_size = 1 << 20};
static const struct sm_http1_limits tight = {.max_header_size = 96, .max_headers = 3, .max_body_size = 8};

static void expect_same(const struct dump *expected, const struct dump *actual, const struct replay *input) {
    if (strcmp(expected->text, actual->text) != 0) {
        fprintf(stderr, "whole:\n%s\nfirst %zu, then %zu bytes:\n%s\n", expected->text, input->first, input->step,
                actual->text);
        abort();
    }
}

// Sizes of pieces follow from the input alone, so that a finding can be repeated.
static size_t choose(const uint8_t *data, size_t size, uint32_t seed) {
    uint32_t hash = 2166136261u ^ seed;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ data[i]) * 16777619u;
    }
    return 1 + (hash >> 8) % (size + 1);
}

static void compare(const uint8_t *data, size_t size, const struct sm_http1_limits *limits, struct guard *guard) {
    struct dump whole;
    struct dump pieces;
    struct replay input = {.data = (const char *)data, .len = size, .first = size, .step = 1, .guard = guard};
    dump_init(&whole);
    dump_init(&pieces);
    replay_http1(&input, limits, &whole);
    input.first = choose(data, size, 1);
    input.step = choose(data, size, 2);
    replay_http1(&input, limits, &pieces);
    expect_same(&whole, &pieces, &input);
    if (size <= BYTEWISE_MAX) {
        input.first = input.step = 1;
        dump_clear(&pieces);
        replay_http1(&input, limits, &pieces);
        expect_same(&whole, &pieces, &input);
    }
    dump_deinit(&whole);
    dump_deinit(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct guard guard;
    if (guard.map == NULL && guard_init(&guard, INPUT_MAX) != 0) {
        abort();
    }
    if (size <= INPUT_MAX) {
        compare(data, size, &generous, &guard);
        compare(data, size, &tight, &guard);
    }
    return 0;
}
