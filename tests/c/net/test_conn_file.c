// SPDX-License-Identifier: MIT
// Connections that send files: whole and in order, from the offset that was given, in shares; and files that turn out
// to be shorter, or that cannot be sent as files are.
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
#include <signal.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "../base/capture.h"
#include "../lib/disk.h"
#include "conn_rig.h"

// What stands behind sendfile(2), in libc by its name for 64-bit offsets: the linker sends every call here.
static enum { REAL, REFUSES, TAKES_ALL } kernel;

ssize_t __real_sendfile64(int out, int in, off_t *off, size_t count);
ssize_t __wrap_sendfile64(int out, int in, off_t *off, size_t count);

ssize_t __wrap_sendfile64(int out, int in, off_t *off, size_t count) {
    if (kernel == TAKES_ALL) {
        return (ssize_t)count;
    }
    if (kernel == REFUSES) {
        errno = EINVAL;
        return -1;
    }
    return __real_sendfile64(out, in, off, count);
}

static unsigned released;

static void release(void *owner) {
    released++;
    close((int)(intptr_t)owner);
}

static void queue_file(struct rig *rig, int fd, uint64_t off, uint64_t len) {
    struct sm_file file = {.fd = fd, .off = off, .len = len, .release = release, .owner = (void *)(intptr_t)fd};
    assert_int_equal(sm_outq_file(&rig->session->conn.out, &file), 0);
}

static void close_it(struct session *session) {
    sm_conn_close(&session->conn);
}

// Reads as long as anything comes; the caller frees.
static char *receive_all(struct rig *rig, size_t cap, size_t *len_out) {
    char *out = malloc(cap);
    assert_non_null(out);
    *len_out = 0;
    for (int idle = 0; idle < 20 && *len_out < cap; idle++) {
        ssize_t n = rig_receive(rig, out + *len_out, cap - *len_out);
        if (n > 0) {
            *len_out += (size_t)n;
            idle = 0;
        }
        if (rig->freed == 0) {
            rig_settle(rig);
        }
    }
    return out;
}

static void test_file_comes_whole_between_other_bytes(void **state) {
    struct rig *rig = *state;
    enum { LEN = 3 << 20, OFF = 12345 };
    struct sm_conn *conn = &rig->session->conn;
    int fd = disk_file(OFF + LEN);
    assert_int_equal(lseek(fd, 7, SEEK_SET), 7);
    sm_conn_process(conn);
    assert_int_equal(sm_conn_write(conn, "before", 6), 0);
    queue_file(rig, dup(fd), OFF, LEN);
    assert_int_equal(sm_conn_write(conn, "behind", 6), 0);
    sm_conn_flush(conn);
    size_t len;
    char *out = receive_all(rig, LEN + 100, &len);
    assert_int_equal(len, LEN + 12);
    assert_memory_equal(out, "before", 6);
    for (size_t i = 0; i < LEN; i++) {
        assert_int_equal(out[6 + i], disk_byte(OFF + i));
    }
    assert_memory_equal(out + 6 + LEN, "behind", 6);
    assert_int_equal(released, 1);
    assert_int_equal(conn->out.bytes, 0);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 7);
    free(out);
    close(fd);
}

static void test_file_of_a_client_that_leaves_is_released_once(void **state) {
    struct rig *rig = *state;
    sm_conn_process(&rig->session->conn);
    rig->session->on_broken = close_it;
    queue_file(rig, disk_file(8 << 20), 0, 8 << 20);
    sm_conn_flush(&rig->session->conn);
    assert_int_equal(released, 0);
    rig_hang_up(rig);
    rig_settle(rig);
    assert_int_equal(released, 1);
    assert_int_equal(rig->freed, 1);
}

static void test_file_for_a_client_that_left_raises_no_signal(void **state) {
    struct rig *rig = *state;
    struct sm_conn *conn = &rig->session->conn;
    rig_hang_up(rig);
    queue_file(rig, disk_file(1000), 0, 1000);
    for (int i = 0; i < 100 && !conn->is_broken; i++) {
        sm_conn_flush(conn);
        if (conn->out.bytes == 0) {
            queue_file(rig, disk_file(1000), 0, 1000); // TCP takes the first before it learns of the end
        }
    }
    assert_true(conn->is_broken);
}

// The client was promised more than there is: it must see that, whatever the session is doing (RFC 9112 8).
static void test_file_shorter_than_promised_breaks_off(void **state) {
    struct rig *rig = *state;
    struct capture log;
    assert_int_equal(capture_init(&log), 0);
    sm_conn_process(&rig->session->conn);
    rig->session->on_broken = close_it;
    queue_file(rig, disk_file(1000), 200, 900);
    sm_conn_flush(&rig->session->conn);
    rig_settle(rig);
    assert_int_equal(rig->freed, 1);
    assert_int_equal(released, 1);
    size_t len;
    char *out = receive_all(rig, 2000, &len);
    assert_int_equal(len, 800);
    assert_int_equal(out[799], disk_byte(999));
    assert_true(capture_has(&log, "is shorter than was promised; connection broken off"));
    assert_int_equal(capture_lines(&log), 1);
    free(out);
    capture_deinit(&log);
}

static void test_file_shorter_than_promised_ends_a_finishing_connection(void **state) {
    struct rig *rig = *state;
    struct capture log;
    assert_int_equal(capture_init(&log), 0);
    sm_conn_process(&rig->session->conn);
    queue_file(rig, disk_file(10), 0, 11);
    sm_conn_finish(&rig->session->conn, true);
    rig_settle(rig);
    assert_int_equal(rig->freed, 1);
    assert_int_equal(released, 1);
    assert_int_equal(capture_lines(&log), 1);
    capture_deinit(&log);
}

static void test_file_that_cannot_be_read_breaks_off(void **state) {
    struct rig *rig = *state;
    struct capture log;
    assert_int_equal(capture_init(&log), 0);
    sm_conn_process(&rig->session->conn);
    rig->session->on_broken = close_it;
    queue_file(rig, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0, 10);
    sm_conn_flush(&rig->session->conn);
    rig_settle(rig);
    assert_int_equal(rig->freed, 1);
    assert_int_equal(released, 1);
    assert_true(capture_has(&log, "cannot be read: Is a directory"));
    capture_deinit(&log);
}

static void test_file_system_without_sendfile_is_read_from(void **state) {
    kernel = REFUSES;
    test_file_comes_whole_between_other_bytes(state);
}

// What the kernel makes up on reading: there sendfile(2) says EINVAL, unless the kernel has learned better.
static void test_file_of_procfs_is_sent(void **state) {
    struct rig *rig = *state;
    char expected[4096];
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t size = pread(fd, expected, sizeof(expected), 0);
    assert_true(size > 2);
    sm_conn_process(&rig->session->conn);
    assert_int_equal(sm_conn_write(&rig->session->conn, "before", 6), 0);
    queue_file(rig, fd, 1, (uint64_t)size - 1);
    assert_int_equal(sm_conn_write(&rig->session->conn, "behind", 6), 0);
    sm_conn_flush(&rig->session->conn);
    size_t len;
    char *out = receive_all(rig, 8192, &len);
    assert_int_equal(len, size - 1 + 12);
    assert_memory_equal(out + 6, expected + 1, (size_t)size - 1);
    assert_memory_equal(out + len - 6, "behind", 6);
    assert_int_equal(released, 1);
    free(out);
}

// --- shares ---

// One that takes as fast as we send must not have the loop for itself.
static void test_file_is_sent_in_shares_with_turns_between(void **state) {
    struct rig *rig = *state;
    struct sm_conn *conn = &rig->session->conn;
    enum { SHARE = 4 << 20 };
    kernel = TAKES_ALL;
    sm_conn_process(conn);
    queue_file(rig, disk_file(0), 0, 5 * (uint64_t)SHARE + 1);
    sm_conn_flush(conn);
    for (uint64_t left = 4 * (uint64_t)SHARE + 1; left > 2 * SHARE; left -= SHARE) {
        assert_int_equal(conn->out.bytes, left);
        sm_net_pending(&rig->net);
    }
    assert_int_equal(released, 0);
    sm_conn_finish(conn, false); // goes on likewise
    assert_int_equal(conn->out.bytes, 1);
    sm_net_pending(&rig->net);
    assert_int_equal(released, 1);
    assert_true(conn->is_closed);
}

static int open_rig(void **state, bool tcp) {
    static struct rig rig;
    *state = &rig;
    released = 0;
    kernel = REAL;
    signal(SIGPIPE, SIG_IGN); // as the server does
    rig_init(&rig, tcp);
    return 0;
}

static int open_pair_rig(void **state) {
    return open_rig(state, false);
}

static int open_tcp_rig(void **state) {
    return open_rig(state, true);
}

static int close_rig(void **state) {
    rig_deinit(*state);
    return 0;
}

#define BOTH(name)                                                                                                   \
    cmocka_unit_test_setup_teardown(name, open_pair_rig, close_rig),                                                 \
        cmocka_unit_test_setup_teardown(name, open_tcp_rig, close_rig)

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(test_file_comes_whole_between_other_bytes),
        BOTH(test_file_of_a_client_that_leaves_is_released_once),
        BOTH(test_file_for_a_client_that_left_raises_no_signal),
        BOTH(test_file_shorter_than_promised_breaks_off),
        BOTH(test_file_shorter_than_promised_ends_a_finishing_connection),
        BOTH(test_file_that_cannot_be_read_breaks_off),
        BOTH(test_file_system_without_sendfile_is_read_from),
        BOTH(test_file_of_procfs_is_sent),
        BOTH(test_file_is_sent_in_shares_with_turns_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
