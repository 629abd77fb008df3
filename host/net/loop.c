// SPDX-License-Identifier: MIT
// epoll, wrapped once. Looks without blocking first: under load the interpreter is never given away and
// taken back for nothing.
#include "net/loop.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct sm_loop_batch {
    struct epoll_event events[SM_LOOP_BATCH];
};

int sm_loop_init(struct sm_loop *loop) {
    *loop = (struct sm_loop){.fd = -1};
    loop->batch = malloc(sizeof(*loop->batch));
    if (loop->batch == NULL) {
        return -ENOMEM;
    }
    loop->fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->fd < 0) {
        int error = errno;
        sm_loop_deinit(loop);
        return -error;
    }
    return 0;
}

void sm_loop_deinit(struct sm_loop *loop) {
    if (loop->fd >= 0) {
        close(loop->fd);
    }
    free(loop->batch);
    *loop = (struct sm_loop){.fd = -1};
}

static int sm_loop_add(struct sm_loop *loop, struct sm_source *source, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(loop->fd, EPOLL_CTL_ADD, source->fd, &event) < 0) {
        return -errno;
    }
    source->registered = true;
    return 0;
}

int sm_loop_add_stream(struct sm_loop *loop, struct sm_source *source) {
    return sm_loop_add(loop, source, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

int sm_loop_add_level(struct sm_loop *loop, struct sm_source *source) {
    return sm_loop_add(loop, source, EPOLLIN);
}

int sm_loop_add_listener(struct sm_loop *loop, struct sm_source *source) {
    return sm_loop_add(loop, source, EPOLLIN | EPOLLEXCLUSIVE);
}

int sm_loop_watch(struct sm_loop *loop, struct sm_source *source, unsigned wanted) {
    uint32_t events = 0;
    events |= (wanted & SM_READABLE) != 0 ? (uint32_t)EPOLLIN : 0;
    events |= (wanted & SM_WRITABLE) != 0 ? (uint32_t)EPOLLOUT : 0;
    if (!source->registered) {
        return sm_loop_add(loop, source, events);
    }
    struct epoll_event event = {.events = events, .data.ptr = source};
    return epoll_ctl(loop->fd, EPOLL_CTL_MOD, source->fd, &event) < 0 ? -errno : 0;
}

void sm_loop_remove(struct sm_loop *loop, struct sm_source *source) {
    if (!source->registered) {
        return;
    }
    source->registered = false;
    epoll_ctl(loop->fd, EPOLL_CTL_DEL, source->fd, NULL);
    for (int i = loop->next_event; i < loop->n_events; i++) {
        if (loop->batch->events[i].data.ptr == source) {
            loop->batch->events[i].data.ptr = NULL;
        }
    }
}

int sm_loop_wait(struct sm_loop *loop, int timeout_ms) {
    loop->next_event = 0;
    loop->n_events = 0;
    int n = epoll_wait(loop->fd, loop->batch->events, SM_LOOP_BATCH, 0);
    if (n == 0 && timeout_ms != 0) {
        if (loop->wait_enter != NULL) {
            loop->wait_enter(loop->context);
        }
        n = epoll_wait(loop->fd, loop->batch->events, SM_LOOP_BATCH, timeout_ms);
        int error = errno;
        if (loop->wait_leave != NULL) {
            loop->wait_leave(loop->context);
        }
        errno = error;
    }
    if (n < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    loop->n_events = n;
    return 0;
}

struct sm_source *sm_loop_next(struct sm_loop *loop, unsigned *flags_out) {
    while (loop->next_event < loop->n_events) {
        struct epoll_event *event = &loop->batch->events[loop->next_event++];
        if (event->data.ptr == NULL) {
            continue;
        }
        unsigned flags = 0;
        flags |= (event->events & EPOLLIN) != 0 ? SM_READABLE : 0u;
        flags |= (event->events & EPOLLOUT) != 0 ? SM_WRITABLE : 0u;
        flags |= (event->events & EPOLLRDHUP) != 0 ? SM_HANGUP | SM_READABLE : 0u;
        flags |= (event->events & (EPOLLHUP | EPOLLERR)) != 0 ? SM_BROKEN | SM_READABLE : 0u;
        *flags_out = flags;
        return event->data.ptr;
    }
    return NULL;
}
