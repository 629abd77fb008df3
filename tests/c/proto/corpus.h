// SPDX-License-Identifier: MIT
// The files of tests/corpus: what a connection sends, and beside it in NAME.expect what the parser must report.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct corpus_case {
    char *name; // "valid/get.http"
    char *data; // what is sent
    size_t len;
    char *expected;   // the events, comments and the line of limits taken out
    unsigned header;  // limits: bytes of a head
    unsigned headers; // limits: fields
    unsigned body;    // limits: bytes of a body
    bool valid;       // lies in the folder of that name
};

struct corpus {
    struct corpus_case *cases; // sorted by name
    size_t n_cases;
};

// Reads DIR/valid and DIR/invalid; whatever is wrong with them ends the process with a message.
void corpus_load(struct corpus *corpus, const char *dir, const char *suffix);
void corpus_free(struct corpus *corpus);
