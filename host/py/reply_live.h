// SPDX-License-Identifier: MIT
// The live side of a Response: what an Application writes on its way into an exchange. A response that fits a small
// buffer leaves whole, with its length, when the service ends; a longer one streams. Comes in: iface_smisk.c, which
// makes one for each request and ends it.
#pragma once

#include "base/bytes.h"
#include "py/ahead.h"
#include "py/request.h"
#include "py/response.h"

struct smpy_live {
    struct smpy_app *app;           // borrowed
    struct sm_exchange *exchange;   // borrowed
    struct smpy_request *request;   // owned
    struct smpy_response *response; // owned; kept for the next request where nobody else has it
    PyObject *first;                // the only piece so far, bytes or str; NULL: none, or it is in `held`
    struct sm_bytes held;           // the pieces so far, until the head is sent
    struct smpy_ahead ahead;
    int64_t content_length; // as declared; -1: not
    uint64_t taken;         // body bytes
    PyObject *cookie;       // str: of the session, asked for once; NULL: not yet, or there is none
    PyObject *file_type;    // str: of what send_file() named; NULL: there is no file
    int file;               // its descriptor, if it is sent by us, else -1
    uint64_t file_len;
    int status;
    bool has_type; // a header says the type of the body
    bool is_gone;  // the client has left, and the application was told
    struct smpy_live *next_free;
};

// Between a Response and its exchange from now on. NULL with an exception.
extern const struct smpy_reply_ops smpy_live_ops;

void smpy_live_init(struct smpy_live *live, struct smpy_app *app);
// Takes nothing: request, response and exchange are set by the caller.
void smpy_live_open(struct smpy_live *live);
// The service has ended: begins and sends what is still to be sent. DONE; OPEN: the client is behind, go on with
// smpy_live_resume; GONE; ERROR with an exception. Calls Python.
enum smpy_answer_outcome smpy_live_finish(struct smpy_live *live);
enum smpy_answer_outcome smpy_live_resume(struct smpy_live *live);
// From now on the program writes no more: the Response lets go of its request.
void smpy_live_shut(struct smpy_live *live);
// The file that send_file() named is not the body after all.
void smpy_live_drop_file(struct smpy_live *live);
// Frees what was kept to be sent.
void smpy_live_reset(struct smpy_live *live);

// --- reply_file.c ---

// smpy_reply_ops.send_file.
int smpy_live_send_file(struct smpy_response *response, PyObject *path);
// Sends the file behind the head. DONE, GONE or ERROR.
enum smpy_answer_outcome smpy_live_write_file(struct smpy_live *live);
