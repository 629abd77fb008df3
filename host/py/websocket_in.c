// SPDX-License-Identifier: MIT
// What the client sends, as messages for receive(). Frames are looked at when they come, whether or not somebody
// receives: pings are answered and a close is noticed at once. When enough messages wait, bytes are left where they
// are, and the client is stopped by the engine's backpressure.
#include "base/log.h"
#include "py/error.h"
#include "py/websocket.h"

enum {
    PIECE = 16 * 1024,        // bytes that are read at once
    AHEAD_LEN = 256 * 1024,   // bytes of messages that may wait
    KEEP_PARTIAL = 64 * 1024, // a larger buffer is not kept for the next message
};

static bool has_room(const struct smpy_websocket *websocket) {
    return websocket->n_waiting < SMPY_WEBSOCKET_AHEAD && websocket->waiting_len < AHEAD_LEN;
}

bool smpy_websocket_is_behind(struct smpy_asgi *call) {
    return call->websocket->unread.len > 0 || sm_exchange_body_unread(call->exchange) > 0;
}

// --- messages ---

static size_t payload_len(PyObject *data) {
    return (size_t)(PyBytes_Check(data) ? PyBytes_GET_SIZE(data) : PyUnicode_GET_LENGTH(data));
}

// Takes `data`, which waits to be received.
static void enqueue(struct smpy_asgi *call, PyObject *data) {
    struct smpy_websocket *websocket = call->websocket;
    size_t at = (size_t)(websocket->first_waiting + websocket->n_waiting++) % SMPY_WEBSOCKET_AHEAD;
    websocket->waiting[at] = data;
    websocket->waiting_len += payload_len(data);
    smpy_await_wake(&call->app->loop, &call->receivers);
}

// Returns new: the oldest message.
static PyObject *dequeue(struct smpy_websocket *websocket) {
    PyObject *data = websocket->waiting[websocket->first_waiting];
    websocket->waiting[websocket->first_waiting] = NULL;
    websocket->first_waiting = (uint8_t)((websocket->first_waiting + 1) % SMPY_WEBSOCKET_AHEAD);
    websocket->n_waiting--;
    websocket->waiting_len -= payload_len(data);
    return data;
}

static PyObject *make_data(enum sm_websocket_opcode opcode, const char *data, size_t len) {
    return opcode == SM_WEBSOCKET_TEXT ? PyUnicode_DecodeUTF8(data, (Py_ssize_t)len, NULL)
                                       : PyBytes_FromStringAndSize(data, (Py_ssize_t)len);
}

// Whether the exception that is set is of a class of smisk.websocket.
static bool is_error(struct smpy_asgi *call, const char *name) {
    PyObject *exception = smpy_exception_take();
    PyObject *type = PyObject_GetAttrString(call->app->asgi.websocket, name);
    bool is = type != NULL && PyObject_IsInstance(exception, type) == 1;
    Py_XDECREF(type);
    PyErr_Clear();
    smpy_exception_give(exception);
    return is;
}

// A message could not be made, for the reason that is set: the client's fault, or ours.
static void fail(struct smpy_asgi *call) {
    if (is_error(call, "TooBigError")) {
        smpy_websocket_close(call, SM_WEBSOCKET_TOO_BIG, SM_STR("message larger than ws_max_size"));
    } else if (is_error(call, "InflateError")) {
        smpy_websocket_close(call, SM_WEBSOCKET_BAD_DATA, SM_STR("message that cannot be inflated"));
    } else if (PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        smpy_websocket_close(call, SM_WEBSOCKET_BAD_DATA, SM_STR("text that is not UTF-8"));
    } else {
        smpy_error_log_exchange(call->exchange);
        smpy_websocket_close(call, SM_WEBSOCKET_INTERNAL_ERROR, SM_STR(""));
    }
    PyErr_Clear();
}

// Returns new: str or bytes.
static PyObject *inflate(struct smpy_asgi *call, enum sm_websocket_opcode opcode, struct sm_str payload) {
    PyObject *bytes = PyBytes_FromStringAndSize(payload.ptr, (Py_ssize_t)payload.len);
    PyObject *plain = bytes == NULL ? NULL : PyObject_CallMethod(call->websocket->deflate, "inflate", "O", bytes);
    Py_XDECREF(bytes);
    if (plain == NULL || opcode != SM_WEBSOCKET_TEXT) {
        return plain;
    }
    PyObject *text = make_data(opcode, PyBytes_AS_STRING(plain), (size_t)PyBytes_GET_SIZE(plain));
    Py_DECREF(plain);
    return text;
}

static void take_message(struct smpy_asgi *call, const struct sm_websocket_piece *piece, struct sm_str payload) {
    PyObject *data = piece->is_deflated ? inflate(call, piece->opcode, payload)
                                        : make_data(piece->opcode, payload.ptr, payload.len);
    if (call->websocket->phase != SMPY_WEBSOCKET_OPEN) { // while other threads ran
        Py_XDECREF(data);
        PyErr_Clear();
    } else if (data == NULL) {
        fail(call);
    } else {
        enqueue(call, data);
    }
}

static void take_piece(struct smpy_asgi *call, const struct sm_websocket_piece *piece) {
    struct sm_bytes *partial = &call->websocket->partial;
    if (piece->is_last && partial->len == 0) { // a message in one piece, as most are
        take_message(call, piece, (struct sm_str){piece->data, piece->len});
        return;
    }
    if (sm_bytes_append(partial, piece->data, piece->len) < 0) {
        PyErr_NoMemory();
        fail(call);
    } else if (piece->is_last) {
        take_message(call, piece, (struct sm_str){partial->data, partial->len});
        partial->len = 0;
        if (partial->cap > KEEP_PARTIAL) {
            sm_bytes_deinit(partial);
        }
    }
}

// --- control frames ---

static void take_ping(struct smpy_asgi *call, const struct sm_websocket_piece *piece) {
    if (call->is_full) {
        return; // a client that pings and does not read what it gets piles up nothing (section 5.5.3 lets us skip)
    }
    int outcome = smpy_websocket_frame(call, SM_WEBSOCKET_PONG, (struct sm_str){piece->data, piece->len});
    if (outcome != 0) {
        smpy_websocket_end(call, SM_WEBSOCKET_ABNORMAL, NULL);
    }
}

static void take_close(struct smpy_asgi *call, const struct sm_websocket_piece *piece) {
    char payload[125] = {(char)(piece->code >> 8), (char)piece->code};
    size_t reason_len = piece->len < sizeof payload - 2 ? piece->len : sizeof payload - 2;
    if (reason_len > 0) {
        memcpy(payload + 2, piece->data, reason_len);
    }
    PyObject *reason = PyUnicode_DecodeUTF8(piece->data, (Py_ssize_t)piece->len, NULL);
    PyErr_Clear();
    uint16_t code = piece->code;
    // Section 5.5.1: the answer says the same.
    (void)smpy_websocket_frame(call, SM_WEBSOCKET_CLOSE,
                               (struct sm_str){payload, code == SM_WEBSOCKET_NO_STATUS ? 0 : 2 + reason_len});
    smpy_websocket_end(call, code, reason);
}

static void take_control(struct smpy_asgi *call, const struct sm_websocket_piece *piece) {
    switch (piece->opcode) {
    case SM_WEBSOCKET_PING:
        take_ping(call, piece);
        break;
    case SM_WEBSOCKET_PONG:
        if (call->websocket->is_pinged) {
            call->websocket->is_pinged = false;
            sm_exchange_alarm(call->exchange, call->app->settings->ws_ping_interval);
        }
        break;
    default:
        take_close(call, piece);
        break;
    }
}

static void take_fault(struct smpy_asgi *call) {
    const struct sm_websocket *frames = &call->websocket->frames;
    struct sm_str id = sm_exchange_id(call->exchange);
    sm_log(SM_LOG_INFO, "[%.*s] WebSocket closed with %u: %s", (int)id.len, id.ptr, frames->code, frames->reason);
    smpy_websocket_close(call, frames->code, sm_str_from(frames->reason));
}

// --- bytes ---

// Looks at bytes until there are no more, no more room, or the connection is over. Returns how many were used.
static size_t look_at(struct smpy_asgi *call, char *data, size_t len) {
    struct smpy_websocket *websocket = call->websocket;
    size_t at = 0;
    while (at < len && websocket->phase == SMPY_WEBSOCKET_OPEN && has_room(websocket)) {
        struct sm_websocket_piece piece;
        size_t used = 0;
        switch (sm_websocket_next(&websocket->frames, data + at, len - at, &used, &piece)) {
        case SM_WEBSOCKET_DATA:
            take_piece(call, &piece);
            break;
        case SM_WEBSOCKET_CONTROL:
            take_control(call, &piece);
            break;
        case SM_WEBSOCKET_BAD:
            take_fault(call);
            break;
        case SM_WEBSOCKET_MORE:
            break;
        }
        at += used;
    }
    return at;
}

// Bytes that were left before; true when all of them are used.
static bool look_at_unread(struct smpy_asgi *call) {
    struct smpy_websocket *websocket = call->websocket;
    struct sm_bytes *unread = &websocket->unread;
    if (unread->len > 0) {
        websocket->unread_at +=
            look_at(call, unread->data + websocket->unread_at, unread->len - websocket->unread_at);
        if (websocket->unread_at < unread->len && websocket->phase == SMPY_WEBSOCKET_OPEN) {
            return false;
        }
        sm_bytes_deinit(unread);
        websocket->unread_at = 0;
    }
    return true;
}

void smpy_websocket_read(struct smpy_asgi *call) {
    struct smpy_websocket *websocket = call->websocket;
    char data[PIECE];
    while (websocket->phase == SMPY_WEBSOCKET_OPEN && has_room(websocket) && look_at_unread(call) &&
           websocket->phase == SMPY_WEBSOCKET_OPEN) {
        ssize_t n = sm_exchange_body_read(call->exchange, data, sizeof data);
        if (n <= 0) {
            break;
        }
        size_t used = look_at(call, data, (size_t)n);
        if (used < (size_t)n && websocket->phase == SMPY_WEBSOCKET_OPEN &&
            sm_bytes_append(&websocket->unread, data + used, (size_t)n - used) < 0) {
            smpy_websocket_close(call, SM_WEBSOCKET_INTERNAL_ERROR, SM_STR(""));
        }
    }
    // A close frame, had there been one, would have been read by now.
    if (call->has_hung_up && websocket->phase == SMPY_WEBSOCKET_OPEN && !smpy_websocket_is_behind(call)) {
        smpy_websocket_end(call, SM_WEBSOCKET_ABNORMAL, NULL);
    }
}

// --- receive() ---

// Takes `data`.
static PyObject *receive_message(const struct smpy_asgi_names *names, PyObject *data) {
    PyObject *message = smpy_asgi_message(names, names->websocket_receive);
    PyObject *key = PyUnicode_Check(data) ? names->text : names->bytes;
    if (message != NULL && PyDict_SetItem(message, key, data) < 0) {
        Py_CLEAR(message);
    }
    Py_DECREF(data);
    return message;
}

static PyObject *disconnect_message(const struct smpy_asgi_names *names, const struct smpy_websocket *websocket) {
    PyObject *reason = websocket->reason == NULL ? names->empty_text : websocket->reason;
    return Py_BuildValue("{O:O,O:H,O:O}", names->type, names->websocket_disconnect, names->code, websocket->code,
                         names->reason, reason);
}

PyObject *smpy_websocket_receive(struct smpy_asgi *call) {
    const struct smpy_asgi_names *names = &call->app->asgi.names;
    struct smpy_websocket *websocket = call->websocket;
    if (!websocket->is_connected) {
        websocket->is_connected = true;
        return smpy_asgi_message(names, names->websocket_connect);
    }
    if (websocket->n_waiting > 0) {
        bool was_full = !has_room(websocket);
        PyObject *message = receive_message(names, dequeue(websocket));
        if (was_full && websocket->phase == SMPY_WEBSOCKET_OPEN) {
            smpy_websocket_read(call);
            smpy_loop_kick(&call->app->loop);
        }
        return message;
    }
    return websocket->phase == SMPY_WEBSOCKET_OVER ? disconnect_message(names, websocket) : NULL;
}
