// SPDX-License-Identifier: MIT
// Signals stay with the host, and out of the application's children (see signals.h). The host's handlers write into
// a pipe that a worker shares with what it forks: a child of multiprocessing that is sent TERM must not end its
// worker, and must end.
#include "py/signals.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"

static const struct {
    int number;
    const char *name;
} signals[] = {{SIGHUP, "HUP"}, {SIGINT, "INT"}, {SIGQUIT, "QUIT"}, {SIGTERM, "TERM"}, {SIGUSR1, "USR1"}};
enum { N_SIGNALS = sizeof signals / sizeof signals[0] };

// The host's dispositions. One set for a process, as signals are; written once, before Python starts.
static struct sigaction dispositions[N_SIGNALS];

// The engine of this worker; NULL before there is one. Written once, like the dispositions.
static struct sm_engine *engine;

static bool is_hosts(size_t i) {
    struct sigaction now;
    return sigaction(signals[i].number, NULL, &now) == 0 && now.sa_handler == dispositions[i].sa_handler;
}

// Runs in a child, before anything else there. A handler that the application set itself is its own affair.
static void reset(void) {
    for (size_t i = 0; i < N_SIGNALS; i++) {
        if (dispositions[i].sa_handler != SIG_IGN && is_hosts(i)) {
            (void)signal(signals[i].number, SIG_DFL);
        }
    }
    if (engine != NULL) {
        sm_engine_forked(engine);
    }
}

int smpy_signals_keep(struct sm_engine *of_worker) {
    engine = of_worker;
    for (size_t i = 0; i < N_SIGNALS; i++) {
        (void)sigaction(signals[i].number, NULL, &dispositions[i]);
    }
    return pthread_atfork(NULL, NULL, reset);
}

void smpy_signals_take_back(void) {
    for (size_t i = 0; i < N_SIGNALS; i++) {
        if (!is_hosts(i)) {
            (void)sigaction(signals[i].number, &dispositions[i], NULL);
            sm_log(SM_LOG_WARNING, "app: its handler for SIG%s is not used: this signal is the server's",
                   signals[i].name);
        }
    }
}
