// SPDX-License-Identifier: MIT
// Taking URLs apart, from the outside in: fragment, query, scheme, authority, path (see url.h).
#include "proto/url.h"

#include "proto/byteclass.h"
#include "proto/ip.h"

static struct sm_str after(struct sm_str text, size_t len) {
    return (struct sm_str){text.ptr + len, text.len - len};
}

// Cuts the text at the first mark; what follows the mark goes to `after_out`. False when there is none.
static bool cut(struct sm_str *text, char mark, struct sm_str *after_out) {
    const char *at = text->len == 0 ? NULL : memchr(text->ptr, mark, text->len);
    if (at == NULL) {
        return false;
    }
    size_t len = (size_t)(at - text->ptr);
    *after_out = after(*text, len + 1);
    text->len = len;
    return true;
}

bool sm_url_is_opaque(struct sm_str scheme) {
    static const struct sm_str opaque[] = {
        SM_STR("about"), SM_STR("cid"), SM_STR("data"), SM_STR("javascript"), SM_STR("mailto"),
        SM_STR("news"),  SM_STR("sms"), SM_STR("tel"),  SM_STR("urn"),
    };
    for (size_t i = 0; i < sizeof opaque / sizeof *opaque; i++) {
        if (sm_str_ieq(scheme, opaque[i])) {
            return true;
        }
    }
    return false;
}

static bool is_letter(char byte) {
    byte = sm_ascii_lower(byte);
    return byte >= 'a' && byte <= 'z';
}

// scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )
static bool is_scheme(struct sm_str text) {
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        bool is_later = sm_byte_is(byte, SM_BYTE_DIGIT) || byte == '+' || byte == '-' || byte == '.';
        if (!is_letter(byte) && (i == 0 || !is_later)) {
            return false;
        }
    }
    return text.len > 0;
}

// What no host and no userinfo has, encoded or not, is refused; the rest is nobody's business here.
static bool may_stand_in_authority(char byte) {
    static const char refused[] = "\"<>\\^`{|}";
    return sm_byte_is(byte, SM_BYTE_HOST) ||
           ((uint8_t)byte > ' ' && byte != 0x7f && memchr(refused, byte, sizeof refused - 1) == NULL);
}

static size_t count_kept(struct sm_str text, unsigned classes, char other) {
    size_t n = 0;
    while (n < text.len && (sm_byte_is(text.ptr[n], classes) || text.ptr[n] == other)) {
        n++;
    }
    return n;
}

// IPvFuture = "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )
static bool is_future_address(struct sm_str text) {
    if (text.len == 0 || sm_ascii_lower(*text.ptr) != 'v') {
        return false;
    }
    struct sm_str rest = after(text, 1);
    size_t digits = count_kept(rest, SM_BYTE_HEX, 0);
    if (digits == 0 || digits == rest.len || rest.ptr[digits] != '.') {
        return false;
    }
    rest = after(rest, digits + 1);
    return rest.len > 0 && count_kept(rest, SM_BYTE_HOST, ':') == rest.len;
}

// IPv6address, perhaps with a zone (RFC 6874), or IPvFuture.
static bool is_literal(struct sm_str text) {
    struct sm_str address = text;
    struct sm_str zone = {NULL, 0};
    struct sm_ip ip;
    if (is_future_address(text)) {
        return true;
    }
    if (cut(&address, '%', &zone) && (zone.len == 0 || count_kept(zone, SM_BYTE_HOST, '%') < zone.len)) {
        return false;
    }
    return address.len > 0 && memchr(address.ptr, ':', address.len) != NULL && sm_ip_parse(address, &ip);
}

// The digits that a port begins with, 0 if there are none: "80abc" was always read as 80. False when it is too large.
static bool take_port(struct sm_str text, uint16_t *port_out) {
    uint32_t port = 0;
    for (size_t i = 0; i < text.len && sm_byte_is(text.ptr[i], SM_BYTE_DIGIT); i++) {
        port = port * 10 + (uint32_t)(text.ptr[i] - '0');
        if (port > UINT16_MAX) {
            return false;
        }
    }
    *port_out = (uint16_t)port;
    return true;
}

static const char *take_host(struct sm_str host, struct sm_url *url) {
    struct sm_str port = {NULL, 0};
    if (host.len > 0 && *host.ptr == '[') {
        host = after(host, 1);
        if (!cut(&host, ']', &port) || !is_literal(host) || (port.len > 0 && *port.ptr != ':')) {
            return "the IPv6 address is malformed";
        }
        port = port.len > 0 ? after(port, 1) : port;
    } else {
        (void)cut(&host, ':', &port);
        if ((port.len > 0 && memchr(port.ptr, ':', port.len) != NULL) ||
            (host.len > 0 && (memchr(host.ptr, '[', host.len) != NULL || memchr(host.ptr, ']', host.len) != NULL))) {
            return "an IPv6 address stands in brackets";
        }
    }
    if (host.len > 0) {
        url->host = host;
    }
    return take_port(port, &url->port) ? NULL : "the port is larger than 65535";
}

// authority = [ user [ ":" password ] "@" ] host [ ":" port ]
static const char *take_authority(struct sm_str text, struct sm_url *url) {
    for (size_t i = 0; i < text.len; i++) {
        if (!may_stand_in_authority(text.ptr[i])) {
            return "a character that no host has";
        }
    }
    struct sm_str user = text;
    struct sm_str host = text;
    if (cut(&user, '@', &host)) {
        if (host.len > 0 && memchr(host.ptr, '@', host.len) != NULL) {
            return "two @ before the host";
        }
        (void)cut(&user, ':', &url->password);
        if (user.len > 0) {
            url->user = user;
        }
    }
    return take_host(host, url);
}

static const char *take_authority_and_path(struct sm_str text, struct sm_url *url) {
    struct sm_str authority = text;
    struct sm_str path = {NULL, 0};
    if (cut(&authority, '/', &path)) {
        url->path = (struct sm_str){path.ptr - 1, path.len + 1};
    }
    return take_authority(authority, url);
}

// `host/path` cannot be told from a relative path; `host:80/path` and `john@host/path` can.
static bool is_relative(struct sm_str text) {
    struct sm_str path;
    return cut(&text, '/', &path) &&
           (text.len == 0 || (memchr(text.ptr, ':', text.len) == NULL && memchr(text.ptr, '@', text.len) == NULL));
}

const char *sm_url_split(struct sm_str text, struct sm_url *url_out) {
    struct sm_str rest = {NULL, 0};
    *url_out = (struct sm_url){.port = 0};
    (void)cut(&text, '#', &url_out->fragment);
    (void)cut(&text, '?', &url_out->query);
    if (text.len == 0) {
        return NULL;
    }
    if (*text.ptr == '/') {
        url_out->path = text;
        return NULL;
    }
    struct sm_str first = text;
    bool has_colon = cut(&first, ':', &rest);
    if (has_colon && rest.len >= 2 && rest.ptr[0] == '/' && rest.ptr[1] == '/') {
        if (!is_scheme(first)) {
            return "the scheme is malformed";
        }
        url_out->scheme = first;
        return take_authority_and_path(after(rest, 2), url_out);
    }
    if (has_colon && sm_url_is_opaque(first)) {
        url_out->scheme = first;
        url_out->path = rest;
        return NULL;
    }
    if (is_relative(text)) {
        return "a path begins with a slash";
    }
    return take_authority_and_path(text, url_out);
}
