// SPDX-License-Identifier: MIT
// What the servers in front say about a request: Forwarded (RFC 7239), or X-Forwarded-For, -Proto, -Host and -Port.
// Lists grow at their right end, so they are read from there: what a client wrote stands to the left of what trusted
// servers added and cannot change how that is read. Pure; whom to trust is the caller's answer.
#pragma once

#include "proto/ip.h"
#include "proto/message.h"

enum { SM_AUTHORITY_MAX = 261 }; // bytes: a host name of 255, a colon, a port

enum sm_scheme { SM_SCHEME_UNSAID, SM_SCHEME_HTTP, SM_SCHEME_HTTPS };

enum sm_node_kind {
    SM_NODE_UNSAID,  // nobody says anything
    SM_NODE_ADDRESS, // an IP address
    SM_NODE_HIDDEN,  // "unknown" or "_x": somebody without an address (RFC 7239 6.2, 6.3)
    SM_NODE_BAD,     // neither
};

// Who asked (RFC 7239 6): an address, perhaps with a port.
struct sm_node {
    enum sm_node_kind kind;
    struct sm_ip ip;
    uint16_t port; // 0: not said
};

struct sm_forwarded {
    struct sm_node client;
    enum sm_scheme scheme; // by which the client came
    struct sm_str host;    // the authority that it asked for, valid, at most SM_AUTHORITY_MAX bytes; lies in the head
    uint16_t port;         // X-Forwarded-Port; 0: not said
    // What was ignored, and why: static text and a piece of the head; NULL when all was understood.
    const char *complaint;
    struct sm_str ignored;
    bool conflict; // Forwarded and X-Forwarded-* contradict each other; then nothing else is set
};

// Whether an address belongs to somebody whose word counts.
typedef bool sm_trusts(const void *context, const struct sm_ip *ip);

// Reads a head that a trusted peer has sent. Going from right to left, trusted hops are passed over; the first other
// one is the client, or the last of all when every one is trusted. Scheme and host are those that the same hop was
// told. An element that cannot be read ends the walk before it. Forwarded goes before X-Forwarded-*; when both came
// and say different things one of them is the client's own, and neither counts.
void sm_forwarded_read(const struct sm_head *head, sm_trusts *trusts, const void *context,
                       struct sm_forwarded *said_out);

// --- the parts ---

// Whether this is a host, perhaps with a port from 1 on, as a Host field may be (RFC 3986 3.2); not longer than
// SM_AUTHORITY_MAX.
bool sm_authority_ok(struct sm_str text);

// Cuts the last element off a comma-separated list, trimmed; empty ones are passed over, commas within quotes do not
// count. False when there is none left.
bool sm_list_prev(struct sm_str *list, struct sm_str *element_out);
// "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80", "unknown", "_x"; a port may be "_x" too.
struct sm_node sm_node_parse(struct sm_str text);

// One element of Forwarded (RFC 7239 4); an absent parameter has ptr NULL. Values are without their quotes.
struct sm_forwarded_element {
    struct sm_str client; // "for"
    struct sm_str scheme; // "proto"
    struct sm_str host;
};
// False when it is malformed, names a parameter twice, or escapes bytes in one of these three.
bool sm_forwarded_parse(struct sm_str text, struct sm_forwarded_element *element_out);
