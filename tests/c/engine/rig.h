// SPDX-License-Identifier: MIT
// An engine with an application in C, driven over socket pairs without ever waiting. The clock (monotonic and wall)
// is the rig's own: clock_gettime is wrapped by the linker. The log is caught. The rig owns engine, settings, log.
#pragma once

#include "../base/capture.h"
#include "base/bytes.h"
#include "engine/engine.h"
#include "engine/exchange.h"

enum { RIG_TICK = 64, RIG_HELD = 64 }; // ms by which a deadline may be late; exchanges that an application keeps

// The time that the rig starts with: Sun, 06 Nov 1994 08:49:37 GMT (RFC 9110 5.6.7).
#define RIG_DATE "Sun, 06 Nov 1994 08:49:37 GMT"

struct probe {
    struct sm_app base;
    void (*request)(struct probe *app, struct sm_exchange *exchange);
    void (*resume)(struct probe *app, struct sm_exchange *exchange);
    void (*abort)(struct probe *app, struct sm_exchange *exchange);                 // may be NULL
    void (*notice)(struct probe *app, struct sm_exchange *exchange, unsigned what); // may be NULL
    unsigned requests, resumes, aborts;
    unsigned notices;  // all that was told, as bits of enum sm_notice
    int outcome;       // what the last call of interest gave
    size_t stream_len; // probe_stream: bytes to write
    struct sm_exchange *held[RIG_HELD];
    size_t n_held;
    struct sm_bytes seen; // "GET /path body\n" for each request
};

struct rig {
    struct sm_settings settings;
    struct sm_engine engine;
    struct probe app;
    struct capture log;
    bool tcp; // clients come over a loopback connection instead of a socket pair
};

// What came back on one connection.
struct inbox {
    struct sm_bytes bytes;
    bool ended; // the server closed its sending side
    bool reset;
};

// Settings as in production but small; an application that answers "Hello, world!". Tests change both before use.
void rig_init(struct rig *rig);
void rig_deinit(struct rig *rig);
// Moves the clock, then turns.
void rig_pass(struct rig *rig, uint64_t ms);
void rig_turn(struct rig *rig);
// A client of this protocol; its descriptor, which the caller closes. `overloaded` as in session.h.
int rig_connect(struct rig *rig, enum sm_protocol protocol, bool overloaded);
// Sends all, turning the engine while the socket is full.
void rig_send(struct rig *rig, int fd, const char *data, size_t len);
void rig_text(struct rig *rig, int fd, const char *text);
// Sends again and again without ever reading, until the server stops taking or `most` bytes are gone. Returns the
// bytes that the server then has waiting for its only client.
size_t rig_flood(struct rig *rig, int fd, const char *data, size_t len, size_t most);
// Turns until nothing more happens, and reads what comes. The caller deinits the inbox.
void rig_collect(struct rig *rig, int fd, struct inbox *inbox);
void inbox_deinit(struct inbox *inbox);

// --- applications ---

void probe_note(struct probe *app, struct sm_exchange *exchange);   // into `seen`
void probe_hello(struct probe *app, struct sm_exchange *exchange);  // 200, text/plain, 13 bytes
void probe_echo(struct probe *app, struct sm_exchange *exchange);   // the body, of known length
void probe_hold(struct probe *app, struct sm_exchange *exchange);   // keeps it in `held`
void probe_keep(struct probe *app, struct sm_exchange *exchange);   // the same without a look at the body
void probe_take(struct probe *app, struct sm_exchange *exchange);   // reads what has come of the body into `seen`
void probe_stream(struct probe *app, struct sm_exchange *exchange); // stream_len bytes, as long as there is room
// Completes a held exchange from outside of any call.
void probe_finish(struct sm_exchange *exchange, const char *text);
// Body bytes i of probe_stream.
char probe_byte(size_t i);
