// SPDX-License-Identifier: MIT
// The self-pipe. The pipe's ends are the one piece of global state a signal handler can reach.
#define _GNU_SOURCE
#include "net/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

enum { MAX_SIGNALS = 16 };

static struct {
    int read_fd, write_fd;
    int installed[MAX_SIGNALS];
    int n_installed;
} sm_signals_state = {.read_fd = -1, .write_fd = -1};

static void sm_signals_note(int number) {
    int saved = errno;
    unsigned char byte = (unsigned char)number;
    // A full pipe holds plenty of reasons to wake up already.
    ssize_t n = write(sm_signals_state.write_fd, &byte, 1);
    (void)n;
    errno = saved;
}

int sm_signals_open(const int *signals) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
        return -errno;
    }
    sm_signals_state.read_fd = fds[0];
    sm_signals_state.write_fd = fds[1];
    sm_signals_state.n_installed = 0;
    signal(SIGPIPE, SIG_IGN);
    struct sigaction action = {.sa_handler = sm_signals_note, .sa_flags = SA_RESTART};
    sigfillset(&action.sa_mask);
    for (int i = 0; signals[i] != 0 && i < MAX_SIGNALS; i++) {
        sigaction(signals[i], &action, NULL);
        sm_signals_state.installed[sm_signals_state.n_installed++] = signals[i];
    }
    return fds[0];
}

void sm_signals_close(void) {
    if (sm_signals_state.read_fd < 0) {
        return;
    }
    for (int i = 0; i < sm_signals_state.n_installed; i++) {
        signal(sm_signals_state.installed[i], SIG_DFL);
    }
    signal(SIGPIPE, SIG_DFL);
    close(sm_signals_state.read_fd);
    close(sm_signals_state.write_fd);
    sm_signals_state.read_fd = sm_signals_state.write_fd = -1;
}

int sm_signals_next(void) {
    unsigned char byte = 0;
    ssize_t n = read(sm_signals_state.read_fd, &byte, 1);
    return n == 1 ? byte : 0;
}
