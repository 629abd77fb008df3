// SPDX-License-Identifier: MIT
// A growing block of bytes with an owner. The one place that reallocates buffers.
#pragma once

#include <stddef.h>
#include <string.h>

#include "base/str.h"

struct sm_bytes {
    char *data;
    size_t len;
    size_t cap;
};

// Room for `extra` bytes past len. 0 or -ENOMEM (nothing changed).
int sm_bytes_reserve(struct sm_bytes *bytes, size_t extra);
void sm_bytes_deinit(struct sm_bytes *bytes);

// Appends a copy. 0 or -ENOMEM.
static inline int sm_bytes_append(struct sm_bytes *bytes, const char *data, size_t len) {
    if (bytes->cap - bytes->len < len) {
        int r = sm_bytes_reserve(bytes, len);
        if (r < 0) {
            return r;
        }
    }
    if (len > 0) {
        memcpy(bytes->data + bytes->len, data, len);
        bytes->len += len;
    }
    return 0;
}

static inline int sm_bytes_append_str(struct sm_bytes *bytes, struct sm_str str) {
    return sm_bytes_append(bytes, str.ptr, str.len);
}

// Drops `len` bytes from the front.
void sm_bytes_consume(struct sm_bytes *bytes, size_t len);
