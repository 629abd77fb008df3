// SPDX-License-Identifier: MIT
// The two notations of RFC 4291 2.2 and RFC 3986 3.2.2, read strictly: what two readers could take for two addresses
// is none.
#include "proto/ip.h"

#include "proto/byteclass.h"

enum { V4_LEN = 4, V6_LEN = 16, NO_GAP = V6_LEN + 1 };

static bool parse_v4(struct sm_str text, uint8_t out[static V4_LEN]) {
    size_t at = 0;
    for (int i = 0; i < V4_LEN; i++) {
        if (i > 0 && (at == text.len || text.ptr[at++] != '.')) {
            return false;
        }
        size_t from = at;
        unsigned value = 0;
        while (at < text.len && at - from < 3 && sm_byte_is(text.ptr[at], SM_BYTE_DIGIT)) {
            value = value * 10 + (unsigned)(text.ptr[at++] - '0');
        }
        // "010" is 8 to some readers and 10 to others.
        if (at == from || value > 255 || (at - from > 1 && text.ptr[from] == '0')) {
            return false;
        }
        out[i] = (uint8_t)value;
    }
    return at == text.len;
}

// An address under construction: `len` bytes so far, and where "::" stands among them.
struct groups {
    uint8_t bytes[V6_LEN];
    size_t len;
    size_t gap;
};

static unsigned hex_value(char c) {
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(sm_ascii_lower(c) - 'a') + 10;
}

// One group of up to four hexadecimal digits; how many there are, 0 when it is none.
static size_t take_group(struct groups *groups, struct sm_str text) {
    size_t digits = 0;
    unsigned value = 0;
    while (digits < text.len && digits < 4 && sm_byte_is(text.ptr[digits], SM_BYTE_HEX)) {
        value = value << 4 | hex_value(text.ptr[digits++]);
    }
    if (groups->len + 2 > V6_LEN) {
        return 0;
    }
    groups->bytes[groups->len++] = (uint8_t)(value >> 8);
    groups->bytes[groups->len++] = (uint8_t)value;
    return digits;
}

// The last four bytes may be written as an IPv4 address.
static bool take_v4_tail(struct groups *groups, struct sm_str text) {
    if (groups->len + V4_LEN > V6_LEN || !parse_v4(text, groups->bytes + groups->len)) {
        return false;
    }
    groups->len += V4_LEN;
    return true;
}

static struct sm_str skip(struct sm_str text, size_t len) {
    return (struct sm_str){text.ptr + len, text.len - len};
}

static bool take_groups(struct groups *groups, struct sm_str text) {
    while (text.len > 0) {
        size_t word = 0;
        while (word < text.len && text.ptr[word] != ':') {
            word++;
        }
        if (memchr(text.ptr, '.', word) != NULL) {
            return take_v4_tail(groups, text);
        }
        if (word == 0 || take_group(groups, text) != word) {
            return false;
        }
        text = skip(text, word);
        if (text.len == 0) {
            return true;
        }
        text = skip(text, 1);
        if (text.len == 0) {
            return false; // one colon at the end
        }
        if (*text.ptr == ':') {
            if (groups->gap != NO_GAP) {
                return false;
            }
            groups->gap = groups->len;
            text = skip(text, 1);
        }
    }
    return true;
}

static bool parse_v6(struct sm_str text, uint8_t out[static V6_LEN]) {
    struct groups groups = {.gap = NO_GAP};
    if (text.len >= 2 && memcmp(text.ptr, "::", 2) == 0) {
        groups.gap = 0;
        text = skip(text, 2);
    }
    if (!take_groups(&groups, text)) {
        return false;
    }
    if (groups.gap == NO_GAP || groups.len == V6_LEN) {
        memcpy(out, groups.bytes, V6_LEN);
        return groups.gap == NO_GAP && groups.len == V6_LEN; // "::" stands for one group at least
    }
    size_t tail = groups.len - groups.gap;
    memset(out, 0, V6_LEN);
    memcpy(out, groups.bytes, groups.gap);
    memcpy(out + V6_LEN - tail, groups.bytes + groups.gap, tail);
    return true;
}

void sm_ip_from(uint8_t version, const uint8_t *bytes, struct sm_ip *ip_out) {
    static const uint8_t mapped[V6_LEN - V4_LEN] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    *ip_out = (struct sm_ip){.version = version};
    if (version == 6 && memcmp(bytes, mapped, sizeof mapped) == 0) {
        ip_out->version = 4;
        bytes += sizeof mapped;
    }
    memcpy(ip_out->bytes, bytes, ip_out->version == 4 ? V4_LEN : V6_LEN);
}

bool sm_ip_parse(struct sm_str text, struct sm_ip *ip_out) {
    uint8_t bytes[V6_LEN];
    uint8_t version = text.len > 0 && memchr(text.ptr, ':', text.len) != NULL ? 6 : 4;
    if (version == 6 ? !parse_v6(text, bytes) : !parse_v4(text, bytes)) {
        return false;
    }
    sm_ip_from(version, bytes, ip_out);
    return true;
}
