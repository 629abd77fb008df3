// SPDX-License-Identifier: MIT
// Words over a pair of unix sockets (see words.h).
#define _GNU_SOURCE
#include "net/words.h"

#include <errno.h>
#include <sys/socket.h>

int sm_words_open(int ends_out[2]) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_out) < 0 ? -errno : 0;
}

int sm_words_say(int end, char word) {
    ssize_t n;
    do {
        n = send(end, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n == 1 ? 0 : -errno;
}

int sm_words_hear(int end) {
    unsigned char word = 0;
    ssize_t n = recv(end, &word, 1, MSG_DONTWAIT);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    }
    return n == 0 ? -EPIPE : word;
}
