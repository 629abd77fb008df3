// SPDX-License-Identifier: MIT
// The type Request (see request.h): its life, its cache, its table of fields. What the fields hold is made in
// request_fields.c, request_env.c and request_body.c.
#include "py/request.h"

#include <assert.h>
#include <string.h>

enum { MAX_FREE_REQUESTS = 64 };

struct field_entry {
    enum smpy_field field;
    smpy_build *build;
};

static const struct field_entry entries[SMPY_FIELD_COUNT] = {
    [SMPY_FIELD_APP] = {SMPY_FIELD_APP, smpy_build_app},
    [SMPY_FIELD_METHOD] = {SMPY_FIELD_METHOD, smpy_build_method},
    [SMPY_FIELD_PATH] = {SMPY_FIELD_PATH, smpy_build_path},
    [SMPY_FIELD_QUERY] = {SMPY_FIELD_QUERY, smpy_build_query},
    [SMPY_FIELD_URL] = {SMPY_FIELD_URL, smpy_build_url},
    [SMPY_FIELD_HEADERS] = {SMPY_FIELD_HEADERS, smpy_build_headers},
    [SMPY_FIELD_GET] = {SMPY_FIELD_GET, smpy_build_get},
    [SMPY_FIELD_POST] = {SMPY_FIELD_POST, smpy_build_post},
    [SMPY_FIELD_FILES] = {SMPY_FIELD_FILES, smpy_build_files},
    [SMPY_FIELD_COOKIES] = {SMPY_FIELD_COOKIES, smpy_build_cookies},
    [SMPY_FIELD_BODY] = {SMPY_FIELD_BODY, smpy_build_body},
    [SMPY_FIELD_INPUT] = {SMPY_FIELD_INPUT, smpy_build_input},
    [SMPY_FIELD_ENV] = {SMPY_FIELD_ENV, smpy_build_env},
    [SMPY_FIELD_REMOTE_ADDR] = {SMPY_FIELD_REMOTE_ADDR, smpy_build_remote_addr},
    [SMPY_FIELD_PROTOCOL] = {SMPY_FIELD_PROTOCOL, smpy_build_protocol},
    [SMPY_FIELD_ROLE] = {SMPY_FIELD_ROLE, smpy_build_role},
    [SMPY_FIELD_ID] = {SMPY_FIELD_ID, smpy_build_id},
    [SMPY_FIELD_CONTENT_TYPE] = {SMPY_FIELD_CONTENT_TYPE, smpy_build_content_type},
    [SMPY_FIELD_CONTENT_LENGTH] = {SMPY_FIELD_CONTENT_LENGTH, smpy_build_content_length},
    [SMPY_FIELD_DATA] = {SMPY_FIELD_DATA, smpy_build_data},
    [SMPY_FIELD_DATA_LENGTH] = {SMPY_FIELD_DATA_LENGTH, smpy_build_data_length},
    [SMPY_FIELD_DATA_TIME] = {SMPY_FIELD_DATA_TIME, smpy_build_data_time},
    [SMPY_FIELD_REFERRING_URL] = {SMPY_FIELD_REFERRING_URL, smpy_build_referring_url},
    [SMPY_FIELD_SESSION] = {SMPY_FIELD_SESSION, smpy_build_session},
};

// --- the cache ---

void smpy_request_keep(struct smpy_request *request, enum smpy_field field, PyObject *value) {
    Py_XSETREF(request->cache[field], value);
    request->built |= 1u << field;
    // Without a field a Request refers to nothing that could refer to it: the collector need not see it.
    if (!PyObject_GC_IsTracked((PyObject *)request)) {
        PyObject_GC_Track((PyObject *)request);
    }
}

static PyObject *no_longer_there(void) {
    PyErr_SetString(PyExc_RuntimeError, "the request is over, and there was no memory to keep it");
    return NULL;
}

PyObject *smpy_request_field(struct smpy_request *request, enum smpy_field field) {
    if (request->cache[field] != NULL) {
        return Py_NewRef(request->cache[field]);
    }
    if (request->ops == NULL) {
        return no_longer_there();
    }
    request->building++;
    PyObject *value = entries[field].build(request);
    request->building--;
    if (value != NULL) {
        smpy_request_keep(request, field, Py_NewRef(value));
    }
    return value;
}

static void cache_clear(struct smpy_request *request) {
    uint32_t built = request->built;
    request->built = 0;
    for (unsigned i = 0; built != 0; i++, built >>= 1) {
        Py_CLEAR(request->cache[i]);
    }
}

// --- life ---

struct smpy_request *smpy_request_new(struct smpy_state *state, const struct smpy_source_ops *ops, void *source) {
    struct smpy_request *request = state->free_requests;
    if (request != NULL) {
        state->free_requests = request->source;
        state->n_free_requests--;
    } else {
        request = PyObject_GC_New(struct smpy_request, state->request_type);
        if (request == NULL) {
            return NULL;
        }
        request->state = state;
        request->built = 0;
        request->building = 0;
        memset(request->cache, 0, sizeof request->cache);
    }
    request->ops = ops;
    request->source = source;
    request->has_begun = false;
    return request;
}

struct smpy_request *smpy_request_new_as(struct smpy_state *state, PyTypeObject *type,
                                         const struct smpy_source_ops *ops, void *source) {
    struct smpy_request *request = (struct smpy_request *)type->tp_alloc(type, 0);
    PyObject *nothing = request == NULL ? NULL : PyTuple_New(0);
    if (nothing == NULL) {
        Py_XDECREF((PyObject *)request);
        return NULL;
    }
    request->state = state;
    request->ops = ops;
    request->source = source;
    int status = type->tp_init((PyObject *)request, nothing, NULL);
    Py_DECREF(nothing);
    if (status < 0) {
        request->ops = NULL; // the source stays the caller's
        Py_CLEAR(request);
    }
    return request;
}

void smpy_request_recycle(struct smpy_request *request) {
    assert(Py_REFCNT(request) == 1);
    struct smpy_state *state = request->state;
    if (request->built != 0) {
        PyObject_GC_UnTrack((PyObject *)request);
        cache_clear(request);
    }
    if (state->n_free_requests >= MAX_FREE_REQUESTS || Py_TYPE(request) != state->request_type) {
        request->ops = NULL;
        Py_DECREF(request);
        return;
    }
    request->ops = NULL;
    request->source = state->free_requests;
    state->free_requests = request;
    state->n_free_requests++;
}

void smpy_request_drop_free(struct smpy_state *state) {
    while (state->free_requests != NULL) {
        struct smpy_request *request = state->free_requests;
        state->free_requests = request->source;
        state->n_free_requests--;
        request->source = NULL;
        Py_DECREF(request);
    }
}

static int request_traverse(PyObject *self, visitproc visit, void *arg) {
    struct smpy_request *request = (struct smpy_request *)self;
    Py_VISIT(Py_TYPE(self));
    for (size_t i = 0; i < SMPY_FIELD_COUNT; i++) {
        Py_VISIT(request->cache[i]);
    }
    return 0;
}

static int request_clear(PyObject *self) {
    cache_clear((struct smpy_request *)self);
    return 0;
}

static void request_dealloc(PyObject *self) {
    struct smpy_request *request = (struct smpy_request *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (PyObject_GC_IsTracked(self)) {
        PyObject_GC_UnTrack(self);
    }
    cache_clear(request);
    if (request->ops != NULL && request->ops->free != NULL) {
        request->ops->free(request->source);
    }
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

// --- attributes and methods ---

static PyObject *get_field(PyObject *self, void *closure) {
    const struct field_entry *entry = closure;
    return smpy_request_field((struct smpy_request *)self, entry->field);
}

// A source that is not the Request's own is an exchange that is still open.
static PyObject *get_is_active(PyObject *self, void *closure) {
    (void)closure;
    const struct smpy_request *request = (struct smpy_request *)self;
    return PyBool_FromLong(request->ops != NULL && request->ops->free == NULL);
}

static PyObject *get_is_aborted(PyObject *self, void *closure) {
    (void)closure;
    struct smpy_request *request = (struct smpy_request *)self;
    if (request->ops == NULL) {
        Py_RETURN_TRUE;
    }
    return PyBool_FromLong(request->ops->is_aborted(request->source));
}

static PyObject *request_json(PyObject *self, PyObject *unused) {
    (void)unused;
    return smpy_request_json((struct smpy_request *)self);
}

static PyObject *request_log_error(PyObject *self, PyObject *text) {
    struct smpy_request *request = (struct smpy_request *)self;
    if (request->ops == NULL) {
        return no_longer_there();
    }
    if (!PyUnicode_Check(text)) {
        PyErr_Format(PyExc_TypeError, "log_error() takes str, not %.100s", Py_TYPE(text)->tp_name);
        return NULL;
    }
    PyObject *bytes = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
    if (bytes == NULL) {
        return NULL;
    }
    request->ops->log(request->source, (struct sm_str){PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)});
    Py_DECREF(bytes);
    Py_RETURN_NONE;
}

// Parameters and cookies are made anew when the charset of their Application has changed.
static PyObject *request_forget(PyObject *self, PyObject *unused) {
    static const enum smpy_field fields[] = {SMPY_FIELD_GET, SMPY_FIELD_POST, SMPY_FIELD_COOKIES};
    (void)unused;
    struct smpy_request *request = (struct smpy_request *)self;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        request->built &= ~(1u << fields[i]);
        Py_CLEAR(request->cache[fields[i]]);
    }
    Py_RETURN_NONE;
}

// Its lines are those of its body.
static PyObject *request_iter(PyObject *self) {
    PyObject *input = smpy_request_field((struct smpy_request *)self, SMPY_FIELD_INPUT);
    PyObject *lines = input == NULL ? NULL : PyObject_GetIter(input);
    Py_XDECREF(input);
    return lines;
}

static PyObject *request_repr(PyObject *self) {
    PyObject *method = smpy_request_field((struct smpy_request *)self, SMPY_FIELD_METHOD);
    PyObject *path = method == NULL ? NULL : smpy_request_field((struct smpy_request *)self, SMPY_FIELD_PATH);
    PyObject *text = path == NULL ? NULL : PyUnicode_FromFormat("<Request %U %R>", method, path);
    Py_XDECREF(path);
    Py_XDECREF(method);
    return text;
}

#define FIELD(name, id, doc)                                                                                         \
    { name, get_field, NULL, doc, (void *)&entries[id] }

static PyGetSetDef request_getset[] = {
    FIELD("method", SMPY_FIELD_METHOD, "str: the request method, as sent (RFC 9110 9)."),
    FIELD("path", SMPY_FIELD_PATH, "str: the path, percent-decoded; with CGI SCRIPT_NAME + PATH_INFO."),
    FIELD("query", SMPY_FIELD_QUERY, "str: what follows the question mark, as sent; '' when there is nothing."),
    FIELD("url", SMPY_FIELD_URL, "smisk.core.url.URL: where the client sent this request."),
    FIELD("headers", SMPY_FIELD_HEADERS, "smisk.core.headers.Headers: header fields in the order received."),
    FIELD("get", SMPY_FIELD_GET, "dict: query parameters; str, None (no '=') or a list where a name repeats."),
    FIELD("post", SMPY_FIELD_POST, "dict: form fields of the body, like get. FormError for a malformed form."),
    FIELD("files", SMPY_FIELD_FILES, "dict: uploaded files of the body. FormError for a malformed form."),
    FIELD("cookies", SMPY_FIELD_COOKIES, "dict: cookies, like get."),
    FIELD("body", SMPY_FIELD_BODY, "bytes: the whole body; one that was spooled to a file is read into memory."),
    FIELD("input", SMPY_FIELD_INPUT, "BinaryIO: the body as a file, seekable; bytes from memory or the spool file."),
    FIELD("env", SMPY_FIELD_ENV, "dict[str, str]: CGI/1.1 variables (RFC 3875 4.1), made up from HTTP heads too."),
    FIELD("remote_addr", SMPY_FIELD_REMOTE_ADDR, "str: the client's address; '' for a unix socket."),
    FIELD("protocol", SMPY_FIELD_PROTOCOL, "str: as 'HTTP/1.1'."),
    FIELD("role", SMPY_FIELD_ROLE, "str: 'responder', 'authorizer' or 'filter' (FastCGI 6)."),
    FIELD("id", SMPY_FIELD_ID, "str: names this request in the log, unique in the life of the server."),
    FIELD("content_type", SMPY_FIELD_CONTENT_TYPE, "str or None: the Content-Type of the body."),
    FIELD("content_length", SMPY_FIELD_CONTENT_LENGTH, "int or None: the Content-Length that was sent, bytes."),
    FIELD("data", SMPY_FIELD_DATA, "BinaryIO: the file to filter (FCGI_DATA); empty in other roles."),
    FIELD("data_length", SMPY_FIELD_DATA_LENGTH, "int or None: FCGI_DATA_LENGTH, bytes."),
    FIELD("data_time", SMPY_FIELD_DATA_TIME, "int or None: FCGI_DATA_LAST_MOD, seconds since 1970 UTC."),
    FIELD("referring_url", SMPY_FIELD_REFERRING_URL,
          "smisk.core.url.URL or None: the Referer, None if it is no URL."),
    {"session", smpy_request_session, smpy_request_set_session,
     "object: data of the client's session, None without any. Settable; None ends the session. OSError when it is "
     "too "
     "late to begin one.",
     "data"},
    {"session_id", smpy_request_session, smpy_request_set_session,
     "str: names the session. Settable, to go on under a new name. OSError when the response has begun.", "id"},
    {"errors", smpy_request_errors, NULL, "smisk.core.stream.Stream: each write is one entry of the log.", NULL},
    {"max_multipart_size", smpy_request_max_size, smpy_request_set_max_size,
     "int: bytes of a multipart body that an Application takes, for the whole process. 0: none are read, -1: no "
     "limit.",
     "max_multipart_size"},
    {"max_formdata_size", smpy_request_max_size, smpy_request_set_max_size,
     "int: bytes of plain form fields that an Application takes, for the whole process. 0: none are read, -1: no "
     "limit.",
     "max_formdata_size"},
    {"is_active", get_is_active, NULL, "bool: from the request's arrival to the end of its response.", NULL},
    {"is_aborted", get_is_aborted, NULL, "bool: whether the client has gone. Looks at the connection.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef request_methods[] = {
    {"json", request_json, METH_NOARGS,
     "json() -> object\n\nThe body read as JSON (RFC 8259). FormError, which is a ValueError, when it is none."},
    {"log_error", request_log_error, METH_O,
     "log_error(text: str) -> None\n\nWrites to the log, and to the web server's error log over FastCGI."},
    {"_forget", request_forget, METH_NOARGS, NULL},
    {"_has_begun", smpy_request_has_begun, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot request_slots[] = {
    {Py_tp_doc, "One request, as a handler sees it. Made by the server."},
    {Py_tp_dealloc, request_dealloc},
    {Py_tp_traverse, request_traverse},
    {Py_tp_clear, request_clear},
    {Py_tp_repr, request_repr},
    {Py_tp_iter, request_iter},
    {Py_tp_getset, request_getset},
    {Py_tp_methods, request_methods},
    {0, NULL},
};

static PyType_Spec request_spec = {
    .name = "_smisk.Request",
    .basicsize = sizeof(struct smpy_request),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = request_slots,
};

PyTypeObject *smpy_request_type_new(PyObject *module) {
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &request_spec, NULL);
}
