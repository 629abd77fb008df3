// SPDX-License-Identifier: MIT
// Listeners from settings: addresses, inherited descriptors, owners and modes, each failure with its address.
#define _GNU_SOURCE
#include "engine/ports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/exit.h"
#include "engine/process.h"
#include "net/listener.h"

static const char *sm_ports_advice(int error) {
    switch (error) {
    case EADDRINUSE:
        return "another program listens there";
    case EACCES:
        return "permission denied; ports below 1024 need root or CAP_NET_BIND_SERVICE";
    case EEXIST:
        return "a file that is no socket is in the way";
    case ENXIO:
        return "the name does not resolve";
    default:
        return strerror(error);
    }
}

static int sm_ports_adopt(const char *number) {
    int fd = atoi(number);
    int r = sm_listener_adopt(fd);
    return r < 0 ? r : fd;
}

static int sm_ports_bind(const struct sm_listen *listen) {
    struct sm_listener_options options = {.backlog = listen->backlog, .mode = listen->mode};
    struct sm_addr addr;
    if (strncmp(listen->address, "fd:", 3) == 0) {
        return sm_ports_adopt(listen->address + 3);
    }
    if (sm_process_ids(listen->owner, listen->group, &options.owner, &options.group) != SM_EXIT_OK) {
        return -EINVAL;
    }
    int r = sm_addr_parse(listen->address, &addr);
    return r < 0 ? r : sm_listener_open(&addr, &options);
}

static int sm_ports_name(struct sm_ports *ports, size_t i, const struct sm_listen *listen) {
    const char *protocol = listen->protocol == SM_PROTOCOL_HTTP ? "http" : "fastcgi";
    char text[SM_ADDR_TEXT_MAX] = "?";
    struct sm_addr addr;
    bool is_unix = strncmp(listen->address, "unix:", 5) == 0;
    if (!is_unix && sm_listener_address(ports->fds[i], &addr) == 0) {
        is_unix = addr.sa.any.sa_family == AF_UNIX;
        sm_addr_format(&addr, text);
    } else {
        snprintf(text, sizeof(text), "%s", listen->address);
    }
    if (asprintf(&ports->names[i], is_unix ? "%s+%s" : "%s://%s", protocol, text) < 0) {
        ports->names[i] = NULL;
        return -ENOMEM;
    }
    if (strncmp(listen->address, "unix:", 5) == 0) {
        ports->unlinks[i] = strdup(listen->address + 5);
    }
    return 0;
}

int sm_ports_open(struct sm_ports *ports, const struct sm_settings *settings) {
    size_t n = settings->n_listen;
    *ports = (struct sm_ports){
        .fds = calloc(n, sizeof(int)), .names = calloc(n, sizeof(char *)), .unlinks = calloc(n, sizeof(char *))};
    if (ports->fds == NULL || ports->names == NULL || ports->unlinks == NULL) {
        return SM_EXIT_SYSTEM;
    }
    for (size_t i = 0; i < n; i++) {
        const struct sm_listen *listen = &settings->listen[i];
        int fd = sm_ports_bind(listen);
        if (fd < 0) {
            sm_log(SM_LOG_CRITICAL, "cannot listen on %s: %s", listen->address, sm_ports_advice(-fd));
            return SM_EXIT_LISTEN;
        }
        ports->fds[i] = fd;
        ports->n = i + 1;
        if (sm_ports_name(ports, i, listen) < 0) {
            return SM_EXIT_SYSTEM;
        }
    }
    return SM_EXIT_OK;
}

void sm_ports_deinit(struct sm_ports *ports, bool remove) {
    for (size_t i = 0; i < ports->n; i++) {
        if (ports->unlinks[i] != NULL && remove) {
            unlink(ports->unlinks[i]);
        }
        close(ports->fds[i]);
        free(ports->names[i]);
        free(ports->unlinks[i]);
    }
    free(ports->fds);
    free(ports->names);
    free(ports->unlinks);
    *ports = (struct sm_ports){0};
}

static int sm_ports_allow(struct sm_listen *listen, const char *addresses) {
    char *copy = strdup(addresses);
    char **allow = calloc(strlen(addresses) / 2 + 2, sizeof(char *));
    size_t n = 0;
    char *state = NULL;
    if (copy == NULL || allow == NULL) {
        free(copy);
        free(allow);
        return -ENOMEM;
    }
    for (char *one = strtok_r(copy, ", ", &state); one != NULL; one = strtok_r(NULL, ", ", &state)) {
        allow[n] = strdup(one);
        n += allow[n] != NULL;
    }
    free(copy);
    listen->allow = allow;
    return 0;
}

int sm_ports_allow_from_env(struct sm_settings *settings) {
    const char *addresses = getenv("FCGI_WEB_SERVER_ADDRS");
    int r = 0;
    for (size_t i = 0; addresses != NULL && *addresses != '\0' && i < settings->n_listen && r == 0; i++) {
        struct sm_listen *listen = &settings->listen[i];
        if (listen->protocol == SM_PROTOCOL_FASTCGI && listen->allow == NULL) {
            r = sm_ports_allow(listen, addresses);
        }
    }
    return r;
}
