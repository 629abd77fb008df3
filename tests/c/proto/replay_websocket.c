// SPDX-License-Identifier: MIT
// The WebSocket half of replay.h.
#include <stdio.h>

#include "proto/websocket.h"
#include "replay.h"

struct session {
    struct sm_websocket websocket;
    struct dump message; // of the unfinished one
    struct dump *out;
};

static const char *name_of(enum sm_websocket_opcode opcode) {
    switch (opcode) {
    case SM_WEBSOCKET_TEXT:
        return "text";
    case SM_WEBSOCKET_BINARY:
        return "binary";
    case SM_WEBSOCKET_CLOSE:
        return "close";
    case SM_WEBSOCKET_PING:
        return "ping";
    case SM_WEBSOCKET_PONG:
        return "pong";
    default:
        return "broken";
    }
}

static void take_piece(struct session *session, const struct sm_websocket_piece *piece) {
    replay_check(piece->len > 0 || piece->is_last, "pieces bring something");
    replay_check(!piece->is_last || piece->left == 0, "a message ends with its frame");
    replay_check(piece->left == session->websocket.left, "what is left is told");
    dump_bytes(&session->message, (struct sm_str){piece->data, piece->len});
    if (piece->is_last) {
        const char *text = session->message.text;
        dump_printf(session->out, "%s%s%s", name_of(piece->opcode), piece->is_deflated ? " deflated" : "",
                    text[0] != '\0' ? " " : "");
        for (size_t at = 0; at < session->message.len; at += 128) {
            dump_printf(session->out, "%.128s", text + at);
        }
        dump_printf(session->out, "\n");
        dump_clear(&session->message);
    }
}

static void take_control(struct session *session, const struct sm_websocket_piece *piece) {
    char label[32];
    replay_check(piece->len <= SM_WEBSOCKET_CONTROL_MAX, "control frames are short");
    if (piece->opcode == SM_WEBSOCKET_CLOSE) {
        snprintf(label, sizeof label, "close %u", piece->code);
    } else {
        snprintf(label, sizeof label, "%s", name_of(piece->opcode));
    }
    dump_value(session->out, label, (struct sm_str){piece->data, piece->len});
}

// False when the connection is over.
static bool take_event(struct session *session, enum sm_websocket_event event,
                       const struct sm_websocket_piece *piece) {
    switch (event) {
    case SM_WEBSOCKET_DATA:
        take_piece(session, piece);
        return true;
    case SM_WEBSOCKET_CONTROL:
        take_control(session, piece);
        return true;
    case SM_WEBSOCKET_BAD:
        replay_check(session->websocket.reason != NULL, "a refusal says why");
        replay_check(sm_websocket_code_ok(session->websocket.code), "a refusal has a code that may be sent");
        dump_printf(session->out, "bad %u\n", session->websocket.code);
        return false;
    default:
        return true;
    }
}

static bool is_between_messages(const struct session *session) {
    return session->websocket.header_len == 0 && session->websocket.message == SM_WEBSOCKET_CONTINUATION;
}

// Feeds one piece of the connection; false when it is over.
static bool feed(struct session *session, char *data, size_t len) {
    enum sm_websocket_event event;
    do {
        struct sm_websocket_piece piece = {0};
        size_t used = 0;
        event = sm_websocket_next(&session->websocket, data, len, &used, &piece);
        replay_check(used <= len, "no more is used than was given");
        replay_check(event != SM_WEBSOCKET_MORE || used == len, "every byte is taken");
        replay_check(event == SM_WEBSOCKET_MORE || used > 0, "an event costs bytes");
        if (!take_event(session, event, &piece)) {
            return false;
        }
        data += used;
        len -= used;
    } while (event != SM_WEBSOCKET_MORE);
    return true;
}

void replay_websocket(const struct replay *input, uint64_t max_size, bool may_deflate, struct dump *out) {
    struct session session = {.out = out};
    size_t given = 0;
    size_t step = input->first;
    bool goes_on = true;
    dump_init(&session.message);
    sm_websocket_init(&session.websocket, max_size, may_deflate);
    while (goes_on && given < input->len) {
        size_t piece = input->len - given > step ? step : input->len - given;
        goes_on = feed(&session, guard_put(input->guard, input->data + given, piece), piece);
        given += piece;
        step = input->step;
    }
    if (goes_on && !is_between_messages(&session)) {
        dump_printf(out, "more\n");
    }
    dump_deinit(&session.message);
}
