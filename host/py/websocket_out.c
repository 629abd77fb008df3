// SPDX-License-Identifier: MIT
// What the application sends: the messages of ASGI WebSocket 2.5 in their order, each as a frame of its own. A frame
// that does not fit makes the next send() wait, not this one.
#include <errno.h>

#include "py/lend.h"
#include "py/websocket.h"

enum {
    WORTH_DEFLATING = 128, // shorter messages do not gain
};

// --- frames ---

// What a write said, without FULL: the flush that follows says that too, and knows better.
static int taken(int outcome) {
    return outcome == SM_EXCHANGE_FULL ? 0 : outcome;
}

// Sends what is queued. Whether the next send() waits is settled here, since `resume` follows only if this said FULL.
static int flush(struct smpy_asgi *call) {
    int outcome = sm_exchange_flush(call->exchange);
    bool was_full = call->is_full;
    call->is_full = outcome == SM_EXCHANGE_FULL;
    if (was_full && !call->is_full) {
        smpy_await_wake(&call->app->loop, &call->senders);
    }
    return taken(outcome);
}

static int begin_frame(struct smpy_asgi *call, enum sm_websocket_opcode opcode, bool deflated, size_t len) {
    char header[SM_WEBSOCKET_HEADER_MAX];
    size_t header_len = sm_websocket_header(header, opcode, deflated, len);
    return taken(sm_exchange_write(call->exchange, header, header_len));
}

int smpy_websocket_frame(struct smpy_asgi *call, enum sm_websocket_opcode opcode, struct sm_str payload) {
    int outcome = begin_frame(call, opcode, false, payload.len);
    if (outcome == 0 && payload.len > 0) {
        outcome = taken(sm_exchange_write(call->exchange, payload.ptr, payload.len));
    }
    return outcome == 0 ? flush(call) : outcome;
}

// Sends a message whose payload lies in `owner`, which does not change.
static int send_payload(struct smpy_asgi *call, enum sm_websocket_opcode opcode, bool deflated, struct sm_str payload,
                        PyObject *owner) {
    int outcome = begin_frame(call, opcode, deflated, payload.len);
    if (outcome == 0 && payload.len > 0) {
        outcome = taken(smpy_lend_write(call->exchange, payload, owner));
    }
    outcome = outcome == 0 ? flush(call) : outcome;
    if (outcome == 0) {
        return 0;
    }
    smpy_websocket_end(call, SM_WEBSOCKET_ABNORMAL, NULL);
    PyErr_SetString(call->app->asgi.lost_error, "the client has gone");
    return -1;
}

static int send_deflated(struct smpy_asgi *call, enum sm_websocket_opcode opcode, struct sm_str payload) {
    PyObject *plain = PyBytes_FromStringAndSize(payload.ptr, (Py_ssize_t)payload.len);
    PyObject *bytes = plain == NULL ? NULL : PyObject_CallMethod(call->websocket->deflate, "deflate", "O", plain);
    Py_XDECREF(plain);
    if (bytes == NULL) {
        return -1;
    }
    int status = 0;
    if (call->exchange == NULL) { // it went while other threads ran
        PyErr_SetString(call->app->asgi.lost_error, "the client has gone");
        status = -1;
    } else {
        struct sm_str deflated = {PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)};
        status = send_payload(call, opcode, true, deflated, bytes);
    }
    Py_DECREF(bytes);
    return status;
}

static int send_data(struct smpy_asgi *call, enum sm_websocket_opcode opcode, struct sm_str payload,
                     PyObject *owner) {
    if (call->websocket->deflate != NULL && payload.len >= WORTH_DEFLATING) {
        return send_deflated(call, opcode, payload);
    }
    return send_payload(call, opcode, false, payload, owner);
}

// --- websocket.send ---

// Borrows a value of a message; NULL where it is missing or None, perhaps with an exception.
static PyObject *value_of(PyObject *message, PyObject *name) {
    PyObject *value = PyDict_GetItemWithError(message, name);
    return value == Py_None ? NULL : value;
}

static int send_text(struct smpy_asgi *call, PyObject *text) {
    if (!PyUnicode_Check(text)) {
        PyErr_Format(PyExc_TypeError, "websocket.send: \"text\" is str, not %.100s", Py_TYPE(text)->tp_name);
        return -1;
    }
    Py_ssize_t len;
    const char *utf8 = PyUnicode_AsUTF8AndSize(text, &len);
    return utf8 == NULL ? -1 : send_data(call, SM_WEBSOCKET_TEXT, (struct sm_str){utf8, (size_t)len}, text);
}

static int send_bytes(struct smpy_asgi *call, PyObject *bytes) {
    if (!PyBytes_Check(bytes) && !PyByteArray_Check(bytes) && !PyMemoryView_Check(bytes)) {
        PyErr_Format(PyExc_TypeError, "websocket.send: \"bytes\" is bytes, not %.100s", Py_TYPE(bytes)->tp_name);
        return -1;
    }
    PyObject *fixed = PyBytes_FromObject(bytes); // what may change while it waits to be sent is copied
    if (fixed == NULL) {
        return -1;
    }
    struct sm_str payload = {PyBytes_AS_STRING(fixed), (size_t)PyBytes_GET_SIZE(fixed)};
    int status = send_data(call, SM_WEBSOCKET_BINARY, payload, fixed);
    Py_DECREF(fixed);
    return status;
}

static int take_send(struct smpy_asgi *call, PyObject *message) {
    const struct smpy_asgi_names *names = &call->app->asgi.names;
    PyObject *text = value_of(message, names->text);
    PyObject *bytes = text == NULL && PyErr_Occurred() ? NULL : value_of(message, names->bytes);
    if (PyErr_Occurred()) {
        return -1;
    }
    if ((text == NULL) == (bytes == NULL)) {
        PyErr_Format(PyExc_ValueError, "websocket.send: %s",
                     text == NULL ? "neither \"text\" nor \"bytes\" is given"
                                  : "both \"text\" and \"bytes\" are given");
        return -1;
    }
    return text != NULL ? send_text(call, text) : send_bytes(call, bytes);
}

// --- websocket.close ---

// Reads code and reason of the message; the reason is borrowed from it.
static int read_close(struct smpy_asgi *call, PyObject *message, long *code_out, struct sm_str *reason_out) {
    const struct smpy_asgi_names *names = &call->app->asgi.names;
    PyObject *code = value_of(message, names->code);
    PyObject *reason = code == NULL && PyErr_Occurred() ? NULL : value_of(message, names->reason);
    if (PyErr_Occurred()) {
        return -1;
    }
    if ((code != NULL && !PyLong_Check(code)) || (reason != NULL && !PyUnicode_Check(reason))) {
        PyErr_SetString(PyExc_TypeError, "websocket.close: \"code\" is an int, \"reason\" a str");
        return -1;
    }
    int overflow = 0;
    *code_out = code == NULL ? SM_WEBSOCKET_NORMAL : PyLong_AsLongAndOverflow(code, &overflow);
    if (overflow != 0 || !sm_websocket_code_ok(*code_out)) {
        PyErr_Format(PyExc_ValueError, "websocket.close: %R is no code that may be sent (RFC 6455 7.4)", code);
        return -1;
    }
    Py_ssize_t len = 0;
    const char *utf8 = reason == NULL ? "" : PyUnicode_AsUTF8AndSize(reason, &len);
    *reason_out = (struct sm_str){utf8, (size_t)len};
    return utf8 == NULL ? -1 : 0;
}

static int take_close(struct smpy_asgi *call, PyObject *message) {
    long code;
    struct sm_str reason;
    if (read_close(call, message, &code, &reason) < 0) {
        return -1;
    }
    call->websocket->is_closed = true;
    if (call->websocket->phase == SMPY_WEBSOCKET_CONNECTING) {
        return smpy_websocket_deny(call);
    }
    smpy_websocket_close(call, (uint16_t)code, reason);
    return 0;
}

// --- the order of messages ---

static int refuse_message(struct smpy_asgi *call, PyObject *type) {
    static const char *const expected[] = {
        [SMPY_WEBSOCKET_CONNECTING] = "websocket.accept, websocket.close or websocket.http.response.start",
        [SMPY_WEBSOCKET_DENYING] = "websocket.http.response.body",
        [SMPY_WEBSOCKET_OPEN] = "websocket.send or websocket.close",
        [SMPY_WEBSOCKET_OVER] = "nothing more, the WebSocket being closed",
    };
    PyErr_Format(PyExc_RuntimeError, "unexpected ASGI message %R; expected %s", type,
                 expected[call->websocket->phase]);
    return -1;
}

static bool is_type(PyObject *type, PyObject *name) {
    return type == name || PyUnicode_Compare(type, name) == 0;
}

static int send_connecting(struct smpy_asgi *call, PyObject *type, PyObject *message) {
    const struct smpy_asgi_names *names = &call->app->asgi.names;
    if (is_type(type, names->websocket_accept)) {
        return smpy_websocket_accept(call, message);
    }
    if (is_type(type, names->websocket_close)) {
        return take_close(call, message);
    }
    if (!is_type(type, names->websocket_response_start)) {
        return refuse_message(call, type);
    }
    int status = smpy_asgi_take(call, names->response_start, message);
    call->websocket->phase = status == 0 ? SMPY_WEBSOCKET_DENYING : SMPY_WEBSOCKET_CONNECTING;
    return status;
}

static int send_denying(struct smpy_asgi *call, PyObject *type, PyObject *message) {
    const struct smpy_asgi_names *names = &call->app->asgi.names;
    if (!is_type(type, names->websocket_response_body)) {
        return refuse_message(call, type);
    }
    int status = smpy_asgi_take(call, names->response_body, message);
    if (call->exchange == NULL) {
        call->websocket->is_closed = true;
        smpy_websocket_end(call, SM_WEBSOCKET_ABNORMAL, NULL);
    }
    return status;
}

static int send_open(struct smpy_asgi *call, PyObject *type, PyObject *message) {
    const struct smpy_asgi_names *names = &call->app->asgi.names;
    if (is_type(type, names->websocket_send)) {
        return take_send(call, message);
    }
    return is_type(type, names->websocket_close) ? take_close(call, message) : refuse_message(call, type);
}

int smpy_websocket_send(struct smpy_asgi *call, PyObject *type, PyObject *message) {
    switch (call->websocket->phase) {
    case SMPY_WEBSOCKET_CONNECTING:
        return send_connecting(call, type, message);
    case SMPY_WEBSOCKET_DENYING:
        return send_denying(call, type, message);
    case SMPY_WEBSOCKET_OPEN:
        return send_open(call, type, message);
    default:
        break;
    }
    if (call->websocket->is_closed) {
        return refuse_message(call, type);
    }
    PyErr_Format(call->app->asgi.lost_error, "the WebSocket is closed (%d)", call->websocket->code);
    return -1;
}
