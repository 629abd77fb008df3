// SPDX-License-Identifier: MIT
// The PROXY protocol, versions 1 and 2 (HAProxy, proxy-protocol.txt): one header at the very start of a connection,
// by which a proxy says whose connection it passes on. Pure. Whether a peer may say so is the caller's question.
#pragma once

#include "proto/ip.h"

enum sm_proxy_outcome {
    SM_PROXY_MORE, // may become a header: call again with all the bytes when more have come
    SM_PROXY_NONE, // no header: the bytes are the protocol's
    SM_PROXY_DONE, // a header of `len` bytes
    SM_PROXY_BAD,  // begins like a header and is none: `reason` says why; the connection cannot go on
};

enum sm_proxy_kind {
    SM_PROXY_LOCAL,   // the proxy speaks for itself (a health check)
    SM_PROXY_UNKNOWN, // for somebody without an IP address (a unix socket), or it does not say
    SM_PROXY_ADDRESS, // for `from`, who connected to `to`
};

struct sm_proxy {
    enum sm_proxy_kind kind;
    size_t len; // bytes of the header, at most 16 + 65535
    struct sm_ip from, to;
    uint16_t from_port, to_port;
    bool is_tls;        // the client came over TLS (PP2_TYPE_SSL)
    const char *reason; // static text for the log
};

// Looks at data[0, len), which begins with the connection's first byte. Of extensions (TLVs) only PP2_TYPE_SSL is
// read; the others are checked and skipped.
enum sm_proxy_outcome sm_proxy_parse(const char *data, size_t len, struct sm_proxy *proxy_out);
