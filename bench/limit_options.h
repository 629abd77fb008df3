// SPDX-License-Identifier: MIT
// What bench/limit was asked for on its command line: the listeners, and how the workers share them.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAX_WORKERS = 64 };

enum protocol { HTTP, FASTCGI };
enum sharing { SHARED, EXCLUSIVE, REUSEPORT };

struct listener {
    enum protocol protocol;
    const char *address;
    int fd;
};

struct options {
    struct listener listeners[2];
    int listener_count;
    int workers;
    enum sharing sharing;
    bool level;
    int accept_batch;
    long balance;          // connections above the mean at which a worker lets the others go first; -1: never
    uint64_t rotate_every; // accepts after which a worker goes to the end of the line of waiters; 0: never
    uint64_t block_every;  // every so many requests …
    long block_ms;         // … the loop stands still this long, like a handler that blocks
    size_t body_len;       // HTTP: bytes of the answer's body
    bool http_only;        // one of the options that only the HTTP answer knows was given
    bool echo;             // HTTP: each request has a body of body_len bytes, which is the answer's
};

// Reads the command line into `options`, which holds the defaults; prints the usage and exits with 2 when it is
// wrong.
void options_parse(struct options *options, int argc, char **argv);
