// SPDX-License-Identifier: MIT
// Digits from the back of a small scratch, then moved to the front: no division by powers, no printf.
#include "base/num.h"

size_t sm_u64_dec(char out[static SM_U64_DIGITS], uint64_t value) {
    char digits[SM_U64_DIGITS];
    size_t at = SM_U64_DIGITS;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    memcpy(out, digits + at, SM_U64_DIGITS - at);
    return SM_U64_DIGITS - at;
}

size_t sm_u64_hex(char out[static SM_U64_HEX_DIGITS], uint64_t value) {
    char digits[SM_U64_HEX_DIGITS];
    size_t at = SM_U64_HEX_DIGITS;
    do {
        digits[--at] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value > 0);
    memcpy(out, digits + at, SM_U64_HEX_DIGITS - at);
    return SM_U64_HEX_DIGITS - at;
}

bool sm_u64_parse(struct sm_str text, uint64_t max, uint64_t *value_out) {
    uint64_t value = 0;
    if (text.len == 0) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.ptr[i] - '0';
        if (digit > 9 || digit > max || value > (max - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *value_out = value;
    return true;
}
