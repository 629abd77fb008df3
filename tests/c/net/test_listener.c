// SPDX-License-Identifier: MIT
// Listening sockets: files in the way, modes, inherited descriptors, accepting. Every socket file lies in a folder
// that the test makes.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/listener.h"

struct place {
    char folder[32];
    char path[64];
    struct sm_addr addr;
};

static const struct sm_listener_options plain = {.backlog = 8, .mode = -1, .owner = (uid_t)-1, .group = (gid_t)-1};

static int connect_to(const struct sm_addr *addr) {
    int fd = socket(addr->sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, &addr->sa.any, addr->len) < 0) {
        close(fd);
        return -errno;
    }
    return fd;
}

// Waits, for a few seconds at most, until there is something to accept.
static int accept_one(int listener, struct sm_peer *peer) {
    struct pollfd poller = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&poller, 1, 5000), 1);
    int fd = sm_listener_accept(listener, peer);
    assert_true(fd >= 0);
    return fd;
}

static unsigned permissions(const char *path) {
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    return st.st_mode & 07777;
}

// --- unix sockets ---

static void test_unix_open_serves_and_leaves_one_file(void **state) {
    struct place *place = *state;
    struct sm_peer peer;
    int listener = sm_listener_open(&place->addr, &plain);
    assert_true(listener >= 0);
    int client = connect_to(&place->addr);
    assert_true(client >= 0);
    int served = accept_one(listener, &peer);
    assert_int_equal(peer.family, AF_UNIX);
    assert_int_equal(sm_listener_accept(listener, &peer), -EAGAIN);
    close(served);
    close(client);
    close(listener);
    assert_int_equal(unlink(place->path), 0);
    assert_int_equal(rmdir(place->folder), 0); // nothing beside it was left behind
    assert_int_equal(mkdir(place->folder, 0700), 0);
}

static void test_unix_open_stale_file_is_replaced(void **state) {
    struct place *place = *state;
    int dead = sm_listener_open(&place->addr, &plain);
    assert_true(dead >= 0);
    close(dead);
    assert_int_equal(connect_to(&place->addr), -ECONNREFUSED);
    int listener = sm_listener_open(&place->addr, &plain);
    assert_true(listener >= 0);
    int client = connect_to(&place->addr);
    assert_true(client >= 0);
    close(client);
    close(listener);
}

static void test_unix_open_live_server_is_refused(void **state) {
    struct place *place = *state;
    int listener = sm_listener_open(&place->addr, &plain);
    assert_true(listener >= 0);
    assert_int_equal(sm_listener_open(&place->addr, &plain), -EADDRINUSE);
    int client = connect_to(&place->addr); // the first is unharmed
    assert_true(client >= 0);
    close(client);
    close(listener);
}

static void test_unix_open_live_server_with_full_backlog_is_refused(void **state) {
    struct place *place = *state;
    struct sm_listener_options options = plain;
    int clients[4];
    options.backlog = 0;
    int listener = sm_listener_open(&place->addr, &options);
    assert_true(listener >= 0);
    for (int i = 0; i < 4; i++) {
        clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(clients[i], &place->addr.sa.any, place->addr.len);
    }
    assert_int_equal(sm_listener_open(&place->addr, &plain), -EADDRINUSE);
    for (int i = 0; i < 4; i++) {
        close(clients[i]);
    }
    close(listener);
}

static void test_unix_open_regular_file_is_refused_and_kept(void **state) {
    struct place *place = *state;
    struct stat st;
    int fd = open(place->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "precious", 8), 8);
    close(fd);
    assert_int_equal(sm_listener_open(&place->addr, &plain), -EEXIST);
    assert_int_equal(stat(place->path, &st), 0);
    assert_int_equal(st.st_size, 8);
}

static void test_unix_open_symlink_is_refused_and_not_followed(void **state) {
    struct place *place = *state;
    assert_int_equal(symlink("/nonexistent", place->path), 0);
    assert_int_equal(sm_listener_open(&place->addr, &plain), -EEXIST);
}

static void test_unix_open_folder_missing_is_enoent(void **state) {
    struct place *place = *state;
    struct sm_addr addr;
    char text[80];
    snprintf(text, sizeof(text), "unix:%s/none/socket", place->folder);
    assert_int_equal(sm_addr_parse(text, &addr), 0);
    assert_int_equal(sm_listener_open(&addr, &plain), -ENOENT);
}

static void test_unix_open_mode_is_set_whatever_the_umask(void **state) {
    struct place *place = *state;
    struct sm_listener_options options = plain;
    mode_t mask = umask(0077);
    options.mode = 0666;
    int listener = sm_listener_open(&place->addr, &options);
    umask(mask);
    assert_true(listener >= 0);
    assert_int_equal(permissions(place->path), 0666);
    close(listener);
}

static void test_unix_open_without_mode_obeys_the_umask(void **state) {
    struct place *place = *state;
    mode_t mask = umask(0027);
    int listener = sm_listener_open(&place->addr, &plain);
    umask(mask);
    assert_true(listener >= 0);
    assert_int_equal(permissions(place->path), 0750);
    close(listener);
}

// --- TCP ---

static int open_tcp(struct sm_addr *addr) {
    assert_int_equal(sm_addr_parse("127.0.0.1:0", addr), 0);
    int listener = sm_listener_open(addr, &plain);
    assert_true(listener >= 0);
    assert_int_equal(sm_listener_address(listener, addr), 0);
    assert_true(addr->sa.v4.sin_port != 0);
    return listener;
}

static void test_tcp_open_port_zero_tells_the_real_port(void **state) {
    (void)state;
    struct sm_addr addr;
    struct sm_addr local;
    struct sm_peer peer;
    int listener = open_tcp(&addr);
    int client = connect_to(&addr);
    assert_true(client >= 0);
    int served = accept_one(listener, &peer);
    assert_int_equal(sm_listener_address(client, &local), 0);
    assert_int_equal(peer.family, AF_INET);
    assert_int_equal(peer.port, ntohs(local.sa.v4.sin_port));
    assert_memory_equal(peer.bytes, "\x7f\x00\x00\x01", 4);
    close(served);
    close(client);
    close(listener);
}

static void test_tcp_accepted_is_nonblocking_closed_on_exec_without_delay(void **state) {
    (void)state;
    struct sm_addr addr;
    struct sm_peer peer;
    int on = 0;
    socklen_t len = sizeof(on);
    int listener = open_tcp(&addr);
    assert_true((fcntl(listener, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(listener, F_GETFD) & FD_CLOEXEC) != 0);
    int client = connect_to(&addr);
    int served = accept_one(listener, &peer);
    assert_true((fcntl(served, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(served, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(getsockopt(served, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    assert_int_not_equal(on, 0);
    close(served);
    close(client);
    close(listener);
}

static void test_tcp_open_taken_port_is_refused(void **state) {
    (void)state;
    struct sm_addr addr;
    int listener = open_tcp(&addr);
    assert_int_equal(sm_listener_open(&addr, &plain), -EADDRINUSE);
    close(listener);
}

static void test_accept_without_clients_is_eagain(void **state) {
    (void)state;
    struct sm_addr addr;
    struct sm_peer peer;
    int listener = open_tcp(&addr);
    assert_int_equal(sm_listener_accept(listener, &peer), -EAGAIN);
    close(listener);
}

static void test_accept_without_descriptors_is_emfile_and_recovers(void **state) {
    (void)state;
    struct sm_addr addr;
    struct sm_peer peer;
    struct rlimit before;
    int listener = open_tcp(&addr);
    int client = connect_to(&addr);
    assert_true(client >= 0);
    int lowest = dup(client);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit tight = {.rlim_cur = (rlim_t)lowest, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    int r = sm_listener_accept(listener, &peer);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(r, -EMFILE);
    int served = accept_one(listener, &peer);
    close(served);
    close(client);
    close(listener);
}

// --- inherited descriptors ---

static void expect_no_listener(int fd) {
    assert_false(sm_listener_is(fd));
    assert_int_equal(sm_listener_adopt(fd), -ENOTSOCK);
}

static void test_adopt_no_listening_stream_socket_is_refused(void **state) {
    (void)state;
    int fds[2];
    int file = open("/dev/null", O_RDWR | O_CLOEXEC);
    int datagram = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int stream = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    expect_no_listener(file);
    expect_no_listener(datagram);
    expect_no_listener(stream);
    expect_no_listener(fds[0]);
    expect_no_listener(-1);
    expect_no_listener(1 << 20);
    close(file);
    close(datagram);
    close(stream);
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    expect_no_listener(fds[0]);
    close(fds[0]);
    close(fds[1]);
}

static void test_adopt_seqpacket_listener_is_refused(void **state) {
    struct place *place = *state;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, &place->addr.sa.any, place->addr.len), 0);
    assert_int_equal(listen(fd, 1), 0);
    expect_no_listener(fd);
    close(fd);
}

static void test_adopt_listening_socket_becomes_nonblocking(void **state) {
    struct place *place = *state;
    struct sm_peer peer;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, &place->addr.sa.any, place->addr.len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_true(sm_listener_is(fd));
    assert_int_equal(sm_listener_adopt(fd), 0);
    assert_int_equal(sm_listener_accept(fd, &peer), -EAGAIN);
    close(fd);
}

static void test_address_of_no_socket_is_an_error(void **state) {
    (void)state;
    struct sm_addr addr;
    assert_int_equal(sm_listener_address(-1, &addr), -EBADF);
}

static int open_place(void **state) {
    static struct place place;
    strcpy(place.folder, "/tmp/smisk-net-XXXXXX");
    *state = &place;
    if (mkdtemp(place.folder) == NULL) {
        return -1;
    }
    char text[80];
    snprintf(place.path, sizeof(place.path), "%s/socket", place.folder);
    snprintf(text, sizeof(text), "unix:%s", place.path);
    return sm_addr_parse(text, &place.addr);
}

static int close_place(void **state) {
    struct place *place = *state;
    unlink(place->path);
    return rmdir(place->folder);
}

#define PLACED(name) cmocka_unit_test_setup_teardown(name, open_place, close_place)

int main(void) {
    const struct CMUnitTest tests[] = {
        PLACED(test_unix_open_serves_and_leaves_one_file),
        PLACED(test_unix_open_stale_file_is_replaced),
        PLACED(test_unix_open_live_server_is_refused),
        PLACED(test_unix_open_live_server_with_full_backlog_is_refused),
        PLACED(test_unix_open_regular_file_is_refused_and_kept),
        PLACED(test_unix_open_symlink_is_refused_and_not_followed),
        PLACED(test_unix_open_folder_missing_is_enoent),
        PLACED(test_unix_open_mode_is_set_whatever_the_umask),
        PLACED(test_unix_open_without_mode_obeys_the_umask),
        cmocka_unit_test(test_tcp_open_port_zero_tells_the_real_port),
        cmocka_unit_test(test_tcp_accepted_is_nonblocking_closed_on_exec_without_delay),
        cmocka_unit_test(test_tcp_open_taken_port_is_refused),
        cmocka_unit_test(test_accept_without_clients_is_eagain),
        cmocka_unit_test(test_accept_without_descriptors_is_emfile_and_recovers),
        cmocka_unit_test(test_adopt_no_listening_stream_socket_is_refused),
        PLACED(test_adopt_seqpacket_listener_is_refused),
        PLACED(test_adopt_listening_socket_becomes_nonblocking),
        cmocka_unit_test(test_address_of_no_socket_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
