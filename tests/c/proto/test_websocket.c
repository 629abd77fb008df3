// SPDX-License-Identifier: MIT
// Frames that the corpus does not show: every alignment of the mask, bytes that are not the parser's, what the server
// sends, and the codes.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "../lib/guard.h"
#include "proto/websocket.h"

static const uint8_t mask[4] = {0x01, 0x80, 0xff, 0x5a};

// A binary frame with up to 125 bytes of payload that count up from `seed`; returns its length.
static size_t make_frame(char *out, size_t len, unsigned seed) {
    out[0] = (char)(0x80 | SM_WEBSOCKET_BINARY);
    out[1] = (char)(0x80 | len);
    memcpy(out + 2, mask, sizeof mask);
    for (size_t i = 0; i < len; i++) {
        out[6 + i] = (char)((uint8_t)(seed + i) ^ mask[i % 4]);
    }
    return 6 + len;
}

// Every length of payload, cut at every position: all ways in which mask and words of eight bytes may lie.
static void test_websocket_payload_is_unmasked_at_every_cut(void **state) {
    (void)state;
    char frame[64];
    struct guard guard;
    assert_int_equal(guard_init(&guard, sizeof frame), 0);
    for (size_t len = 1; len <= 40; len++) {
        size_t total = make_frame(frame, len, (unsigned)len);
        for (size_t cut = 6; cut < total; cut++) {
            struct sm_websocket websocket;
            struct sm_websocket_piece piece;
            size_t used;
            uint8_t seen = (uint8_t)len;
            sm_websocket_init(&websocket, 1000, false);
            char *data = guard_put(&guard, frame, cut);
            enum sm_websocket_event event = sm_websocket_next(&websocket, data, cut, &used, &piece);
            assert_int_equal(used, cut);
            assert_int_equal(event, cut > 6 ? SM_WEBSOCKET_DATA : SM_WEBSOCKET_MORE);
            for (size_t i = 0; cut > 6 && i < piece.len; i++) {
                assert_int_equal((uint8_t)piece.data[i], seen++);
            }
            data = guard_put(&guard, frame + cut, total - cut);
            assert_int_equal(sm_websocket_next(&websocket, data, total - cut, &used, &piece), SM_WEBSOCKET_DATA);
            assert_int_equal(piece.len, total - cut);
            assert_true(piece.is_last);
            for (size_t i = 0; i < piece.len; i++) {
                assert_int_equal((uint8_t)piece.data[i], seen++);
            }
        }
    }
    guard_deinit(&guard);
}

static void test_websocket_bytes_of_the_next_frame_stay_as_they_are(void **state) {
    (void)state;
    char data[64];
    char second[32];
    struct sm_websocket websocket;
    struct sm_websocket_piece piece;
    size_t used;
    size_t first_len = make_frame(data, 5, 65);
    size_t second_len = make_frame(second, 9, 97);
    memcpy(data + first_len, second, second_len);
    sm_websocket_init(&websocket, 1000, false);
    assert_int_equal(sm_websocket_next(&websocket, data, first_len + second_len, &used, &piece), SM_WEBSOCKET_DATA);
    assert_int_equal(used, first_len);
    assert_memory_equal(piece.data, "ABCDE", 5);
    assert_memory_equal(data + first_len, second, second_len);
}

static void test_websocket_piece_tells_what_its_frame_still_brings(void **state) {
    (void)state;
    char frame[128];
    struct sm_websocket websocket;
    struct sm_websocket_piece piece;
    size_t used;
    make_frame(frame, 100, 0);
    sm_websocket_init(&websocket, 1000, false);
    assert_int_equal(sm_websocket_next(&websocket, frame, 36, &used, &piece), SM_WEBSOCKET_DATA);
    assert_int_equal(piece.len, 30);
    assert_int_equal(piece.left, 70);
    assert_false(piece.is_last);
}

static void expect_header(enum sm_websocket_opcode opcode, bool deflated, uint64_t len, const char *expected,
                          size_t expected_len) {
    char out[SM_WEBSOCKET_HEADER_MAX];
    assert_int_equal(sm_websocket_header(out, opcode, deflated, len), expected_len);
    assert_memory_equal(out, expected, expected_len);
}

// The examples of RFC 6455 5.7 and RFC 7692 7.2.3.1, and the edges between the three forms of a length.
static void test_websocket_header_takes_the_shortest_form(void **state) {
    (void)state;
    expect_header(SM_WEBSOCKET_TEXT, false, 5, "\x81\x05", 2);
    expect_header(SM_WEBSOCKET_TEXT, true, 7, "\xc1\x07", 2);
    expect_header(SM_WEBSOCKET_PING, false, 5, "\x89\x05", 2);
    expect_header(SM_WEBSOCKET_PONG, false, 125, "\x8a\x7d", 2);
    expect_header(SM_WEBSOCKET_CLOSE, false, 0, "\x88\x00", 2);
    expect_header(SM_WEBSOCKET_BINARY, false, 126, "\x82\x7e\x00\x7e", 4);
    expect_header(SM_WEBSOCKET_BINARY, false, 256, "\x82\x7e\x01\x00", 4);
    expect_header(SM_WEBSOCKET_BINARY, false, 65535, "\x82\x7e\xff\xff", 4);
    expect_header(SM_WEBSOCKET_BINARY, false, 65536, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10);
}

static void test_websocket_code_ok_follows_the_registry(void **state) {
    (void)state;
    for (int64_t code = -1; code < 70000; code++) {
        bool registered = code >= 1000 && code <= 1014;
        bool reserved = code == 1004 || code == 1005 || code == 1006;
        bool free_to_use = code >= 3000 && code < 5000;
        assert_int_equal(sm_websocket_code_ok(code), (registered && !reserved) || free_to_use);
    }
    assert_false(sm_websocket_code_ok(INT64_MAX));
    assert_false(sm_websocket_code_ok(INT64_MIN));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_websocket_payload_is_unmasked_at_every_cut),
        cmocka_unit_test(test_websocket_bytes_of_the_next_frame_stay_as_they_are),
        cmocka_unit_test(test_websocket_piece_tells_what_its_frame_still_brings),
        cmocka_unit_test(test_websocket_header_takes_the_shortest_form),
        cmocka_unit_test(test_websocket_code_ok_follows_the_registry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
