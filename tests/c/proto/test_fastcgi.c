// SPDX-License-Identifier: MIT
// FastCGI records as they are written, name-value pairs both ways, and what the corpus cannot say about the reader.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdlib.h>

#include "../lib/guard.h"
#include "proto/fastcgi.h"

// --- writing (section 3.3, 5.5, 4.2) ---

static void test_put_header_writes_big_endian(void **state) {
    (void)state;
    char out[SM_FCGI_HEADER_LEN];
    sm_fcgi_put_header(out, SM_FCGI_STDOUT, 0x1234, 0xfedc, 5);
    assert_memory_equal(out, "\x01\x06\x12\x34\xfe\xdc\x05\x00", sizeof out);
}

static void test_put_end_writes_both_statuses(void **state) {
    (void)state;
    char out[SM_FCGI_END_LEN];
    sm_fcgi_put_end(out, 0x0102, 0xdeadbeef, SM_FCGI_OVERLOADED);
    assert_memory_equal(out, "\x01\x03\x01\x02\x00\x08\x00\x00\xde\xad\xbe\xef\x02\x00\x00\x00", sizeof out);
}

static void test_put_unknown_names_the_type(void **state) {
    (void)state;
    char out[SM_FCGI_END_LEN];
    sm_fcgi_put_unknown(out, 200);
    assert_memory_equal(out, "\x01\x0b\x00\x00\x00\x08\x00\x00\xc8\x00\x00\x00\x00\x00\x00\x00", sizeof out);
}

static void test_padding_aligns_to_eight(void **state) {
    (void)state;
    for (size_t len = 0; len <= SM_FCGI_MAX_CONTENT; len++) {
        assert_int_equal((len + sm_fcgi_padding(len)) % 8, 0);
        assert_in_range(sm_fcgi_padding(len), 0, 7);
    }
}

// --- pairs (section 3.4) ---

static void expect_pair_kept(size_t name_len, size_t value_len, size_t encoded) {
    char *text = malloc(name_len + value_len + 1);
    char *out = malloc(encoded);
    assert_non_null(text);
    assert_non_null(out);
    memset(text, 'n', name_len + value_len);
    struct sm_str name = {text, name_len};
    struct sm_str value = {text + name_len, value_len};
    assert_int_equal(sm_fcgi_pair_put(out, encoded - 1, name, value), 0);
    assert_int_equal(sm_fcgi_pair_put(out, encoded, name, value), encoded);
    size_t off = 0;
    struct sm_str name_back;
    struct sm_str value_back;
    assert_int_equal(sm_fcgi_pair_next(out, encoded, &off, &name_back, &value_back), 1);
    assert_true(sm_str_eq(name, name_back));
    assert_true(sm_str_eq(value, value_back));
    assert_int_equal(sm_fcgi_pair_next(out, encoded, &off, &name_back, &value_back), 0);
    free(out);
    free(text);
}

static void test_pairs_of_all_length_forms_are_kept(void **state) {
    (void)state;
    expect_pair_kept(0, 0, 2);
    expect_pair_kept(1, 0, 3);
    expect_pair_kept(127, 127, 2 + 254);
    expect_pair_kept(128, 127, 5 + 255);
    expect_pair_kept(127, 128, 5 + 255);
    expect_pair_kept(128, 128, 8 + 256);
    expect_pair_kept(3, 70000, 5 + 70003);
}

static void test_pair_with_impossible_lengths_is_not_written(void **state) {
    (void)state;
    char out[16];
    struct sm_str impossible = {"x", (size_t)INT32_MAX + 1};
    assert_int_equal(sm_fcgi_pair_put(out, SIZE_MAX, impossible, SM_STR("")), 0);
    assert_int_equal(sm_fcgi_pair_put(out, SIZE_MAX, SM_STR("x"), impossible), 0);
    assert_int_equal(sm_fcgi_pair_put(out, 0, SM_STR(""), SM_STR("")), 0);
    assert_int_equal(sm_fcgi_pair_put(out, 1, SM_STR(""), SM_STR("")), 0);
}

static void test_malformed_pair_leaves_the_offset(void **state) {
    (void)state;
    size_t off = 0;
    struct sm_str name;
    struct sm_str value;
    assert_int_equal(sm_fcgi_pair_next("\x01\x01"
                                       "A",
                                       3, &off, &name, &value),
                     -1);
    assert_int_equal(off, 0);
}

// Every prefix of a block either ends between pairs or is malformed; nothing is read past it.
static void test_pairs_cut_anywhere_never_read_past_the_end(void **state) {
    (void)state;
    char block[64];
    size_t first = sm_fcgi_pair_put(block, sizeof block, SM_STR("NAME"), SM_STR("value"));
    memcpy(block + first,
           "\x80\x00\x00\x01\x80\x00\x00\x02"
           "Axy",
           11);
    struct guard guard;
    assert_int_equal(guard_init(&guard, sizeof block), 0);
    for (size_t len = 0; len <= first + 11; len++) {
        const char *data = guard_put(&guard, block, len);
        size_t off = 0;
        int outcome = 1;
        struct sm_str name;
        struct sm_str value;
        while (outcome > 0) {
            outcome = sm_fcgi_pair_next(data, len, &off, &name, &value);
        }
        assert_int_equal(outcome, len == 0 || len == first || len == first + 11 ? 0 : -1);
    }
    guard_deinit(&guard);
}

// --- reading ---

static void test_reader_reports_content_where_it_lies(void **state) {
    (void)state;
    const char data[] = "\x01\x05\x00\x01\x00\x04\x02\x00"
                        "bodypp"
                        "\x01\x05\x00\x01\x00\x00\x00\x00";
    struct sm_fcgi_reader reader = {0};
    struct sm_fcgi_event event;
    size_t used;
    sm_fcgi_next(&reader, data, 10, &used, &event);
    assert_int_equal(event.kind, SM_FCGI_EV_STREAM);
    assert_ptr_equal(event.data.ptr, data + 8);
    assert_int_equal(event.data.len, 2);
    assert_int_equal(used, 10);
    sm_fcgi_next(&reader, data + 10, 3, &used, &event);
    assert_ptr_equal(event.data.ptr, data + 10);
    assert_int_equal(event.data.len, 2);
    assert_int_equal(used, 3); // with the first byte of padding
    sm_fcgi_next(&reader, data + 13, sizeof data - 1 - 13, &used, &event);
    assert_int_equal(event.kind, SM_FCGI_EV_STREAM);
    assert_int_equal(event.data.len, 0);
    assert_int_equal(used, 9);
    assert_false(reader.in_record);
}

// What the caller must be able to hold: the largest GET_VALUES, complete.
static void test_reader_keeps_nothing_of_a_record_reported_whole(void **state) {
    (void)state;
    size_t len = SM_FCGI_HEADER_LEN + SM_FCGI_MAX_CONTENT;
    char *data = calloc(1, len);
    assert_non_null(data);
    sm_fcgi_put_header(data, SM_FCGI_GET_VALUES, 0, SM_FCGI_MAX_CONTENT, 0);
    struct sm_fcgi_reader reader = {0};
    struct sm_fcgi_event event;
    size_t used;
    sm_fcgi_next(&reader, data, len - 1, &used, &event);
    assert_int_equal(event.kind, SM_FCGI_EV_MORE);
    assert_int_equal(used, 0);
    sm_fcgi_next(&reader, data, len, &used, &event);
    assert_int_equal(event.kind, SM_FCGI_EV_VALUES);
    assert_int_equal(event.data.len, SM_FCGI_MAX_CONTENT);
    assert_int_equal(used, len);
    free(data);
}

static void test_params_keep_the_callers_array(void **state) {
    (void)state;
    struct sm_field fields[2];
    struct sm_head head = {.fields = fields, .max_fields = 2, .n_fields = 9, .content_length = 7};
    const char block[] = "\x0e\x04REQUEST_METHODHEAD";
    assert_int_equal(sm_fcgi_params_parse(block, sizeof block - 1, &head), SM_FCGI_PARAMS_OK);
    assert_ptr_equal(head.base, block);
    assert_ptr_equal(head.fields, fields);
    assert_int_equal(head.n_fields, 1);
    assert_int_equal(head.content_length, -1);
    assert_true(head.is_head_method);
    assert_int_equal(head.kind, SM_HEAD_CGI);
}

// --- what a head keeps of its parameters (RFC 3875 4.1) ---

struct block {
    char data[512];
    size_t len;
    struct sm_field fields[8];
    struct sm_head head;
};

// Pairs as "NAME=value", up to NULL.
static enum sm_fcgi_params parse(struct block *block, const char *const *pairs) {
    *block = (struct block){0};
    block->head = (struct sm_head){.fields = block->fields, .max_fields = 8};
    for (; *pairs != NULL; pairs++) {
        size_t name_len = strcspn(*pairs, "=");
        struct sm_str value = sm_str_from(*pairs + name_len + 1);
        size_t used = sm_fcgi_pair_put(block->data + block->len, sizeof block->data - block->len,
                                       (struct sm_str){*pairs, name_len}, value);
        assert_true(used > 0);
        block->len += used;
    }
    return sm_fcgi_params_parse(block->data, block->len, &block->head);
}

static void expect_https(bool expected, const char *one, const char *other) {
    struct block block;
    assert_int_equal(parse(&block, (const char *const[]){one, other, NULL}), SM_FCGI_PARAMS_OK);
    assert_int_equal(block.head.is_https, expected);
}

static void test_params_say_whether_the_client_came_over_tls(void **state) {
    (void)state;
    expect_https(true, "HTTPS=on", NULL);
    expect_https(true, "HTTPS=ON", NULL);
    expect_https(true, "HTTPS=1", NULL);
    expect_https(true, "REQUEST_SCHEME=https", NULL);
    expect_https(true, "HTTPS=off", "REQUEST_SCHEME=HTTPS");
    expect_https(false, "HTTPS=off", "REQUEST_SCHEME=http");
    expect_https(false, "HTTPS=", "HTTP_HTTPS=on");
    expect_https(false, "HTTPS=on", "HTTPS=off"); // the last counts
    expect_https(false, "https=on", "XTTPS=on");
}

static void expect_span(const struct block *block, struct sm_span span, const char *expected) {
    struct sm_str text = sm_span_in(span, block->data);
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.ptr, expected, text.len);
}

static void test_params_keep_who_asked_whom(void **state) {
    (void)state;
    struct block block;
    const char *const pairs[] = {"SERVER_NAME=a",     "SERVER_PORT=81", "REMOTE_ADDR=192.0.2.7", "REMOTE_PORT=5000",
                                 "SERVER_NAME=b.net", "SERVER_ADDR=c",  "REMOTE_USER=d",         NULL};
    assert_int_equal(parse(&block, pairs), SM_FCGI_PARAMS_OK);
    expect_span(&block, block.head.server_name, "b.net");
    expect_span(&block, block.head.server_port, "81");
    expect_span(&block, block.head.remote_addr, "192.0.2.7");
    expect_span(&block, block.head.remote_port, "5000");
    assert_int_equal(block.head.n_fields, 7);
}

// Lengths of 0 are NUL bytes too, and no harm; any other place for one is.
static void test_params_with_a_nul_anywhere_are_refused(void **state) {
    (void)state;
    const char *const pairs[] = {"CONTENT_TYPE=", "QUERY_STRING=", "PATH_INFO=/x", "EMPTY=", "LAST=y", NULL};
    struct block block;
    assert_int_equal(parse(&block, pairs), SM_FCGI_PARAMS_OK);
    size_t off = 0;
    struct sm_str name;
    struct sm_str value;
    while (sm_fcgi_pair_next(block.data, block.len, &off, &name, &value) == 1) {
        for (size_t i = 0; i < name.len + value.len; i++) {
            char *at = block.data + (name.ptr - block.data) + i;
            char kept = *at;
            *at = '\0';
            assert_int_equal(sm_fcgi_params_parse(block.data, block.len, &block.head), SM_FCGI_PARAMS_BAD_BYTES);
            *at = kept;
        }
    }
    assert_int_equal(off, block.len);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_header_writes_big_endian),
        cmocka_unit_test(test_put_end_writes_both_statuses),
        cmocka_unit_test(test_put_unknown_names_the_type),
        cmocka_unit_test(test_padding_aligns_to_eight),
        cmocka_unit_test(test_pairs_of_all_length_forms_are_kept),
        cmocka_unit_test(test_pair_with_impossible_lengths_is_not_written),
        cmocka_unit_test(test_malformed_pair_leaves_the_offset),
        cmocka_unit_test(test_pairs_cut_anywhere_never_read_past_the_end),
        cmocka_unit_test(test_reader_reports_content_where_it_lies),
        cmocka_unit_test(test_reader_keeps_nothing_of_a_record_reported_whole),
        cmocka_unit_test(test_params_keep_the_callers_array),
        cmocka_unit_test(test_params_say_whether_the_client_came_over_tls),
        cmocka_unit_test(test_params_keep_who_asked_whom),
        cmocka_unit_test(test_params_with_a_nul_anywhere_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
