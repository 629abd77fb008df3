// SPDX-License-Identifier: MIT
// Load generator for WebSockets (RFC 6455): opens -c connections, then sends on each a masked text message of --size
// bytes, waits for its echo, and sends the next. Every echo is checked: opcode, length, each byte, and the number
// that the message begins with. Pings are answered. With --steps the runs are commanded over standard input, a number
// of seconds a line, so that the caller can read the server's clock between them: opening and closing a thousand
// connections is then no part of what is measured. The handshake and the frames are in wsload_frame.c.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "latency.h"
#include "wsload_frame.h"
#include "wsload_options.h"

enum {
    BATCH = 256,
    BUFFER_LEN = 64 * 1024,
    OPENING_AT_ONCE = 64, // handshakes under way at a time, which any backlog has room for
};

static const uint64_t SECOND = 1000000000;

enum state {
    CLOSED,  // not yet opened, failed, or ended
    OPENING, // the handshake is under way
    IDLE,    // open; nothing is under way
    ECHOING, // a message was sent and its echo has not come whole
    CLOSING, // a Close frame was sent
};

struct conn {
    int fd;
    enum state state;
    uint64_t started;
    uint64_t number; // of the message under way
    size_t echoed;   // bytes of its payload that have come back
    size_t head_len;
    char head[HANDSHAKE_CAP];
    struct frame frame; // the one being read
};

struct results {
    uint64_t messages;
    uint64_t connect_errors; // refused, or the handshake failed
    uint64_t broken;         // the connection ended before the echo did
    uint64_t malformed;      // not a frame that a server may send
    uint64_t wrong;          // another message than the one sent
    uint64_t timeouts;
    uint64_t elapsed;
    struct latencies latencies;
};

struct load {
    struct ws_options options;
    struct results results;
    struct sockaddr_in address;
    struct conn *conns;
    int tried;       // connections whose opening has begun
    int opening;     // of those, not yet open
    int busy;        // ECHOING or CLOSING
    bool is_sending; // whether an echo is followed by the next message
    uint64_t deadline;
    uint64_t checked; // when the timeouts were looked at
    int epoll_fd;
    char *expected; // payload of the message under way, whose number is put in for each connection
    char *out;      // frame being sent
    char buffer[BUFFER_LEN];
};

static uint64_t clock_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

// ---- connections

static void conn_drop(struct load *load, struct conn *conn) {
    load->opening -= conn->state == OPENING;
    load->busy -= conn->state == ECHOING || conn->state == CLOSING;
    conn->state = CLOSED;
    close(conn->fd);
    conn->fd = -1;
}

static void conn_fail(struct load *load, struct conn *conn, uint64_t *counter) {
    ++*counter;
    conn_drop(load, conn);
}

// Frames and handshakes are far smaller than any send buffer, and one is under way at a time: a short write is a
// fault.
static bool conn_send(struct load *load, struct conn *conn, const char *data, size_t len) {
    if (send(conn->fd, data, len, MSG_NOSIGNAL) == (ssize_t)len) {
        return true;
    }
    conn_fail(load, conn, &load->results.broken);
    return false;
}

static void message_send(struct load *load, struct conn *conn) {
    conn->number++;
    conn->echoed = 0;
    conn->started = clock_now();
    load->busy += conn->state != ECHOING;
    conn->state = ECHOING;
    message_number_put(load->expected, conn->number);
    size_t len = frame_put(load->out, OPCODE_TEXT, (uint32_t)conn->number, load->expected, load->options.size);
    conn_send(load, conn, load->out, len);
}

static void conn_open(struct load *load, struct conn *conn) {
    int on = 1;
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0) {
        die("socket");
    }
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    conn->state = OPENING;
    conn->started = clock_now();
    load->opening++;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP, .data.ptr = conn};
    if (connect(conn->fd, (struct sockaddr *)&load->address, sizeof load->address) < 0 && errno != EINPROGRESS) {
        conn_fail(load, conn, &load->results.connect_errors);
    } else if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) < 0) {
        die("epoll_ctl");
    }
}

// The connection stands, or the attempt failed: sends the handshake and waits for nothing but bytes from now on.
static void conn_connected(struct load *load, struct conn *conn) {
    char request[HANDSHAKE_CAP];
    int error = 0;
    socklen_t error_len = sizeof error;
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = conn};
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &error_len) < 0 || error != 0) {
        conn_fail(load, conn, &load->results.connect_errors);
        return;
    }
    if (epoll_ctl(load->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event) < 0) {
        die("epoll_ctl");
    }
    size_t len = handshake_put(request, load->options.address, load->options.path);
    conn_send(load, conn, request, len);
}

// ---- what comes

// Takes bytes of the handshake's answer; returns how many belong to it, or -1 when it is no acceptance.
static long handshake_feed(struct load *load, struct conn *conn, const char *data, size_t len) {
    size_t before = conn->head_len;
    size_t step = len < HANDSHAKE_CAP - before ? len : HANDSHAKE_CAP - before;
    memcpy(conn->head + before, data, step);
    conn->head_len += step;
    const char *end = memmem(conn->head, conn->head_len, "\r\n\r\n", 4);
    if (end == NULL) {
        return conn->head_len < HANDSHAKE_CAP ? (long)step : -1;
    }
    size_t head_len = (size_t)(end - conn->head) + 4;
    if (!handshake_is_accepted(conn->head, head_len)) {
        return -1;
    }
    load->opening--;
    conn->state = IDLE;
    return (long)(head_len - before);
}

static bool payload_is_expected(struct load *load, const struct conn *conn, const char *data, size_t len) {
    if (conn->state != ECHOING || len > load->options.size - conn->echoed) {
        return false;
    }
    message_number_put(load->expected, conn->number);
    return memcmp(load->expected + conn->echoed, data, len) == 0;
}

static void echo_end(struct load *load, struct conn *conn) {
    uint64_t now = clock_now();
    load->results.messages++;
    latency_add(&load->results.latencies, now - conn->started);
    if (load->is_sending && now < load->deadline) {
        message_send(load, conn);
    } else {
        load->busy--;
        conn->state = IDLE;
    }
}

// The server ended the connection: as it shall after our Close, and in no other state.
static void conn_ended(struct load *load, struct conn *conn) {
    switch (conn->state) {
    case OPENING:
        conn_fail(load, conn, &load->results.connect_errors);
        break;
    case CLOSING:
        conn_drop(load, conn);
        break;
    default:
        conn_fail(load, conn, &load->results.broken);
    }
}

// A control frame has come whole: a ping is answered, the answer to our Close ends the connection.
static void control_end(struct load *load, struct conn *conn) {
    char pong[FRAME_HEAD_CAP + CONTROL_CAP];
    struct frame *frame = &conn->frame;
    if (frame->opcode == OPCODE_PING) {
        size_t len = frame_put(pong, OPCODE_PONG, (uint32_t)conn->number, frame->control, frame->control_len);
        conn_send(load, conn, pong, len);
    } else if (frame->opcode == OPCODE_CLOSE) {
        conn_ended(load, conn);
    }
}

static void frame_end(struct load *load, struct conn *conn) {
    if (frame_is_control(&conn->frame)) {
        control_end(load, conn);
    } else if (conn->frame.is_final && conn->echoed == load->options.size) {
        echo_end(load, conn);
    } else if (conn->frame.is_final) {
        conn_fail(load, conn, &load->results.wrong);
    }
}

// Takes one step through a frame; returns the bytes used, or -1 when the connection was failed.
static long frame_step(struct load *load, struct conn *conn, const char *data, size_t len) {
    struct frame *frame = &conn->frame;
    long used = frame_feed(frame, data, len);
    if (used < 0) {
        conn_fail(load, conn, &load->results.malformed);
        return -1;
    }
    if (frame->got_len > 0 && !frame_is_control(frame)) {
        if (!payload_is_expected(load, conn, frame->got, frame->got_len)) {
            conn_fail(load, conn, &load->results.wrong);
            return -1;
        }
        conn->echoed += frame->got_len;
    }
    if (frame->is_whole) {
        frame_end(load, conn);
    }
    return used;
}

static void conn_feed(struct load *load, struct conn *conn, size_t len) {
    const char *at = load->buffer;
    const char *end = at + len;
    while (at < end && conn->state != CLOSED) {
        if (conn->state != OPENING) {
            long used = frame_step(load, conn, at, (size_t)(end - at));
            at += used < 0 ? 0 : used;
            continue;
        }
        long used = handshake_feed(load, conn, at, (size_t)(end - at));
        if (used < 0) {
            conn_fail(load, conn, &load->results.connect_errors);
            return;
        }
        at += used;
    }
}

static void conn_ready(struct load *load, struct conn *conn, uint32_t events) {
    if (conn->state == OPENING && (events & EPOLLOUT) != 0) {
        conn_connected(load, conn);
    }
    if (conn->state == CLOSED || (events & ~(uint32_t)EPOLLOUT) == 0) {
        return;
    }
    ssize_t got = recv(conn->fd, load->buffer, sizeof load->buffer, 0);
    if (got > 0) {
        conn_feed(load, conn, (size_t)got);
    } else if (got == 0 || errno != EAGAIN) {
        conn_ended(load, conn);
    }
}

// ---- the phases: open, run as often as asked, close

static void timeouts_check(struct load *load) {
    uint64_t limit = (uint64_t)(load->options.timeout * (double)SECOND);
    uint64_t now = clock_now();
    if (now - load->checked < SECOND / 10) {
        return;
    }
    load->checked = now;
    for (int i = 0; i < load->options.connections; i++) {
        struct conn *conn = &load->conns[i];
        if (conn->state != CLOSED && conn->state != IDLE && now > conn->started && now - conn->started > limit) {
            conn_fail(load, conn, &load->results.timeouts);
        }
    }
}

// Waits for something to happen and handles it.
static void load_turn(struct load *load) {
    struct epoll_event events[BATCH];
    int count = epoll_wait(load->epoll_fd, events, BATCH, 100);
    for (int i = 0; i < count; i++) {
        // An event may belong to a connection that one before it in this batch has ended.
        struct conn *conn = events[i].data.ptr;
        if (conn->state != CLOSED) {
            conn_ready(load, conn, events[i].events);
        }
    }
    timeouts_check(load);
}

static void load_open(struct load *load) {
    while (load->tried < load->options.connections || load->opening > 0) {
        while (load->tried < load->options.connections && load->opening < OPENING_AT_ONCE) {
            conn_open(load, &load->conns[load->tried++]);
        }
        load_turn(load);
    }
}

static int open_count(const struct load *load) {
    int count = 0;
    for (int i = 0; i < load->options.connections; i++) {
        count += load->conns[i].state == IDLE;
    }
    return count;
}

// Lets every open connection send for `seconds` and waits for the last echoes.
static void load_run(struct load *load, double seconds) {
    uint64_t begun = clock_now();
    load->deadline = begun + (uint64_t)(seconds * (double)SECOND);
    load->is_sending = true;
    for (int i = 0; i < load->options.connections; i++) {
        if (load->conns[i].state == IDLE) {
            message_send(load, &load->conns[i]);
        }
    }
    while (load->busy > 0) {
        load_turn(load);
    }
    load->is_sending = false;
    load->results.elapsed = clock_now() - begun;
}

static void load_close(struct load *load) {
    static const char status[] = {0x03, (char)0xe8}; // 1000, normal closure
    for (int i = 0; i < load->options.connections; i++) {
        struct conn *conn = &load->conns[i];
        if (conn->state == IDLE) {
            conn->state = CLOSING;
            conn->started = clock_now();
            load->busy++;
            size_t len = frame_put(load->out, OPCODE_CLOSE, 1, status, sizeof status);
            conn_send(load, conn, load->out, len);
        }
    }
    while (load->busy > 0) {
        load_turn(load);
    }
}

// ---- results

static uint64_t errors_of(const struct results *results) {
    return results->connect_errors + results->broken + results->malformed + results->wrong + results->timeouts;
}

static void results_print(const struct load *load) {
    const struct results *r = &load->results;
    double seconds = (double)r->elapsed / (double)SECOND;
    const char *format = load->options.json
                             ? "{\"messages\": %llu, \"errors\": %llu, \"connections\": %d, \"seconds\": %.3f, "
                               "\"messages_per_second\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, "
                               "\"connect_errors\": %llu, \"broken\": %llu, \"malformed\": %llu, \"wrong\": %llu, "
                               "\"timeouts\": %llu}\n"
                             : "messages %llu  errors %llu  on %d connections  in %.3f s: %.1f messages/s\n"
                               "latency p50 %.1f us  p99 %.1f us  max %.1f us\n"
                               "connect errors %llu  broken %llu  malformed %llu  wrong %llu  timeouts %llu\n";
    typedef unsigned long long number;
    printf(format, (number)r->messages, (number)errors_of(r), open_count(load), seconds,
           seconds > 0 ? (double)r->messages / seconds : 0, latency_quantile_us(&r->latencies, 0.5),
           latency_quantile_us(&r->latencies, 0.99), (double)r->latencies.longest / 1000, (number)r->connect_errors,
           (number)r->broken, (number)r->malformed, (number)r->wrong, (number)r->timeouts);
    fflush(stdout);
}

// Runs as often as standard input has a line for; the first object printed tells how the opening went.
static bool load_steps(struct load *load) {
    char line[64];
    bool is_clean = true;
    results_print(load);
    while (fgets(line, sizeof line, stdin) != NULL) {
        memset(&load->results, 0, sizeof load->results);
        load_run(load, atof(line));
        results_print(load);
        is_clean = is_clean && errors_of(&load->results) == 0;
    }
    return is_clean;
}

static void load_init(struct load *load) {
    size_t size = load->options.size;
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    load->conns = calloc((size_t)load->options.connections, sizeof *load->conns);
    load->expected = malloc(size);
    load->out = malloc(FRAME_HEAD_CAP + (size > CONTROL_CAP ? size : CONTROL_CAP));
    if (load->epoll_fd < 0 || load->conns == NULL || load->expected == NULL || load->out == NULL) {
        die("set-up");
    }
    memset(load->expected, 'x', size);
    load->address = load->options.socket_address;
}

int main(int argc, char **argv) {
    struct load *load = calloc(1, sizeof *load);
    if (load == NULL) {
        die("calloc");
    }
    ws_options_parse(&load->options, argc, argv);
    load_init(load);
    load_open(load);
    bool is_clean = errors_of(&load->results) == 0;
    if (load->options.steps) {
        is_clean = load_steps(load) && is_clean;
    } else {
        load_run(load, load->options.seconds);
        results_print(load);
    }
    load_close(load);
    is_clean = is_clean && errors_of(&load->results) == 0;
    close(load->epoll_fd);
    free(load->expected);
    free(load->out);
    free(load->conns);
    free(load);
    return is_clean ? 0 : 1;
}
