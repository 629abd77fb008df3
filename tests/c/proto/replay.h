// SPDX-License-Identifier: MIT
// Plays a connection: feeds bytes to a parser in pieces, as an engine would, and writes down what it reports.
// Comes in: the corpus tests and the fuzz targets. Broken promises of a parser (bytes used that were not given, spans
// outside the head, no progress) abort the process.
#pragma once

#include "../lib/guard.h"
#include "dump.h"
#include "proto/fastcgi.h"
#include "proto/http1.h"
#include "proto/ip.h"

struct replay {
    const char *data;    // borrowed
    size_t len;          // at most what `guard` has room for
    size_t first;        // bytes of the first piece
    size_t step;         // bytes of every other piece; not 0
    struct guard *guard; // borrowed; every piece ends at its unreadable page
};

enum { REPLAY_MAX_FIELDS = 128, REPLAY_MAX_STREAMS = 8 };

// Appends the events of all requests in the input to `out`. The forms are described in tests/corpus/README.md.
void replay_http1(const struct replay *input, const struct sm_http1_limits *limits, struct dump *out);
// The same for FastCGI; complete PARAMS streams are read into a head with at most `max_fields` fields.
void replay_fastcgi(const struct replay *input, uint32_t max_fields, struct dump *out);

// The same for WebSocket frames of a client, after the handshake.
void replay_websocket(const struct replay *input, uint64_t max_size, bool may_deflate, struct dump *out);

// Reads a params block and writes the head down; `name` begins the first line.
void replay_params(const char *block, size_t len, uint32_t max_fields, const char *name, struct dump *out);

// Looks for a PROXY header at the start of the input and writes down what it says and what follows.
void replay_proxy(const struct replay *input, struct dump *out);
// Reads lines "Name: value" as the fields of a head that a trusted peer sent, and writes down what they say of its
// way.
void replay_forwarded(const char *data, size_t len, struct dump *out);
// Whom replay_forwarded trusts: 10.0.0.0/8 and fd00::/8.
bool replay_trusts(const void *context, const struct sm_ip *ip);

// Ends the process with a message unless `kept`.
void replay_check(int kept, const char *promise);
