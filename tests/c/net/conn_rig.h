// SPDX-License-Identifier: MIT
// A session that does as a test says, on one end of a socket pair or of a loopback connection; the test holds the
// other end. The clock is net.now, which only the test moves. The rig owns the net, both ends and all sessions.
#pragma once

#include "net/conn.h"

struct session {
    struct sm_conn conn;
    size_t take;                               // bytes that input takes each time, at most; SIZE_MAX: all
    void (*on_input)(struct session *session); // each may be NULL; called after counting
    void (*on_eof)(struct session *session);
    void (*on_broken)(struct session *session);
    void (*on_drained)(struct session *session);
    void (*on_timeout)(struct session *session);
    unsigned inputs, eofs, brokens, draineds, read_timeouts, write_timeouts;
    size_t offered;      // bytes of the last call of input
    struct sm_bytes got; // bytes that were taken
};

struct rig {
    struct sm_net net;
    struct session *session;
    int peer;       // the test's end; -1 after rig_hang_up
    unsigned freed; // sessions
};

// Opens the net and one session, not yet processed. `tcp`: a loopback connection instead of a socket pair.
void rig_init(struct rig *rig, bool tcp);
void rig_deinit(struct rig *rig);
// One turn as an engine makes it, without waiting.
void rig_turn(struct rig *rig);
// Turns until nothing has happened for a while, or `freed` is set: for what the kernel delivers with delay.
void rig_settle(struct rig *rig);
// Moves the clock and fires what is due.
void rig_pass(struct rig *rig, uint64_t ms);
void rig_send(struct rig *rig, const char *data, size_t len);
// Reads all that can be had at the peer's end without waiting; -1 at the end of the stream with nothing read.
ssize_t rig_receive(struct rig *rig, char *out, size_t cap);
void rig_hang_up(struct rig *rig);
