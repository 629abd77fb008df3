// SPDX-License-Identifier: MIT
// The rooms of the WSGI interface (PEP 3333) and what they share. One `struct smpy_wsgi` for the application, one
// `struct smpy_wsgi_call` for each request under way. Comes in: iface_wsgi.c and the wsgi_*.c files only. The GIL is
// held in every call.
#pragma once

#include "py/ahead.h"
#include "py/answer.h"
#include "py/app.h"

struct smpy_wsgi;
struct smpy_wsgi_call;

// Environment variables that every request sets.
enum smpy_wsgi_key {
    SMPY_WSGI_REQUEST_METHOD,
    SMPY_WSGI_SCRIPT_NAME,
    SMPY_WSGI_PATH_INFO,
    SMPY_WSGI_QUERY_STRING,
    SMPY_WSGI_REQUEST_URI,
    SMPY_WSGI_SERVER_PROTOCOL,
    SMPY_WSGI_SERVER_NAME,
    SMPY_WSGI_SERVER_PORT,
    SMPY_WSGI_REMOTE_ADDR,
    SMPY_WSGI_REMOTE_PORT,
    SMPY_WSGI_CONTENT_LENGTH,
    SMPY_WSGI_URL_SCHEME,
    SMPY_WSGI_INPUT,
    SMPY_WSGI_ERRORS,
    SMPY_WSGI_EARLY_HINTS,
    SMPY_WSGI_KEY_COUNT
};

// The object that an application gets as wsgi.input: the body, with an offset of its own.
struct smpy_wsgi_input {
    PyObject ob_base;
    struct sm_body body; // the exchange's; its own from the end of the request on
    uint64_t off;
    char *window; // bytes of a spooled body around `off`, for lines; NULL until used
    uint64_t window_off;
    size_t window_len;
    bool owns_body;
};

// A callable, or a stream, of one request. Its call outlives it, or has let go of it.
struct smpy_wsgi_part {
    PyObject ob_base;
    vectorcallfunc vectorcall;
    struct smpy_wsgi_call *call; // borrowed; NULL: the request is over
    PyObject *pending;           // wsgi.errors: a line that has no end yet, or NULL
};

// A request under way. It is also the callable `start_response` of that request.
struct smpy_wsgi_call {
    PyObject ob_base;
    vectorcallfunc vectorcall;
    struct smpy_wsgi *wsgi;
    struct sm_exchange *exchange; // borrowed; NULL: the request is over
    struct smpy_wsgi_call *next_free;
    // What the application gets; kept for the next request where it keeps none of it.
    struct smpy_wsgi_part *write;
    struct smpy_wsgi_part *errors;
    struct smpy_wsgi_part *hints;
    struct smpy_wsgi_input *input;
    // What start_response was told, to write the head again if another came between. NULL: no sound head.
    PyObject *status;
    PyObject *headers;      // a list, which the application may change; a tuple once a wait has begun
    int64_t content_length; // as declared; -1: not
    uint64_t written;       // body bytes that were taken
    int code;
    bool is_started; // start_response was called, if only in vain
    bool is_gone;    // the client has left, and the application was told
    // What the application returned, while it is sent.
    PyObject *result;
    PyObject *iterator;      // over the result; NULL while there is none, and for a file that the kernel sends
    int64_t body_len;        // of the whole result; -1: not known
    bool is_single;          // len(result) is 1: its first piece is the whole body
    bool is_whole;           // a list or tuple: nobody waits for its pieces one by one
    struct smpy_ahead ahead; // what write() was given beyond what the connection holds
};

enum { SMPY_WSGI_NAMES = 256 };

// How a header name was turned into a variable, and the value that it had last.
struct smpy_wsgi_name {
    uint8_t len; // 0: free
    uint8_t kind;
    char text[46];
    PyObject *key;   // NULL: becomes no variable
    PyObject *value; // the last short value, or NULL
};

enum { SMPY_WSGI_PAST_FIELDS = 64, SMPY_WSGI_PAST_NAMES = 2048, SMPY_WSGI_PAST_TEXT = 2048 };

// What the last requests of one kind of head had in common (wsgi_past.c).
struct smpy_wsgi_past {
    PyObject *plain;                     // an environment without a head's fields
    PyObject *whole;                     // the same with the fields of the head remembered; NULL: none is
    PyObject *last[SMPY_WSGI_KEY_COUNT]; // what both have in them that seldom changes, or NULL
    uint32_t sum;                        // of the last head that was not the one remembered
    uint32_t n_fields;
    bool has_type; // the head remembered says what type its body has
    struct {
        uint32_t name_len;
        PyObject *key, *value; // NULL: a field that becomes no variable
    } fields[SMPY_WSGI_PAST_FIELDS];
    char names[SMPY_WSGI_PAST_NAMES]; // of the fields, one after the other
    char text[SMPY_WSGI_PAST_TEXT];   // the fields that `whole` has, as they came
    size_t text_len;                  // 0: not known
    struct sm_span first;             // where in it the first field's value lies
};

struct smpy_wsgi {
    struct smpy_app *app;
    struct sm_str root_path;
    PyTypeObject *start_type, *write_type, *errors_type, *hints_type, *input_type, *file_type;
    PyObject *keys[SMPY_WSGI_KEY_COUNT];
    PyObject *last[SMPY_WSGI_KEY_COUNT]; // the last value of each key that comes from the client, or NULL
    PyObject *known;                     // dict: names of common variables to themselves, interned
    PyObject *https;                     // "https"
    struct smpy_wsgi_past past[2];       // of heads of HTTP, of CGI
    PyObject *name_close;
    struct smpy_wsgi_call *free_calls;
    unsigned n_free_calls;
    struct smpy_wsgi_name names[SMPY_WSGI_NAMES];
};

// --- wsgi_environ.c, wsgi_names.c ---

// Makes keys and templates. -1 with an exception.
int smpy_wsgi_environ_init(struct smpy_wsgi *wsgi);
void smpy_wsgi_environ_deinit(struct smpy_wsgi *wsgi);
// Returns new: the environment of a call's request.
PyObject *smpy_wsgi_environ(struct smpy_wsgi_call *call);
// Sets env[key] to the bytes as ISO-8859-1. -1 with an exception.
int smpy_wsgi_put(struct smpy_wsgi *wsgi, PyObject *env, enum smpy_wsgi_key key, struct sm_str value);

// Adds one field of a head under its variable's name, joined to one that is there. -1 with an exception.
int smpy_wsgi_put_field(struct smpy_wsgi *wsgi, PyObject *env, enum sm_head_kind kind, struct sm_str name,
                        struct sm_str value);
// Sets *key_out to a new reference, or to NULL where a field of this name becomes no variable. -1 with an exception.
int smpy_wsgi_key_of(struct smpy_wsgi *wsgi, enum sm_head_kind kind, struct sm_str name, PyObject **key_out);
int smpy_wsgi_names_init(struct smpy_wsgi *wsgi);
void smpy_wsgi_names_deinit(struct smpy_wsgi *wsgi);
// Returns new: str, each byte one character (PEP 3333, "A Note On String Types").
PyObject *smpy_wsgi_text(struct sm_str bytes);
// Whether a str of ours holds just these bytes.
bool smpy_wsgi_text_is(PyObject *text, struct sm_str bytes);

// --- wsgi_past.c ---

// Returns new: an environment with the fields of the head, and with what smpy_wsgi_put_seldom has set before.
PyObject *smpy_wsgi_past_environ(struct smpy_wsgi *wsgi, const struct sm_head *head);
// As smpy_wsgi_put, for a variable that every request with this kind of head has, and that no field can set.
int smpy_wsgi_put_seldom(struct smpy_wsgi *wsgi, const struct sm_head *head, PyObject *env, enum smpy_wsgi_key key,
                         struct sm_str value);
void smpy_wsgi_past_deinit(struct smpy_wsgi_past *past);

// --- wsgi_call.c ---

// Returns new: a call for the exchange, with its parts. NULL with an exception.
struct smpy_wsgi_call *smpy_wsgi_call_new(struct smpy_wsgi *wsgi, struct sm_exchange *exchange);
// Closes what the application returned, once, and lets go of everything: what the application keeps of the call
// knows from now on that the request is over. An exception that is set stays set. Calls Python.
void smpy_wsgi_call_end(struct smpy_wsgi_call *call);
void smpy_wsgi_call_drop_free(struct smpy_wsgi *wsgi);

// --- wsgi_start.c ---

PyTypeObject *smpy_wsgi_start_type(PyObject *module);
PyObject *smpy_wsgi_start(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names);
// Borrows name and value of an item of a list of headers. -1 with an exception that names the mistake.
int smpy_wsgi_check_pair(PyObject *pair, struct sm_str *name_out, struct sm_str *value_out);
// Keeps the headers, which were checked, from being changed while the request waits. -1 with an exception.
int smpy_wsgi_freeze(struct smpy_wsgi_call *call);
// Sends the head. `body_len` as for sm_exchange_commit. DONE, GONE or ERROR.
enum smpy_answer_outcome smpy_wsgi_commit(struct smpy_wsgi_call *call, int64_t body_len);

// --- wsgi_write.c ---

PyTypeObject *smpy_wsgi_write_type(PyObject *module);
PyObject *smpy_wsgi_write(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names);
// Sends a piece of the body, a bytes object, and before the first one the head with `body_len`. DONE, FULL, GONE
// (also where nobody wants a body) or ERROR.
enum smpy_answer_outcome smpy_wsgi_send(struct smpy_wsgi_call *call, PyObject *piece, int64_t body_len);

// --- wsgi_body.c ---

// Takes and sends what the application returned. DONE or ERROR, or OPEN: more at `resume`. Calls Python.
enum smpy_answer_outcome smpy_wsgi_body_begin(struct smpy_wsgi_call *call, PyObject *result);
enum smpy_answer_outcome smpy_wsgi_body_resume(struct smpy_wsgi_call *call);

// --- wsgi_file.c ---

PyTypeObject *smpy_wsgi_file_type(PyObject *module);
// Looks whether the result is a file wrapper over a file that the kernel can send, from its place on. 1: head and
// file are sent or on their way, as *outcome_out says: DONE, FULL, GONE or ERROR. 0: iterate over it. -1 with an
// exception.
int smpy_wsgi_file_send(struct smpy_wsgi_call *call, PyObject *result, enum smpy_answer_outcome *outcome_out);

// --- wsgi_input.c, wsgi_errors.c, wsgi_hints.c ---

PyTypeObject *smpy_wsgi_input_type(PyObject *module);
struct smpy_wsgi_input *smpy_wsgi_input_new(struct smpy_wsgi *wsgi);
// Takes the reference before its exchange ends. Returns it for the next request, or NULL where the application keeps
// it: then it has taken the body.
struct smpy_wsgi_input *smpy_wsgi_input_end(struct smpy_wsgi_input *input, struct sm_exchange *exchange);

PyTypeObject *smpy_wsgi_errors_type(PyObject *module);
// Logs a line that has no end. Leaves exceptions as they are.
void smpy_wsgi_errors_end(struct smpy_wsgi_part *errors);

PyTypeObject *smpy_wsgi_hints_type(PyObject *module);
PyObject *smpy_wsgi_hints(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names);
