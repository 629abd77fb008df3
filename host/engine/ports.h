// SPDX-License-Identifier: MIT
// The master's listening sockets: opened once, kept over reloads, inherited by workers.
#pragma once

#include "engine/settings.h"

struct sm_ports {
    int *fds;       // settings->n_listen of them
    char **names;   // as "http://127.0.0.1:8080", with the real port
    char **unlinks; // path of a unix socket that was made here, or NULL
    size_t n;
};

// Opens every listener. SM_EXIT_OK, or SM_EXIT_LISTEN after a log line; deinit either way.
int sm_ports_open(struct sm_ports *ports, const struct sm_settings *settings);
// Closes them; `remove` unlinks the unix sockets too.
void sm_ports_deinit(struct sm_ports *ports, bool remove);
// Adds FCGI_WEB_SERVER_ADDRS to FastCGI listeners without an allow list of their own (FastCGI 1.0, section 3.2).
int sm_ports_allow_from_env(struct sm_settings *settings);
