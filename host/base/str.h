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

// Up to seven characters.
static inline bool sm_same_short(const char *a, const char *b, size_t len) {
    uint32_t one = 0;
    uint32_t other = 0;
    if (len < sizeof one) {
        return len == 0 || (a[0] == b[0] && a[len / 2] == b[len / 2] && a[len - 1] == b[len - 1]);
    }
    memcpy(&one, a, sizeof one);
    memcpy(&other, b, sizeof other);
    if (one != other) {
        return false;
    }
    memcpy(&one, a + len - sizeof one, sizeof one); // overlaps what was compared
    memcpy(&other, b + len - sizeof other, sizeof other);
    return one == other;
}

// Whether `len` bytes are the same. For names and values: few bytes, compared eight at a time, without a call.
static inline bool sm_same(const char *a, const char *b, size_t len) {
    uint64_t one = 0;
    uint64_t other = 0;
    if (len < sizeof one) {
        return sm_same_short(a, b, len);
    }
    for (size_t at = 0; at + sizeof one < len; at += sizeof one) {
        memcpy(&one, a + at, sizeof one);
        memcpy(&other, b + at, sizeof other);
        if (one != other) {
            return false;
        }
    }
    memcpy(&one, a + len - sizeof one, sizeof one); // what is left, and perhaps some of what was compared
    memcpy(&other, b + len - sizeof other, sizeof other);
    return one == other;
}

static inline bool sm_str_eq(struct sm_str a, struct sm_str b) {
    return a.len == b.len && sm_same(a.ptr, b.ptr, a.len);
}

static inline char sm_ascii_lower(char c) {
    return (c >= 'A' && c <= 'Z') ? (char)(c | 0x20) : c;
}

// Eight characters in lower case. Adding carries into a byte's top bit when its low seven bits are 'A' or more, and
// again when they are more than 'Z'; what is not ASCII is left alone.
static inline uint64_t sm_ascii_lower8(uint64_t text) {
    uint64_t low = text & UINT64_C(0x7f7f7f7f7f7f7f7f);
    uint64_t from_a = low + UINT64_C(0x3f3f3f3f3f3f3f3f);
    uint64_t past_z = low + UINT64_C(0x2525252525252525);
    uint64_t is_upper = (from_a ^ past_z) & ~text & UINT64_C(0x8080808080808080);
    return text | is_upper >> 2;
}

// Compares without regard to ASCII case (RFC 9110 5.1: field names are case-insensitive).
static inline bool sm_str_ieq(struct sm_str a, struct sm_str b) {
    uint64_t one = 0;
    uint64_t other = 0;
    size_t at = 0;
    if (a.len != b.len) {
        return false;
    }
    for (; at + sizeof one <= a.len; at += sizeof one) {
        memcpy(&one, a.ptr + at, sizeof one);
        memcpy(&other, b.ptr + at, sizeof other);
        if (sm_ascii_lower8(one) != sm_ascii_lower8(other)) {
            return false;
        }
    }
    for (; at < a.len; at++) {
        if (sm_ascii_lower(a.ptr[at]) != sm_ascii_lower(b.ptr[at])) {
            return false;
        }
    }
    return true;
}
