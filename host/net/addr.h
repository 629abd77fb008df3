// SPDX-License-Identifier: MIT
// Socket addresses: text to sockaddr and back, peers in few bytes.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/str.h"

union sm_addr_any {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
};

struct sm_addr {
    socklen_t len;
    union sm_addr_any sa;
};

enum { SM_ADDR_TEXT_MAX = 128, SM_HOST_TEXT_MAX = 48 };

// "127.0.0.1:8080", "[::1]:80", "localhost:80" or "unix:/path". A host name is resolved (blocking: start-up
// only). 0; -EINVAL: no such form; -ENAMETOOLONG: unix path too long; -ENXIO: the name does not resolve.
int sm_addr_parse(const char *text, struct sm_addr *addr_out);
// The same text for an address; at most SM_ADDR_TEXT_MAX bytes with terminator.
void sm_addr_format(const struct sm_addr *addr, char out[static SM_ADDR_TEXT_MAX]);

// Where a connection comes from; 20 bytes instead of 128. IPv4 in IPv6 becomes IPv4.
struct sm_peer {
    uint8_t family; // AF_INET, AF_INET6, AF_UNIX
    uint16_t port;
    uint8_t bytes[16];
};

void sm_peer_from(struct sm_peer *peer, const struct sm_addr *addr);
// Numeric host, empty for a unix socket; returns its length.
size_t sm_peer_host(const struct sm_peer *peer, char out[static SM_HOST_TEXT_MAX]);

// The host that was written last, so that the same one need not be written again. Zero: none.
struct sm_host {
    struct sm_peer peer;
    uint8_t len;
    char text[SM_HOST_TEXT_MAX];
};
// The peer's numeric host; valid until `host` is asked for another.
struct sm_str sm_host_of(struct sm_host *host, const struct sm_peer *peer);
// "127.0.0.1:5000" or "unix socket"; for the log.
void sm_peer_format(const struct sm_peer *peer, char out[static SM_ADDR_TEXT_MAX]);
