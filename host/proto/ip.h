// SPDX-License-Identifier: MIT
// IP addresses as text and as bytes. Pure; nothing is looked up. Comes in: the parsers that read addresses which
// other servers wrote, and the engine with those of the configuration.
#pragma once

#include "base/str.h"

struct sm_ip {
    uint8_t version; // 4, 6, or 0: no address
    uint8_t bytes[16];
};

// Reads "192.0.2.1" (four decimal numbers, none with a leading zero) or "2001:db8::1" (RFC 4291 2.2; no brackets, no
// zone). IPv4 in IPv6 (::ffff:192.0.2.1) becomes IPv4, as it does for peers. False when it is neither.
bool sm_ip_parse(struct sm_str text, struct sm_ip *ip_out);
// The address of 4 or 16 bytes in network order; IPv4 in IPv6 becomes IPv4.
void sm_ip_from(uint8_t version, const uint8_t *bytes, struct sm_ip *ip_out);
