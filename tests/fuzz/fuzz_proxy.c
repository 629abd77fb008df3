// SPDX-License-Identifier: MIT
// Fuzz target for PROXY headers: any input must give the same outcome whole, byte by byte and in pieces, and never
// lead past its end; addresses of version 1 are those that inet_pton(3) reads. Seeds: tests/corpus/proxy.
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../c/proto/replay.h"

enum { INPUT_MAX = 1 << 17, BYTEWISE_MAX = 1024, WORD_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// As replay_proxy, compared with the input fed whole.
static void compare(struct replay *input, size_t first, size_t step, const struct dump *whole) {
    struct dump pieces;
    dump_init(&pieces);
    input->first = first;
    input->step = step;
    replay_proxy(input, &pieces);
    if (strcmp(whole->text, pieces.text) != 0) {
        fprintf(stderr, "whole:\n%s\nfirst %zu, then %zu bytes:\n%s\n", whole->text, first, step, pieces.text);
        abort();
    }
    dump_deinit(&pieces);
}

// The end of the input is an address for us exactly when it is one for the system.
static void compare_ip(const uint8_t *data, size_t size, struct guard *guard) {
    char text[WORD_MAX];
    uint8_t bytes[16];
    struct sm_ip ip;
    struct sm_ip wanted = {0};
    size_t len = size < WORD_MAX - 1 ? size : WORD_MAX - 1;
    memcpy(text, data + size - len, len);
    text[len] = '\0';
    if (inet_pton(AF_INET, text, bytes) == 1) {
        sm_ip_from(4, bytes, &wanted);
    } else if (inet_pton(AF_INET6, text, bytes) == 1) {
        sm_ip_from(6, bytes, &wanted);
    }
    bool taken = sm_ip_parse((struct sm_str){guard_put(guard, text, strlen(text)), strlen(text)}, &ip);
    replay_check(taken == (wanted.version != 0), "addresses are those of inet_pton");
    replay_check(!taken || (ip.version == wanted.version && memcmp(ip.bytes, wanted.bytes, sizeof ip.bytes) == 0),
                 "and have its bytes");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct guard guard;
    if (guard.map == NULL && guard_init(&guard, INPUT_MAX) != 0) {
        abort();
    }
    if (size == 0 || size > INPUT_MAX) {
        return 0;
    }
    struct replay input = {.data = (const char *)data, .len = size, .first = size, .step = 1, .guard = &guard};
    struct dump whole;
    dump_init(&whole);
    replay_proxy(&input, &whole);
    compare(&input, 1 + data[size - 1] % size, 1 + data[size / 2], &whole);
    if (size <= BYTEWISE_MAX) {
        compare(&input, 1, 1, &whole);
    }
    dump_deinit(&whole);
    compare_ip(data, size, &guard);
    return 0;
}
