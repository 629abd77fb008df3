// SPDX-License-Identifier: MIT
// The lower limit: a fixed answer from one plain epoll loop, over HTTP/1.1 or FastCGI. It looks for the request's end
// and for nothing else, so what it costs is what the kernel costs; every server's cost is told as a ratio to it.
// With --workers it also compares the ways in which several processes can share one address. bench/run.py starts it;
// SIGTERM ends it, and the counters of each worker are then written to standard output as one JSON object.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "limit_options.h"

enum {
    BACKLOG = 4096,
    BATCH = 256,
    BUFFER_LEN = 64 * 1024,
    TAIL_LEN = 3, // bytes of "\r\n\r\n" that one read may leave to the next
    FCGI_HEADER_LEN = 8,
    FCGI_BEGIN = 1,
    FCGI_END = 3,
    FCGI_STDIN = 5,
    FCGI_STDOUT = 6,
    FCGI_KEEP_CONN = 1,
};

#define BODY "Hello, world!"
#define BODY_LEN "13"
#define CONTENT_TYPE "text/html; charset=utf-8"

// One connection; the table of them is indexed by descriptor.
struct conn {
    char tail[TAIL_LEN]; // HTTP: the last bytes of the read before
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
    size_t http_len;
    size_t fcgi_len;
    char http[512];
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

static void http_answer_make(struct loop *loop) {
    char date[64];
    struct tm parts;
    gmtime_r(&loop->now, &parts);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    loop->http_len = (size_t)snprintf(loop->http, sizeof loop->http,
                                      "HTTP/1.1 200 OK\r\nDate: %s\r\nServer: limit\r\nContent-Type: " CONTENT_TYPE
                                      "\r\nContent-Length: " BODY_LEN "\r\n\r\n" BODY,
                                      date);
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

// An answer fits the send buffer of any client that reads; one that does not is dropped.
static bool answer_send(int fd, const char *answer, size_t len) {
    return send(fd, answer, len, MSG_NOSIGNAL) == (ssize_t)len;
}

// ---- requests; each function answers what `len` bytes at `data` complete, and false means: close

static bool http_feed(struct loop *loop, int fd, size_t len) {
    struct conn *conn = &loop->conns[fd];
    const char *at = loop->buffer;
    const char *end = loop->buffer + TAIL_LEN + len;
    memcpy(loop->buffer, conn->tail, TAIL_LEN);
    while ((at = memmem(at, (size_t)(end - at), "\r\n\r\n", 4)) != NULL) {
        at += 4;
        request_count(loop);
        if (!answer_send(fd, loop->http, loop->http_len)) {
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

// Reads until the kernel has no more; a short read proves that without another system call.
static bool conn_read(struct loop *loop, int fd, enum protocol protocol) {
    for (;;) {
        ssize_t got = recv(fd, loop->buffer + TAIL_LEN, BUFFER_LEN, 0);
        if (got <= 0) {
            return got < 0 && errno == EAGAIN;
        }
        if (!(protocol == HTTP ? http_feed(loop, fd, (size_t)got) : fcgi_feed(loop, fd, (size_t)got))) {
            return false;
        }
        if (got < BUFFER_LEN) {
            return true;
        }
    }
}

static void conn_watch(struct loop *loop, int fd, enum protocol protocol) {
    uint32_t edge = loop->options->level ? 0 : EPOLLET;
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | edge,
                                .data.u64 = (uint64_t)protocol << 32 | (uint32_t)fd};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        die("epoll_ctl");
    }
}

static void conn_close(struct loop *loop, int fd) {
    close(fd);
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
    if (protocol == HTTP || conn_read(loop, fd, protocol)) {
        conn_watch(loop, fd, protocol);
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
    bool alive = conn_read(loop, (int)low, (enum protocol)high);
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
            http_answer_make(loop);
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
    free(loop->conns);
    free(loop);
}

// ---- listeners

static socklen_t address_parse(const char *text, struct sockaddr_storage *out) {
    memset(out, 0, sizeof *out);
    if (strncmp(text, "unix:", 5) == 0) {
        struct sockaddr_un *local = (struct sockaddr_un *)out;
        local->sun_family = AF_UNIX;
        snprintf(local->sun_path, sizeof local->sun_path, "%s", text + 5);
        unlink(local->sun_path);
        return sizeof *local;
    }
    const char *colon = strrchr(text, ':');
    char host[64] = "127.0.0.1";
    if (colon != NULL && colon > text) {
        snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    }
    struct sockaddr_in *inet = (struct sockaddr_in *)out;
    inet->sin_family = AF_INET;
    inet->sin_port = htons((uint16_t)atoi(colon == NULL ? text : colon + 1));
    if (inet_pton(AF_INET, host, &inet->sin_addr) != 1) {
        fprintf(stderr, "limit: not an IPv4 address: %s\n", host);
        exit(2);
    }
    return sizeof *inet;
}

// Options of a listener are inherited by what it accepts, so TCP_NODELAY costs nothing here.
static void listener_open(struct listener *listener, enum sharing sharing) {
    struct sockaddr_storage address;
    socklen_t address_len = address_parse(listener->address, &address);
    int on = 1;
    listener->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0) {
        die("socket");
    }
    setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (sharing == REUSEPORT) {
        setsockopt(listener->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    }
    if (address.ss_family == AF_INET) {
        setsockopt(listener->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    if (bind(listener->fd, (struct sockaddr *)&address, address_len) < 0 || listen(listener->fd, BACKLOG) < 0) {
        die(listener->address);
    }
}

static void listeners_open(struct options *options) {
    for (int i = 0; i < options->listener_count; i++) {
        listener_open(&options->listeners[i], options->sharing);
    }
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
    struct options options = {.workers = 1, .sharing = SHARED, .accept_batch = 16, .balance = -1};
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
