// SPDX-License-Identifier: MIT
// The module `_smisk`: Request, Response, URL, the functions on text, __version__, and one state for each interpreter
// that imports it. Built into smiskd and, from the same sources, an extension module for a plain python. The state
// owns the types, what was imported on first use, and the requests that wait to be used again.
#pragma once

#include "py/compat.h"

struct smpy_request;

// What is imported from Python on first use.
enum smpy_import_id {
    SMPY_IMPORT_PARSE_QUERY,
    SMPY_IMPORT_PARSE_FORM,
    SMPY_IMPORT_FORM_ERROR,
    SMPY_IMPORT_PARSE_COOKIES,
    SMPY_IMPORT_FORMAT_COOKIE,
    SMPY_IMPORT_HEADERS,
    SMPY_IMPORT_URL,
    SMPY_IMPORT_ERROR_PAGE,
    SMPY_IMPORT_PARSE_JSON,
    SMPY_IMPORT_JSON_ENCODER,
    SMPY_IMPORT_BYTES_IO,
    SMPY_IMPORT_BUFFERED_READER,
    SMPY_IMPORT_BUFFERED_RANDOM,
    SMPY_IMPORT_FILE_IO,
    SMPY_IMPORT_STREAM,
    SMPY_IMPORT_LOG_STREAM,
    SMPY_IMPORT_SESSION_BEGIN,
    SMPY_IMPORT_DEFAULT_STORE,
    SMPY_IMPORT_GUESS_TYPE,
    SMPY_IMPORT_COUNT
};

// Bounds for forms, from the configuration; smiskd sets them before the first request. The last two are those of
// Applications, which set them by themselves (Request.max_formdata_size and max_multipart_size).
struct smpy_limits {
    uint64_t body_memory; // bytes of a form kept in memory
    uint32_t max_fields;
    uint32_t max_parts;
    const char *temp_dir; // borrowed; NULL: Python's choice
    int64_t max_formdata, max_multipart;
};

// What Smisk 1.1 took, bytes.
#define SMPY_MAX_FORMDATA 10737418
#define SMPY_MAX_MULTIPART 2147483648

struct smpy_state {
    PyTypeObject *request_type;
    PyTypeObject *response_type;
    PyTypeObject *spool_type;
    PyTypeObject *url_type;
    PyObject *json_encode;  // a bound method, NULL until used
    PyObject *name_close;   // "close"
    PyObject *name_charset; // where an Application has its charset, see smpy_application_take
    PyObject *current;      // a ContextVar: the Response to the request that an Application serves, see current.h
    PyObject *imports[SMPY_IMPORT_COUNT];
    struct smpy_limits limits;
    struct smpy_request *free_requests; // linked, see request.h
    unsigned n_free_requests;
    bool wants_exit; // Application.exit() was called: no new connections from now on
};

PyMODINIT_FUNC PyInit__smisk(void);

// Borrows the state of an imported `_smisk`.
struct smpy_state *smpy_state_of_module(PyObject *module);
// Borrows the state by one of the module's types or a subtype; NULL with an exception.
struct smpy_state *smpy_state_of_type(PyTypeObject *type);
// Borrows what the id names, importing it when it is asked for first; NULL with an exception.
PyObject *smpy_import(struct smpy_state *state, enum smpy_import_id id);
// The same, but NULL without an exception when it was never asked for.
PyObject *smpy_import_if_loaded(struct smpy_state *state, enum smpy_import_id id);
