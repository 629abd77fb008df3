// SPDX-License-Identifier: MIT
// Growth by doubling: a byte is copied a constant number of times, however it arrives.
#include "base/bytes.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_CAP = 512 };

int sm_bytes_reserve(struct sm_bytes *bytes, size_t extra) {
    if (bytes->cap - bytes->len >= extra) {
        return 0;
    }
    if (extra > SIZE_MAX / 4 - bytes->len) {
        return -ENOMEM;
    }
    size_t cap = bytes->cap < FIRST_CAP ? FIRST_CAP : bytes->cap;
    while (cap < bytes->len + extra) {
        cap *= 2;
    }
    char *data = realloc(bytes->data, cap);
    if (data == NULL) {
        return -ENOMEM;
    }
    bytes->data = data;
    bytes->cap = cap;
    return 0;
}

void sm_bytes_deinit(struct sm_bytes *bytes) {
    free(bytes->data);
    *bytes = (struct sm_bytes){0};
}

void sm_bytes_consume(struct sm_bytes *bytes, size_t len) {
    if (len > 0 && len < bytes->len) {
        memmove(bytes->data, bytes->data + len, bytes->len - len);
    }
    bytes->len -= len;
}
