// SPDX-License-Identifier: MIT
// The only user of epoll. A batch of events is state of the loop, not of a stack frame: whoever leads next
// takes the batch over where it stands. Sources are owned by others and registered here.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { SM_LOOP_BATCH = 128 };

enum {
    SM_READABLE = 1,
    SM_WRITABLE = 2,
    SM_HANGUP = 4, // the peer closed its sending side
    SM_BROKEN = 8, // reset, or closed in both directions
};

struct sm_source {
    int fd;
    bool registered;
    // What is ready, as SM_ flags. May remove and free any source, itself included.
    void (*ready)(struct sm_source *source, unsigned flags);
};

struct sm_loop {
    int fd;
    int n_events;
    int next_event;
    // Around a wait that may block; either may be NULL.
    void (*wait_enter)(void *context);
    void (*wait_leave)(void *context);
    void *context;
    struct sm_loop_batch *batch;
};

// 0 or -errno.
int sm_loop_init(struct sm_loop *loop);
void sm_loop_deinit(struct sm_loop *loop);

// A stream socket: edge-triggered, both directions, registered once for its life. 0 or -errno.
int sm_loop_add_stream(struct sm_loop *loop, struct sm_source *source);
// A descriptor that stays ready until it was read empty. 0 or -errno.
int sm_loop_add_level(struct sm_loop *loop, struct sm_source *source);
// A listener shared by processes: only one waiting process is woken for each event. 0 or -errno.
int sm_loop_add_listener(struct sm_loop *loop, struct sm_source *source);
// A descriptor that the application watches, level-triggered, for what `wanted` says (SM_READABLE, SM_WRITABLE); a
// registered one is changed. 0 or -errno.
int sm_loop_watch(struct sm_loop *loop, struct sm_source *source, unsigned wanted);
// Forgets the source, also in the batch under way. Call before close(2).
void sm_loop_remove(struct sm_loop *loop, struct sm_source *source);

// Fetches a batch; waits up to timeout_ms (-1: without limit). 0 or -errno.
int sm_loop_wait(struct sm_loop *loop, int timeout_ms);
// Next event of the batch; NULL when it is used up.
struct sm_source *sm_loop_next(struct sm_loop *loop, unsigned *flags_out);
