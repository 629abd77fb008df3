// SPDX-License-Identifier: MIT
// The log, caught in memory instead of on stderr, so that a test can read what was said. Comes in: tests of any
// floor. Between init and deinit the log belongs to the capture; deinit gives it back to descriptor 2.
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"

struct capture {
    int fd;
    char *text; // what was read last, terminated; NULL before
};

// 0 or a negative error.
static inline int capture_init(struct capture *capture) {
    char path[64];
    capture->text = NULL;
    capture->fd = memfd_create("log", MFD_CLOEXEC);
    if (capture->fd < 0) {
        return -1;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", capture->fd);
    return sm_log_open(path);
}

// All that was logged since init or the last clear; borrowed until the next call. `len_out` may be NULL.
static inline const char *capture_text(struct capture *capture, size_t *len_out) {
    off_t len = lseek(capture->fd, 0, SEEK_END);
    free(capture->text);
    capture->text = calloc(1, (size_t)len + 1);
    if (capture->text == NULL || pread(capture->fd, capture->text, (size_t)len, 0) != len) {
        abort();
    }
    if (len_out != NULL) {
        *len_out = (size_t)len;
    }
    return capture->text;
}

static inline bool capture_has(struct capture *capture, const char *part) {
    return strstr(capture_text(capture, NULL), part) != NULL;
}

static inline unsigned capture_lines(struct capture *capture) {
    unsigned n = 0;
    for (const char *at = capture_text(capture, NULL); (at = strchr(at, '\n')) != NULL; at++) {
        n++;
    }
    return n;
}

static inline void capture_clear(struct capture *capture) {
    if (ftruncate(capture->fd, 0) != 0) {
        abort();
    }
}

static inline void capture_deinit(struct capture *capture) {
    sm_log_open(NULL);
    close(capture->fd);
    free(capture->text);
}
