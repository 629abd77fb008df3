// SPDX-License-Identifier: MIT
// Opens listening sockets and accepts from them. The descriptors belong to the caller.
#pragma once

#include <sys/types.h>

#include "net/addr.h"

struct sm_listener_options {
    int backlog;
    int mode;    // of a unix socket; -1: from umask
    uid_t owner; // of a unix socket; (uid_t)-1: leave
    gid_t group;
};

// Positive outcomes of opening, beside the descriptor: none; errors are -errno:
// -EADDRINUSE also when a live server answers on a unix socket. A stale unix socket file is replaced: the new one is
// bound beside it and renamed over it, so that there is no moment without a socket.
int sm_listener_open(const struct sm_addr *addr, const struct sm_listener_options *options);
// Makes an inherited descriptor ready for use: 0, or -ENOTSOCK when it is no listening stream socket.
int sm_listener_adopt(int fd);
// Whether descriptor `fd` is a listening stream socket (spawn-fcgi, inetd, systemd).
bool sm_listener_is(int fd);
// The address that it is bound to. 0 or -errno.
int sm_listener_address(int fd, struct sm_addr *addr_out);

// Accepts one connection, non-blocking. >= 0: descriptor; -EAGAIN: none; -EMFILE and the like: no means; other errors
// concern the connection only and are skipped.
int sm_listener_accept(int fd, struct sm_peer *peer_out);
