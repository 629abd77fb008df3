// SPDX-License-Identifier: MIT
// Percent-encoding by table (see percent.h). Constant; indexed by the unsigned byte.
#include "proto/percent.h"

#include "proto/byteclass.h"

enum {
    ALL = SM_PERCENT_COMPONENT | SM_PERCENT_WHOLE | SM_PERCENT_PATH,
    DELIMITER = SM_PERCENT_WHOLE | SM_PERCENT_PATH,
};

static const uint8_t kept[256] = {
    ['!'] = ALL,
    ['$'] = DELIMITER,
    ['&'] = DELIMITER,
    ['\''] = ALL,
    ['(' ... '*'] = ALL,
    ['+'] = DELIMITER,
    [','] = DELIMITER,
    ['-' ... '.'] = ALL,
    ['/'] = DELIMITER,
    ['0' ... '9'] = ALL,
    [':'] = SM_PERCENT_PATH,
    [';'] = DELIMITER,
    ['='] = DELIMITER,
    ['?'] = SM_PERCENT_WHOLE,
    ['@'] = SM_PERCENT_PATH,
    ['A' ... 'Z'] = ALL,
    ['_'] = ALL,
    ['a' ... 'z'] = ALL,
    ['~'] = ALL,
};

static inline bool is_kept(char byte, enum sm_percent_keep keep) {
    return (kept[(uint8_t)byte] & keep) != 0;
}

// Of a hexadecimal digit: letters have bit 6 and begin with 1 in the low four.
static inline unsigned hex_value(char digit) {
    return ((unsigned)digit & 15) + ((unsigned)digit >> 6) * 9;
}

static inline size_t decode(char *out, struct sm_str src, char plus) {
    size_t len = 0;
    for (size_t at = 0; at < src.len; at++) {
        char byte = src.ptr[at];
        if (byte == '%' && src.len - at > 2 && sm_byte_is(src.ptr[at + 1], SM_BYTE_HEX) &&
            sm_byte_is(src.ptr[at + 2], SM_BYTE_HEX)) {
            byte = (char)(hex_value(src.ptr[at + 1]) << 4 | hex_value(src.ptr[at + 2]));
            at += 2;
        } else if (byte == '+') {
            byte = plus;
        }
        out[len++] = byte;
    }
    return len;
}

size_t sm_percent_decode(char *out, struct sm_str src) {
    return decode(out, src, '+');
}

size_t sm_form_decode(char *out, struct sm_str src) {
    return decode(out, src, ' ');
}

// Not 0 when one of the bytes is not ASCII or has a meaning. Without a jump, for the compiler to take many at once.
static inline unsigned special_among(const char *bytes, size_t len) {
    uint8_t found = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = (uint8_t)bytes[i];
        found |= (uint8_t)((byte >> 7) | (byte == '%') | (byte == '+'));
    }
    return found;
}

bool sm_form_is_plain(struct sm_str src) {
    enum { STEP = 256 }; // bytes
    while (src.len >= STEP) {
        if (special_among(src.ptr, STEP) != 0) {
            return false;
        }
        src = (struct sm_str){src.ptr + STEP, src.len - STEP};
    }
    return special_among(src.ptr, src.len) == 0;
}

size_t sm_percent_encoded_len(struct sm_str src, enum sm_percent_keep keep) {
    size_t wrong = 0;
    for (size_t at = 0; at < src.len; at++) {
        wrong += !is_kept(src.ptr[at], keep);
    }
    return src.len + 2 * wrong;
}

size_t sm_percent_encode(char *out, struct sm_str src, enum sm_percent_keep keep) {
    static const char digits[] = "0123456789ABCDEF";
    size_t len = 0;
    for (size_t at = 0; at < src.len; at++) {
        uint8_t byte = (uint8_t)src.ptr[at];
        if (is_kept(src.ptr[at], keep)) {
            out[len++] = src.ptr[at];
            continue;
        }
        out[len++] = '%';
        out[len++] = digits[byte >> 4];
        out[len++] = digits[byte & 15];
    }
    return len;
}
