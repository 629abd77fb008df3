// SPDX-License-Identifier: MIT
// The live side of a Response (see reply_live.h). begin() builds the head in the engine's scratch; it is committed
// when the pieces outgrow the buffer, at out.flush(), or at the end, when the length is known.
#include "py/reply_live.h"

#include <stdio.h>
#include <unistd.h>

#include "proto/fields.h"
#include "py/error.h"
#include "py/lend.h"
#include "py/refusal.h"

// HOLD: bytes of pieces that are put together; HOLD_WHOLE: of a single one, which is not copied. TURN_BYTES: what one
// response may send before others have their turn.
enum { HOLD = 16 * 1024, HOLD_WHOLE = 1024 * 1024, TURN_BYTES = 256 * 1024 };

static int told_gone(struct smpy_live *live) {
    live->is_gone = true;
    PyErr_SetString(PyExc_BrokenPipeError, "the client has gone");
    return -1;
}

// What the engine says, as 0 or -1 with an exception. FULL is fine.
static int judge(struct smpy_live *live, int outcome, PyObject *header) {
    switch (outcome) {
    case 0:
    case SM_EXCHANGE_FULL:
        return 0;
    case SM_EXCHANGE_GONE:
        return told_gone(live);
    default:
        return smpy_refuse(outcome, "", header);
    }
}

// --- the head ---

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// "404 Not Found" of a Status header.
static int read_status(PyObject *header, struct sm_str value, int *status_out, struct sm_str *reason_out) {
    const char *at = value.ptr;
    if (value.len < 3 || !is_digit(at[0]) || !is_digit(at[1]) || !is_digit(at[2]) ||
        (value.len > 3 && at[3] != ' ')) {
        PyErr_Format(PyExc_ValueError, "a status is three digits, and perhaps a reason, not %R", header);
        return -1;
    }
    *status_out = (at[0] - '0') * 100 + (at[1] - '0') * 10 + (at[2] - '0');
    *reason_out = value.len > 4 ? (struct sm_str){at + 4, value.len - 4} : SM_STR("");
    return 0;
}

// Begins the head with the status of the last Status header, or of the Response.
static int start_head(struct smpy_live *live, PyObject *headers) {
    struct sm_str reason = SM_STR("");
    live->status = live->response->status;
    for (Py_ssize_t i = 0; headers != NULL && i < PyList_GET_SIZE(headers); i++) {
        struct sm_str name;
        struct sm_str value;
        PyObject *header = PyList_GET_ITEM(headers, i);
        if (smpy_response_header(header, &name, &value) < 0 ||
            (sm_str_ieq(name, SM_STR("Status")) && read_status(header, value, &live->status, &reason) < 0)) {
            return -1;
        }
    }
    return judge(live, sm_exchange_start(live->exchange, live->status, reason), NULL);
}

static int put_session(struct smpy_live *live) {
    Py_ssize_t len = 0;
    if (live->cookie == NULL) {
        return 0;
    }
    const char *text = PyUnicode_AsUTF8AndSize(live->cookie, &len);
    struct sm_str value = {text, (size_t)len};
    return text == NULL ? -1
                        : judge(live, sm_exchange_field(live->exchange, SM_STR("Set-Cookie"), value), live->cookie);
}

static int put_header(struct smpy_live *live, PyObject *header) {
    struct sm_str name;
    struct sm_str value;
    if (smpy_response_header(header, &name, &value) < 0) {
        return -1;
    }
    if (sm_str_ieq(name, SM_STR("Status"))) {
        return 0;
    }
    if (sm_str_ieq(name, SM_STR("Content-Length"))) {
        live->content_length = sm_str_number(value);
    }
    live->has_type = live->has_type || sm_str_ieq(name, SM_STR("Content-Type"));
    return judge(live, sm_exchange_field(live->exchange, name, value), header);
}

// Builds the head in the engine's scratch.
static int build_head(struct smpy_live *live) {
    PyObject *headers = live->response->headers;
    live->content_length = -1;
    live->has_type = false;
    if (start_head(live, headers) < 0 || put_session(live) < 0) {
        return -1;
    }
    for (Py_ssize_t i = 0; headers != NULL && i < PyList_GET_SIZE(headers); i++) {
        if (put_header(live, PyList_GET_ITEM(headers, i)) < 0) {
            return -1;
        }
    }
    return 0;
}

static int live_begin(struct smpy_response *response) {
    struct smpy_live *live = response->sink;
    PyObject *cookie = NULL;
    if (smpy_request_session_cookie(live->request, &cookie) < 0) {
        return -1;
    }
    Py_XSETREF(live->cookie, cookie);
    if (build_head(live) < 0) {
        return -1;
    }
    response->has_begun = live->request->has_begun = true;
    return 0;
}

static int put_plain_type(struct smpy_live *live, struct sm_str type) {
    return judge(live, sm_exchange_field(live->exchange, SM_STR("Content-Type"), type), NULL);
}

// HTML in a charset of another name than the usual one.
static int put_html_in(struct smpy_live *live, PyObject *charset) {
    char type[128];
    PyObject *text = PyObject_Str(charset);
    const char *name = text == NULL ? NULL : PyUnicode_AsUTF8(text);
    int status = -1;
    if (name != NULL) {
        (void)snprintf(type, sizeof type, "text/html; charset=%.100s", name);
        status = put_plain_type(live, sm_str_from(type));
    }
    Py_XDECREF(text);
    return status;
}

// HTML in the Application's charset.
static int put_html(struct smpy_live *live) {
    if (live->response->is_utf8) {
        return put_plain_type(live, SM_STR("text/html; charset=utf-8"));
    }
    PyObject *charset = PyObject_GetAttr(live->app->handler, live->app->state->name_charset);
    int status = -1;
    if (charset == Py_None) {
        status = put_plain_type(live, SM_STR("text/html"));
    } else if (charset != NULL && PyUnicode_Check(charset) &&
               PyUnicode_CompareWithASCIIString(charset, "utf-8") == 0) {
        status = put_plain_type(live, SM_STR("text/html; charset=utf-8"));
    } else if (charset != NULL) {
        status = put_html_in(live, charset);
    }
    Py_XDECREF(charset);
    return status;
}

// The Content-Type of an answer that names none.
static int put_type(struct smpy_live *live) {
    PyObject *type = live->file_type != NULL ? live->file_type : live->response->content_type;
    if (type == Py_None) {
        return put_html(live);
    }
    Py_ssize_t len = 0;
    const char *text = PyUnicode_AsUTF8AndSize(type, &len);
    return text == NULL ? -1 : put_plain_type(live, (struct sm_str){text, (size_t)len});
}

// Sends the head. `body_len` as for sm_exchange_commit.
static int commit(struct smpy_live *live, int64_t body_len) {
    if (!sm_exchange_has_head(live->exchange) && build_head(live) < 0) {
        return -1;
    }
    bool is_bare = live->status == 204 || live->status == 205 || live->status == 304;
    bool has_body = !is_bare && (body_len != 0 || live->file_type != NULL);
    if (has_body && !live->has_type && put_type(live) < 0) {
        return -1;
    }
    return judge(live, sm_exchange_commit(live->exchange, live->content_length < 0 ? body_len : -1), NULL);
}

// --- the body ---

// Whether `len` more bytes are as Content-Length says.
static int check_length(struct smpy_live *live, size_t len) {
    if (live->content_length < 0 || len <= (uint64_t)live->content_length - live->taken ||
        smpy_answer_has_no_body(live->exchange, live->status)) {
        return 0;
    }
    PyErr_Format(PyExc_ValueError, "the body is longer than the %lld bytes that Content-Length promised",
                 (long long)live->content_length);
    return -1;
}

// Sends a piece behind a head that is out, or keeps it.
static int push(struct smpy_live *live, struct sm_str bytes, PyObject *owner) {
    enum smpy_answer_outcome outcome = smpy_ahead_make_room(live->exchange, &live->ahead);
    if (outcome == SMPY_ANSWER_FULL || outcome == SMPY_ANSWER_OPEN) {
        return smpy_ahead_keep(live->app, &live->ahead, bytes);
    }
    if (outcome != SMPY_ANSWER_DONE) {
        return outcome == SMPY_ANSWER_GONE ? told_gone(live) : -1;
    }
    int written = smpy_lend_write(live->exchange, bytes, owner);
    if (written == SM_EXCHANGE_FULL) {
        written = sm_exchange_flush(live->exchange);
        live->ahead.is_full = written == SM_EXCHANGE_FULL;
    }
    return judge(live, written, NULL);
}

// Writes what was held, behind the head.
static int write_held(struct smpy_live *live) {
    PyObject *first = live->first;
    live->first = NULL;
    if (first != NULL) {
        int status = push(live, smpy_answer_bytes(first), first);
        Py_DECREF(first);
        return status;
    }
    int status = live->held.len == 0
                     ? 0
                     : judge(live, sm_exchange_write(live->exchange, live->held.data, live->held.len), NULL);
    live->held.len = 0;
    return status;
}

static int append(struct smpy_live *live, struct sm_str bytes) {
    if (sm_bytes_append(&live->held, bytes.ptr, bytes.len) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

// Puts a piece to those before it.
static int gather(struct smpy_live *live, struct sm_str bytes) {
    PyObject *first = live->first;
    live->first = NULL;
    int status = first == NULL ? 0 : append(live, smpy_answer_bytes(first));
    Py_XDECREF(first);
    return status < 0 ? -1 : append(live, bytes);
}

static int live_write(struct smpy_response *response, struct sm_str bytes, PyObject *owner) {
    struct smpy_live *live = response->sink;
    if (live->is_gone) {
        return told_gone(live);
    }
    if (live->file_type != NULL) {
        PyErr_SetString(PyExc_OSError, "send_file() named the body: nothing can be written beside it");
        return -1;
    }
    if ((!response->has_begun && live_begin(response) < 0) || check_length(live, bytes.len) < 0) {
        return -1;
    }
    uint64_t before = live->taken;
    live->taken += bytes.len;
    if (sm_exchange_committed(live->exchange)) {
        return push(live, bytes, owner);
    }
    if (before == 0 && bytes.len <= HOLD_WHOLE) {
        live->first = Py_NewRef(owner);
        return 0;
    }
    if (live->taken <= HOLD) {
        return gather(live, bytes);
    }
    return commit(live, -1) < 0 || write_held(live) < 0 ? -1 : push(live, bytes, owner);
}

static int live_flush(struct smpy_response *response) {
    struct smpy_live *live = response->sink;
    if (!response->has_begun) {
        return 0;
    }
    if (!sm_exchange_committed(live->exchange) && (commit(live, -1) < 0 || write_held(live) < 0)) {
        return -1;
    }
    int flushed = sm_exchange_flush(live->exchange);
    live->ahead.is_full = live->ahead.is_full || flushed == SM_EXCHANGE_FULL;
    return judge(live, flushed, NULL);
}

static int live_log(struct smpy_response *response, PyObject *exception) {
    struct smpy_live *live = response->sink;
    smpy_exception_give(Py_NewRef(exception));
    smpy_error_log_exchange(live->exchange);
    return 0;
}

const struct smpy_reply_ops smpy_live_ops = {
    .begin = live_begin,
    .write = live_write,
    .flush = live_flush,
    .send_file = smpy_live_send_file,
    .log = live_log,
};

// --- the end ---

// Whatever was not sent yet, with its length.
static int send_rest(struct smpy_live *live) {
    int64_t body_len = live->file >= 0 ? (int64_t)live->file_len : (int64_t)live->taken;
    // Behind a server that sends the file, nobody here knows its length.
    if (live->file < 0 && live->file_type != NULL) {
        body_len = -1;
    }
    return commit(live, body_len) < 0 || write_held(live) < 0 ? -1 : 0;
}

enum smpy_answer_outcome smpy_live_finish(struct smpy_live *live) {
    int status = live->response->has_begun ? 0 : live_begin(live->response);
    if (status == 0 && !sm_exchange_committed(live->exchange)) {
        status = send_rest(live);
    }
    if (status < 0) {
        return SMPY_ANSWER_ERROR;
    }
    if (live->file >= 0) {
        return smpy_live_write_file(live);
    }
    return smpy_ahead_waits(&live->ahead) ? smpy_live_resume(live) : SMPY_ANSWER_DONE;
}

enum smpy_answer_outcome smpy_live_resume(struct smpy_live *live) {
    enum smpy_answer_outcome outcome = smpy_ahead_catch_up(live->exchange, &live->ahead, TURN_BYTES);
    if (outcome == SMPY_ANSWER_OPEN) {
        sm_exchange_yield(live->exchange);
    }
    return outcome == SMPY_ANSWER_FULL ? SMPY_ANSWER_OPEN : outcome;
}

// --- life ---

void smpy_live_init(struct smpy_live *live, struct smpy_app *app) {
    *live = (struct smpy_live){.app = app, .file = -1};
    smpy_ahead_init(&live->ahead);
}

void smpy_live_open(struct smpy_live *live) {
    struct smpy_response *response = live->response;
    live->content_length = -1;
    live->taken = 0;
    live->is_gone = false;
    response->reply = &smpy_live_ops;
    response->sink = live;
    response->request = (struct smpy_request *)Py_NewRef((PyObject *)live->request);
    response->app = Py_NewRef(live->app->handler);
}

void smpy_live_shut(struct smpy_live *live) {
    struct smpy_response *response = live->response;
    response->reply = NULL;
    response->sink = NULL;
    Py_CLEAR(response->request);
    Py_CLEAR(response->app);
}

void smpy_live_drop_file(struct smpy_live *live) {
    Py_CLEAR(live->file_type);
    if (live->file >= 0) {
        (void)close(live->file);
        live->file = -1;
    }
}

void smpy_live_reset(struct smpy_live *live) {
    Py_CLEAR(live->first);
    Py_CLEAR(live->cookie);
    smpy_live_drop_file(live);
    smpy_ahead_reset(&live->ahead);
    if (live->held.cap > HOLD) {
        sm_bytes_deinit(&live->held);
    }
    live->held.len = 0;
}
