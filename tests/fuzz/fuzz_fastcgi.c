// SPDX-License-Identifier: MIT
// Fuzz target for the FastCGI codec: any input must give the same events whole, byte by byte and in pieces, and keep
// the promises that replay.h checks. The same input is also read as a params block; what can be read must come out
// the same after it was written again. Seeds: tests/corpus/fastcgi.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../c/proto/replay.h"

enum {
    INPUT_MAX = 1 << 17, // room for the largest record
    BYTEWISE_MAX = 1024, // longer inputs are not fed byte by byte: the buffer is copied for each piece
    MAX_FIELDS = 16,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_same(const struct dump *expected, const struct dump *actual) {
    if (strcmp(expected->text, actual->text) != 0) {
        fprintf(stderr, "one way:\n%s\nthe other way:\n%s\n", expected->text, actual->text);
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

static void compare_pieces(const uint8_t *data, size_t size, struct guard *guard) {
    struct dump whole;
    struct dump pieces;
    struct replay input = {.data = (const char *)data, .len = size, .first = size, .step = 1, .guard = guard};
    dump_init(&whole);
    dump_init(&pieces);
    replay_fastcgi(&input, MAX_FIELDS, &whole);
    input.first = choose(data, size, 1);
    input.step = choose(data, size, 2);
    replay_fastcgi(&input, MAX_FIELDS, &pieces);
    expect_same(&whole, &pieces);
    if (size <= BYTEWISE_MAX) {
        input.first = input.step = 1;
        dump_clear(&pieces);
        replay_fastcgi(&input, MAX_FIELDS, &pieces);
        expect_same(&whole, &pieces);
    }
    dump_deinit(&whole);
    dump_deinit(&pieces);
}

// Writes every pair of the block again; the bytes written, 0 if the block is malformed. A rewritten block is never
// longer: lengths take their shortest form.
static size_t rewrite(const char *block, size_t len, char *out) {
    size_t off = 0;
    size_t written = 0;
    struct sm_str name;
    struct sm_str value;
    int pair;
    while ((pair = sm_fcgi_pair_next(block, len, &off, &name, &value)) > 0) {
        size_t added = sm_fcgi_pair_put(out + written, len - written, name, value);
        replay_check(added > 0, "a pair that was read can be written");
        written += added;
    }
    return pair < 0 ? 0 : written;
}

static void compare_params(const uint8_t *data, size_t size, struct guard *guard) {
    const char *block = guard_put(guard, data, size);
    char *out = malloc(size + 1);
    struct dump before;
    struct dump after;
    if (out == NULL) {
        abort();
    }
    dump_init(&before);
    dump_init(&after);
    replay_params(block, size, MAX_FIELDS, "params", &before);
    size_t len = rewrite(block, size, out);
    if (len > 0) {
        replay_params(out, len, MAX_FIELDS, "params", &after);
        expect_same(&before, &after);
    }
    dump_deinit(&before);
    dump_deinit(&after);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct guard guard;
    if (guard.map == NULL && guard_init(&guard, INPUT_MAX) != 0) {
        abort();
    }
    if (size <= INPUT_MAX) {
        compare_pieces(data, size, &guard);
        compare_params(data, size, &guard);
    }
    return 0;
}
