// SPDX-License-Identifier: MIT
// Well-formed byte sequences by the table of RFC 3629 4: the first byte says how many follow and narrows the
// second; ASCII is passed eight bytes at a time.
#include "proto/utf8.h"

#include <string.h>

static const char *skip_ascii(const char *at, const char *end) {
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        if ((word & UINT64_C(0x8080808080808080)) != 0) {
            break;
        }
        at += 8;
    }
    while (at < end && (uint8_t)*at < 0x80) {
        at++;
    }
    return at;
}

static bool begin_character(struct sm_utf8 *state, uint8_t lead) {
    if (lead < 0xc2 || lead > 0xf4) { // a continuation byte, an overlong form, past U+10FFFF
        return false;
    }
    state->need = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    state->low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    state->high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    return true;
}

static bool go_on(struct sm_utf8 *state, uint8_t byte) {
    if (byte < state->low || byte > state->high) {
        return false;
    }
    state->need--;
    state->low = 0x80;
    state->high = 0xbf;
    return true;
}

bool sm_utf8_feed(struct sm_utf8 *state, const char *data, size_t len) {
    const char *end = data + len;
    while (data < end) {
        if (state->need == 0) {
            data = skip_ascii(data, end);
            if (data < end && !begin_character(state, (uint8_t)*data++)) {
                return false;
            }
        } else if (!go_on(state, (uint8_t)*data++)) {
            return false;
        }
    }
    return true;
}
