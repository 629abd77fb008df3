// SPDX-License-Identifier: MIT
// UTF-8 that comes in pieces (RFC 3629): is it well-formed so far? No overlong forms, no surrogates, nothing past
// U+10FFFF. Pure; the state lies with the caller.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// All zero: between two characters.
struct sm_utf8 {
    uint8_t need; // continuation bytes still to come
    uint8_t low;  // what the next of them may be: [low, high]
    uint8_t high;
};

// Whether data[0, len) goes on well-formed. After false the state is of no use.
bool sm_utf8_feed(struct sm_utf8 *state, const char *data, size_t len);

// Whether the text may end here.
static inline bool sm_utf8_complete(const struct sm_utf8 *state) {
    return state->need == 0;
}
