// SPDX-License-Identifier: MIT
// A request body on its way in: memory up to a limit, an unlinked temporary file beyond it.
#pragma once

#include "engine/exchange.h"

struct sm_spool {
    struct sm_body body; // what has come so far; `data` has room for `cap` bytes
    size_t cap;
};

// Appends. 0; -errno when the file cannot be made or written (full disk), or there is no memory.
int sm_spool_add(struct sm_spool *spool, struct sm_str data, size_t memory_limit, const char *temp_dir);
// Frees what is held, but keeps a small buffer for the next request.
void sm_spool_reset(struct sm_spool *spool);
void sm_spool_deinit(struct sm_spool *spool);
