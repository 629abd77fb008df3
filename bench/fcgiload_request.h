// SPDX-License-Identifier: MIT
// The FastCGI request that fcgiload sends again and again, and the protocol's numbers (FastCGI 1.0, section 8).
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum {
    REQUEST_ID = 1,
    FCGI_HEADER_LEN = 8,
    FCGI_BEGIN = 1,
    FCGI_END = 3,
    FCGI_PARAMS = 4,
    FCGI_STDIN = 5,
    FCGI_STDOUT = 6,
    FCGI_STDERR = 7,
};

struct bytes {
    char *ptr;
    size_t len;
};

// Makes a Responder request with `body_len` bytes of body (0: a GET). The caller frees `out->ptr`. 0 or -ENOMEM.
int request_make(size_t body_len, bool keep_conn, struct bytes *out);
