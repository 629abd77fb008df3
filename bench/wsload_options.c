// SPDX-License-Identifier: MIT
// The command line of wsload. Called once, before anything is opened.
#include "wsload_options.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wsload_frame.h"

static const char usage[] =
    "usage: wsload [-c CONNECTIONS] [-d SECONDS] [--size BYTES] [--path PATH]\n"
    "              [--timeout SECONDS] [--steps] [--json] HOST:PORT\n"
    "Sends text messages of 64 bytes (or --size, 16 to 65535) on 1,000 connections and checks\n"
    "their echoes. --steps reads the runs to do from standard input, seconds a line.\n";

static void usage_fail(void) {
    fputs(usage, stderr);
    exit(2);
}

static void address_parse(struct ws_options *options) {
    const char *colon = strrchr(options->address, ':');
    char host[64] = "";
    struct sockaddr_in *address = &options->socket_address;
    if (colon == NULL) {
        usage_fail();
    }
    snprintf(host, sizeof host, "%.*s", (int)(colon - options->address), options->address);
    address->sin_family = AF_INET;
    address->sin_port = htons((uint16_t)atoi(colon + 1));
    if (inet_pton(AF_INET, host, &address->sin_addr) != 1) {
        usage_fail();
    }
}

static void option_set(struct ws_options *options, int option) {
    switch (option) {
    case 'c':
        options->connections = atoi(optarg);
        break;
    case 'd':
        options->seconds = atof(optarg);
        break;
    case 's':
        options->size = strtoull(optarg, NULL, 10);
        break;
    case 'p':
        options->path = optarg;
        break;
    case 't':
        options->timeout = atof(optarg);
        break;
    case 'S':
        options->steps = true;
        break;
    case 'j':
        options->json = true;
        break;
    default:
        usage_fail();
    }
}

void ws_options_parse(struct ws_options *options, int argc, char **argv) {
    static const struct option known[] = {
        {"size", required_argument, NULL, 's'},    {"path", required_argument, NULL, 'p'},
        {"timeout", required_argument, NULL, 't'}, {"steps", no_argument, NULL, 'S'},
        {"json", no_argument, NULL, 'j'},          {NULL, 0, NULL, 0},
    };
    int option;
    *options = (struct ws_options){.path = "/", .connections = 1000, .seconds = 3, .size = 64, .timeout = 10};
    while ((option = getopt_long(argc, argv, "c:d:", known, NULL)) != -1) {
        option_set(options, option);
    }
    if (optind != argc - 1 || options->connections < 1 || options->size < MESSAGE_NUMBER_LEN ||
        options->size > UINT16_MAX || strlen(argv[optind]) + strlen(options->path) > HANDSHAKE_TEXT_CAP) {
        usage_fail();
    }
    options->address = argv[optind];
    address_parse(options);
}
