// SPDX-License-Identifier: MIT
// The output queue. Small writes gather in 16 KiB blocks, so that an answer leaves in one system call;
// large ones and files are never copied.
#include "net/outq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POOL_MAX = 64 };

static struct sm_seg *sm_seg_block(struct sm_seg_pool *pool) {
    struct sm_seg *seg = pool->free;
    if (seg != NULL) {
        pool->free = seg->next;
        pool->n_free--;
    } else {
        seg = malloc(SM_SEG_SIZE);
        if (seg == NULL) {
            return NULL;
        }
    }
    *seg = (struct sm_seg){.room = SM_SEG_SIZE - sizeof(struct sm_seg), .is_block = true};
    seg->data = seg->bytes;
    return seg;
}

static void sm_seg_done(struct sm_seg *seg, struct sm_seg_pool *pool) {
    if (seg->release != NULL) {
        seg->release(seg->owner);
    }
    if (seg->is_block && pool->n_free < POOL_MAX) {
        seg->next = pool->free;
        pool->free = seg;
        pool->n_free++;
        return;
    }
    free(seg);
}

static void sm_outq_push(struct sm_outq *q, struct sm_seg *seg) {
    if (q->tail == NULL) {
        q->head = seg;
    } else {
        q->tail->next = seg;
    }
    q->tail = seg;
}

bool sm_outq_has_room(const struct sm_outq *q, size_t len) {
    return q->tail != NULL && q->tail->room >= len;
}

char *sm_outq_reserve(struct sm_outq *q, struct sm_seg_pool *pool, size_t len) {
    if (!sm_outq_has_room(q, len)) {
        struct sm_seg *seg = sm_seg_block(pool);
        if (seg == NULL) {
            return NULL;
        }
        sm_outq_push(q, seg);
    }
    struct sm_seg *tail = q->tail;
    char *at = tail->bytes + (SM_SEG_SIZE - sizeof(struct sm_seg) - tail->room);
    tail->len += len;
    tail->room -= len;
    q->bytes += len;
    return at;
}

int sm_outq_copy(struct sm_outq *q, struct sm_seg_pool *pool, const char *data, size_t len) {
    while (len > 0) {
        size_t room = q->tail == NULL ? 0 : q->tail->room;
        if (room == 0) {
            room = SM_SEG_SIZE - sizeof(struct sm_seg);
        }
        size_t step = len < room ? len : room;
        char *at = sm_outq_reserve(q, pool, step);
        if (at == NULL) {
            return -ENOMEM;
        }
        memcpy(at, data, step);
        data += step;
        len -= step;
    }
    return 0;
}

int sm_outq_borrow(struct sm_outq *q, const char *data, size_t len, void (*release)(void *owner), void *owner) {
    struct sm_seg *seg = malloc(sizeof(*seg));
    if (seg == NULL) {
        if (release != NULL) {
            release(owner);
        }
        return -ENOMEM;
    }
    *seg = (struct sm_seg){.data = data, .len = len, .release = release, .owner = owner};
    sm_outq_push(q, seg);
    q->bytes += len;
    return 0;
}

int sm_outq_file(struct sm_outq *q, const struct sm_file *file) {
    struct sm_seg *seg = malloc(sizeof(*seg));
    if (seg == NULL) {
        if (file->release != NULL) {
            file->release(file->owner);
        }
        return -ENOMEM;
    }
    *seg = (struct sm_seg){
        .fd = file->fd, .off = file->off, .len = file->len, .release = file->release, .owner = file->owner};
    sm_outq_push(q, seg);
    q->bytes += file->len;
    return 0;
}

const struct sm_seg *sm_outq_front_file(const struct sm_outq *q) {
    const struct sm_seg *seg = q->head;
    while (seg != NULL && seg->len == 0) {
        seg = seg->next;
    }
    return seg != NULL && seg->data == NULL ? seg : NULL;
}

int sm_outq_load(struct sm_outq *q, struct sm_seg_pool *pool) {
    struct sm_seg *block = sm_seg_block(pool);
    if (block == NULL) {
        return -ENOMEM;
    }
    sm_outq_sent(q, pool, 0); // now the file is the head
    struct sm_seg *file = q->head;
    size_t len = file->len < block->room ? (size_t)file->len : block->room;
    ssize_t n;
    do {
        n = pread(file->fd, block->bytes, len, (off_t)file->off);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        int r = n < 0 ? -errno : 1;
        sm_seg_done(block, pool);
        return r;
    }
    block->len = (size_t)n;
    block->room = 0;
    block->next = file;
    q->head = block;
    file->off += (size_t)n;
    file->len -= (size_t)n;
    return 0;
}

int sm_outq_gather(const struct sm_outq *q, struct iovec iov[static SM_OUTQ_IOV]) {
    int n = 0;
    for (const struct sm_seg *seg = q->head; seg != NULL && n < SM_OUTQ_IOV; seg = seg->next) {
        if (seg->len > 0 && seg->data == NULL) {
            break;
        }
        if (seg->len > 0) {
            iov[n++] = (struct iovec){.iov_base = (void *)(uintptr_t)seg->data, .iov_len = (size_t)seg->len};
        }
    }
    return n;
}

void sm_outq_sent(struct sm_outq *q, struct sm_seg_pool *pool, size_t len) {
    q->bytes -= len;
    while (q->head != NULL && q->head->len <= len) {
        struct sm_seg *seg = q->head;
        len -= (size_t)seg->len;
        q->head = seg->next;
        if (q->head == NULL) {
            q->tail = NULL;
        }
        sm_seg_done(seg, pool);
    }
    if (len > 0 && q->head != NULL) {
        if (q->head->data == NULL) {
            q->head->off += len;
        } else {
            q->head->data += len;
        }
        q->head->len -= len;
    }
}

void sm_outq_clear(struct sm_outq *q, struct sm_seg_pool *pool) {
    while (q->head != NULL) {
        struct sm_seg *seg = q->head;
        q->head = seg->next;
        sm_seg_done(seg, pool);
    }
    *q = (struct sm_outq){0};
}

void sm_seg_pool_deinit(struct sm_seg_pool *pool) {
    while (pool->free != NULL) {
        struct sm_seg *seg = pool->free;
        pool->free = seg->next;
        free(seg);
    }
    pool->n_free = 0;
}
