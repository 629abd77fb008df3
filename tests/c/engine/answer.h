// SPDX-License-Identifier: MIT
// A reader of HTTP/1.1 responses (RFC 9112) for tests: knows nothing of the code under test and fails the test on
// whatever a strict client would refuse. An answer owns its text.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { ANSWER_FIELDS = 32 };

struct answer {
    int status;
    char *text; // all of its bytes, field lines cut into terminated strings
    const char *reason;
    const char *names[ANSWER_FIELDS];
    const char *values[ANSWER_FIELDS];
    unsigned n_fields;
    bool chunked;
    bool until_close; // the body ends with the connection
    char *body;       // decoded and terminated
    size_t body_len;
    char *trailers; // the lines behind the last chunk, each with its CR LF; NULL without chunks
};

// Reads one response from data[0, len) and returns the bytes that it takes. `to_head`: it answers HEAD.
// `ended`: the connection was closed behind the data.
size_t answer_read(struct answer *answer, const char *data, size_t len, bool to_head, bool ended);
// A field's value, NULL when absent; fails the test when the field stands there twice.
const char *answer_field(const struct answer *answer, const char *name);
void answer_deinit(struct answer *answer);
