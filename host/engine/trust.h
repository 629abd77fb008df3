// SPDX-License-Identifier: MIT
// Whose word counts: the networks of `trusted_proxies`, what a trusted peer says at the start of a connection (PROXY
// protocol), and what it says with a request (Forwarded, X-Forwarded-*). Nothing here costs an untrusted peer, or a
// server without that setting, more than one flag.
#pragma once

#include "net/addr.h"
#include "proto/forwarded.h"

struct sm_session;
struct sm_exchange;

// An address with the bits of it that count.
struct sm_network {
    struct sm_ip ip;
    uint8_t bits;
};

// Who is trusted. Read once from the settings, then constant.
struct sm_trust {
    struct sm_network *networks;
    uint32_t n_networks;
    bool unix_sockets; // peers on unix sockets
};

// Where a request really comes from: what its head says of that, worked out when first asked for.
struct sm_origin {
    bool is_known;     // worked out; the rest is valid
    bool is_forwarded; // somebody trusted said so: head and socket know less
    bool is_https;
    uint16_t host_len; // of the authority that the client asked for; 0: what the head says
    struct sm_peer client;
    char host[SM_AUTHORITY_MAX + 6]; // room for a port behind it
};

// Reads `entries` (NULL-terminated, or NULL: nobody): addresses, networks and "unix". 0; -EINVAL after a log line
// that names the entry; -ENOMEM.
int sm_trust_init(struct sm_trust *trust, char *const *entries);
void sm_trust_deinit(struct sm_trust *trust);
bool sm_trust_has(const struct sm_trust *trust, const struct sm_peer *peer);

// A connection begins: notes peer, and whether it is trusted.
void sm_trust_meet(struct sm_session *session, const struct sm_peer *peer);
// The first bytes of a connection whose `greets` is set: takes a PROXY header off them, if there is one. True: go on
// behind `used_out` bytes. False: `used_out` bytes are done with, wait for more; or the connection was closed.
bool sm_trust_greet(struct sm_session *session, const char *data, size_t len, size_t *used_out);
// The deadline of such a connection has passed before its first request: says so if a header was on its way.
void sm_trust_late(const struct sm_session *session);
// "192.0.2.7:5000 by 10.0.0.1:4000", or the peer alone where no PROXY header came; for the log.
enum { SM_TRUST_TEXT_MAX = 2 * SM_ADDR_TEXT_MAX + 4 };
void sm_trust_format(const struct sm_session *session, char out[static SM_TRUST_TEXT_MAX]);

// The exchange's origin; its head must be complete and still its own.
const struct sm_origin *sm_trust_origin(struct sm_exchange *exchange);
