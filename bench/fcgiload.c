// SPDX-License-Identifier: MIT
// Load generator for FastCGI: keeps -c requests under way from one epoll loop, over TCP or a unix socket, each on a
// kept connection or (--close) on one of its own, with the parameters that nginx would send and an optional body.
// Every answer is checked: its records, the length of its body, END_REQUEST's status. A server that closes a
// connection it was asked to keep is not at fault (section 3.5 lets it); the connection is opened again and counted.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "fcgiload_request.h"
#include "latency.h"

enum {
    BATCH = 256,
    BUFFER_LEN = 64 * 1024,
    MAX_CONNECT_ERRORS = 5000, // then the run ends: nobody listens
};

static const uint64_t SECOND = 1000000000;

enum state { IDLE, SENDING, WAITING, ENDED };

struct conn {
    int fd;
    enum state state;
    uint64_t started;
    size_t sent;
    uint8_t header_len;
    uint8_t header[FCGI_HEADER_LEN];
    uint32_t content; // bytes left of the current record's content
    uint32_t padding;
    uint8_t end_len;
    uint8_t end[8];
    bool in_body;
    uint8_t match; // bytes of "\r\n\r\n" seen at the head's end
    uint64_t body_len;
    bool fresh; // no answer has come on this connection yet
};

struct options {
    const char *address;
    int connections;
    double seconds;
    uint64_t requests;
    bool close;
    size_t body_len;
    long expect; // bytes of the answer's body; -1: any
    double timeout;
    bool json;
};

struct results {
    uint64_t issued;
    uint64_t done;
    uint64_t reconnects;
    uint64_t connect_errors;
    uint64_t broken;    // the connection ended before the answer did
    uint64_t malformed; // not FastCGI, or not an answer to this request
    uint64_t wrong;     // body of another length, or a status other than complete and 0
    uint64_t timeouts;
    uint64_t stderr_bytes;
    uint64_t elapsed;
    struct latencies latencies;
};

struct load {
    struct options options;
    struct results results;
    struct sockaddr_storage address;
    socklen_t address_len;
    struct bytes request;
    struct conn *conns;
    int idle; // connections that wait for a new attempt
    int epoll_fd;
    uint64_t begun;
    uint64_t deadline;
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

static bool load_wants_more(const struct load *load) {
    const struct options *options = &load->options;
    if (load->results.connect_errors >= MAX_CONNECT_ERRORS) {
        return false;
    }
    return options->requests > 0 ? load->results.issued < options->requests : clock_now() < load->deadline;
}

static void conn_drop(struct load *load, struct conn *conn) {
    if (conn->fd >= 0) {
        close(conn->fd);
        conn->fd = -1;
    }
    if (conn->state != IDLE) {
        conn->state = IDLE;
        load->idle++;
    }
}

static void conn_fail(struct load *load, struct conn *conn, uint64_t *counter) {
    ++*counter;
    conn_drop(load, conn);
}

static void conn_watch(struct load *load, struct conn *conn, int operation, uint32_t events) {
    struct epoll_event event = {.events = events | EPOLLRDHUP, .data.ptr = conn};
    if (epoll_ctl(load->epoll_fd, operation, conn->fd, &event) < 0) {
        die("epoll_ctl");
    }
}

// Sends what the socket takes; false: the connection is lost.
static bool conn_send(struct load *load, struct conn *conn) {
    size_t left = load->request.len - conn->sent;
    ssize_t sent = send(conn->fd, load->request.ptr + conn->sent, left, MSG_NOSIGNAL);
    if (sent < 0) {
        // An answer to an unread body may still be there, so a reset is found by the next read.
        return errno == EAGAIN || errno == ENOTCONN || errno == EPIPE;
    }
    conn->sent += (size_t)sent;
    if (conn->sent == load->request.len) {
        conn->state = WAITING;
    }
    return true;
}

static void conn_request(struct load *load, struct conn *conn) {
    conn->state = SENDING;
    conn->started = clock_now();
    conn->sent = 0;
    conn->header_len = 0;
    conn->content = 0;
    conn->padding = 0;
    conn->end_len = 0;
    conn->in_body = false;
    conn->match = 0;
    conn->body_len = 0;
    load->results.issued++;
    if (!conn_send(load, conn)) {
        conn_fail(load, conn, &load->results.broken);
    } else if (conn->state == SENDING) {
        conn_watch(load, conn, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
}

// Opens the connection of an idle slot and sends its request; on failure the slot stays idle for the next turn.
static bool conn_open(struct load *load, struct conn *conn) {
    int on = 1;
    int fd = socket(load->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        die("socket");
    }
    if (load->address.ss_family == AF_INET) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    if (connect(fd, (struct sockaddr *)&load->address, load->address_len) < 0 && errno != EINPROGRESS) {
        bool full = errno == EAGAIN; // unix socket: the backlog is full; not an error, the server is behind
        close(fd);
        load->results.connect_errors += !full;
        return false;
    }
    conn->fd = fd;
    conn->fresh = true;
    load->idle--;
    conn->state = SENDING;
    conn_watch(load, conn, EPOLL_CTL_ADD, EPOLLIN);
    conn_request(load, conn);
    return true;
}

// ---- answers

// Counts the bytes after the CGI header's end.
static void stdout_feed(struct conn *conn, const char *data, size_t len) {
    static const char end[] = "\r\n\r\n";
    size_t i = 0;
    while (!conn->in_body && i < len) {
        conn->match = (uint8_t)(data[i] == end[conn->match] ? conn->match + 1 : data[i] == '\r');
        conn->in_body = conn->match == 4;
        i++;
    }
    conn->body_len += len - i;
}

static void content_feed(struct load *load, struct conn *conn, const char *data, size_t len) {
    switch (conn->header[1]) {
    case FCGI_STDOUT:
        stdout_feed(conn, data, len);
        break;
    case FCGI_STDERR:
        load->results.stderr_bytes += len;
        break;
    default:
        for (size_t i = 0; i < len && conn->end_len < sizeof conn->end; i++) {
            conn->end[conn->end_len++] = (uint8_t)data[i];
        }
    }
}

static bool header_is_good(const struct conn *conn) {
    const uint8_t *header = conn->header;
    bool type = header[1] == FCGI_STDOUT || header[1] == FCGI_STDERR || header[1] == FCGI_END;
    bool end = header[1] != FCGI_END || conn->content == 8;
    return header[0] == 1 && type && end && header[2] == 0 && header[3] == REQUEST_ID;
}

// Takes one step through the answer; returns the bytes used, or -1 when they are no answer to this request.
static long record_feed(struct load *load, struct conn *conn, const char *data, size_t len) {
    if (conn->content > 0) {
        size_t step = len < conn->content ? len : conn->content;
        content_feed(load, conn, data, step);
        conn->content -= (uint32_t)step;
        return (long)step;
    }
    if (conn->padding > 0) {
        size_t step = len < conn->padding ? len : conn->padding;
        conn->padding -= (uint32_t)step;
        return (long)step;
    }
    size_t want = (size_t)(FCGI_HEADER_LEN - conn->header_len);
    size_t step = len < want ? len : want;
    memcpy(conn->header + conn->header_len, data, step);
    conn->header_len = (uint8_t)(conn->header_len + step);
    if (conn->header_len == FCGI_HEADER_LEN) {
        conn->header_len = 0;
        conn->content = (uint32_t)(conn->header[4] << 8 | conn->header[5]);
        conn->padding = conn->header[6];
        return header_is_good(conn) ? (long)step : -1;
    }
    return (long)step;
}

static bool answer_is_whole(const struct conn *conn) {
    return conn->end_len == 8 && conn->padding == 0;
}

static void answer_end(struct load *load, struct conn *conn) {
    struct results *results = &load->results;
    const uint8_t *end = conn->end;
    bool status = end[0] == 0 && end[1] == 0 && end[2] == 0 && end[3] == 0 && end[4] == 0;
    bool length = load->options.expect < 0 || conn->body_len == (uint64_t)load->options.expect;
    results->wrong += !(status && length && conn->in_body);
    results->done++;
    latency_add(&results->latencies, clock_now() - conn->started);
    conn->fresh = false;
    bool unsent = conn->state == SENDING;
    conn->state = ENDED;
    if (load->options.close) {
        return; // the server closes; that end is awaited too
    }
    if (unsent || !load_wants_more(load)) {
        conn_drop(load, conn);
    } else {
        conn_request(load, conn);
    }
}

static void conn_feed(struct load *load, struct conn *conn, size_t len) {
    const char *at = load->buffer;
    const char *end = at + len;
    while (at < end) {
        long used = conn->state == ENDED ? -1 : record_feed(load, conn, at, (size_t)(end - at));
        if (used < 0) {
            conn_fail(load, conn, &load->results.malformed);
            return;
        }
        at += used;
        if (answer_is_whole(conn)) {
            if (at < end) {
                conn_fail(load, conn, &load->results.malformed);
                return;
            }
            answer_end(load, conn);
        }
    }
}

// The server ended the connection: as it must after the answer with --close, and may between answers without.
static void conn_ended(struct load *load, struct conn *conn) {
    if (conn->state == ENDED) {
        conn_drop(load, conn);
    } else if (!conn->fresh && conn->end_len == 0 && conn->header_len == 0 && conn->body_len == 0 && !conn->in_body) {
        load->results.reconnects++;
        load->results.issued--;
        conn_drop(load, conn);
    } else {
        conn_fail(load, conn, &load->results.broken);
    }
}

static void conn_read(struct load *load, struct conn *conn) {
    ssize_t got = recv(conn->fd, load->buffer, sizeof load->buffer, 0);
    if (got > 0) {
        conn_feed(load, conn, (size_t)got);
    } else if (got == 0 || errno != EAGAIN) {
        conn_ended(load, conn);
    }
}

static void conn_ready(struct load *load, struct conn *conn, uint32_t events) {
    if (conn->state == SENDING && (events & EPOLLOUT) != 0) {
        if (!conn_send(load, conn)) {
            conn_fail(load, conn, &load->results.broken);
        } else if (conn->state == WAITING) {
            conn_watch(load, conn, EPOLL_CTL_MOD, EPOLLIN);
        }
    }
    // A server that closes right after its answer reports both with one event; the end is read in the same turn.
    bool both = (events & EPOLLRDHUP) != 0;
    if (conn->fd >= 0 && (events & ~(uint32_t)EPOLLOUT) != 0) {
        conn_read(load, conn);
    }
    if (both && conn->fd >= 0 && conn->state == ENDED) {
        conn_read(load, conn);
    }
}

// ---- the run

static void idle_start(struct load *load) {
    for (int i = 0; load->idle > 0 && i < load->options.connections; i++) {
        if (!load_wants_more(load)) {
            return;
        }
        if (load->conns[i].state == IDLE && !conn_open(load, &load->conns[i])) {
            return;
        }
    }
}

static void timeouts_check(struct load *load) {
    uint64_t limit = (uint64_t)(load->options.timeout * (double)SECOND);
    uint64_t now = clock_now();
    for (int i = 0; i < load->options.connections; i++) {
        struct conn *conn = &load->conns[i];
        if (conn->state != IDLE && now > conn->started && now - conn->started > limit) {
            conn_fail(load, conn, &load->results.timeouts);
        }
    }
}

static bool load_is_over(const struct load *load) {
    return load->idle == load->options.connections && !load_wants_more(load);
}

static void load_run(struct load *load) {
    struct epoll_event events[BATCH];
    load->begun = clock_now();
    load->deadline = load->begun + (uint64_t)(load->options.seconds * (double)SECOND);
    uint64_t checked = load->begun;
    while (!load_is_over(load)) {
        if (load->idle > 0) {
            idle_start(load);
        }
        int count = epoll_wait(load->epoll_fd, events, BATCH, load->idle > 0 ? 1 : 100);
        for (int i = 0; i < count; i++) {
            conn_ready(load, events[i].data.ptr, events[i].events);
        }
        if (clock_now() - checked > SECOND / 10) {
            checked = clock_now();
            timeouts_check(load);
        }
    }
    load->results.elapsed = clock_now() - load->begun;
}

static uint64_t errors_of(const struct results *results) {
    return results->connect_errors + results->broken + results->malformed + results->wrong + results->timeouts;
}

static void results_print(const struct load *load) {
    const struct results *r = &load->results;
    double seconds = (double)r->elapsed / (double)SECOND;
    const char *format =
        load->options.json
            ? "{\"requests\": %llu, \"errors\": %llu, \"seconds\": %.3f, \"requests_per_second\": %.1f, "
              "\"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, \"reconnects\": %llu, \"connect_errors\": %llu, "
              "\"broken\": %llu, \"malformed\": %llu, \"wrong\": %llu, \"timeouts\": %llu, \"stderr_bytes\": %llu}\n"
            : "requests %llu  errors %llu  in %.3f s: %.1f requests/s\n"
              "latency p50 %.1f us  p99 %.1f us  max %.1f us\n"
              "reconnects %llu  connect errors %llu  broken %llu  malformed %llu  wrong %llu  timeouts %llu  "
              "stderr bytes %llu\n";
    typedef unsigned long long number;
    printf(format, (number)r->done, (number)errors_of(r), seconds, (double)r->done / seconds,
           latency_quantile_us(&r->latencies, 0.5), latency_quantile_us(&r->latencies, 0.99),
           (double)r->latencies.longest / 1000, (number)r->reconnects, (number)r->connect_errors, (number)r->broken,
           (number)r->malformed, (number)r->wrong, (number)r->timeouts, (number)r->stderr_bytes);
}

// ---- the command line

static const char usage[] = "usage: fcgiload [-c CONNECTIONS] [-d SECONDS | -n REQUESTS] [--close] [--body BYTES]\n"
                            "                [--expect BYTES | --expect any] [--timeout SECONDS] [--json] ADDR\n"
                            "ADDR is HOST:PORT (IPv4) or unix:PATH; the answer's body has 13 bytes unless told\n";

static void usage_fail(void) {
    fputs(usage, stderr);
    exit(2);
}

static void address_parse(struct load *load) {
    const char *text = load->options.address;
    const char *colon = strrchr(text, ':');
    if (strncmp(text, "unix:", 5) == 0) {
        struct sockaddr_un *local = (struct sockaddr_un *)&load->address;
        local->sun_family = AF_UNIX;
        snprintf(local->sun_path, sizeof local->sun_path, "%s", text + 5);
        load->address_len = sizeof *local;
        return;
    }
    struct sockaddr_in *inet = (struct sockaddr_in *)&load->address;
    char host[64] = "";
    if (colon != NULL) {
        snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
        inet->sin_port = htons((uint16_t)atoi(colon + 1));
    }
    inet->sin_family = AF_INET;
    load->address_len = sizeof *inet;
    if (inet_pton(AF_INET, host, &inet->sin_addr) != 1) {
        usage_fail();
    }
}

static void option_set(struct options *options, int option) {
    switch (option) {
    case 'c':
        options->connections = atoi(optarg);
        break;
    case 'd':
        options->seconds = atof(optarg);
        break;
    case 'n':
        options->requests = strtoull(optarg, NULL, 10);
        break;
    case 'C':
        options->close = true;
        break;
    case 'b':
        options->body_len = strtoull(optarg, NULL, 10);
        break;
    case 'e':
        options->expect = strcmp(optarg, "any") == 0 ? -1 : atol(optarg);
        break;
    case 't':
        options->timeout = atof(optarg);
        break;
    case 'j':
        options->json = true;
        break;
    default:
        usage_fail();
    }
}

static void options_parse(struct options *options, int argc, char **argv) {
    static const struct option known[] = {
        {"close", no_argument, NULL, 'C'},        {"body", required_argument, NULL, 'b'},
        {"expect", required_argument, NULL, 'e'}, {"timeout", required_argument, NULL, 't'},
        {"json", no_argument, NULL, 'j'},         {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "c:d:n:", known, NULL)) != -1) {
        option_set(options, option);
    }
    if (optind != argc - 1 || options->connections < 1) {
        usage_fail();
    }
    options->address = argv[optind];
}

int main(int argc, char **argv) {
    struct load *load = calloc(1, sizeof *load);
    if (load == NULL) {
        die("calloc");
    }
    load->options = (struct options){.connections = 64, .seconds = 3, .expect = 13, .timeout = 10};
    options_parse(&load->options, argc, argv);
    address_parse(load);
    if (request_make(load->options.body_len, !load->options.close, &load->request) < 0) {
        die("request");
    }
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    load->conns = calloc((size_t)load->options.connections, sizeof *load->conns);
    if (load->epoll_fd < 0 || load->conns == NULL) {
        die("set-up");
    }
    for (int i = 0; i < load->options.connections; i++) {
        load->conns[i].fd = -1;
    }
    load->idle = load->options.connections;
    load_run(load);
    results_print(load);
    int code = errors_of(&load->results) == 0 ? 0 : 1;
    free(load->request.ptr);
    free(load->conns);
    free(load);
    return code;
}
