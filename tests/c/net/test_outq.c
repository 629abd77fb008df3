// SPDX-License-Identifier: MIT
// The output queue: order and contents over segment borders, and every borrowed piece released exactly once.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/disk.h"
#include "net/outq.h"

struct queue {
    struct sm_outq q;
    struct sm_seg_pool pool;
};

static unsigned released[8];

static void release(void *owner) {
    released[(uintptr_t)owner]++;
}

// Takes everything out, in steps of at most `step` bytes, and compares.
static void expect_contents(struct queue *queue, const char *data, size_t len, size_t step) {
    size_t at = 0;
    assert_int_equal(queue->q.bytes, len);
    while (queue->q.bytes > 0) {
        struct iovec iov[SM_OUTQ_IOV];
        int n = sm_outq_gather(&queue->q, iov);
        assert_in_range(n, 1, SM_OUTQ_IOV);
        size_t take = 0;
        for (int i = 0; i < n && take < step; i++) {
            size_t piece = iov[i].iov_len < step - take ? iov[i].iov_len : step - take;
            assert_true(iov[i].iov_len > 0);
            assert_true(at + take + piece <= len);
            assert_memory_equal(iov[i].iov_base, data + at + take, piece);
            take += piece;
        }
        sm_outq_sent(&queue->q, &queue->pool, take);
        at += take;
    }
    assert_int_equal(at, len);
    assert_null(queue->q.head);
    assert_null(queue->q.tail);
}

static char *pattern(size_t len) {
    char *data = malloc(len + 1);
    assert_non_null(data);
    for (size_t i = 0; i < len; i++) {
        data[i] = (char)(i * 31 + i / 251);
    }
    return data;
}

static void test_outq_empty_has_nothing_to_send(void **state) {
    struct queue *queue = *state;
    struct iovec iov[SM_OUTQ_IOV];
    assert_int_equal(sm_outq_gather(&queue->q, iov), 0);
    assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, "", 0), 0);
    assert_int_equal(queue->q.bytes, 0);
    assert_null(queue->q.head);
    assert_false(sm_outq_has_room(&queue->q, 1));
}

static void test_outq_small_copies_gather_in_one_piece(void **state) {
    struct queue *queue = *state;
    struct iovec iov[SM_OUTQ_IOV];
    assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, "HTTP/1.1 ", 9), 0);
    assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, "200 OK", 6), 0);
    assert_int_equal(sm_outq_gather(&queue->q, iov), 1);
    assert_int_equal(iov[0].iov_len, 15);
    assert_memory_equal(iov[0].iov_base, "HTTP/1.1 200 OK", 15);
}

static void test_outq_copies_over_segment_borders_keep_order(void **state) {
    struct queue *queue = *state;
    size_t len = 5 * SM_SEG_SIZE + 17;
    char *data = pattern(len);
    static const size_t pieces[] = {1, 1000, SM_SEG_SIZE - 1, SM_SEG_SIZE, SM_SEG_SIZE + 1, 40000};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
        for (size_t at = 0; at < len; at += pieces[i]) {
            size_t piece = len - at < pieces[i] ? len - at : pieces[i];
            assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, data + at, piece), 0);
        }
        expect_contents(queue, data, len, i % 2 == 0 ? 7001 : SIZE_MAX);
    }
    free(data);
}

static void test_outq_sent_byte_by_byte_keeps_order(void **state) {
    struct queue *queue = *state;
    char *data = pattern(SM_SEG_SIZE + 100);
    assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, data, SM_SEG_SIZE + 100), 0);
    expect_contents(queue, data, SM_SEG_SIZE + 100, 1);
    free(data);
}

static void test_outq_copy_after_partly_sent_continues_behind(void **state) {
    struct queue *queue = *state;
    assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, "abcdef", 6), 0);
    sm_outq_sent(&queue->q, &queue->pool, 4);
    assert_int_equal(queue->q.bytes, 2);
    assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, "ghi", 3), 0);
    expect_contents(queue, "efghi", 5, SIZE_MAX);
}

static void test_outq_reserve_is_contiguous_and_stays_until_sent(void **state) {
    struct queue *queue = *state;
    char *filler = pattern(SM_SEG_SIZE);
    size_t used = 0;
    // Leaves less room in the block than the reservation needs.
    while (sm_outq_has_room(&queue->q, 8) || used == 0) {
        assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, filler + used, 5), 0);
        used += 5;
    }
    char *place = sm_outq_reserve(&queue->q, &queue->pool, 8);
    assert_non_null(place);
    assert_int_equal(queue->q.bytes, used + 8);
    assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, "tail", 4), 0);
    char *later = malloc(3 * SM_SEG_SIZE);
    assert_non_null(later);
    memset(later, 't', 3 * SM_SEG_SIZE);
    assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, later, 3 * SM_SEG_SIZE), 0);
    sm_outq_sent(&queue->q, &queue->pool, used);
    memcpy(place, "RESERVED", 8); // filled in late
    char *expected = malloc(12 + 3 * SM_SEG_SIZE);
    assert_non_null(expected);
    memcpy(expected, "RESERVEDtail", 12);
    memcpy(expected + 12, later, 3 * SM_SEG_SIZE);
    expect_contents(queue, expected, 12 + 3 * SM_SEG_SIZE, SIZE_MAX);
    free(expected);
    free(later);
    free(filler);
}

static void test_outq_has_room_tells_whether_a_copy_needs_a_block(void **state) {
    struct queue *queue = *state;
    assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, "a", 1), 0);
    assert_true(sm_outq_has_room(&queue->q, 1000));
    assert_false(sm_outq_has_room(&queue->q, SM_SEG_SIZE));
    assert_int_equal(sm_outq_borrow(&queue->q, "b", 1, NULL, NULL), 0);
    assert_false(sm_outq_has_room(&queue->q, 1)); // borrowed bytes have no room behind them
}

static void test_outq_borrow_sends_the_callers_own_bytes(void **state) {
    struct queue *queue = *state;
    static const char text[] = "borrowed";
    struct iovec iov[SM_OUTQ_IOV];
    assert_int_equal(sm_outq_borrow(&queue->q, text, 8, release, (void *)1), 0);
    assert_int_equal(sm_outq_gather(&queue->q, iov), 1);
    assert_ptr_equal(iov[0].iov_base, text);
    sm_outq_sent(&queue->q, &queue->pool, 7);
    assert_int_equal(released[1], 0);
    sm_outq_sent(&queue->q, &queue->pool, 1);
    assert_int_equal(released[1], 1);
}

static void test_outq_mixed_keeps_order_and_releases_each_once(void **state) {
    struct queue *queue = *state;
    for (size_t step = 1; step < 40; step++) {
        memset(released, 0, sizeof(released));
        assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, "5\r\n", 3), 0);
        assert_int_equal(sm_outq_borrow(&queue->q, "first", 5, release, (void *)1), 0);
        assert_int_equal(sm_outq_borrow(&queue->q, "second", 6, release, (void *)2), 0);
        assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, "\r\n0\r\n", 5), 0);
        assert_int_equal(sm_outq_borrow(&queue->q, "third", 5, NULL, NULL), 0);
        expect_contents(queue, "5\r\nfirstsecond\r\n0\r\nthird", 24, step);
        assert_int_equal(released[1], 1);
        assert_int_equal(released[2], 1);
    }
}

static void test_outq_borrow_of_nothing_is_released_once(void **state) {
    struct queue *queue = *state;
    struct iovec iov[SM_OUTQ_IOV];
    assert_int_equal(sm_outq_borrow(&queue->q, "", 0, release, (void *)1), 0);
    assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, "x", 1), 0);
    assert_int_equal(sm_outq_gather(&queue->q, iov), 1);
    sm_outq_sent(&queue->q, &queue->pool, 1);
    assert_int_equal(released[1], 1);
}

static void test_outq_gather_is_bounded(void **state) {
    struct queue *queue = *state;
    struct iovec iov[SM_OUTQ_IOV];
    for (int i = 0; i < SM_OUTQ_IOV + 10; i++) {
        assert_int_equal(sm_outq_borrow(&queue->q, "ab", 2, release, (void *)1), 0);
    }
    assert_int_equal(sm_outq_gather(&queue->q, iov), SM_OUTQ_IOV);
    sm_outq_sent(&queue->q, &queue->pool, 2 * SM_OUTQ_IOV - 1);
    assert_int_equal(released[1], SM_OUTQ_IOV - 1);
    assert_int_equal(sm_outq_gather(&queue->q, iov), 11);
    assert_int_equal(iov[0].iov_len, 1);
}

// --- files ---

static void test_outq_file_is_not_gathered_but_offered(void **state) {
    struct queue *queue = *state;
    struct iovec iov[SM_OUTQ_IOV];
    struct sm_file file = {.fd = 77, .off = 5, .len = 100, .release = release, .owner = (void *)1};
    assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, "before", 6), 0);
    assert_int_equal(sm_outq_file(&queue->q, &file), 0);
    assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, "behind", 6), 0);
    assert_int_equal(queue->q.bytes, 112);
    assert_null(sm_outq_front_file(&queue->q));
    assert_int_equal(sm_outq_gather(&queue->q, iov), 1);
    assert_int_equal(iov[0].iov_len, 6);
    sm_outq_sent(&queue->q, &queue->pool, 6);
    assert_int_equal(sm_outq_gather(&queue->q, iov), 0);
    sm_outq_sent(&queue->q, &queue->pool, 30);
    const struct sm_seg *front = sm_outq_front_file(&queue->q);
    assert_non_null(front);
    assert_int_equal(front->fd, 77);
    assert_int_equal(front->off, 35);
    assert_int_equal(front->len, 70);
    assert_int_equal(released[1], 0);
    sm_outq_sent(&queue->q, &queue->pool, 70);
    assert_int_equal(released[1], 1);
    expect_contents(queue, "behind", 6, SIZE_MAX);
}

static void test_outq_file_past_what_memory_can_hold_is_counted(void **state) {
    struct queue *queue = *state;
    struct sm_file file = {.fd = 77, .off = 1, .len = (uint64_t)INT64_MAX - 1};
    assert_int_equal(sm_outq_file(&queue->q, &file), 0);
    assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, "x", 1), 0);
    assert_true(queue->q.bytes == (uint64_t)INT64_MAX);
    assert_int_equal(sm_outq_front_file(&queue->q)->off, 1);
}

static void test_outq_file_loaded_is_sent_from_memory_in_order(void **state) {
    struct queue *queue = *state;
    enum { LEN = 3 * SM_SEG_SIZE, OFF = 100 };
    int fd = disk_file(LEN);
    char *expected = malloc(LEN);
    assert_non_null(expected);
    for (size_t i = 0; i < LEN - OFF; i++) {
        expected[i] = disk_byte(OFF + i);
    }
    struct sm_file file = {.fd = fd, .off = OFF, .len = LEN - OFF, .release = release, .owner = (void *)1};
    assert_int_equal(sm_outq_borrow(&queue->q, "", 0, release, (void *)2), 0); // nothing to send before it
    assert_int_equal(sm_outq_file(&queue->q, &file), 0);
    for (size_t at = 0; at < LEN - OFF;) {
        struct iovec iov[SM_OUTQ_IOV];
        assert_non_null(sm_outq_front_file(&queue->q));
        assert_int_equal(sm_outq_load(&queue->q, &queue->pool), 0);
        assert_int_equal(released[2], 1);
        assert_int_equal(queue->q.bytes, LEN - OFF - at);
        assert_int_equal(sm_outq_gather(&queue->q, iov), 1);
        assert_true(at + iov[0].iov_len <= LEN - OFF);
        assert_memory_equal(iov[0].iov_base, expected + at, iov[0].iov_len);
        at += iov[0].iov_len;
        assert_int_equal(released[1], 0);
        sm_outq_sent(&queue->q, &queue->pool, iov[0].iov_len);
    }
    assert_int_equal(released[1], 1);
    assert_null(queue->q.head);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), LEN);
    free(expected);
    close(fd);
}

static void test_outq_load_tells_an_end_from_an_error(void **state) {
    struct queue *queue = *state;
    int fd = disk_file(10);
    struct sm_file file = {.fd = fd, .off = 10, .len = 1, .release = release, .owner = (void *)1};
    assert_int_equal(sm_outq_file(&queue->q, &file), 0);
    assert_int_equal(sm_outq_load(&queue->q, &queue->pool), 1);
    close(fd);
    assert_int_equal(sm_outq_load(&queue->q, &queue->pool), -EBADF);
    sm_outq_clear(&queue->q, &queue->pool);
    assert_int_equal(released[1], 1);
}

static void test_outq_clear_releases_each_once_and_works_again(void **state) {
    struct queue *queue = *state;
    assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, "abc", 3), 0);
    for (uintptr_t i = 0; i < 8; i++) {
        assert_int_equal(sm_outq_borrow(&queue->q, "borrowed", 8, release, (void *)i), 0);
    }
    sm_outq_sent(&queue->q, &queue->pool, 3 + 8 + 4); // one done, one half sent
    sm_outq_clear(&queue->q, &queue->pool);
    sm_outq_clear(&queue->q, &queue->pool);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(released[i], 1);
    }
    assert_int_equal(queue->q.bytes, 0);
    assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, "again", 5), 0);
    expect_contents(queue, "again", 5, SIZE_MAX);
}

static void test_outq_pool_reuses_blocks_and_is_bounded(void **state) {
    struct queue *queue = *state;
    size_t len = 200 * (size_t)SM_SEG_SIZE;
    char *data = pattern(len);
    assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, data, len), 0);
    expect_contents(queue, data, len, 50000);
    assert_in_range(queue->pool.n_free, 1, 64);
    unsigned kept = queue->pool.n_free;
    assert_int_equal(sm_outq_copy(&queue->q, &queue->pool, "x", 1), 0);
    assert_int_equal(queue->pool.n_free, kept - 1);
    free(data);
}

static int open_queue(void **state) {
    static struct queue queue;
    memset(&queue, 0, sizeof(queue));
    memset(released, 0, sizeof(released));
    *state = &queue;
    return 0;
}

static int close_queue(void **state) {
    struct queue *queue = *state;
    sm_outq_clear(&queue->q, &queue->pool);
    sm_seg_pool_deinit(&queue->pool);
    return 0;
}

#define QUEUED(name) cmocka_unit_test_setup_teardown(name, open_queue, close_queue)

int main(void) {
    const struct CMUnitTest tests[] = {
        QUEUED(test_outq_empty_has_nothing_to_send),
        QUEUED(test_outq_small_copies_gather_in_one_piece),
        QUEUED(test_outq_copies_over_segment_borders_keep_order),
        QUEUED(test_outq_sent_byte_by_byte_keeps_order),
        QUEUED(test_outq_copy_after_partly_sent_continues_behind),
        QUEUED(test_outq_reserve_is_contiguous_and_stays_until_sent),
        QUEUED(test_outq_has_room_tells_whether_a_copy_needs_a_block),
        QUEUED(test_outq_borrow_sends_the_callers_own_bytes),
        QUEUED(test_outq_mixed_keeps_order_and_releases_each_once),
        QUEUED(test_outq_borrow_of_nothing_is_released_once),
        QUEUED(test_outq_gather_is_bounded),
        QUEUED(test_outq_file_is_not_gathered_but_offered),
        QUEUED(test_outq_file_past_what_memory_can_hold_is_counted),
        QUEUED(test_outq_file_loaded_is_sent_from_memory_in_order),
        QUEUED(test_outq_load_tells_an_end_from_an_error),
        QUEUED(test_outq_clear_releases_each_once_and_works_again),
        QUEUED(test_outq_pool_reuses_blocks_and_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
