// SPDX-License-Identifier: MIT
// The fields of a Request that come from its body: `body`, `input`, `json()`, the form in `post` and `files`, and the
// data of a filter. A body in memory is copied once, into bytes that all of them share; one in a spool file is read
// where it lies.
#include <string.h>

#include "proto/fields.h"
#include "py/request.h"
#include "py/spool.h"
#include "py/text.h"

static const struct sm_body *body_of(struct smpy_request *request) {
    return request->ops->body(request->source);
}

static PyObject *body_bytes(const struct sm_body *body) {
    if (body->fd < 0) {
        return smpy_text_bytes((struct sm_str){body->data, (size_t)body->len});
    }
    if (body->len > (uint64_t)PY_SSIZE_T_MAX) {
        return PyErr_NoMemory();
    }
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)body->len);
    if (bytes == NULL) {
        return NULL;
    }
    Py_ssize_t n = smpy_spool_read(body->fd, PyBytes_AS_STRING(bytes), (size_t)body->len, 0);
    if (n < 0) {
        Py_CLEAR(bytes);
    } else if ((uint64_t)n < body->len) {
        PyErr_SetString(PyExc_OSError, "the file with the request's body is shorter than it was");
        Py_CLEAR(bytes);
    }
    return bytes;
}

PyObject *smpy_build_body(struct smpy_request *request) {
    return body_bytes(body_of(request));
}

// Returns new: a binary file over bytes.
static PyObject *memory_file(struct smpy_state *state, PyObject *bytes) {
    PyObject *open = smpy_import(state, SMPY_IMPORT_BYTES_IO);
    return open == NULL ? NULL : PyObject_CallOneArg(open, bytes);
}

// Returns new: a binary file over the body, with an offset of its own.
static PyObject *body_file(struct smpy_request *request) {
    const struct sm_body *body = body_of(request);
    if (body->fd >= 0) {
        return smpy_spool_open(request->state, body);
    }
    PyObject *bytes = smpy_request_field(request, SMPY_FIELD_BODY);
    PyObject *file = bytes == NULL ? NULL : memory_file(request->state, bytes);
    Py_XDECREF(bytes);
    return file;
}

PyObject *smpy_build_input(struct smpy_request *request) {
    PyObject *file = body_file(request);
    if (file == NULL || smpy_request_app(request) == NULL) {
        return file;
    }
    PyObject *type = smpy_import(request->state, SMPY_IMPORT_STREAM);
    PyObject *stream = type == NULL ? NULL : PyObject_CallOneArg(type, file);
    Py_DECREF(file);
    return stream;
}

PyObject *smpy_request_errors(PyObject *self, void *closure) {
    (void)closure;
    PyObject *type = smpy_import(((struct smpy_request *)self)->state, SMPY_IMPORT_LOG_STREAM);
    PyObject *log = type == NULL ? NULL : PyObject_GetAttrString(self, "log_error");
    PyObject *stream = log == NULL ? NULL : PyObject_CallFunctionObjArgs(type, Py_None, log, NULL);
    Py_XDECREF(log);
    return stream;
}

PyObject *smpy_build_data(struct smpy_request *request) {
    const struct sm_body *data = request->ops->filter_data(request->source);
    if (data->fd >= 0) {
        return smpy_spool_open(request->state, data);
    }
    PyObject *bytes = body_bytes(data);
    PyObject *file = bytes == NULL ? NULL : memory_file(request->state, bytes);
    Py_XDECREF(bytes);
    return file;
}

// --- JSON ---

PyObject *smpy_request_json(struct smpy_request *request) {
    PyObject *parse = smpy_import(request->state, SMPY_IMPORT_PARSE_JSON);
    // The state remembers the class, so that the native interface knows the error when it comes out of a handler.
    if (parse == NULL || smpy_import(request->state, SMPY_IMPORT_FORM_ERROR) == NULL) {
        return NULL;
    }
    PyObject *body = smpy_request_field(request, SMPY_FIELD_BODY);
    PyObject *value = body == NULL ? NULL : PyObject_CallOneArg(parse, body);
    Py_XDECREF(body);
    return value;
}

// --- forms ---

// Returns new: the keyword arguments of parse_form.
static PyObject *form_limits(const struct smpy_limits *limits) {
    return Py_BuildValue("{s:K,s:I,s:I,s:z}", "memory", (unsigned long long)limits->body_memory, "max_fields",
                         (unsigned int)limits->max_fields, "max_parts", (unsigned int)limits->max_parts, "temp_dir",
                         limits->temp_dir);
}

// What an Application says about its forms, added to these arguments. -1 with an exception.
static int put_app_limits(struct smpy_request *request, PyObject *app, PyObject *limits) {
    const struct {
        PyObject *from;
        const char *attribute;
    } parts[] = {
        {app, "charset"},
        {app, "tolerant"},
        {(PyObject *)request, "max_formdata_size"},
        {(PyObject *)request, "max_multipart_size"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        PyObject *value = PyObject_GetAttrString(parts[i].from, parts[i].attribute);
        int status = value == NULL ? -1 : PyDict_SetItemString(limits, parts[i].attribute, value);
        Py_XDECREF(value);
        if (status < 0) {
            return -1;
        }
    }
    return 0;
}

static int64_t *max_size(PyObject *self, const char *which) {
    struct smpy_limits *limits = &((struct smpy_request *)self)->state->limits;
    return strcmp(which, "max_formdata_size") == 0 ? &limits->max_formdata : &limits->max_multipart;
}

PyObject *smpy_request_max_size(PyObject *self, void *which) {
    return PyLong_FromLongLong(*max_size(self, which));
}

int smpy_request_set_max_size(PyObject *self, PyObject *value, void *which) {
    if (value == NULL || !PyLong_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s must be an int, bytes", (const char *)which);
        return -1;
    }
    long long size = PyLong_AsLongLong(value);
    if (size == -1 && PyErr_Occurred()) {
        return -1;
    }
    *max_size(self, which) = size;
    return 0;
}

// Returns new: (post, files).
static PyObject *parse_form(struct smpy_request *request, struct sm_str type) {
    PyObject *pair = NULL;
    PyObject *arguments = NULL;
    PyObject *limits = NULL;
    PyObject *file = NULL;
    PyObject *parse = smpy_import(request->state, SMPY_IMPORT_PARSE_FORM);
    // The state remembers the class, so that the native interface knows the error when it comes out of a handler.
    if (parse == NULL || smpy_import(request->state, SMPY_IMPORT_FORM_ERROR) == NULL) {
        return NULL;
    }
    file = body_file(request);
    limits = form_limits(&request->state->limits);
    PyObject *app = smpy_request_app(request);
    if (file == NULL || limits == NULL || (app != NULL && put_app_limits(request, app, limits) < 0)) {
        goto done;
    }
    arguments =
        Py_BuildValue("(y#OK)", type.ptr, (Py_ssize_t)type.len, file, (unsigned long long)body_of(request)->len);
    if (arguments != NULL) {
        pair = PyObject_Call(parse, arguments, limits);
    }
    if (pair != NULL && (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2)) {
        PyErr_SetString(PyExc_TypeError, "smisk.core.forms.parse_form() must return (post, files)");
        Py_CLEAR(pair);
    }
done:
    Py_XDECREF(arguments);
    Py_XDECREF(limits);
    Py_XDECREF(file);
    return pair;
}

// Makes both fields of a form, keeps the other one, returns the one asked for.
static PyObject *form_field(struct smpy_request *request, enum smpy_field wanted) {
    const struct sm_head *head = smpy_request_head(request);
    if (head->content_type.len == 0 || body_of(request)->len == 0) {
        return PyDict_New();
    }
    PyObject *pair = parse_form(request, sm_head_text(head, head->content_type));
    if (pair == NULL) {
        return NULL;
    }
    bool is_post = wanted == SMPY_FIELD_POST;
    smpy_request_keep(request, is_post ? SMPY_FIELD_FILES : SMPY_FIELD_POST,
                      Py_NewRef(PyTuple_GET_ITEM(pair, is_post ? 1 : 0)));
    PyObject *field = Py_NewRef(PyTuple_GET_ITEM(pair, is_post ? 0 : 1));
    Py_DECREF(pair);
    return field;
}

PyObject *smpy_build_post(struct smpy_request *request) {
    return form_field(request, SMPY_FIELD_POST);
}

PyObject *smpy_build_files(struct smpy_request *request) {
    return form_field(request, SMPY_FIELD_FILES);
}
