// SPDX-License-Identifier: MIT
// One request as an ASGI application sees it (ASGI HTTP 2.5; websocket.h adds to it what a WebSocket has): what its
// receive() and send() stand for. Shared by iface_asgi.c (life), asgi_scope.c (scope), asgi_receive.c and asgi_send.c
// (messages). A call outlives its exchange: the application may go on after its response.
#pragma once

#include "py/app.h"
#include "py/await.h"
#include "py/carrier.h"

enum smpy_asgi_phase {
    SMPY_ASGI_NEW,      // nothing was sent
    SMPY_ASGI_STARTED,  // http.response.start was taken; it goes out with the first piece of the body
    SMPY_ASGI_BODY,     // the head is out
    SMPY_ASGI_TRAILERS, // the body is complete, trailers were announced
    SMPY_ASGI_ENDED,
};

struct smpy_websocket;

struct smpy_asgi {
    PyObject ob_base;
    struct smpy_job job;
    struct smpy_app *app;             // borrowed
    struct sm_exchange *exchange;     // NULL: over
    PyObject *receive, *send;         // the callables that the application is given
    PyObject *status, *headers;       // of http.response.start, while it waits for its body; headers may be NULL
    struct smpy_websocket *websocket; // owned; NULL: HTTP
    struct sm_list receivers;         // awaits
    struct sm_list senders;
    uint8_t phase;    // enum smpy_asgi_phase
    bool body_taken;  // the request's body was received to its end
    bool is_full;     // the next send() waits
    bool has_hung_up; // the client sends no more
    bool trailers;    // announced by http.response.start
};

// Returns new: the scope of a request.
PyObject *smpy_asgi_scope(struct smpy_app *app, struct sm_exchange *exchange);
int smpy_asgi_names_init(struct smpy_asgi_app *asgi);
void smpy_asgi_names_clear(struct smpy_asgi_app *asgi);

// smpy_await_ask of receive() and send(); `owner` is the call.
PyObject *smpy_asgi_receive(PyObject *owner, PyObject *message);
PyObject *smpy_asgi_send(PyObject *owner, PyObject *message);

// Returns new: a message of this type.
PyObject *smpy_asgi_message(const struct smpy_asgi_names *names, PyObject *type);
// Takes a message as if it were of this type, one of http.response.*. 0, or -1 with an exception.
int smpy_asgi_take(struct smpy_asgi *call, PyObject *type, PyObject *message);

// The response is complete: ends the exchange.
void smpy_asgi_end(struct smpy_asgi *call);
