// SPDX-License-Identifier: MIT
// Listening sockets. TCP_NODELAY is set once here: accepted sockets inherit it.
#define _GNU_SOURCE
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

// Whether somebody serves behind this unix socket. Connecting is the only honest test.
static bool sm_listener_is_live(const struct sm_addr *addr) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return false;
    }
    int r = connect(fd, &addr->sa.any, addr->len);
    bool live = r == 0 || errno == EAGAIN || errno == EINPROGRESS;
    close(fd);
    return live;
}

static int sm_listener_own(const char *path, const struct sm_listener_options *options) {
    if ((options->owner != (uid_t)-1 || options->group != (gid_t)-1) &&
        chown(path, options->owner, options->group) < 0) {
        return -errno;
    }
    if (options->mode >= 0 && chmod(path, (mode_t)options->mode) < 0) {
        return -errno;
    }
    return 0;
}

// Binds beside the final name, sets owner and mode, listens, and only then renames into place.
static int sm_listener_bind_unix(int fd, const struct sm_addr *addr, const struct sm_listener_options *options) {
    const char *path = addr->sa.un.sun_path;
    struct stat st;
    if (lstat(path, &st) == 0) {
        if (!S_ISSOCK(st.st_mode)) {
            return -EEXIST;
        }
        if (sm_listener_is_live(addr)) {
            return -EADDRINUSE;
        }
    }
    struct sm_addr beside = *addr;
    int n = snprintf(beside.sa.un.sun_path, sizeof(beside.sa.un.sun_path), "%s.%d", path, (int)getpid());
    if (n < 0 || (size_t)n >= sizeof(beside.sa.un.sun_path)) {
        return -ENAMETOOLONG;
    }
    beside.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n + 1);
    unlink(beside.sa.un.sun_path);
    if (bind(fd, &beside.sa.any, beside.len) < 0) {
        return -errno;
    }
    int r = sm_listener_own(beside.sa.un.sun_path, options);
    if (r == 0 && listen(fd, options->backlog) < 0) {
        r = -errno;
    }
    if (r == 0 && rename(beside.sa.un.sun_path, path) < 0) {
        r = -errno;
    }
    if (r < 0) {
        unlink(beside.sa.un.sun_path);
    }
    return r;
}

static int sm_listener_bind_inet(int fd, const struct sm_addr *addr, const struct sm_listener_options *options) {
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (addr->sa.any.sa_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    if (bind(fd, &addr->sa.any, addr->len) < 0 || listen(fd, options->backlog) < 0) {
        return -errno;
    }
    return 0;
}

int sm_listener_open(const struct sm_addr *addr, const struct sm_listener_options *options) {
    int family = addr->sa.any.sa_family;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    int r = family == AF_UNIX ? sm_listener_bind_unix(fd, addr, options) : sm_listener_bind_inet(fd, addr, options);
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

bool sm_listener_is(int fd) {
    int listening = 0;
    int type = 0;
    socklen_t len = sizeof(listening);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 || listening == 0) {
        return false;
    }
    len = sizeof(type);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

int sm_listener_adopt(int fd) {
    if (!sm_listener_is(fd)) {
        return -ENOTSOCK;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); // fails on unix sockets, which need it not
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        return -errno;
    }
    return 0;
}

int sm_listener_address(int fd, struct sm_addr *addr_out) {
    memset(addr_out, 0, sizeof(*addr_out));
    addr_out->len = sizeof(addr_out->sa);
    return getsockname(fd, &addr_out->sa.any, &addr_out->len) < 0 ? -errno : 0;
}

int sm_listener_accept(int fd, struct sm_peer *peer_out) {
    for (;;) {
        struct sm_addr addr;
        addr.len = sizeof(addr.sa);
        int client = accept4(fd, &addr.sa.any, &addr.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0) {
            sm_peer_from(peer_out, &addr);
            return client;
        }
        switch (errno) {
        case EAGAIN:
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
        case EBADF:
        case EINVAL:
        case ENOTSOCK:
            return -errno;
        default: // the connection died before it was accepted (accept(2), "Error handling")
            continue;
        }
    }
}
