// SPDX-License-Identifier: MIT
// What a native handler returned, as a response: tells the kinds apart, checks them, writes head and body. Bodies
// that are produced piece by piece become a stream (stream.h). Comes in: iface_native.c. Owns nothing.
#pragma once

#include "py/app.h"
#include "py/request.h"

// An answer in parts, all borrowed from what the handler returned.
struct smpy_answer {
    PyObject *body;
    PyObject *headers;      // as given: pairs, a mapping; NULL for none
    PyObject *content_type; // str or NULL
    int status;
    struct smpy_request *request; // whose session may want a cookie; NULL: nobody's
};

// How far a call came; an exception is set with SMPY_ANSWER_ERROR only.
enum smpy_answer_outcome {
    SMPY_ANSWER_ERROR = -1, // nothing more can be written; the caller answers the exception
    SMPY_ANSWER_DONE = 0,   // all written, or the client has gone: the caller ends the exchange
    SMPY_ANSWER_OPEN = 1,   // there is more to come: `resume` or `abort` follows
    SMPY_ANSWER_FULL = 2,   // written; stop until there is room
    SMPY_ANSWER_GONE = 3,   // the client has gone; nothing was written
};

// Takes what the handler returned apart, all borrowed. -1 with an exception when it is no answer.
int smpy_answer_unpack(struct smpy_app *app, PyObject *returned, struct smpy_answer *answer);

// Writes what the handler returned. DONE, ERROR, or OPEN: then a stream is in the exchange's user pointer and has
// taken the request. Calls Python.
enum smpy_answer_outcome smpy_answer_send(struct smpy_app *app, struct sm_exchange *exchange, PyObject *returned,
                                          struct smpy_request *request);

// Writes the head: status, the answer's fields, and a Content-Type, `usual` unless the answer names one. `body_len`
// as for sm_exchange_commit. DONE, ERROR or GONE. Calls Python.
enum smpy_answer_outcome smpy_answer_head(struct smpy_app *app, struct sm_exchange *exchange,
                                          const struct smpy_answer *answer, struct sm_str usual, int64_t body_len);

// Writes body bytes that lie in `owner`, large ones by reference. DONE, FULL, GONE or ERROR.
enum smpy_answer_outcome smpy_answer_write(struct smpy_app *app, struct sm_exchange *exchange, struct sm_str bytes,
                                           PyObject *owner);

// Borrows the bytes of a str or a bytes object from it; ptr NULL with an exception. For a str of another form than
// ASCII the UTF-8 form is kept by the str.
struct sm_str smpy_answer_bytes(PyObject *object);

// Whether an answer to this request with this status has no body (RFC 9110 6.4.1).
bool smpy_answer_has_no_body(struct sm_exchange *exchange, int status);
