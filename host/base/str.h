// SPDX-License-Identifier: MIT
// Borrowed byte strings and spans: how every floor passes text around without owning it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Bytes that belong to somebody else; not terminated.
struct sm_str {
    const char *ptr;
    size_t len;
};

// Bytes [off, off + len) of a block that may move; the block's owner resolves it.
struct sm_span {
    uint32_t off;
    uint32_t len;
};

#define SM_STR(literal) ((struct sm_str){(literal), sizeof(literal) - 1})

static inline struct sm_str sm_str_from(const char *text) {
    return (struct sm_str){text, text == NULL ? 0 : strlen(text)};
}

static inline struct sm_str sm_span_in(struct sm_span span, const char *base) {
    return (struct sm_str){base + span.off, span.len};
}

static inline bool sm_str_eq(struct sm_str a, struct sm_str b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline char sm_ascii_lower(char c) {
    return (c >= 'A' && c <= 'Z') ? (char)(c | 0x20) : c;
}

// Compares without regard to ASCII case (RFC 9110 5.1: field names are case-insensitive).
static inline bool sm_str_ieq(struct sm_str a, struct sm_str b) {
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (sm_ascii_lower(a.ptr[i]) != sm_ascii_lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}
