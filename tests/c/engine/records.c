// SPDX-License-Identifier: MIT
// Records, from sections 3.3, 3.4, 5.1, 5.5 and 8 of the FastCGI specification.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "records.h"

#include <stdio.h>

static void append(struct sm_bytes *out, const void *data, size_t len) {
    assert_int_equal(sm_bytes_append(out, data, len), 0);
}

void put_record(struct sm_bytes *out, uint8_t type, uint16_t id, const void *content, size_t len, uint8_t padding) {
    static const char waste[256] = "padding bytes are ignored";
    unsigned char header[8] = {
        1,       type, (unsigned char)(id >> 8), (unsigned char)id, (unsigned char)(len >> 8), (unsigned char)len,
        padding, 0};
    assert_true(len <= 65535);
    append(out, header, 8);
    append(out, content, len);
    append(out, waste, padding);
}

void put_begin(struct sm_bytes *out, uint16_t id, uint16_t role, uint8_t flags) {
    unsigned char body[8] = {(unsigned char)(role >> 8), (unsigned char)role, flags};
    put_record(out, BEGIN, id, body, 8, 0);
}

static void put_length(struct sm_bytes *out, size_t len) {
    unsigned char four[4] = {(unsigned char)(len >> 24 | 0x80), (unsigned char)(len >> 16), (unsigned char)(len >> 8),
                             (unsigned char)len};
    unsigned char one = (unsigned char)len;
    append(out, len < 128 ? &one : four, len < 128 ? 1 : 4);
}

void put_pair(struct sm_bytes *out, const char *name, const char *value) {
    put_length(out, strlen(name));
    put_length(out, strlen(value));
    append(out, name, strlen(name));
    append(out, value, strlen(value));
}

void put_head(struct sm_bytes *out, uint16_t id, uint16_t role, uint8_t flags, long content_length) {
    struct sm_bytes pairs = {0};
    char number[24];
    put_pair(&pairs, "REQUEST_METHOD", "POST");
    snprintf(number, sizeof(number), "/%u", id);
    put_pair(&pairs, "REQUEST_URI", number);
    if (content_length >= 0) {
        snprintf(number, sizeof(number), "%ld", content_length);
        put_pair(&pairs, "CONTENT_LENGTH", number);
    }
    put_begin(out, id, role, flags);
    put_record(out, PARAMS, id, pairs.data, pairs.len, 3);
    put_record(out, PARAMS, id, NULL, 0, 0);
    sm_bytes_deinit(&pairs);
}

void put_stream(struct sm_bytes *out, uint8_t type, uint16_t id, const char *text) {
    if (*text != '\0') {
        put_record(out, type, id, text, strlen(text), 0);
    }
    put_record(out, type, id, NULL, 0, 0);
}

void put_request(struct sm_bytes *out, uint16_t id, uint8_t flags, const char *body) {
    put_head(out, id, RESPONDER, flags, (long)strlen(body));
    put_stream(out, STDIN, id, body);
}

bool record_next(const struct sm_bytes *data, size_t *off, struct record *record_out) {
    if (*off == data->len) {
        return false;
    }
    const uint8_t *at = (const uint8_t *)data->data + *off;
    assert_true(data->len - *off >= 8);
    assert_int_equal(at[0], 1);
    assert_int_equal(at[7], 0);
    *record_out = (struct record){.type = at[1],
                                  .id = (uint16_t)(at[2] << 8 | at[3]),
                                  .len = (size_t)(at[4] << 8 | at[5]),
                                  .padding = at[6],
                                  .content = at + 8};
    assert_true(data->len - *off - 8 >= record_out->len + record_out->padding);
    assert_int_equal((8 + record_out->len + record_out->padding) % 8, 0);
    *off += 8 + record_out->len + record_out->padding;
    return true;
}

static void take(struct outcome *outcome, const struct record *record) {
    assert_int_equal(outcome->ends, 0);
    switch (record->type) {
    case STDOUT:
        assert_int_equal(outcome->out_ends, 0);
        outcome->out_records += record->len > 0;
        outcome->out_ends += record->len == 0;
        append(&outcome->out, record->content, record->len);
        break;
    case STDERR:
        assert_int_equal(outcome->err_ends, 0);
        outcome->err_ends += record->len == 0;
        append(&outcome->err, record->content, record->len);
        break;
    case END:
        assert_int_equal(record->len, 8);
        outcome->ends++;
        outcome->app_status = (uint32_t)record->content[0] << 24 | (uint32_t)record->content[1] << 16 |
                              (uint32_t)record->content[2] << 8 | record->content[3];
        outcome->protocol_status = record->content[4];
        break;
    default:
        fail_msg("record of type %u for request %u", record->type, record->id);
    }
}

void outcome_read(struct outcome *outcome, const struct sm_bytes *data, uint16_t id) {
    struct record record;
    size_t off = 0;
    *outcome = (struct outcome){0};
    while (record_next(data, &off, &record)) {
        if (record.id == id) {
            take(outcome, &record);
        }
    }
    append(&outcome->out, "", 1);
    append(&outcome->err, "", 1);
    outcome->out.len--;
    outcome->err.len--;
}

void outcome_deinit(struct outcome *outcome) {
    sm_bytes_deinit(&outcome->out);
    sm_bytes_deinit(&outcome->err);
    *outcome = (struct outcome){0};
}
