// SPDX-License-Identifier: MIT
// Fuzz target for Forwarded and X-Forwarded-*: no fields may lead the reader past their end or to a host that is
// none, and what a client puts before the fields of a trusted proxy changes nothing that the proxy said of an
// untrusted client. Seeds: tests/corpus/forwarded.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../c/proto/replay.h"

enum { INPUT_MAX = 16384 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_fields(const char *data, size_t len, struct guard *guard, struct dump *out) {
    dump_init(out);
    replay_forwarded(guard_put(guard, data, len), len, out);
}

static bool all_are_fields(const char *text, size_t len) {
    size_t n = 0;
    for (const char *end; len > 0; n++) {
        end = memchr(text, '\n', len);
        size_t line = (size_t)(end + 1 - text);
        if (memchr(text, ':', line) == NULL) {
            return false;
        }
        text += line;
        len -= line;
    }
    return n < REPLAY_MAX_FIELDS;
}

// The input, then a list whose last element names an untrusted client in full.
static void expect_last_word(const uint8_t *data, size_t size, struct guard *guard) {
    static const char said[] = "Forwarded: for=192.0.2.1;proto=https;host=shop.example\n";
    static const char wanted[] = "client 192.0.2.1 0\nscheme https\nhost shop.example\n";
    char *text = malloc(size + sizeof said + 1);
    struct dump out;
    if (text == NULL) {
        abort();
    }
    memcpy(text, data, size);
    size_t len = size;
    if (len > 0 && text[len - 1] != '\n') {
        text[len++] = '\n';
    }
    memcpy(text + len, said, sizeof said - 1);
    read_fields(text, len + sizeof said - 1, guard, &out);
    // X-Forwarded-* may contradict; a line without a colon ends the fields before this one.
    bool is_read = all_are_fields(text, len);
    replay_check(!is_read || strcmp(out.text, wanted) == 0 || strcmp(out.text, "conflict\n") == 0,
                 "the last word is the proxy's");
    dump_deinit(&out);
    free(text);
}

// The same within one field: whatever stands before the comma.
static void expect_last_element(const uint8_t *data, size_t size, struct guard *guard) {
    struct dump out;
    char *text = malloc(size + 128);
    if (text == NULL) {
        abort();
    }
    size_t len = (size_t)sprintf(text, "Forwarded: ");
    for (size_t i = 0; i < size; i++) {
        text[len++] = data[i] == '\n' ? ' ' : (char)data[i];
    }
    len += (size_t)sprintf(text + len, ", for=192.0.2.1\n");
    read_fields(text, len, guard, &out);
    replay_check(strcmp(out.text, "client 192.0.2.1 0\n") == 0, "the last element is the proxy's");
    dump_deinit(&out);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct guard guard;
    struct dump out;
    if (guard.map == NULL && guard_init(&guard, INPUT_MAX + 256) != 0) {
        abort();
    }
    if (size > INPUT_MAX) {
        return 0;
    }
    read_fields((const char *)data, size, &guard, &out);
    dump_deinit(&out);
    expect_last_word(data, size, &guard);
    expect_last_element(data, size, &guard);
    return 0;
}
