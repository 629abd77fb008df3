// SPDX-License-Identifier: MIT
// One WebSocket as an ASGI application sees it (ASGI WebSocket 2.5): a side of struct smpy_asgi, which owns it and
// gives it the calls below. Shared by websocket.c (handshake, life), websocket_in.c (frames, receive()) and
// websocket_out.c (send()). The GIL is held in every call.
//
// The state is in one place: proto/websocket.h takes all frames, here are whole messages. Python (smisk.websocket,
// on wsproto) is called for the handshake and for compressed messages only.
#pragma once

#include "base/bytes.h"
#include "proto/websocket.h"
#include "py/asgi.h"

enum { SMPY_WEBSOCKET_AHEAD = 16 }; // messages that may wait to be received

enum smpy_websocket_phase {
    SMPY_WEBSOCKET_CONNECTING, // the application has not answered the handshake
    SMPY_WEBSOCKET_DENYING,    // it answers with a response of HTTP
    SMPY_WEBSOCKET_OPEN,
    SMPY_WEBSOCKET_OVER, // nothing more is sent; what has come may still be received
};

struct smpy_websocket {
    struct sm_websocket frames;
    struct sm_bytes partial;                 // payload of the unfinished message
    struct sm_bytes unread;                  // bytes of the connection that were not looked at: enough messages wait
    size_t unread_at;                        // ... from here on
    PyObject *waiting[SMPY_WEBSOCKET_AHEAD]; // str and bytes, a ring
    uint8_t first_waiting, n_waiting;
    size_t waiting_len;  // bytes of payload in them
    PyObject *handshake; // smisk.websocket.Handshake, until it is answered
    PyObject *deflate;   // smisk.websocket.Deflate; NULL: no compression
    PyObject *reason;    // of websocket.disconnect: str
    uint16_t code;       // ... its code
    uint8_t phase;       // enum smpy_websocket_phase
    bool is_connected;   // websocket.connect was received
    bool is_closed;      // the application has closed it
    bool is_pinged;      // a ping waits for its answer
};

// --- websocket.c ---

// Whether the request asks to become a WebSocket (RFC 9110 7.8, RFC 6455 4.2.1).
bool smpy_websocket_is_wanted(const struct sm_head *head);
// Makes the call one of a WebSocket, and its scope too. 1: done. 0: refused, and the exchange ended; -1: an
// exception is set, and the exchange is to be answered.
int smpy_websocket_begin(struct smpy_asgi *call, PyObject *scope);
// Answers the handshake with 101, as websocket.accept says. 0, or -1 with an exception.
int smpy_websocket_accept(struct smpy_asgi *call, PyObject *message);
// Answers it with 403. 0, or -1 with an exception.
int smpy_websocket_deny(struct smpy_asgi *call);
void smpy_websocket_notice(struct smpy_asgi *call, unsigned what);
// The exchange is gone.
void smpy_websocket_abort(struct smpy_asgi *call);
// The application has returned, or failed with the exception that is set; which is logged and cleared. False: the
// WebSocket was not open; the call ends as one of HTTP does.
bool smpy_websocket_done(struct smpy_asgi *call, bool failed);
// Sends a close frame with code and reason (UTF-8; cut to what fits) and ends the exchange. The application is told
// the same.
void smpy_websocket_close(struct smpy_asgi *call, uint16_t code, struct sm_str reason);
// Ends the exchange without a word; the application is told code and reason (may be NULL, taken).
void smpy_websocket_end(struct smpy_asgi *call, uint16_t code, PyObject *reason);
void smpy_websocket_free(struct smpy_websocket *websocket);
int smpy_websocket_traverse(struct smpy_websocket *websocket, visitproc visit, void *arg);

// --- websocket_in.c ---

// smpy_await_ask of receive().
PyObject *smpy_websocket_receive(struct smpy_asgi *call);
// Looks at the bytes that have come, as far as there is room for messages.
void smpy_websocket_read(struct smpy_asgi *call);
// Whether bytes wait because messages do.
bool smpy_websocket_is_behind(struct smpy_asgi *call);

// --- websocket_out.c ---

// Takes a message of send(). 0, or -1 with an exception.
int smpy_websocket_send(struct smpy_asgi *call, PyObject *type, PyObject *message);
// Sends a frame, payload copied. An outcome of enum sm_exchange_outcome, or -errno; FULL is noted in the call and is
// 0.
int smpy_websocket_frame(struct smpy_asgi *call, enum sm_websocket_opcode opcode, struct sm_str payload);
