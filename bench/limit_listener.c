// SPDX-License-Identifier: MIT
// The addresses that bench/limit listens on: TCP over IPv4 or unix sockets, each opened once and shared, or by every
// worker for itself with SO_REUSEPORT. An address that cannot be had ends the process with a message.
#include "limit_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static socklen_t address_parse(const char *text, struct sockaddr_storage *out) {
    memset(out, 0, sizeof *out);
    if (strncmp(text, "unix:", 5) == 0) {
        struct sockaddr_un *local = (struct sockaddr_un *)out;
        local->sun_family = AF_UNIX;
        snprintf(local->sun_path, sizeof local->sun_path, "%s", text + 5);
        unlink(local->sun_path);
        return sizeof *local;
    }
    const char *colon = strrchr(text, ':');
    char host[64] = "127.0.0.1";
    if (colon != NULL && colon > text) {
        snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    }
    struct sockaddr_in *inet = (struct sockaddr_in *)out;
    inet->sin_family = AF_INET;
    inet->sin_port = htons((uint16_t)atoi(colon == NULL ? text : colon + 1));
    if (inet_pton(AF_INET, host, &inet->sin_addr) != 1) {
        fprintf(stderr, "limit: not an IPv4 address: %s\n", host);
        exit(2);
    }
    return sizeof *inet;
}

// Options of a listener are inherited by what it accepts, so TCP_NODELAY costs nothing here.
static void listener_open(struct listener *listener, enum sharing sharing) {
    struct sockaddr_storage address;
    socklen_t address_len = address_parse(listener->address, &address);
    int on = 1;
    listener->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0) {
        fail("socket");
    }
    setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (sharing == REUSEPORT) {
        setsockopt(listener->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    }
    if (address.ss_family == AF_INET) {
        setsockopt(listener->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    if (bind(listener->fd, (struct sockaddr *)&address, address_len) < 0 || listen(listener->fd, BACKLOG) < 0) {
        fail(listener->address);
    }
}

void listeners_open(struct options *options) {
    for (int i = 0; i < options->listener_count; i++) {
        listener_open(&options->listeners[i], options->sharing);
    }
}
