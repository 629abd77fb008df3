// SPDX-License-Identifier: MIT
// A request body on its way in: memory up to a limit, an unlinked temporary file beyond it. It is either taken as a
// whole when it is complete, or read while it comes.
#pragma once

#include "engine/exchange.h"

struct sm_spool {
    struct sm_body body; // what has come and was not read to its end; `data` has room for `cap` bytes
    size_t cap;
    uint64_t read;     // bytes of `body` that were read
    uint64_t received; // bytes that have come in all
};

// Appends. 0; -errno when the file cannot be made or written (full disk), or there is no memory.
int sm_spool_add(struct sm_spool *spool, struct sm_str data, size_t memory_limit, const char *temp_dir);
static inline uint64_t sm_spool_unread(const struct sm_spool *spool) {
    return spool->body.len - spool->read;
}
// Copies up to `len` unread bytes to `out`; what has been read to its end takes no room any more. The count, or
// -errno.
ssize_t sm_spool_read(struct sm_spool *spool, char *out, size_t len);
// Frees what is held, but keeps a small buffer for the next request.
void sm_spool_reset(struct sm_spool *spool);
void sm_spool_deinit(struct sm_spool *spool);
