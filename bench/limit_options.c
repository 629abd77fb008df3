// SPDX-License-Identifier: MIT
// The command line of bench/limit. Called once, before anything is opened.
#include "limit_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: limit [--http ADDR] [--fastcgi ADDR] [--workers N] [--shared | --exclusive | --reuseport]\n"
    "             [--accept-batch N] [--rotate-every N] [--balance N] [--level] [--block-every N --block-ms N]\n"
    "             [--answer BYTES | --echo BYTES]\n"
    "ADDR is PORT, HOST:PORT (IPv4) or unix:PATH; --answer sets the length of the answer's body, --echo that of "
    "each\n"
    "request's, which is sent back; both are for HTTP only\n";

static void listener_add(struct options *options, enum protocol protocol, const char *address) {
    if (options->listener_count == 2) {
        fputs(usage, stderr);
        exit(2);
    }
    options->listeners[options->listener_count++] = (struct listener){protocol, address, -1};
}

static bool has_fastcgi(const struct options *options) {
    for (int i = 0; i < options->listener_count; i++) {
        if (options->listeners[i].protocol == FASTCGI) {
            return true;
        }
    }
    return false;
}

static void option_set(struct options *options, int option) {
    switch (option) {
    case 'h':
        listener_add(options, HTTP, optarg);
        break;
    case 'f':
        listener_add(options, FASTCGI, optarg);
        break;
    case 'w':
        options->workers = atoi(optarg);
        break;
    case 's':
        options->sharing = SHARED;
        break;
    case 'e':
        options->sharing = EXCLUSIVE;
        break;
    case 'r':
        options->sharing = REUSEPORT;
        break;
    case 'a':
        options->accept_batch = atoi(optarg);
        break;
    case 'o':
        options->rotate_every = strtoull(optarg, NULL, 10);
        break;
    case 'b':
        options->balance = atol(optarg);
        break;
    case 'l':
        options->level = true;
        break;
    case 'n':
        options->block_every = strtoull(optarg, NULL, 10);
        break;
    case 'B':
        options->http_only = true;
        options->body_len = strtoull(optarg, NULL, 10);
        break;
    case 'E':
        options->http_only = true;
        options->echo = true;
        options->body_len = strtoull(optarg, NULL, 10);
        break;
    case 'm':
        options->block_ms = atol(optarg);
        break;
    default:
        fputs(usage, stderr);
        exit(2);
    }
}

void options_parse(struct options *options, int argc, char **argv) {
    static const struct option known[] = {
        {"http", required_argument, NULL, 'h'},
        {"fastcgi", required_argument, NULL, 'f'},
        {"workers", required_argument, NULL, 'w'},
        {"shared", no_argument, NULL, 's'},
        {"exclusive", no_argument, NULL, 'e'},
        {"reuseport", no_argument, NULL, 'r'},
        {"accept-batch", required_argument, NULL, 'a'},
        {"level", no_argument, NULL, 'l'},
        {"balance", required_argument, NULL, 'b'},
        {"rotate-every", required_argument, NULL, 'o'},
        {"block-every", required_argument, NULL, 'n'},
        {"block-ms", required_argument, NULL, 'm'},
        {"answer", required_argument, NULL, 'B'},
        {"echo", required_argument, NULL, 'E'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        option_set(options, option);
    }
    if (optind != argc || options->listener_count == 0 || options->workers < 1 || options->workers > MAX_WORKERS ||
        options->accept_batch < 1 || (options->http_only && has_fastcgi(options))) {
        fputs(usage, stderr);
        exit(2);
    }
}
