// SPDX-License-Identifier: MIT
// A WebSocket from its handshake to its end. The handshake is Python's (smisk.websocket); afterwards Python is called
// for what the application is told, and for compression. When a close frame has gone out the exchange ends at once:
// the engine shuts its side and reads on until the client has closed too, or linger_timeout passes, which is the rest
// of the closing handshake (RFC 6455 7.1.1).
#include "py/websocket.h"

#include "base/log.h"
#include "proto/fields.h"
#include "py/error.h"

// --- whether it is one ---

// Whether a comma-separated list has this name in it, without regard to case.
static bool list_has(struct sm_str list, struct sm_str name) {
    struct sm_str element;
    while (sm_list_prev(&list, &element)) {
        if (sm_str_ieq(element, name)) {
            return true;
        }
    }
    return false;
}

static bool head_has(const struct sm_head *head, struct sm_field_name field, struct sm_str name) {
    for (uint32_t i = sm_head_next(head, field, 0); i < head->n_fields; i = sm_head_next(head, field, i + 1)) {
        if (list_has(sm_field_text(head, i), name)) {
            return true;
        }
    }
    return false;
}

bool smpy_websocket_is_wanted(const struct sm_head *head) {
    if (!head_has(head, SM_FIELD_NAME("Upgrade", "HTTP_UPGRADE"), SM_STR("websocket"))) {
        return false;
    }
    if (head->kind == SM_HEAD_CGI) {
        return true; // front servers keep Connection to themselves
    }
    return sm_str_eq(sm_head_text(head, head->protocol), SM_STR("HTTP/1.1")) &&
           head_has(head, SM_FIELD_NAME("Connection", ""), SM_STR("upgrade"));
}

// --- refusals ---

// Writes a whole answer of plain text, with fields from a list of pairs of bytes (may be NULL), and ends the
// exchange.
static void answer(struct smpy_asgi *call, int status, struct sm_str text, PyObject *fields) {
    struct sm_exchange *exchange = call->exchange;
    int outcome = sm_exchange_start(exchange, status, SM_STR(""));
    outcome = outcome != 0 ? outcome
                           : sm_exchange_field(exchange, SM_STR("Content-Type"), SM_STR("text/plain; charset=utf-8"));
    outcome = outcome != 0 ? outcome : sm_exchange_field(exchange, SM_STR("Connection"), SM_STR("close"));
    for (Py_ssize_t i = 0; outcome == 0 && fields != NULL && i < PyList_GET_SIZE(fields); i++) {
        const char *name;
        const char *value;
        Py_ssize_t name_len;
        Py_ssize_t value_len;
        if (!PyArg_ParseTuple(PyList_GET_ITEM(fields, i), "y#y#", &name, &name_len, &value, &value_len)) {
            PyErr_Clear();
            continue;
        }
        outcome = sm_exchange_field(exchange, (struct sm_str){name, (size_t)name_len},
                                    (struct sm_str){value, (size_t)value_len});
    }
    outcome = outcome != 0 ? outcome : sm_exchange_commit(exchange, (int64_t)text.len + 1);
    outcome = outcome != 0 ? outcome : sm_exchange_write(exchange, text.ptr, text.len);
    outcome = outcome != 0 && outcome != SM_EXCHANGE_FULL ? outcome : sm_exchange_write(exchange, "\n", 1);
    call->exchange = NULL;
    sm_exchange_set_user(exchange, NULL);
    if (outcome == 0 || outcome == SM_EXCHANGE_FULL) {
        sm_exchange_end(exchange, 0);
    } else {
        sm_exchange_fail(exchange);
    }
}

static void refuse(struct smpy_asgi *call, int status, struct sm_str reason, PyObject *fields) {
    struct sm_str id = sm_exchange_id(call->exchange);
    sm_log(SM_LOG_WARNING, "[%.*s] WebSocket handshake answered %d: %.*s", (int)id.len, id.ptr, status,
           (int)reason.len, reason.ptr);
    answer(call, status, reason, fields);
}

// Answers as the HandshakeError that is set says. 0, or -1 with an exception, this one if it is another.
static int refuse_as_raised(struct smpy_asgi *call) {
    PyObject *error = smpy_exception_take();
    PyObject *type = PyObject_GetAttrString(call->app->asgi.websocket, "HandshakeError");
    if (type == NULL || PyObject_IsInstance(error, type) != 1) {
        Py_XDECREF(type);
        PyErr_Clear();
        smpy_exception_give(error);
        return -1;
    }
    Py_DECREF(type);
    PyObject *status = PyObject_GetAttrString(error, "status");
    PyObject *reason = PyObject_GetAttrString(error, "reason");
    PyObject *headers = PyObject_GetAttrString(error, "headers");
    Py_ssize_t len = 0;
    long number = status == NULL ? -1 : PyLong_AsLong(status);
    const char *text = reason == NULL ? NULL : PyUnicode_AsUTF8AndSize(reason, &len);
    bool is_whole = number > 0 && text != NULL && headers != NULL && PyList_Check(headers);
    if (is_whole) {
        refuse(call, (int)number, (struct sm_str){text, (size_t)len}, headers);
    }
    Py_XDECREF(headers);
    Py_XDECREF(reason);
    Py_XDECREF(status);
    Py_DECREF(error);
    return is_whole ? 0 : -1;
}

// Without wsproto there are no WebSockets. 0: said so. -1: another exception is set.
static int refuse_without_library(struct smpy_asgi *call) {
    if (!PyErr_ExceptionMatches(PyExc_ImportError)) {
        return -1;
    }
    smpy_error_log("WebSockets need wsproto (pip install 'smisk[websockets]')");
    refuse(call, 501, SM_STR("this server has no WebSockets"), NULL);
    return 0;
}

// --- the handshake ---

// What smisk.websocket and the head of the request cannot know of each other. 0: refused.
static int check_request(struct smpy_asgi *call) {
    const struct sm_head *head = sm_exchange_head(call->exchange);
    if (head->kind == SM_HEAD_CGI) {
        refuse(call, 501, SM_STR("FastCGI cannot carry WebSockets; let the front server pass them on over HTTP"),
               NULL);
        return 0;
    }
    if (sm_exchange_body_coming(call->exchange) || sm_exchange_body_unread(call->exchange) > 0) {
        refuse(call, 400, SM_STR("a WebSocket handshake has no body"), NULL);
        return 0;
    }
    return 1;
}

// Returns new: smisk.websocket.Handshake. NULL with an exception.
static PyObject *make_handshake(struct smpy_asgi *call, PyObject *scope) {
    const struct smpy_asgi_names *names = &call->app->asgi.names;
    const struct sm_settings *settings = call->app->settings;
    return PyObject_CallMethod(call->app->asgi.websocket, "Handshake", "OOKO", PyDict_GetItem(scope, names->method),
                               PyDict_GetItem(scope, names->headers), (unsigned long long)settings->ws_max_size,
                               settings->ws_compression ? Py_True : Py_False);
}

// Makes the scope of a request that of a WebSocket (ASGI WebSocket 2.5, "Websocket Connection Scope").
static int change_scope(struct smpy_asgi *call, PyObject *scope, PyObject *handshake) {
    const struct smpy_asgi_names *names = &call->app->asgi.names;
    PyObject *scheme = PyDict_GetItem(scope, names->scheme);
    bool is_secure = scheme != NULL && PyUnicode_Compare(scheme, names->https) == 0;
    PyObject *subprotocols = PyObject_GetAttrString(handshake, "subprotocols");
    PyObject *copy = subprotocols == NULL ? NULL : PySequence_List(subprotocols);
    PyObject *extensions = Py_BuildValue("{s:{}}", "websocket.http.response");
    int status = copy == NULL || extensions == NULL || PyDict_SetItem(scope, names->type, names->websocket) < 0 ||
                         PyDict_SetItem(scope, names->scheme, is_secure ? names->wss : names->ws) < 0 ||
                         PyDict_SetItem(scope, names->subprotocols, copy) < 0 ||
                         PyDict_SetItem(scope, names->extensions, extensions) < 0 ||
                         PyDict_DelItem(scope, names->method) < 0
                     ? -1
                     : 0;
    Py_XDECREF(extensions);
    Py_XDECREF(copy);
    Py_XDECREF(subprotocols);
    return status;
}

// 0, or -1 with an exception.
static int import_once(struct smpy_asgi_app *asgi) {
    if (asgi->websocket == NULL) {
        asgi->websocket = PyImport_ImportModule("smisk.websocket");
    }
    return asgi->websocket == NULL ? -1 : 0;
}

int smpy_websocket_begin(struct smpy_asgi *call, PyObject *scope) {
    if (check_request(call) == 0) {
        return 0;
    }
    if (import_once(&call->app->asgi) < 0) {
        return refuse_without_library(call);
    }
    PyObject *handshake = make_handshake(call, scope);
    if (handshake == NULL) {
        return refuse_as_raised(call);
    }
    struct smpy_websocket *websocket = PyMem_Calloc(1, sizeof *websocket);
    if (websocket == NULL || change_scope(call, scope, handshake) < 0) {
        PyMem_Free(websocket);
        Py_DECREF(handshake);
        return PyErr_Occurred() ? -1 : (PyErr_NoMemory(), -1);
    }
    websocket->handshake = handshake;
    call->websocket = websocket;
    return 1;
}

// Writes the head of the 101 and opens the tunnel. An outcome of enum sm_exchange_outcome, or -errno.
static int send_head(struct smpy_asgi *call, PyObject *fields) {
    int outcome = sm_exchange_upgrade(call->exchange, SM_STR("websocket"));
    for (Py_ssize_t i = 0; outcome == 0 && i < PyList_GET_SIZE(fields); i++) {
        PyObject *name = PyTuple_GET_ITEM(PyList_GET_ITEM(fields, i), 0);
        PyObject *value = PyTuple_GET_ITEM(PyList_GET_ITEM(fields, i), 1);
        outcome = sm_exchange_field(call->exchange,
                                    (struct sm_str){PyBytes_AS_STRING(name), (size_t)PyBytes_GET_SIZE(name)},
                                    (struct sm_str){PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value)});
    }
    outcome = outcome != 0 ? outcome : sm_exchange_tunnel(call->exchange);
    return outcome != 0 ? outcome : sm_exchange_flush(call->exchange);
}

static void open_up(struct smpy_asgi *call, PyObject *deflate) {
    struct smpy_websocket *websocket = call->websocket;
    const struct sm_settings *settings = call->app->settings;
    websocket->phase = SMPY_WEBSOCKET_OPEN;
    websocket->deflate = deflate == Py_None ? NULL : Py_NewRef(deflate);
    Py_CLEAR(websocket->handshake);
    sm_websocket_init(&websocket->frames, settings->ws_max_size, websocket->deflate != NULL);
    sm_exchange_alarm(call->exchange, settings->ws_ping_interval);
}

int smpy_websocket_accept(struct smpy_asgi *call, PyObject *message) {
    const struct smpy_asgi_names *names = &call->app->asgi.names;
    PyObject *subprotocol = PyDict_GetItemWithError(message, names->subprotocol);
    PyObject *headers = PyErr_Occurred() ? NULL : PyDict_GetItemWithError(message, names->headers);
    PyObject *fields = NULL;
    PyObject *deflate = NULL;
    int status = -1;
    PyObject *both = PyErr_Occurred() ? NULL
                                      : PyObject_CallMethod(call->websocket->handshake, "accept", "OO",
                                                            subprotocol == NULL ? Py_None : subprotocol,
                                                            headers == NULL ? Py_None : headers);
    if (both == NULL || !PyArg_ParseTuple(both, "O!O", &PyList_Type, &fields, &deflate)) {
        goto done;
    }
    int outcome = send_head(call, fields);
    if (outcome == SM_EXCHANGE_GONE) {
        smpy_websocket_end(call, SM_WEBSOCKET_ABNORMAL, NULL);
        PyErr_SetString(call->app->asgi.lost_error, "the client has gone");
    } else if (outcome != 0 && outcome != SM_EXCHANGE_FULL) {
        PyErr_SetString(PyExc_ValueError, "websocket.accept: headers that cannot be sent");
    } else {
        open_up(call, deflate);
        smpy_loop_kick(&call->app->loop);
        status = 0;
    }
done:
    Py_XDECREF(both);
    return status;
}

int smpy_websocket_deny(struct smpy_asgi *call) {
    answer(call, 403, SM_STR("Forbidden"), NULL);
    smpy_websocket_end(call, SM_WEBSOCKET_ABNORMAL, NULL);
    return 0;
}

// --- what happens on the connection ---

static void take_alarm(struct smpy_asgi *call) {
    struct smpy_websocket *websocket = call->websocket;
    const struct sm_settings *settings = call->app->settings;
    if (websocket->is_pinged && !smpy_websocket_is_behind(call)) {
        struct sm_str id = sm_exchange_id(call->exchange);
        sm_log(SM_LOG_INFO, "[%.*s] WebSocket closed: no answer to a ping within ws_ping_timeout", (int)id.len,
               id.ptr);
        smpy_websocket_close(call, SM_WEBSOCKET_INTERNAL_ERROR, SM_STR("no answer to a ping"));
        return;
    }
    if (!call->is_full && smpy_websocket_frame(call, SM_WEBSOCKET_PING, SM_STR("")) != 0) {
        smpy_websocket_end(call, SM_WEBSOCKET_ABNORMAL, NULL);
        return;
    }
    websocket->is_pinged = settings->ws_ping_timeout > 0;
    sm_exchange_alarm(call->exchange, websocket->is_pinged ? settings->ws_ping_timeout : settings->ws_ping_interval);
}

void smpy_websocket_notice(struct smpy_asgi *call, unsigned what) {
    struct smpy_websocket *websocket = call->websocket;
    call->has_hung_up = call->has_hung_up || (what & SM_NOTICE_HANGUP) != 0;
    if (websocket->phase == SMPY_WEBSOCKET_OPEN && (what & (SM_NOTICE_BODY | SM_NOTICE_HANGUP)) != 0) {
        smpy_websocket_read(call);
    }
    if (websocket->phase == SMPY_WEBSOCKET_CONNECTING && call->has_hung_up) {
        smpy_websocket_end(call, SM_WEBSOCKET_ABNORMAL, NULL); // who sends no more needs no WebSocket
    }
    if (websocket->phase == SMPY_WEBSOCKET_OPEN && (what & SM_NOTICE_DRAIN) != 0) {
        smpy_websocket_close(call, SM_WEBSOCKET_RESTART, SM_STR(""));
    }
    if (websocket->phase == SMPY_WEBSOCKET_OPEN && (what & SM_NOTICE_ALARM) != 0) {
        take_alarm(call);
    }
}

// --- the end ---

static void wake_all(struct smpy_asgi *call) {
    smpy_await_wake(&call->app->loop, &call->receivers);
    smpy_await_wake(&call->app->loop, &call->senders);
}

void smpy_websocket_end(struct smpy_asgi *call, uint16_t code, PyObject *reason) {
    struct smpy_websocket *websocket = call->websocket;
    struct sm_exchange *exchange = call->exchange;
    websocket->phase = SMPY_WEBSOCKET_OVER;
    websocket->code = code;
    Py_XSETREF(websocket->reason, reason);
    Py_CLEAR(websocket->handshake);
    sm_bytes_deinit(&websocket->partial);
    sm_bytes_deinit(&websocket->unread);
    call->exchange = NULL;
    call->is_full = false;
    if (exchange != NULL) {
        sm_exchange_set_user(exchange, NULL);
        sm_exchange_end(exchange, 0);
    }
    wake_all(call);
    smpy_loop_kick(&call->app->loop);
}

void smpy_websocket_abort(struct smpy_asgi *call) {
    call->exchange = NULL;
    smpy_websocket_end(call, SM_WEBSOCKET_ABNORMAL, NULL);
}

// As much of the text as fits, without a part of a character.
static struct sm_str cut_reason(struct sm_str reason) {
    if (reason.len > SM_WEBSOCKET_REASON_MAX) {
        reason.len = SM_WEBSOCKET_REASON_MAX;
        while (reason.len > 0 && ((uint8_t)reason.ptr[reason.len] & 0xc0) == 0x80) {
            reason.len--;
        }
    }
    return reason;
}

static void drop_waiting(struct smpy_websocket *websocket) {
    for (size_t i = 0; i < SMPY_WEBSOCKET_AHEAD; i++) {
        Py_CLEAR(websocket->waiting[i]);
    }
    websocket->n_waiting = 0;
    websocket->waiting_len = 0;
}

void smpy_websocket_close(struct smpy_asgi *call, uint16_t code, struct sm_str reason) {
    char payload[SM_WEBSOCKET_CONTROL_MAX] = {(char)(code >> 8), (char)code};
    reason = cut_reason(reason);
    if (reason.len > 0) {
        memcpy(payload + 2, reason.ptr, reason.len);
    }
    (void)smpy_websocket_frame(call, SM_WEBSOCKET_CLOSE, (struct sm_str){payload, 2 + reason.len});
    if (call->websocket->is_closed) {
        drop_waiting(call->websocket); // who closes wants no more
    }
    PyObject *text = PyUnicode_DecodeUTF8(reason.ptr, (Py_ssize_t)reason.len, NULL);
    PyErr_Clear();
    smpy_websocket_end(call, code, text);
}

bool smpy_websocket_done(struct smpy_asgi *call, bool failed) {
    if (call->websocket->phase != SMPY_WEBSOCKET_OPEN) {
        return false;
    }
    if (failed) {
        smpy_error_log_exchange(call->exchange);
    }
    call->websocket->is_closed = true;
    smpy_websocket_close(call, failed ? SM_WEBSOCKET_INTERNAL_ERROR : SM_WEBSOCKET_NORMAL, SM_STR(""));
    return true;
}

int smpy_websocket_traverse(struct smpy_websocket *websocket, visitproc visit, void *arg) {
    Py_VISIT(websocket->handshake);
    Py_VISIT(websocket->deflate);
    return 0;
}

void smpy_websocket_free(struct smpy_websocket *websocket) {
    drop_waiting(websocket);
    sm_bytes_deinit(&websocket->partial);
    sm_bytes_deinit(&websocket->unread);
    Py_CLEAR(websocket->handshake);
    Py_CLEAR(websocket->deflate);
    Py_CLEAR(websocket->reason);
    PyMem_Free(websocket);
}
