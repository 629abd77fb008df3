// SPDX-License-Identifier: MIT
// The writing half of an exchange from inside: shared by reply.c and the rooms beside it (files, interim responses,
// trailers) only.
#pragma once

#include "engine/session.h"

enum { MAX_REPLY_HEAD = 1 << 20 };

enum sm_reply_field { FIELD_PLAIN, FIELD_LENGTH, FIELD_CONNECTION, FIELD_DATE, FIELD_SERVER, FIELD_REFUSED };

// What a field means to the server; told apart by length first, as most fields mean nothing.
enum sm_reply_field sm_reply_field_kind(struct sm_str name);
// 0, or BAD_NAME, BAD_VALUE.
int sm_reply_check_field(struct sm_str name, struct sm_str value);
// Appends a field line. 0, TOO_LARGE or -ENOMEM.
int sm_reply_add_field(struct sm_bytes *lines, struct sm_str name, struct sm_str value);
// Begins the head of exchange->status in the engine's scratch. `reason` may be empty. 0 or -ENOMEM.
int sm_reply_put_status(struct sm_exchange *exchange, struct sm_str reason);
// Before `len` body bytes: 0 to go on; else the outcome to return.
int sm_reply_check(const struct sm_exchange *exchange, uint64_t len);
// After body bytes: 0, or FULL, which is remembered.
int sm_reply_full(struct sm_exchange *exchange);
// Queues all that is left of a file, as something else follows it. 0 or -ENOMEM.
int sm_reply_file_rest(struct sm_exchange *exchange);

// Whether the head that was begun is one of an interim response; 101 is the last that HTTP has to say (RFC
// 9110 15.2.2).
static inline bool sm_reply_is_interim(const struct sm_exchange *exchange) {
    return exchange->status >= 100 && exchange->status < 200 && exchange->status != 101;
}
