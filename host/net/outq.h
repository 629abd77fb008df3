// SPDX-License-Identifier: MIT
// What waits to be sent on one connection: copied bytes in pooled blocks, borrowed bytes and parts of files by
// reference. An idle connection holds nothing.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { SM_SEG_SIZE = 16384, SM_OUTQ_IOV = 32 };

// Part of a file, borrowed until release(owner) is called; the descriptor's own offset is not used.
struct sm_file {
    int fd;
    uint64_t off; // bytes
    uint64_t len;
    void (*release)(void *owner); // may be NULL
    void *owner;
};

// A segment's unsent bytes are [data, data + len), or [off, off + len) of a file; a block may grow by `room` behind
// them.
struct sm_seg {
    struct sm_seg *next;
    const char *data; // NULL: a file's
    uint64_t off;
    uint64_t len;
    size_t room;
    int fd;
    bool is_block; // has SM_SEG_SIZE bytes and goes back to the pool
    void (*release)(void *owner);
    void *owner;
    char bytes[];
};

// Free blocks for all connections of a thread.
struct sm_seg_pool {
    struct sm_seg *free;
    unsigned n_free;
};

struct sm_outq {
    struct sm_seg *head;
    struct sm_seg *tail;
    uint64_t bytes;
};

// Copies; 0 or -ENOMEM (then some of the bytes may have been taken: the connection is to be closed).
int sm_outq_copy(struct sm_outq *q, struct sm_seg_pool *pool, const char *data, size_t len);
// `len` contiguous bytes at the end, counted as queued, for the caller to fill before the next flush; they stay
// at their address until sent. len is far below SM_SEG_SIZE. NULL: no memory.
char *sm_outq_reserve(struct sm_outq *q, struct sm_seg_pool *pool, size_t len);
// Borrows until release(owner), which may be NULL. 0, or -ENOMEM after having called release.
int sm_outq_borrow(struct sm_outq *q, const char *data, size_t len, void (*release)(void *owner), void *owner);
// The same with part of a file, of at least one byte.
int sm_outq_file(struct sm_outq *q, const struct sm_file *file);
// Whether `len` more bytes would still go into the last block.
bool sm_outq_has_room(const struct sm_outq *q, size_t len);

// What is to be sent next when that is part of a file; else NULL.
const struct sm_seg *sm_outq_front_file(const struct sm_outq *q);
// Reads the beginning of that part into memory, to be sent from there: for a file that sendfile(2) does not take.
// 0; 1: the file has ended already; or -errno.
int sm_outq_load(struct sm_outq *q, struct sm_seg_pool *pool);
// Fills iov with the bytes in memory at the front; returns the count, at most SM_OUTQ_IOV.
int sm_outq_gather(const struct sm_outq *q, struct iovec iov[static SM_OUTQ_IOV]);
// Drops sent bytes from the front, releasing what is done.
void sm_outq_sent(struct sm_outq *q, struct sm_seg_pool *pool, size_t len);
void sm_outq_clear(struct sm_outq *q, struct sm_seg_pool *pool);
void sm_seg_pool_deinit(struct sm_seg_pool *pool);
