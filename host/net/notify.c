// SPDX-License-Identifier: MIT
// Datagrams to the service manager (see notify.h).
#define _GNU_SOURCE
#include "net/notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
    int fd;
    uint64_t watchdog; // ms
    socklen_t len;
    struct sockaddr_un to;
} manager = {.fd = -1};

// The watchdog is for the process that WATCHDOG_PID names, or for whoever reads this first.
static uint64_t watchdog_of(const char *usec, const char *pid) {
    bool is_other = pid != NULL && *pid != '\0' && strtoull(pid, NULL, 10) != (unsigned long long)getpid();
    return usec == NULL || is_other ? 0 : strtoull(usec, NULL, 10) / 1000;
}

static int connect_to(const char *path) {
    size_t len = path == NULL ? 0 : strlen(path);
    if ((len > 0 && path[0] != '/' && path[0] != '@') || len < 2 || len >= sizeof(manager.to.sun_path)) {
        return -1;
    }
    manager.to = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(manager.to.sun_path, path, len);
    if (path[0] == '@') {
        manager.to.sun_path[0] = '\0'; // the abstract namespace, unix(7)
    }
    manager.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] == '@' ? 0 : 1));
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

void sm_notify_open(void) {
    manager.fd = connect_to(getenv("NOTIFY_SOCKET"));
    manager.watchdog = manager.fd < 0 ? 0 : watchdog_of(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"));
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

bool sm_notify_is_on(void) {
    return manager.fd >= 0;
}

uint64_t sm_notify_watchdog(void) {
    return manager.watchdog;
}

void sm_notify(const char *format, ...) {
    char text[1024];
    va_list args;
    if (manager.fd < 0) {
        return;
    }
    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (n > 0 && (size_t)n < sizeof(text)) {
        (void)sendto(manager.fd, text, (size_t)n, MSG_NOSIGNAL, (const struct sockaddr *)&manager.to, manager.len);
    }
}

void sm_notify_close(void) {
    if (manager.fd >= 0) {
        close(manager.fd);
        manager.fd = -1;
    }
}
