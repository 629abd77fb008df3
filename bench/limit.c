// SPDX-License-Identifier: MIT
// The lower limit: a fixed answer from one plain epoll loop, over HTTP/1.1 or FastCGI. It looks for the request's end
// and for nothing else, so what it costs is what the kernel costs; every server's cost is told as a ratio to it. Over
// HTTP the answer can have any length (--answer), or be the request's own body of a length known beforehand (--echo).
// With --workers it also compares the ways in which several processes can share one address. bench/run.py starts it;
// SIGTERM ends it, and the counters of each worker are then written to standard output as one JSON object.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "limit_listener.h"
#include "limit_options.h"

enum {
    BATCH = 256,
    BUFFER_LEN = 64 * 1024,
    TAIL_LEN = 3, // bytes of "\r\n\r\n" that one read may leave to the next
    HTTP_HEAD_CAP = 256,
    FCGI_HEADER_LEN = 8,
    FCGI_BEGIN = 1,
    FCGI_END = 3,
    FCGI_STDIN = 5,
    FCGI_STDOUT = 6,
    FCGI_KEEP_CONN = 1,
};

#define BODY "Hello, world!"
#define BODY_LEN "13" // over FastCGI; over HTTP the length is an option
#define CONTENT_TYPE "text/html; charset=utf-8"

// One connection; the table of them is indexed by descriptor.
struct conn {
    char tail[TAIL_LEN]; // HTTP: the last bytes of the read before
    char *echo;          // HTTP with --echo: the answer, head and then the request's body
    size_t missing;      // HTTP with --echo: bytes of the request's body still to come
    size_t unsent;       // HTTP: bytes at the answer's end that the socket did not take
    bool keep;           // FastCGI: FCGI_KEEP_CONN was set
    uint8_t header_len;  // FastCGI: bytes of `header` that have come
    uint8_t header[FCGI_HEADER_LEN];
    uint16_t id;
    uint32_t skip; // FastCGI: bytes left of the current record
};

// Written by one worker; read by the others for the balance, and by the parent after that worker's end.
struct counters {
    _Alignas(64) uint64_t requests; // a cache line for each worker
    uint64_t accepts;
    uint64_t closes;
    uint64_t wakeups;       // events on a listener
    uint64_t empty_wakeups; // of those, no connection was left to take
};

struct loop {
    const struct options *options;
    struct counters *counters;     // this worker's
    struct counters *all_counters; // everybody's
    bool stood_back;               // does not watch the listeners until `stood_back_ms` lies behind
    bool may_accept;               // has stood back and takes the next connection in any case
    uint64_t stood_back_ms;
    struct conn *conns;
    size_t conns_len;
    int epoll_fd;
    time_t now;
    char *http; // head and body
    size_t http_head_len;
    size_t http_len;
    size_t fcgi_len;
    char fcgi[512];
    char buffer[TAIL_LEN + BUFFER_LEN];
};

static volatile sig_atomic_t stopping;

static void stop(int signal_number) {
    (void)signal_number;
    stopping = 1;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

// ---- answers

// The body follows the head, which is written anew each second and always has the same length.
static void http_head_make(struct loop *loop) {
    char date[64];
    char head[HTTP_HEAD_CAP];
    struct tm parts;
    gmtime_r(&loop->now, &parts);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    loop->http_head_len =
        (size_t)snprintf(head, sizeof head,
                         "HTTP/1.1 200 OK\r\nDate: %s\r\nServer: limit\r\nContent-Type: " CONTENT_TYPE
                         "\r\nContent-Length: %zu\r\n\r\n",
                         date, loop->options->body_len);
    memcpy(loop->http, head, loop->http_head_len);
}

// With --echo the body stands in each connection, so that of the loop is never sent.
static void http_answer_make(struct loop *loop) {
    size_t body_len = loop->options->body_len;
    loop->http = malloc(HTTP_HEAD_CAP + body_len);
    if (loop->http == NULL) {
        die("malloc");
    }
    http_head_make(loop);
    for (size_t i = 0; i < body_len; i++) {
        loop->http[loop->http_head_len + i] = BODY[i % (sizeof BODY - 1)];
    }
    loop->http_len = loop->http_head_len + body_len;
}

static char *fcgi_header_put(char *out, uint8_t type, size_t content_len) {
    uint8_t padding = (uint8_t)(-content_len & 7);
    memcpy(out, (char[]){1, (char)type, 0, 1, (char)(content_len >> 8), (char)content_len, (char)padding, 0}, 8);
    return out + FCGI_HEADER_LEN;
}

static void fcgi_answer_make(struct loop *loop) {
    static const char text[] =
        "Status: 200 OK\r\nContent-Type: " CONTENT_TYPE "\r\nContent-Length: " BODY_LEN "\r\n\r\n" BODY;
    size_t text_len = sizeof text - 1;
    memset(loop->fcgi, 0, sizeof loop->fcgi);
    char *out = fcgi_header_put(loop->fcgi, FCGI_STDOUT, text_len);
    memcpy(out, text, text_len);
    out += (text_len + 7) & ~(size_t)7;
    out = fcgi_header_put(out, FCGI_STDOUT, 0);
    out = fcgi_header_put(out, FCGI_END, 8) + 8;
    loop->fcgi_len = (size_t)(out - loop->fcgi);
}

// The request's id goes into each of the three records: the first, and the two of 8 and 16 bytes at the end.
static void fcgi_answer_address(struct loop *loop, uint16_t id) {
    char high = (char)(id >> 8);
    char low = (char)id;
    char *records[] = {loop->fcgi, loop->fcgi + loop->fcgi_len - 24, loop->fcgi + loop->fcgi_len - 16};
    for (size_t i = 0; i < 3; i++) {
        records[i][2] = high;
        records[i][3] = low;
    }
}

// Stands in for a handler that blocks, when asked to.
static void request_count(struct loop *loop) {
    const struct options *options = loop->options;
    loop->counters->requests++;
    if (options->block_every != 0 && loop->counters->requests % options->block_every == 0) {
        struct timespec pause = {options->block_ms / 1000, options->block_ms % 1000 * 1000000};
        nanosleep(&pause, NULL);
    }
}

static void conn_watch(struct loop *loop, int operation, int fd, enum protocol protocol, uint32_t events) {
    uint32_t edge = loop->options->level ? 0 : EPOLLET;
    struct epoll_event event = {.events = events | EPOLLRDHUP | edge,
                                .data.u64 = (uint64_t)protocol << 32 | (uint32_t)fd};
    if (epoll_ctl(loop->epoll_fd, operation, fd, &event) < 0) {
        die("epoll_ctl");
    }
}

// A FastCGI answer fits the send buffer of any client that reads; a connection that does not take it is dropped.
static bool answer_send(int fd, const char *answer, size_t len) {
    return send(fd, answer, len, MSG_NOSIGNAL) == (ssize_t)len;
}

// Sends the last `unsent` bytes of the answer; what the socket does not take waits for it.
static bool http_send(struct loop *loop, int fd) {
    struct conn *conn = &loop->conns[fd];
    const char *answer = conn->echo != NULL ? conn->echo : loop->http;
    ssize_t sent = send(fd, answer + loop->http_len - conn->unsent, conn->unsent, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        return false;
    }
    conn->unsent -= sent < 0 ? 0 : (size_t)sent;
    return true;
}

static bool http_answer(struct loop *loop, int fd) {
    struct conn *conn = &loop->conns[fd];
    if (conn->echo != NULL) {
        memcpy(conn->echo, loop->http, loop->http_head_len);
    }
    request_count(loop);
    conn->unsent = loop->http_len;
    if (!http_send(loop, fd)) {
        return false;
    }
    if (conn->unsent > 0) {
        conn_watch(loop, EPOLL_CTL_MOD, fd, HTTP, EPOLLOUT);
    }
    return true;
}

// Goes on with an answer; when it is out, the next request is waited for. Nothing of it was read meanwhile.
static bool http_resume(struct loop *loop, int fd) {
    if (!http_send(loop, fd)) {
        return false;
    }
    if (loop->conns[fd].unsent == 0) {
        conn_watch(loop, EPOLL_CTL_MOD, fd, HTTP, EPOLLIN);
    }
    return true;
}

// ---- requests; each function answers what `len` bytes at `data` complete, and false means: close

static bool http_feed(struct loop *loop, int fd, size_t len) {
    struct conn *conn = &loop->conns[fd];
    const char *at = loop->buffer;
    const char *end = loop->buffer + TAIL_LEN + len;
    memcpy(loop->buffer, conn->tail, TAIL_LEN);
    while ((at = memmem(at, (size_t)(end - at), "\r\n\r\n", 4)) != NULL) {
        at += 4;
        // Load with large answers sends one request at a time; one that came early has nowhere to wait.
        if (conn->unsent > 0 || !http_answer(loop, fd)) {
            return false;
        }
        if (at == end) {
            memset(conn->tail, 0, TAIL_LEN);
            return true;
        }
    }
    memcpy(conn->tail, end - TAIL_LEN, TAIL_LEN);
    return true;
}

// With --echo: the body goes straight to its place behind the head of the answer. Requests come one at a time.
static bool echo_feed(struct loop *loop, int fd, size_t len) {
    struct conn *conn = &loop->conns[fd];
    const char *at = loop->buffer + TAIL_LEN;
    const char *end = at + len;
    if (conn->missing == 0) {
        memcpy(loop->buffer, conn->tail, TAIL_LEN);
        at = memmem(loop->buffer, TAIL_LEN + len, "\r\n\r\n", 4);
        if (at == NULL) {
            memcpy(conn->tail, end - TAIL_LEN, TAIL_LEN);
            return true;
        }
        at += 4;
        memset(conn->tail, 0, TAIL_LEN);
        conn->missing = loop->options->body_len;
    }
    if ((size_t)(end - at) > conn->missing || conn->unsent > 0) {
        return false;
    }
    memcpy(conn->echo + loop->http_len - conn->missing, at, (size_t)(end - at));
    conn->missing -= (size_t)(end - at);
    return conn->missing > 0 || http_answer(loop, fd);
}

static bool fcgi_answer(struct loop *loop, int fd) {
    struct conn *conn = &loop->conns[fd];
    fcgi_answer_address(loop, conn->id);
    request_count(loop);
    return answer_send(fd, loop->fcgi, loop->fcgi_len) && conn->keep;
}

// Takes a whole header, and for BEGIN_REQUEST needs the body's flags at `body` when they have come.
static bool fcgi_record(struct loop *loop, int fd, const uint8_t *header) {
    struct conn *conn = &loop->conns[fd];
    uint32_t content_len = (uint32_t)(header[4] << 8 | header[5]);
    conn->skip = content_len + header[6];
    if (header[1] == FCGI_BEGIN) {
        conn->id = (uint16_t)(header[2] << 8 | header[3]);
    }
    return header[1] != FCGI_STDIN || content_len != 0 || fcgi_answer(loop, fd);
}

// Passes over `len` bytes of the record's content; the third byte of BEGIN_REQUEST's body holds the flags.
static void fcgi_content(struct conn *conn, const uint8_t *data, uint32_t len) {
    if (conn->header[1] == FCGI_BEGIN && conn->skip > 5 && conn->skip <= 5 + len) {
        conn->keep = (data[conn->skip - 6] & FCGI_KEEP_CONN) != 0;
    }
    conn->skip -= len;
}

static bool fcgi_feed(struct loop *loop, int fd, size_t len) {
    struct conn *conn = &loop->conns[fd];
    const uint8_t *at = (const uint8_t *)loop->buffer + TAIL_LEN;
    const uint8_t *end = at + len;
    while (at < end) {
        size_t left = (size_t)(end - at);
        if (conn->skip > 0) {
            uint32_t step = left < conn->skip ? (uint32_t)left : conn->skip;
            fcgi_content(conn, at, step);
            at += step;
            continue;
        }
        size_t want = (size_t)(FCGI_HEADER_LEN - conn->header_len);
        size_t step = left < want ? left : want;
        memcpy(conn->header + conn->header_len, at, step);
        conn->header_len = (uint8_t)(conn->header_len + step);
        at += step;
        if (conn->header_len == FCGI_HEADER_LEN) {
            conn->header_len = 0;
            if (!fcgi_record(loop, fd, conn->header)) {
                return false;
            }
        }
    }
    return true;
}

// ---- the loop

static bool conn_feed(struct loop *loop, int fd, enum protocol protocol, size_t len) {
    if (protocol == FASTCGI) {
        return fcgi_feed(loop, fd, len);
    }
    return loop->options->echo ? echo_feed(loop, fd, len) : http_feed(loop, fd, len);
}

// Reads until the kernel has no more; a short read proves that without another system call.
static bool conn_read(struct loop *loop, int fd, enum protocol protocol) {
    for (;;) {
        ssize_t got = recv(fd, loop->buffer + TAIL_LEN, BUFFER_LEN, 0);
        if (got <= 0) {
            return got < 0 && errno == EAGAIN;
        }
        if (!conn_feed(loop, fd, protocol, (size_t)got)) {
            return false;
        }
        if (got < BUFFER_LEN) {
            return true;
        }
    }
}

static void conn_close(struct loop *loop, int fd) {
    close(fd);
    free(loop->conns[fd].echo);
    loop->conns[fd].echo = NULL;
    loop->counters->closes++;
}

// A FastCGI request mostly lies there when its connection is taken: asking for it first spares the registration of a
// connection that ends with its answer. One that is kept is registered after its first answer.
static void conn_open(struct loop *loop, int fd, enum protocol protocol) {
    if ((size_t)fd >= loop->conns_len) {
        close(fd);
        return;
    }
    loop->counters->accepts++;
    memset(&loop->conns[fd], 0, sizeof loop->conns[fd]);
    if (loop->options->echo && (loop->conns[fd].echo = malloc(loop->http_len)) == NULL) {
        die("malloc");
    }
    if (protocol == HTTP || conn_read(loop, fd, protocol)) {
        conn_watch(loop, EPOLL_CTL_ADD, fd, protocol, EPOLLIN);
    } else {
        conn_close(loop, fd);
    }
}

static void listener_watch(struct loop *loop, const struct listener *listener) {
    uint32_t exclusive = loop->options->sharing == EXCLUSIVE ? EPOLLEXCLUSIVE : 0;
    uint32_t index = (uint32_t)(listener - loop->options->listeners);
    struct epoll_event event = {.events = EPOLLIN | exclusive, .data.u64 = (uint64_t)UINT32_MAX << 32 | index};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, listener->fd, &event) < 0) {
        die("epoll_ctl");
    }
}

// The kernel wakes the first waiter that sleeps, so without this the first in line would take nearly everything.
static void listener_rotate(struct loop *loop, const struct listener *listener) {
    uint64_t every = loop->options->rotate_every;
    if (every != 0 && loop->counters->accepts % every == 0) {
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, listener->fd, NULL);
        listener_watch(loop, listener);
    }
}

static uint64_t clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// Whether this worker has so many connections more than the mean that the others should take the next one. The
// counters of the others may be a moment old, which does no harm here.
static bool loop_is_ahead(const struct loop *loop) {
    const struct options *options = loop->options;
    uint64_t open = 0;
    for (int i = 0; i < options->workers; i++) {
        const volatile struct counters *one = &loop->all_counters[i];
        open += one->accepts - one->closes;
    }
    uint64_t own = loop->counters->accepts - loop->counters->closes;
    return own * (uint64_t)options->workers > open + (uint64_t)options->balance * (uint64_t)options->workers;
}

static void loop_stand_back(struct loop *loop) {
    for (int i = 0; i < loop->options->listener_count; i++) {
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, loop->options->listeners[i].fd, NULL);
    }
    loop->stood_back = true;
    loop->stood_back_ms = clock_ms() + 1;
}

static void loop_stand_up(struct loop *loop) {
    for (int i = 0; i < loop->options->listener_count; i++) {
        listener_watch(loop, &loop->options->listeners[i]);
    }
    loop->stood_back = false;
    loop->may_accept = true;
}

static void listener_ready(struct loop *loop, const struct listener *listener) {
    loop->counters->wakeups++;
    for (int i = 0; i < loop->options->accept_batch; i++) {
        if (loop->options->balance >= 0 && !loop->may_accept && loop_is_ahead(loop)) {
            loop_stand_back(loop);
            return;
        }
        loop->may_accept = false;
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            loop->counters->empty_wakeups += i == 0;
            return;
        }
        conn_open(loop, fd, listener->protocol);
        listener_rotate(loop, listener);
    }
}

static void event_handle(struct loop *loop, const struct epoll_event *event) {
    uint32_t low = (uint32_t)event->data.u64;
    uint32_t high = (uint32_t)(event->data.u64 >> 32);
    if (high == UINT32_MAX) {
        listener_ready(loop, &loop->options->listeners[low]);
        return;
    }
    bool is_unsent = loop->conns[low].unsent > 0;
    bool alive = is_unsent ? http_resume(loop, (int)low) : conn_read(loop, (int)low, (enum protocol)high);
    if (!alive || (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        conn_close(loop, (int)low);
    }
}

static void loop_run(struct loop *loop) {
    struct epoll_event events[BATCH];
    while (!stopping) {
        int count = epoll_wait(loop->epoll_fd, events, BATCH, loop->stood_back ? 1 : -1);
        time_t now = time(NULL);
        if (now != loop->now) {
            loop->now = now;
            http_head_make(loop);
        }
        for (int i = 0; i < count; i++) {
            event_handle(loop, &events[i]);
        }
        if (loop->stood_back && clock_ms() > loop->stood_back_ms) {
            loop_stand_up(loop);
        }
    }
}

static void worker_run(const struct options *options, struct counters *counters, int number) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        die("calloc");
    }
    loop->options = options;
    loop->counters = &counters[number];
    loop->all_counters = counters;
    loop->conns_len = files.rlim_cur < (1 << 20) ? (size_t)files.rlim_cur : 1 << 20;
    loop->conns = calloc(loop->conns_len, sizeof *loop->conns);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->conns == NULL || loop->epoll_fd < 0) {
        die("worker");
    }
    loop->now = time(NULL);
    http_answer_make(loop);
    fcgi_answer_make(loop);
    loop_stand_up(loop);
    loop_run(loop);
    free(loop->http);
    free(loop->conns);
    free(loop);
}

// ---- processes

static pid_t worker_start(struct options *options, struct counters *counters, int number) {
    pid_t pid = fork();
    if (pid != 0) {
        return pid;
    }
    if (options->sharing == REUSEPORT) {
        listeners_open(options);
    }
    worker_run(options, counters, number);
    _exit(0);
}

static void workers_run(struct options *options, struct counters *counters) {
    pid_t pids[MAX_WORKERS];
    if (options->sharing != REUSEPORT) {
        listeners_open(options);
    }
    for (int i = 0; i < options->workers; i++) {
        pids[i] = worker_start(options, counters, i);
    }
    while (!stopping) {
        pause();
    }
    for (int i = 0; i < options->workers; i++) {
        kill(pids[i], SIGTERM);
        waitpid(pids[i], NULL, 0);
    }
}

static void counters_print(const struct counters *counters, int count) {
    printf("{\"workers\": [");
    for (int i = 0; i < count; i++) {
        printf("%s{\"requests\": %llu, \"accepts\": %llu, \"wakeups\": %llu, \"empty_wakeups\": %llu}",
               i == 0 ? "" : ", ", (unsigned long long)counters[i].requests, (unsigned long long)counters[i].accepts,
               (unsigned long long)counters[i].wakeups, (unsigned long long)counters[i].empty_wakeups);
    }
    printf("]}\n");
}

int main(int argc, char **argv) {
    struct options options = {
        .workers = 1, .sharing = SHARED, .accept_batch = 16, .balance = -1, .body_len = sizeof BODY - 1};
    options_parse(&options, argc, argv);
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    size_t counters_len = sizeof(struct counters) * (size_t)options.workers;
    struct counters *counters = mmap(NULL, counters_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counters == MAP_FAILED) {
        die("mmap");
    }
    if (options.workers == 1) {
        listeners_open(&options);
        worker_run(&options, counters, 0);
    } else {
        workers_run(&options, counters);
    }
    counters_print(counters, options.workers);
    munmap(counters, counters_len);
    return 0;
}
