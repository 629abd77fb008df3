// SPDX-License-Identifier: MIT
// The resolved settings, as the configuration helper hands them over: flat keys, plain values. No dialect here.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

enum sm_protocol { SM_PROTOCOL_HTTP, SM_PROTOCOL_FASTCGI };

struct sm_listen {
    enum sm_protocol protocol;
    char *address; // "127.0.0.1:8080", "[::1]:80", "unix:/run/x.sock", "fd:3"
    char *owner;   // unix sockets; NULL: leave
    char *group;
    int mode; // unix sockets; -1: from umask
    int backlog;
    char **allow; // NULL-terminated list of peer addresses; NULL: anybody
};

// Times in milliseconds, sizes in bytes; 0 means off where the name allows it.
struct sm_settings {
    char *app;
    char *interface;
    char *root_path; // NULL: none; else begins with a slash and ends without one
    char *loop, *lifespan;
    char *chdir, *venv, *pidfile, *user, *group, *error_log, *temp_dir;
    char **pythonpath;      // NULL-terminated or NULL
    char **trusted_proxies; // the same: addresses, networks, "unix"
    struct sm_listen *listen;
    size_t n_listen;
    uint32_t workers, threads;
    int32_t umask; // -1: leave
    uint32_t max_connections, max_headers, max_header_size, max_multiplexed;
    uint64_t max_body_size, request_body_memory, write_buffer;
    uint64_t header_timeout, body_timeout, write_timeout, keepalive_timeout, linger_timeout;
    uint64_t shutdown_timeout, startup_timeout, handoff_after, drain_delay, drain_idle_timeout;
    uint64_t max_memory; // resident bytes of a worker
    uint32_t max_requests, max_requests_jitter;
    uint64_t ws_max_size, ws_ping_interval, ws_ping_timeout;
    bool ws_compression;
    uint32_t max_form_fields, max_form_parts;
    bool show_traceback;
    bool autoreload;
    char *config_file;                       // NULL: none
    char **autoreload_paths, **config_files; // NULL-terminated or NULL
    bool daemonize;
    enum sm_log_level log_level;
    bool logging; // the file says how Python is to log
};

// Reads `len` bytes of key NUL value NUL pairs. 0; -EINVAL after a log line naming the key; -ENOMEM.
int sm_settings_read(struct sm_settings *settings, const char *data, size_t len);
void sm_settings_deinit(struct sm_settings *settings);
