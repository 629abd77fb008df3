// SPDX-License-Identifier: MIT
// What a native handler returned, as a response (see answer.h). A plain str takes the shortest way through this file;
// everything else is sorted out after it.
#include "py/answer.h"

#include <stdio.h>

#include "py/lend.h"
#include "py/refusal.h"
#include "py/response.h"
#include "py/stream.h"

#define HTML SM_STR("text/html; charset=utf-8")
#define OCTETS SM_STR("application/octet-stream")
#define JSON SM_STR("application/json")

// --- outcomes of the engine ---

// Names the handler whose answer the engine refuses; `field` may be NULL.
static enum smpy_answer_outcome refuse(struct smpy_app *app, int outcome, PyObject *field) {
    char who[sizeof app->loaded.label + 16];
    (void)snprintf(who, sizeof who, "%s returned ", app->loaded.label);
    (void)smpy_refuse(outcome, who, field);
    return SMPY_ANSWER_ERROR;
}

// Turns an outcome of the engine into one of ours.
static inline enum smpy_answer_outcome judge(struct smpy_app *app, int outcome, PyObject *field) {
    switch (outcome) {
    case 0:
        return SMPY_ANSWER_DONE;
    case SM_EXCHANGE_FULL:
        return SMPY_ANSWER_FULL;
    case SM_EXCHANGE_GONE:
        return SMPY_ANSWER_GONE;
    default:
        return refuse(app, outcome, field);
    }
}

// Puts the handler's name before the exception that is set, which becomes its cause: Python cannot write what the
// handler returned, and knows nothing of the handler.
static enum smpy_answer_outcome blame(struct smpy_app *app, const char *what) {
    PyObject *cause = smpy_exception_take();
    PyErr_Format(PyExc_ValueError, "%s returned %s: %S", app->loaded.label, what, cause);
    PyObject *error = smpy_exception_take();
    PyException_SetCause(error, cause);
    smpy_exception_give(error);
    return SMPY_ANSWER_ERROR;
}

// --- bytes ---

struct sm_str smpy_answer_bytes(PyObject *object) {
    if (PyBytes_Check(object)) {
        return (struct sm_str){PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object)};
    }
    if (PyUnicode_IS_COMPACT_ASCII(object)) {
        return (struct sm_str){(const char *)PyUnicode_1BYTE_DATA(object), (size_t)PyUnicode_GET_LENGTH(object)};
    }
    Py_ssize_t len = 0;
    const char *text = PyUnicode_AsUTF8AndSize(object, &len);
    return (struct sm_str){text, (size_t)len};
}

enum smpy_answer_outcome smpy_answer_write(struct smpy_app *app, struct sm_exchange *exchange, struct sm_str bytes,
                                           PyObject *owner) {
    return judge(app, smpy_lend_write(exchange, bytes, owner), NULL);
}

bool smpy_answer_has_no_body(struct sm_exchange *exchange, int status) {
    return status == 204 || status == 205 || status == 304 || sm_exchange_head(exchange)->is_head_method;
}

// --- the head ---

// Borrows the bytes of a header name or value.
static struct sm_str header_text(struct smpy_app *app, PyObject *object) {
    if (!PyUnicode_Check(object) && !PyBytes_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s returned a header with %.100s in it; names and values are str or bytes",
                     app->loaded.label, Py_TYPE(object)->tp_name);
        return (struct sm_str){NULL, 0};
    }
    return smpy_answer_bytes(object);
}

// A header could not be had as bytes: says whose it is, unless that was said.
static enum smpy_answer_outcome blame_text(struct smpy_app *app) {
    return PyErr_ExceptionMatches(PyExc_UnicodeError) ? blame(app, "a header that has no UTF-8 form")
                                                      : SMPY_ANSWER_ERROR;
}

// A complete line, "Name: value".
static enum smpy_answer_outcome write_line(struct smpy_app *app, struct sm_exchange *exchange, PyObject *line,
                                           bool *has_type) {
    struct sm_str name;
    struct sm_str value;
    if (smpy_response_header(line, &name, &value) < 0) {
        return SMPY_ANSWER_ERROR;
    }
    *has_type = *has_type || sm_str_ieq(name, SM_STR("Content-Type"));
    return judge(app, sm_exchange_field(exchange, name, value), line);
}

static enum smpy_answer_outcome write_field(struct smpy_app *app, struct sm_exchange *exchange, PyObject *pair,
                                            bool *has_type) {
    if (PyUnicode_Check(pair) || PyBytes_Check(pair)) {
        return write_line(app, exchange, pair, has_type);
    }
    if (!(PyTuple_Check(pair) || PyList_Check(pair)) || PySequence_Fast_GET_SIZE(pair) != 2) {
        PyErr_Format(PyExc_TypeError, "%s returned headers with %R among them; each is a pair (name, value)",
                     app->loaded.label, pair);
        return SMPY_ANSWER_ERROR;
    }
    struct sm_str name = header_text(app, PySequence_Fast_GET_ITEM(pair, 0));
    struct sm_str value = name.ptr == NULL ? name : header_text(app, PySequence_Fast_GET_ITEM(pair, 1));
    if (value.ptr == NULL) {
        return blame_text(app);
    }
    *has_type = *has_type || sm_str_ieq(name, SM_STR("Content-Type"));
    return judge(app, sm_exchange_field(exchange, name, value), pair);
}

static enum smpy_answer_outcome write_fields(struct smpy_app *app, struct sm_exchange *exchange, PyObject *headers,
                                             bool *has_type) {
    enum smpy_answer_outcome outcome = SMPY_ANSWER_DONE;
    char who[sizeof app->loaded.label + 16];
    (void)snprintf(who, sizeof who, "%s returned", app->loaded.label);
    PyObject *pairs = smpy_response_pairs(headers, who);
    if (pairs == NULL) {
        return SMPY_ANSWER_ERROR;
    }
    for (Py_ssize_t i = 0; outcome == SMPY_ANSWER_DONE && i < PyList_GET_SIZE(pairs); i++) {
        outcome = write_field(app, exchange, PyList_GET_ITEM(pairs, i), has_type);
    }
    Py_DECREF(pairs);
    return outcome;
}

// Seldom needed, so it stays out of the way of those who do not.
static __attribute__((noinline, cold)) enum smpy_answer_outcome
write_session(struct smpy_app *app, struct sm_exchange *exchange, struct smpy_request *request) {
    PyObject *value = NULL;
    int found = smpy_request_session_cookie(request, &value);
    if (found <= 0) {
        return found < 0 ? SMPY_ANSWER_ERROR : SMPY_ANSWER_DONE;
    }
    enum smpy_answer_outcome outcome = SMPY_ANSWER_ERROR;
    struct sm_str text = header_text(app, value);
    if (text.ptr != NULL) {
        outcome = judge(app, sm_exchange_field(exchange, SM_STR("Set-Cookie"), text), value);
    }
    Py_DECREF(value);
    return outcome;
}

static enum smpy_answer_outcome write_type(struct smpy_app *app, struct sm_exchange *exchange, PyObject *given,
                                           struct sm_str usual) {
    struct sm_str type = given == NULL ? usual : smpy_answer_bytes(given);
    if (type.ptr == NULL) {
        return blame_text(app);
    }
    return type.len == 0 ? SMPY_ANSWER_DONE
                         : judge(app, sm_exchange_field(exchange, SM_STR("Content-Type"), type), given);
}

enum smpy_answer_outcome smpy_answer_head(struct smpy_app *app, struct sm_exchange *exchange,
                                          const struct smpy_answer *answer, struct sm_str usual, int64_t body_len) {
    bool has_type = false;
    enum smpy_answer_outcome outcome = judge(app, sm_exchange_start(exchange, answer->status, SM_STR("")), NULL);
    if (outcome == SMPY_ANSWER_DONE && answer->request != NULL && smpy_request_has_session(answer->request)) {
        outcome = write_session(app, exchange, answer->request);
    }
    if (outcome == SMPY_ANSWER_DONE && answer->headers != NULL) {
        outcome = write_fields(app, exchange, answer->headers, &has_type);
    }
    if (outcome == SMPY_ANSWER_DONE && !has_type) {
        outcome = write_type(app, exchange, answer->content_type, usual);
    }
    if (outcome == SMPY_ANSWER_DONE) {
        outcome = judge(app, sm_exchange_commit(exchange, body_len), NULL);
    }
    return outcome == SMPY_ANSWER_FULL ? SMPY_ANSWER_DONE : outcome;
}

// --- whole bodies ---

// Sends a body that is there whole, a str or bytes.
static enum smpy_answer_outcome send_whole(struct smpy_app *app, struct sm_exchange *exchange,
                                           const struct smpy_answer *answer, PyObject *body, struct sm_str usual) {
    struct sm_str bytes = smpy_answer_bytes(body);
    if (bytes.ptr == NULL) {
        return blame(app, "text that has no UTF-8 form");
    }
    enum smpy_answer_outcome outcome = smpy_answer_head(app, exchange, answer, usual, (int64_t)bytes.len);
    if (outcome == SMPY_ANSWER_DONE && bytes.len > 0) {
        outcome = smpy_answer_write(app, exchange, bytes, body);
    }
    return outcome == SMPY_ANSWER_ERROR ? SMPY_ANSWER_ERROR : SMPY_ANSWER_DONE;
}

// Returns new: the bound method that writes JSON as this host does, compact and in UTF-8. Kept in the state.
static PyObject *json_encoder(struct smpy_state *state) {
    if (state->json_encode != NULL) {
        return Py_NewRef(state->json_encode);
    }
    PyObject *encoder = NULL;
    PyObject *type = smpy_import(state, SMPY_IMPORT_JSON_ENCODER);
    PyObject *none = type == NULL ? NULL : PyTuple_New(0);
    PyObject *options = none == NULL ? NULL
                                     : Py_BuildValue("{s:O,s:O,s:(ss)}", "ensure_ascii", Py_False, "allow_nan",
                                                     Py_False, "separators", ",", ":");
    if (options != NULL) {
        encoder = PyObject_Call(type, none, options);
    }
    if (encoder != NULL) {
        state->json_encode = PyObject_GetAttrString(encoder, "encode");
    }
    Py_XDECREF(encoder);
    Py_XDECREF(options);
    Py_XDECREF(none);
    return Py_XNewRef(state->json_encode);
}

static enum smpy_answer_outcome send_json(struct smpy_app *app, struct sm_exchange *exchange,
                                          const struct smpy_answer *answer) {
    PyObject *encode = json_encoder(app->state);
    PyObject *text = encode == NULL ? NULL : PyObject_CallOneArg(encode, answer->body);
    enum smpy_answer_outcome outcome =
        text == NULL ? blame(app, "what cannot be written as JSON") : send_whole(app, exchange, answer, text, JSON);
    Py_XDECREF(text);
    Py_XDECREF(encode);
    return outcome;
}

// bytearray and memoryview may change while they wait to be sent: a copy is.
static enum smpy_answer_outcome send_buffer(struct smpy_app *app, struct sm_exchange *exchange,
                                            const struct smpy_answer *answer) {
    PyObject *bytes = PyBytes_FromObject(answer->body);
    if (bytes == NULL) {
        return SMPY_ANSWER_ERROR;
    }
    enum smpy_answer_outcome outcome = send_whole(app, exchange, answer, bytes, OCTETS);
    Py_DECREF(bytes);
    return outcome;
}

// No body: 204 where the handler said nothing else.
static enum smpy_answer_outcome send_nothing(struct smpy_app *app, struct sm_exchange *exchange,
                                             const struct smpy_answer *answer) {
    enum smpy_answer_outcome outcome = smpy_answer_head(app, exchange, answer, SM_STR(""), 0);
    return outcome == SMPY_ANSWER_ERROR ? SMPY_ANSWER_ERROR : SMPY_ANSWER_DONE;
}

// --- all kinds ---

static enum smpy_answer_outcome refuse_type(struct smpy_app *app, PyObject *body) {
    if (PyObject_TypeCheck(body, app->state->response_type)) {
        PyErr_Format(PyExc_TypeError, "%s returned a Response as the body of another answer; return it by itself",
                     app->loaded.label);
        return SMPY_ANSWER_ERROR;
    }
    bool is_async = PyCoro_CheckExact(body) || PyAsyncGen_CheckExact(body);
    if (PyCoro_CheckExact(body)) {
        PyObject *closed = PyObject_CallMethodNoArgs(body, app->state->name_close);
        PyErr_Clear();
        Py_XDECREF(closed);
    }
    PyErr_Format(
        PyExc_TypeError,
        "%s returned %.100s%s; a handler returns str, bytes, a dict or list (JSON), None, an iterable of bytes "
        "or str, a Response, (body, status) or (body, status, headers)",
        app->loaded.label, Py_TYPE(body)->tp_name,
        is_async ? "; only an async def may return what is to be awaited" : "");
    return SMPY_ANSWER_ERROR;
}

static bool is_buffer(PyObject *object) {
    return PyByteArray_Check(object) || PyMemoryView_Check(object);
}

// Whether to send it piece by piece. The keys of a mapping and the chance order of a set are never what was meant.
static bool is_stream(PyObject *body) {
    PyTypeObject *type = Py_TYPE(body);
    bool is_iterable = PyIter_Check(body) || type->tp_iter != NULL;
    return is_iterable && !PyTuple_Check(body) && !PyAnySet_Check(body) &&
           !PyType_HasFeature(type, Py_TPFLAGS_MAPPING);
}

static enum smpy_answer_outcome send_body(struct smpy_app *app, struct sm_exchange *exchange,
                                          const struct smpy_answer *answer, struct smpy_request *request) {
    PyObject *body = answer->body;
    if (PyUnicode_Check(body)) {
        return send_whole(app, exchange, answer, body, HTML);
    }
    if (PyBytes_Check(body)) {
        return send_whole(app, exchange, answer, body, OCTETS);
    }
    if (PyDict_Check(body) || PyList_Check(body)) {
        return send_json(app, exchange, answer);
    }
    if (body == Py_None) {
        return send_nothing(app, exchange, answer);
    }
    if (is_buffer(body)) {
        return send_buffer(app, exchange, answer);
    }
    if (is_stream(body)) {
        return smpy_stream_begin(app, exchange, answer, request);
    }
    return refuse_type(app, body);
}

// (body, status) and (body, status, headers).
static int unpack_tuple(struct smpy_app *app, PyObject *tuple, struct smpy_answer *answer) {
    Py_ssize_t n = PyTuple_GET_SIZE(tuple);
    if (n != 2 && n != 3) {
        PyErr_Format(PyExc_TypeError, "%s returned a tuple of %zd; it is (body, status) or (body, status, headers)",
                     app->loaded.label, n);
        return -1;
    }
    char who[sizeof app->loaded.label + 16];
    (void)snprintf(who, sizeof who, "%s returned", app->loaded.label);
    answer->body = PyTuple_GET_ITEM(tuple, 0);
    answer->status = smpy_response_status(PyTuple_GET_ITEM(tuple, 1), who);
    answer->headers = n == 3 && PyTuple_GET_ITEM(tuple, 2) != Py_None ? PyTuple_GET_ITEM(tuple, 2) : NULL;
    return answer->status < 0 ? -1 : 0;
}

static void unpack_response(struct smpy_response *response, struct smpy_answer *answer) {
    answer->body = response->body;
    answer->headers = response->headers;
    answer->content_type = response->content_type == Py_None ? NULL : response->content_type;
    answer->status = response->status;
}

int smpy_answer_unpack(struct smpy_app *app, PyObject *returned, struct smpy_answer *answer) {
    *answer = (struct smpy_answer){.body = returned, .status = 200};
    if (PyTuple_CheckExact(returned)) {
        return unpack_tuple(app, returned, answer);
    }
    if (returned == Py_None) {
        answer->status = 204;
    } else if (PyObject_TypeCheck(returned, app->state->response_type)) {
        unpack_response((struct smpy_response *)returned, answer);
    }
    return 0;
}

enum smpy_answer_outcome smpy_answer_send(struct smpy_app *app, struct sm_exchange *exchange, PyObject *returned,
                                          struct smpy_request *request) {
    struct smpy_answer answer;
    if (PyUnicode_CheckExact(returned)) {
        answer = (struct smpy_answer){.body = returned, .status = 200, .request = request};
        return send_whole(app, exchange, &answer, returned, HTML);
    }
    if (smpy_answer_unpack(app, returned, &answer) < 0) {
        return SMPY_ANSWER_ERROR;
    }
    answer.request = request;
    return send_body(app, exchange, &answer, request);
}
