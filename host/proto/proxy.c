// SPDX-License-Identifier: MIT
// Both versions of the PROXY header. Section numbers are those of proxy-protocol.txt. Nothing is kept between two
// calls: a header is short, and what it announces is known from its first bytes.
#include "proto/proxy.h"

#include "base/num.h"

// 2.1: the longest line, CRLF included. 2.2: signature, version and command, family, length.
enum { V1_MAX = 107, V2_HEAD = 16, TLV_HEAD = 3, TYPE_SSL = 0x20, SSL_MIN = 5, CLIENT_SSL = 1 };

static const struct sm_str v1_start = {"PROXY ", 6};
static const struct sm_str v2_start = {"\r\n\r\n\0\r\nQUIT\n", 12};

static enum sm_proxy_outcome refuse(struct sm_proxy *proxy, const char *reason) {
    proxy->reason = reason;
    return SM_PROXY_BAD;
}

// How far data agrees with the start of a header: NONE not at all, MORE as far as it goes, DONE whole.
static enum sm_proxy_outcome compare_start(const char *data, size_t len, struct sm_str start) {
    size_t known = len < start.len ? len : start.len;
    if (known > 0 && memcmp(data, start.ptr, known) != 0) {
        return SM_PROXY_NONE;
    }
    return known < start.len ? SM_PROXY_MORE : SM_PROXY_DONE;
}

// --- version 1 (2.1) ---

// Cuts the word before the next space off the line; the whole line when there is no space.
static struct sm_str take_word(struct sm_str *line) {
    const char *space = line->len == 0 ? NULL : memchr(line->ptr, ' ', line->len);
    struct sm_str word = {line->ptr, space == NULL ? line->len : (size_t)(space - line->ptr)};
    size_t used = space == NULL ? line->len : word.len + 1;
    *line = (struct sm_str){line->ptr + used, line->len - used};
    return word;
}

static bool parse_ip(struct sm_str word, bool is_v6, struct sm_ip *ip_out) {
    bool has_colon = word.len > 0 && memchr(word.ptr, ':', word.len) != NULL;
    return has_colon == is_v6 && sm_ip_parse(word, ip_out);
}

static bool parse_port(struct sm_str word, uint16_t *port_out) {
    uint64_t port = 0;
    if (!sm_u64_parse(word, UINT16_MAX, &port) || (word.len > 1 && word.ptr[0] == '0')) {
        return false;
    }
    *port_out = (uint16_t)port;
    return true;
}

// What stands between "PROXY " and CRLF.
static enum sm_proxy_outcome parse_line(struct sm_str line, struct sm_proxy *proxy) {
    struct sm_str family = take_word(&line);
    if (sm_str_eq(family, SM_STR("UNKNOWN"))) {
        proxy->kind = SM_PROXY_UNKNOWN; // whatever follows is to be ignored
        return SM_PROXY_DONE;
    }
    bool is_v6 = sm_str_eq(family, SM_STR("TCP6"));
    if (!is_v6 && !sm_str_eq(family, SM_STR("TCP4"))) {
        return refuse(proxy, "the protocol is none of TCP4, TCP6, UNKNOWN");
    }
    struct sm_str from = take_word(&line);
    struct sm_str to = take_word(&line);
    struct sm_str from_port = take_word(&line);
    if (!parse_ip(from, is_v6, &proxy->from) || !parse_ip(to, is_v6, &proxy->to)) {
        return refuse(proxy, "an address that is none of its protocol");
    }
    if (!parse_port(from_port, &proxy->from_port) || !parse_port(line, &proxy->to_port)) {
        return refuse(proxy, "a port that is none");
    }
    proxy->kind = SM_PROXY_ADDRESS;
    return SM_PROXY_DONE;
}

static enum sm_proxy_outcome parse_v1(const char *data, size_t len, struct sm_proxy *proxy) {
    size_t most = len < V1_MAX ? len : V1_MAX;
    const char *end = memchr(data, '\r', most);
    size_t line_len = end == NULL ? most : (size_t)(end - data);
    if (line_len + 2 > V1_MAX) {
        return refuse(proxy, "the line is longer than 107 bytes");
    }
    if (line_len + 2 > len) {
        return SM_PROXY_MORE;
    }
    if (data[line_len + 1] != '\n') {
        return refuse(proxy, "a CR without LF");
    }
    proxy->len = line_len + 2;
    return parse_line((struct sm_str){data + v1_start.len, line_len - v1_start.len}, proxy);
}

// --- version 2 (2.2) ---

static uint16_t big_endian(const char *bytes) {
    return (uint16_t)((uint8_t)bytes[0] << 8 | (uint8_t)bytes[1]);
}

// The value of PP2_TYPE_SSL begins with a byte of flags and four bytes of the certificate's verdict.
static bool says_tls(const char *tlv, size_t len) {
    return (uint8_t)tlv[0] == TYPE_SSL && len >= TLV_HEAD + SSL_MIN && (tlv[TLV_HEAD] & CLIENT_SSL) != 0;
}

// 2.2.1 and following: whatever their types are, their lengths must fill the block.
static bool take_tlvs(const char *ptr, size_t len, struct sm_proxy *proxy) {
    while (len >= TLV_HEAD) {
        size_t used = TLV_HEAD + (size_t)big_endian(ptr + 1);
        if (used > len) {
            return false;
        }
        proxy->is_tls = proxy->is_tls || says_tls(ptr, used);
        ptr += used;
        len -= used;
    }
    return len == 0;
}

// Addresses and ports of a block that begins with two addresses of `ip_len` bytes.
static enum sm_proxy_outcome parse_block(const char *block, size_t block_len, uint8_t version,
                                         struct sm_proxy *proxy) {
    size_t ip_len = version == 4 ? 4 : 16;
    size_t used = 2 * ip_len + 4;
    if (!take_tlvs(block + used, block_len - used, proxy)) {
        return refuse(proxy, "the lengths of its extensions do not add up");
    }
    sm_ip_from(version, (const uint8_t *)block, &proxy->from);
    sm_ip_from(version, (const uint8_t *)block + ip_len, &proxy->to);
    proxy->from_port = big_endian(block + 2 * ip_len);
    proxy->to_port = big_endian(block + 2 * ip_len + 2);
    proxy->kind = SM_PROXY_ADDRESS;
    return SM_PROXY_DONE;
}

// The two bytes behind the signature: 0 for those that are understood.
static const char *v2_complaint(uint8_t version_command, uint8_t family_transport) {
    if (version_command >> 4 != 2) {
        return "its version is not 2";
    }
    if ((version_command & 15) > 1) {
        return "its command is neither LOCAL nor PROXY";
    }
    bool is_local = (version_command & 15) == 0; // whose family nobody looks at
    return is_local || (family_transport >> 4 <= 3 && (family_transport & 15) <= 2) ? NULL : "an unassigned family";
}

static enum sm_proxy_outcome parse_v2(const char *data, size_t len, struct sm_proxy *proxy) {
    static const uint16_t block_min[4] = {0, 12, 36, 216}; // unspecified, IPv4, IPv6, unix
    if (len < V2_HEAD) {
        return SM_PROXY_MORE;
    }
    uint8_t family = (uint8_t)data[13] >> 4;
    bool is_local = (data[12] & 15) == 0;
    bool is_stream = (data[13] & 15) == 1;
    size_t block_len = big_endian(data + 14);
    const char *complaint = v2_complaint((uint8_t)data[12], (uint8_t)data[13]);
    if (complaint != NULL) {
        return refuse(proxy, complaint);
    }
    if (!is_local && block_len < block_min[family]) {
        return refuse(proxy, "its length is less than its addresses need");
    }
    if (len - V2_HEAD < block_len) {
        return SM_PROXY_MORE;
    }
    proxy->len = V2_HEAD + block_len;
    if (!is_local && is_stream && (family == 1 || family == 2)) {
        return parse_block(data + V2_HEAD, block_len, family == 1 ? 4 : 6, proxy);
    }
    proxy->kind = is_local ? SM_PROXY_LOCAL : SM_PROXY_UNKNOWN;
    return SM_PROXY_DONE;
}

enum sm_proxy_outcome sm_proxy_parse(const char *data, size_t len, struct sm_proxy *proxy_out) {
    *proxy_out = (struct sm_proxy){.kind = SM_PROXY_LOCAL};
    enum sm_proxy_outcome first = compare_start(data, len, v1_start);
    if (first != SM_PROXY_NONE) {
        return first == SM_PROXY_DONE ? parse_v1(data, len, proxy_out) : SM_PROXY_MORE;
    }
    enum sm_proxy_outcome second = compare_start(data, len, v2_start);
    return second == SM_PROXY_DONE ? parse_v2(data, len, proxy_out) : second;
}
