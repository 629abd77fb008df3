// SPDX-License-Identifier: MIT
// What wsload was asked for on its command line.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

struct ws_options {
    const char *address; // as given, for the Host field
    struct sockaddr_in socket_address;
    const char *path;
    int connections;
    double seconds;
    size_t size; // bytes of a message
    double timeout;
    bool steps; // runs are commanded over standard input
    bool json;
};

// Fills `options` from the command line and the defaults; prints the usage and exits with 2 when it is wrong.
void ws_options_parse(struct ws_options *options, int argc, char **argv);
