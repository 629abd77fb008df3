// SPDX-License-Identifier: MIT
// The type Request: one request as a handler sees it. Its fields are made when they are first asked for and kept
// until the request is over. A Request borrows its facts from a live exchange; when Python keeps it longer, it
// takes them over. Comes in: the native interface and the factory for tests.
#pragma once

#include "py/module.h"
#include "py/source.h"

enum smpy_field {
    SMPY_FIELD_APP, // the Application that serves it; None for any other interface
    SMPY_FIELD_METHOD,
    SMPY_FIELD_PATH,
    SMPY_FIELD_QUERY,
    SMPY_FIELD_URL,
    SMPY_FIELD_HEADERS,
    SMPY_FIELD_GET,
    SMPY_FIELD_POST,
    SMPY_FIELD_FILES,
    SMPY_FIELD_COOKIES,
    SMPY_FIELD_BODY,
    SMPY_FIELD_INPUT,
    SMPY_FIELD_ENV,
    SMPY_FIELD_REMOTE_ADDR,
    SMPY_FIELD_PROTOCOL,
    SMPY_FIELD_ROLE,
    SMPY_FIELD_ID,
    SMPY_FIELD_CONTENT_TYPE,
    SMPY_FIELD_CONTENT_LENGTH,
    SMPY_FIELD_DATA,
    SMPY_FIELD_DATA_LENGTH,
    SMPY_FIELD_DATA_TIME,
    SMPY_FIELD_REFERRING_URL,
    SMPY_FIELD_SESSION, // what smisk.session.life.begin() returned
    SMPY_FIELD_COUNT
};

struct smpy_request {
    PyObject ob_base;
    struct smpy_state *state;          // borrowed: the type keeps the module alive
    const struct smpy_source_ops *ops; // NULL: the request is over and could not be kept (no memory)
    void *source;                      // in the list of free requests: the next one
    uint32_t built;                    // bit i: cache[i] is set
    uint32_t building;                 // builders at work: another thread of the application may be in one
    bool has_begun;                    // its Response has begun, if nothing of that is sent yet
    PyObject *cache[SMPY_FIELD_COUNT];
};

// Returns new: the type, for the module that is being made.
PyTypeObject *smpy_request_type_new(PyObject *module);

// Returns new: a Request over a source, which it frees if the table says so. Calls no Python code. NULL with an
// exception; the source is then still the caller's.
struct smpy_request *smpy_request_new(struct smpy_state *state, const struct smpy_source_ops *ops, void *source);
// The same of a subclass, whose __init__ it calls without arguments.
struct smpy_request *smpy_request_new_as(struct smpy_state *state, PyTypeObject *type,
                                         const struct smpy_source_ops *ops, void *source);
// Takes the only reference to a Request whose source is gone or not its own, and keeps it for the next one. May call
// Python (destructors of what the fields hold).
void smpy_request_recycle(struct smpy_request *request);
// Takes the reference, before its exchange ends: the session is stored; a Request that Python keeps takes over its
// facts, any other is recycled. May call Python. Only in smiskd (request_live.c).
void smpy_request_release(struct smpy_request *request, struct sm_exchange *exchange);
// Stores the session, if it was touched, before that. What fails is logged. Only in smiskd.
void smpy_request_store_session(struct smpy_request *request, struct sm_exchange *exchange);
// Frees the requests that wait to be used again.
void smpy_request_drop_free(struct smpy_state *state);

static inline const struct sm_head *smpy_request_head(struct smpy_request *request) {
    return request->ops->head(request->source);
}

// Builders of fields; each returns new, or NULL with an exception. They run once for each request.
typedef PyObject *smpy_build(struct smpy_request *request);
smpy_build smpy_build_method, smpy_build_path, smpy_build_query, smpy_build_url, smpy_build_headers, smpy_build_get,
    smpy_build_post, smpy_build_files, smpy_build_cookies, smpy_build_body, smpy_build_input, smpy_build_env,
    smpy_build_remote_addr, smpy_build_protocol, smpy_build_role, smpy_build_id, smpy_build_content_type,
    smpy_build_content_length, smpy_build_data, smpy_build_data_length, smpy_build_data_time,
    smpy_build_referring_url, smpy_build_app, smpy_build_session;

// Returns new: the field, made now if it was not.
PyObject *smpy_request_field(struct smpy_request *request, enum smpy_field field);
// Takes `value` into the cache.
void smpy_request_keep(struct smpy_request *request, enum smpy_field field, PyObject *value);

// Method bodies and attributes that live beside the fields they belong to.
PyObject *smpy_request_json(struct smpy_request *request);
PyObject *smpy_request_errors(PyObject *self, void *closure);
PyObject *smpy_request_max_size(PyObject *self, void *which);
int smpy_request_set_max_size(PyObject *self, PyObject *value, void *which);

// --- request_session.c ---

// Whether the session was touched.
static inline bool smpy_request_has_session(const struct smpy_request *request) {
    return (request->built & (1u << SMPY_FIELD_SESSION)) != 0;
}
// The value of the session's Set-Cookie field, to be asked for once, with the head. 1 with a new str; 0: none is to
// be sent. -1 with an exception. Calls Python.
int smpy_request_session_cookie(struct smpy_request *request, PyObject **value_out);
// Lets the session be stored, and goes of it. -1 with an exception. Calls Python.
int smpy_request_session_finish(struct smpy_request *request);
PyObject *smpy_request_has_begun(PyObject *self, PyObject *unused);
// `name`: of the attribute of the session's life.
PyObject *smpy_request_session(PyObject *self, void *name);
int smpy_request_set_session(PyObject *self, PyObject *value, void *name);

// Whether an Application serves the request; borrows it, or NULL.
static inline PyObject *smpy_request_app(const struct smpy_request *request) {
    return request->cache[SMPY_FIELD_APP] == Py_None ? NULL : request->cache[SMPY_FIELD_APP];
}
