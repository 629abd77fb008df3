// SPDX-License-Identifier: MIT
// Bodies. Memory grows with what has really come, never with what a client announces.
#define _GNU_SOURCE
#include "engine/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FIRST_CAP = 4096, KEEP_CAP = 16384 };

static int sm_spool_open(const char *temp_dir) {
    int fd = open(temp_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) {
        return fd < 0 ? -errno : fd;
    }
    // A file system without O_TMPFILE: make a file and unlink it at once.
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/smiskd-XXXXXX", temp_dir);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        return -ENAMETOOLONG;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    unlink(path);
    return fd;
}

static int sm_spool_write(int fd, const char *data, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return -errno;
        }
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int sm_spool_to_file(struct sm_spool *spool, const char *temp_dir) {
    int fd = sm_spool_open(temp_dir);
    if (fd < 0) {
        return fd;
    }
    int r = sm_spool_write(fd, spool->body.data, (size_t)spool->body.len);
    if (r < 0) {
        close(fd);
        return r;
    }
    free((void *)(uintptr_t)spool->body.data);
    spool->body.data = NULL;
    spool->cap = 0;
    spool->body.fd = fd;
    return 0;
}

static int sm_spool_grow(struct sm_spool *spool, size_t need) {
    size_t cap = spool->cap < FIRST_CAP ? FIRST_CAP : spool->cap;
    while (cap < need) {
        cap *= 2;
    }
    char *data = realloc((void *)(uintptr_t)spool->body.data, cap);
    if (data == NULL) {
        return -ENOMEM;
    }
    spool->body.data = data;
    spool->cap = cap;
    return 0;
}

// Takes back the room of what was read, where that is worth the move or saves a file.
static void sm_spool_compact(struct sm_spool *spool, size_t more, size_t memory_limit) {
    uint64_t len = spool->body.len + more;
    bool pays = len > memory_limit || (len > spool->cap && spool->read >= spool->body.len / 2);
    if (pays && spool->read > 0 && spool->body.fd < 0) {
        char *data = (char *)(uintptr_t)spool->body.data;
        memmove(data, data + spool->read, (size_t)sm_spool_unread(spool));
        spool->body.len -= spool->read;
        spool->read = 0;
    }
}

int sm_spool_add(struct sm_spool *spool, struct sm_str data, size_t memory_limit, const char *temp_dir) {
    int r = 0;
    sm_spool_compact(spool, data.len, memory_limit);
    uint64_t len = spool->body.len + data.len;
    if (spool->body.fd < 0 && len > memory_limit) {
        r = sm_spool_to_file(spool, temp_dir);
    } else if (spool->body.fd < 0 && len > spool->cap) {
        r = sm_spool_grow(spool, (size_t)len);
    }
    if (r < 0 || data.len == 0) {
        return r;
    }
    if (spool->body.fd >= 0) {
        r = sm_spool_write(spool->body.fd, data.ptr, data.len);
    } else {
        memcpy((char *)(uintptr_t)spool->body.data + spool->body.len, data.ptr, data.len);
    }
    if (r == 0) {
        spool->body.len = len;
        spool->received += data.len;
    }
    return r;
}

// All was read: what comes next begins anew.
static int sm_spool_rewind(struct sm_spool *spool) {
    spool->body.len = spool->read = 0;
    if (spool->body.fd < 0) {
        return 0;
    }
    return lseek(spool->body.fd, 0, SEEK_SET) < 0 || ftruncate(spool->body.fd, 0) < 0 ? -errno : 0;
}

ssize_t sm_spool_read(struct sm_spool *spool, char *out, size_t len) {
    uint64_t unread = sm_spool_unread(spool);
    ssize_t n = (ssize_t)(len < unread ? len : (size_t)unread);
    if (n == 0) {
        return 0;
    }
    if (spool->body.fd < 0) {
        memcpy(out, spool->body.data + spool->read, (size_t)n);
    } else {
        do {
            n = pread(spool->body.fd, out, (size_t)n, (off_t)spool->read);
        } while (n < 0 && errno == EINTR);
        if (n <= 0) {
            return n < 0 ? -errno : -EIO; // the file is shorter than it was
        }
    }
    spool->read += (uint64_t)n;
    int r = sm_spool_unread(spool) == 0 ? sm_spool_rewind(spool) : 0;
    return r < 0 ? r : n;
}

void sm_spool_reset(struct sm_spool *spool) {
    if (spool->body.fd >= 0) {
        close(spool->body.fd);
    }
    if (spool->cap > KEEP_CAP) {
        free((void *)(uintptr_t)spool->body.data);
        spool->body.data = NULL;
        spool->cap = 0;
    }
    spool->body.fd = -1;
    spool->body.len = spool->read = spool->received = 0;
}

void sm_spool_deinit(struct sm_spool *spool) {
    sm_spool_reset(spool);
    free((void *)(uintptr_t)spool->body.data);
    *spool = (struct sm_spool){.body.fd = -1};
}
