// SPDX-License-Identifier: MIT
// Memory whose end lies flush against an unreadable page: a parser that looks one byte past its input dies at once,
// with or without sanitizers. Comes in: tests and fuzz targets. Between init and deinit the guard owns its pages.
#pragma once

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct guard {
    char *map;   // unreadable page, `size` bytes, unreadable page
    size_t size; // usable bytes
    size_t page;
};

// Room for `capacity` bytes. 0 or -errno.
static inline int guard_init(struct guard *guard, size_t capacity) {
    guard->page = (size_t)sysconf(_SC_PAGESIZE);
    guard->size = (capacity / guard->page + 1) * guard->page;
    size_t total = guard->size + 2 * guard->page;
    void *map = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        return -errno;
    }
    guard->map = map;
    if (mprotect(guard->map + guard->page, guard->size, PROT_READ | PROT_WRITE) != 0) {
        int error = -errno;
        munmap(map, total);
        return error;
    }
    return 0;
}

// Copies data[0, len), len <= capacity, to the end of the room; borrows returned: valid until the next put.
static inline char *guard_put(struct guard *guard, const void *data, size_t len) {
    char *place = guard->map + guard->page + guard->size - len;
    if (len > 0) {
        memmove(place, data, len);
    }
    return place;
}

static inline void guard_deinit(struct guard *guard) {
    munmap(guard->map, guard->size + 2 * guard->page);
}
