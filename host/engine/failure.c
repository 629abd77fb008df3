// SPDX-License-Identifier: MIT
// The failure of the newest code (see failure.h). A new text is written over the old one before the rest is cut off,
// so that there is no moment without a failure between two of them.
#define _GNU_SOURCE
#include "engine/failure.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

int sm_failure_open(struct sm_failure *failure) {
    *failure = (struct sm_failure){.fd = memfd_create("smisk-failure", MFD_CLOEXEC)};
    return failure->fd < 0 ? -errno : 0;
}

static void sm_failure_append(struct sm_failure *failure, const char *data, size_t len) {
    size_t room = SM_FAILURE_MAX - failure->len;
    ssize_t n = pwrite(failure->fd, data, len < room ? len : room, (off_t)failure->len);
    failure->len += n > 0 ? (size_t)n : 0;
}

void sm_failure_put(struct sm_failure *failure, const char *heading, const char *text, size_t text_len) {
    if (failure->fd < 0) {
        return;
    }
    sm_failure_append(failure, heading, strlen(heading));
    sm_failure_append(failure, "\n", 1);
    sm_failure_append(failure, text, text == NULL ? 0 : text_len);
    int r = ftruncate(failure->fd, (off_t)failure->len);
    (void)r; // the rest of an older text would stand below: no harm
}

static void sm_failure_heard(void *context, const char *heading, const char *text, size_t text_len) {
    sm_failure_put(context, heading, text, text_len);
}

void sm_failure_listen(struct sm_failure *failure) {
    failure->len = 0;
    sm_log_listen(sm_failure_heard, failure);
}

void sm_failure_ignore(void) {
    sm_log_listen(NULL, NULL);
}

void sm_failure_clear(struct sm_failure *failure) {
    failure->len = 0;
    if (failure->fd >= 0 && ftruncate(failure->fd, 0) < 0) {
        sm_log(SM_LOG_WARNING, "the error of older code cannot be taken away: %s", strerror(errno));
    }
}

uint64_t sm_failure_stamp(const struct sm_failure *failure) {
    struct stat now;
    if (failure->fd < 0 || fstat(failure->fd, &now) < 0 || now.st_size == 0) {
        return 0;
    }
    return (uint64_t)now.st_mtim.tv_sec * 1000000000 + (uint64_t)now.st_mtim.tv_nsec;
}

size_t sm_failure_read(const struct sm_failure *failure, char *out, size_t cap) {
    ssize_t n = failure->fd < 0 ? 0 : pread(failure->fd, out, cap, 0);
    return n > 0 ? (size_t)n : 0;
}
