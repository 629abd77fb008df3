// SPDX-License-Identifier: MIT
// A file of known bytes, for what is sent from files. Lives in memory only; the caller closes it.
#pragma once

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static inline char disk_byte(size_t i) {
    return (char)(i * 13 + i / 257);
}

// A descriptor of a file with `len` bytes, byte i of which is disk_byte(i); its offset stands at the end.
static inline int disk_file(size_t len) {
    char chunk[65536];
    int fd = memfd_create("disk", MFD_CLOEXEC);
    for (size_t at = 0; at < len && fd >= 0;) {
        size_t step = len - at < sizeof(chunk) ? len - at : sizeof(chunk);
        for (size_t i = 0; i < step; i++) {
            chunk[i] = disk_byte(at + i);
        }
        if (write(fd, chunk, step) != (ssize_t)step) {
            abort();
        }
        at += step;
    }
    return fd;
}
