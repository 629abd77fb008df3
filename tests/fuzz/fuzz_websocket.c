// SPDX-License-Identifier: MIT
// Fuzz target for WebSocket frames: any input, with and without compression, under generous and under tight limits,
// must give the same events whole, byte by byte and in pieces, keep the promises that replay.h checks, and never look
// past its end. Seeds: tests/corpus/websocket.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../c/proto/replay.h"

enum {
    INPUT_MAX = 16384,
    BYTEWISE_MAX = 1024, // longer inputs are not fed byte by byte: the buffer is copied for each piece
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

static void compare(const uint8_t *data, size_t size, uint64_t max_size, bool may_deflate, struct guard *guard) {
    struct dump whole;
    struct dump pieces;
    struct replay input = {.data = (const char *)data, .len = size, .first = size, .step = 1, .guard = guard};
    dump_init(&whole);
    dump_init(&pieces);
    replay_websocket(&input, max_size, may_deflate, &whole);
    input.first = choose(data, size, 1);
    input.step = choose(data, size, 2);
    replay_websocket(&input, max_size, may_deflate, &pieces);
    expect_same(&whole, &pieces, &input);
    if (size <= BYTEWISE_MAX) {
        input.first = input.step = 1;
        dump_clear(&pieces);
        replay_websocket(&input, max_size, may_deflate, &pieces);
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
        compare(data, size, 1 << 20, true, &guard);
        compare(data, size, 1 << 20, false, &guard);
        compare(data, size, 16, true, &guard);
    }
    return 0;
}
