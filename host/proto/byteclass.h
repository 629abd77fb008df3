// SPDX-License-Identifier: MIT
// What kinds of bytes there are in HTTP, as one table, and the scan that finds the end of a line.
// Private to host/proto. No state; nothing reads past the `end` it is given.
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum sm_byte_class {
    SM_BYTE_TOKEN = 1,  // tchar, RFC 9110 5.6.2
    SM_BYTE_HOST = 2,   // unreserved and sub-delims, RFC 3986 2.2 and 2.3 ("%" apart)
    SM_BYTE_TARGET = 4, // taken in a request target; not "?", "#", SP and controls
    SM_BYTE_VALUE = 8,  // field-vchar, SP and HTAB, RFC 9110 5.5
    SM_BYTE_SPACE = 16, // SP and HTAB (OWS, RFC 9110 5.6.3)
    SM_BYTE_DIGIT = 32, // 0-9
    SM_BYTE_HEX = 64,   // 0-9, A-F, a-f
};

extern const uint8_t sm_byte_classes[256];

static inline bool sm_byte_is(char byte, unsigned classes) {
    return (sm_byte_classes[(uint8_t)byte] & classes) != 0;
}

// The first byte of [ptr, end) that no line of a head may contain: a control other than HTAB, or DEL. `end` if none.
// Takes eight bytes at a time: in `low` the lowest marked byte is exact, those above it may be marked by a borrow.
static inline const char *sm_scan_line(const char *ptr, const char *end) {
    const uint64_t ones = UINT64_C(0x0101010101010101);
    for (;;) {
        while (end - ptr >= 8) {
            uint64_t word;
            memcpy(&word, ptr, sizeof word);
            word = le64toh(word);
            uint64_t del = word ^ (ones * 0x7f);
            uint64_t low = ((word - ones * 0x20) & ~word) | ((del - ones) & ~del);
            low &= ones * 0x80;
            if (low != 0) {
                ptr += __builtin_ctzll(low) >> 3;
                break;
            }
            ptr += 8;
        }
        while (ptr < end && end - ptr < 8 && sm_byte_is(*ptr, SM_BYTE_VALUE)) {
            ptr++;
        }
        if (ptr == end || *ptr != '\t') {
            return ptr;
        }
        ptr++;
    }
}
