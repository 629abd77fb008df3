// SPDX-License-Identifier: MIT
// Addresses. Names are resolved at start-up only; nothing here blocks while requests are served.
#define _GNU_SOURCE
#include "net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"

static int sm_addr_parse_unix(const char *path, struct sm_addr *addr) {
    size_t len = strlen(path);
    if (len == 0) {
        return -EINVAL;
    }
    if (len >= sizeof(addr->sa.un.sun_path)) {
        return -ENAMETOOLONG;
    }
    addr->sa.un.sun_family = AF_UNIX;
    memcpy(addr->sa.un.sun_path, path, len + 1);
    addr->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    return 0;
}

static int sm_addr_resolve(const char *host, const char *port, struct sm_addr *addr) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (getaddrinfo(*host == '\0' || strcmp(host, "*") == 0 ? "0.0.0.0" : host, port, &hints, &found) != 0) {
        return -ENXIO;
    }
    memcpy(&addr->sa, found->ai_addr, found->ai_addrlen);
    addr->len = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

int sm_addr_parse(const char *text, struct sm_addr *addr_out) {
    memset(addr_out, 0, sizeof(*addr_out));
    if (strncmp(text, "unix:", 5) == 0) {
        return sm_addr_parse_unix(text + 5, addr_out);
    }
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon[1] == '\0') {
        return -EINVAL;
    }
    const char *host = text;
    size_t host_len = (size_t)(colon - text);
    uint64_t port;
    if (!sm_u64_parse(sm_str_from(colon + 1), UINT16_MAX, &port)) {
        return -EINVAL;
    }
    if (*host == '[') {
        if (host_len < 3 || host[host_len - 1] != ']') {
            return -EINVAL;
        }
        host++;
        host_len -= 2;
    }
    char name[256];
    if (host_len >= sizeof(name)) {
        return -EINVAL;
    }
    memcpy(name, host, host_len);
    name[host_len] = '\0';
    return sm_addr_resolve(name, colon + 1, addr_out);
}

void sm_addr_format(const struct sm_addr *addr, char out[static SM_ADDR_TEXT_MAX]) {
    if (addr->sa.any.sa_family == AF_UNIX) {
        size_t path_len = addr->len > offsetof(struct sockaddr_un, sun_path)
                              ? addr->len - offsetof(struct sockaddr_un, sun_path)
                              : 0;
        snprintf(out, SM_ADDR_TEXT_MAX, "unix:%.*s", (int)path_len, addr->sa.un.sun_path);
        return;
    }
    struct sm_peer peer;
    sm_peer_from(&peer, addr);
    sm_peer_format(&peer, out);
}

void sm_peer_from(struct sm_peer *peer, const struct sm_addr *addr) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    memset(peer, 0, sizeof(*peer));
    peer->family = AF_UNIX;
    if (addr->sa.any.sa_family == AF_INET) {
        peer->family = AF_INET;
        peer->port = ntohs(addr->sa.v4.sin_port);
        memcpy(peer->bytes, &addr->sa.v4.sin_addr, 4);
    } else if (addr->sa.any.sa_family == AF_INET6) {
        const uint8_t *bytes = addr->sa.v6.sin6_addr.s6_addr;
        bool is_mapped = memcmp(bytes, mapped, sizeof(mapped)) == 0;
        peer->family = is_mapped ? AF_INET : AF_INET6;
        peer->port = ntohs(addr->sa.v6.sin6_port);
        memcpy(peer->bytes, bytes + (is_mapped ? 12 : 0), is_mapped ? 4 : 16);
    }
}

// inet_ntop(3) goes through printf.
static size_t sm_peer_host_v4(const uint8_t bytes[static 4], char *out) {
    size_t len = 0;
    for (int i = 0; i < 4; i++) {
        if (i > 0) {
            out[len++] = '.';
        }
        len += sm_u64_dec(out + len, bytes[i]);
    }
    out[len] = '\0';
    return len;
}

size_t sm_peer_host(const struct sm_peer *peer, char out[static SM_HOST_TEXT_MAX]) {
    out[0] = '\0';
    if (peer->family != AF_UNIX) {
        if (peer->family == AF_INET) {
            return sm_peer_host_v4(peer->bytes, out);
        }
        inet_ntop(peer->family, peer->bytes, out, SM_HOST_TEXT_MAX);
    }
    return strlen(out);
}

struct sm_str sm_host_of(struct sm_host *host, const struct sm_peer *peer) {
    if (host->peer.family != peer->family || memcmp(host->peer.bytes, peer->bytes, sizeof peer->bytes) != 0) {
        host->peer = *peer;
        host->len = (uint8_t)sm_peer_host(peer, host->text);
    }
    return (struct sm_str){host->text, host->len};
}

void sm_peer_format(const struct sm_peer *peer, char out[static SM_ADDR_TEXT_MAX]) {
    char host[SM_HOST_TEXT_MAX];
    if (peer->family == AF_UNIX) {
        snprintf(out, SM_ADDR_TEXT_MAX, "unix socket");
        return;
    }
    sm_peer_host(peer, host);
    snprintf(out, SM_ADDR_TEXT_MAX, peer->family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, peer->port);
}
