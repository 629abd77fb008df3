// SPDX-License-Identifier: MIT
// The heart of a worker: listeners, sessions, exchanges and the application, turned by one thread. What is under
// way is state of the engine, never of a stack frame: the thread that leads can change between two exchanges.
#pragma once

#include "base/bytes.h"
#include "engine/app.h"
#include "engine/failure.h"
#include "engine/settings.h"
#include "engine/trust.h"
#include "net/conn.h"
#include "proto/fastcgi.h"
#include "proto/http1.h"

struct sm_engine;
struct sm_exchange;

// One listening socket in this worker.
struct sm_port {
    struct sm_source source;
    struct sm_engine *engine;
    enum sm_protocol protocol;
    char **allow; // borrowed from the settings
    bool is_unix;
    struct sm_timer pause; // no descriptors left: look again later
    uint32_t n_accepted;
};

// Development (`autoreload`): how a worker comes to be replaced when files change, and what it shows meanwhile.
struct sm_reload {
    struct sm_failure failure; // of the newest code; fd -1: cannot be shown
    int change_fd;             // SM_WORKER_CHANGED written here asks the master for a replacement
    bool is_watching;          // this worker looks after the files; one of all is enough
    bool must_start;           // a replacement: others go on serving when it fails
};

struct sm_engine {
    struct sm_net net;
    const struct sm_settings *settings; // borrowed
    struct sm_app *app;                 // borrowed
    struct sm_reload *reload;           // borrowed; NULL without `autoreload`
    struct sm_http1_limits http_limits;
    struct sm_trust trust; // trusted_proxies
    struct sm_fcgi_past fcgi_past;
    struct sm_port *ports;
    size_t n_ports;
    struct sm_list sessions;
    uint32_t n_sessions;
    struct sm_list ready;   // exchanges that want the application, or to be finished, now
    struct sm_list yielded; // ... in the next turn
    struct sm_exchange *free_exchanges;
    uint32_t n_free_exchanges;
    struct sm_bytes head;        // the response head under construction
    struct sm_exchange *head_of; // whose it is; NULL: nobody's
    char stamp[80];              // "Date: …\r\nServer: smiskd\r\n" of this second
    size_t stamp_len;
    time_t stamp_time;
    int master_fd;       // what the worker speaks to the master over; not for its children. -1: nothing
    uint32_t generation; // of the worker, unique in the life of the master; part of request ids
    uint32_t serial;
    uint64_t n_requests; // that the application was given
    uint64_t drain_idle; // ms that idle connections have for a last request while draining; 0: none
    bool draining;
    bool leaving;    // accepts no more
    bool log_paused; // said that descriptors have run out
};

// Prepares; borrows settings and app. 0 or -errno; -EINVAL: trusted_proxies, after a log line.
int sm_engine_init(struct sm_engine *engine, const struct sm_settings *settings, struct sm_app *app);
// Ends every exchange and connection; turns can still be made.
void sm_engine_close(struct sm_engine *engine);
void sm_engine_deinit(struct sm_engine *engine);
// Serves settings->listen[i] on fds[i], which stay the caller's. 0 or -errno.
int sm_engine_listen(struct sm_engine *engine, const int *fds, size_t n);
// Milliseconds that a turn with this timeout would wait at most; 0: there is work.
int sm_engine_wait_time(const struct sm_engine *engine, int timeout_ms);
// One turn: waits for events, at most timeout_ms (-1: for ever), and serves them. 0 or -errno.
int sm_engine_turn(struct sm_engine *engine, int timeout_ms);
// No new connections from now on: those that come are for the other workers, and for the one that takes this one's
// place. Nothing else changes until sm_engine_drain.
void sm_engine_leave(struct sm_engine *engine);
// No new connections; idle ones close, busy ones after their answer. `idle_ms`: how long idle ones may still bring a
// request before, since another worker takes this one's place and their clients cannot know; 0: not at all, which is
// also what a second call with 0 makes of it.
void sm_engine_drain(struct sm_engine *engine, uint64_t idle_ms);
// In a child that the application forked: closes this process's copies of clients, listeners and epoll, so that an
// end of a connection is one for the client too. Touches nothing that the parent shares. The engine cannot be used
// after.
void sm_engine_forked(struct sm_engine *engine);
// Whether a draining engine has nothing left.
bool sm_engine_idle(const struct sm_engine *engine);
