// SPDX-License-Identifier: MIT
// An Application served without a server, for tests: what it writes is gathered in memory (see factory.h). The same
// Response, the same context, the same order of service(), error() and the session as in iface_smisk.c.
#include <stdlib.h>

#include "base/bytes.h"
#include "proto/fields.h"
#include "proto/http1.h"
#include "py/current.h"
#include "py/factory.h"
#include "py/request.h"
#include "py/response.h"

const char smpy_serve_doc[] = "_serve(application, request)\n\nRuns service() for a request of _make_request(). "
                              "Returns (status, [(name, value), "
                              "...], body),\nthe fields and the body as bytes. Raises what error() raises.";

struct memory {
    PyObject *fields; // a list of (bytes, bytes)
    struct sm_bytes body;
    int status;
    bool has_type, has_file;
};

static int put(struct memory *memory, PyObject *header, struct sm_str name, struct sm_str value) {
    if (!sm_http1_name_ok(name) || !sm_http1_value_ok(value)) {
        PyErr_Format(PyExc_ValueError, "a header that cannot be sent: %R", header);
        return -1;
    }
    memory->has_type = memory->has_type || sm_str_ieq(name, SM_STR("Content-Type"));
    PyObject *pair = Py_BuildValue("(y#y#)", name.ptr, (Py_ssize_t)name.len, value.ptr, (Py_ssize_t)value.len);
    int status = pair == NULL ? -1 : PyList_Append(memory->fields, pair);
    Py_XDECREF(pair);
    return status;
}

static int put_header(struct memory *memory, PyObject *header) {
    struct sm_str name;
    struct sm_str value;
    if (smpy_response_header(header, &name, &value) < 0) {
        return -1;
    }
    if (!sm_str_ieq(name, SM_STR("Status"))) {
        return put(memory, header, name, value);
    }
    int64_t status = sm_str_number((struct sm_str){value.ptr, value.len < 3 ? value.len : 3});
    if (status < 200 || status > 999) {
        PyErr_Format(PyExc_ValueError, "a status is three digits, and perhaps a reason, not %R", header);
        return -1;
    }
    memory->status = (int)status;
    return 0;
}

static int put_session(struct memory *memory, struct smpy_request *request) {
    PyObject *cookie = NULL;
    int found = smpy_request_session_cookie(request, &cookie);
    if (found <= 0) {
        return found;
    }
    Py_ssize_t len = 0;
    const char *text = PyUnicode_AsUTF8AndSize(cookie, &len);
    int status = text == NULL ? -1 : put(memory, cookie, SM_STR("Set-Cookie"), (struct sm_str){text, (size_t)len});
    Py_DECREF(cookie);
    return status;
}

static int memory_begin(struct smpy_response *response) {
    struct memory *memory = response->sink;
    PyObject *headers = response->headers;
    memory->status = response->status;
    memory->has_type = false;
    if (PyList_SetSlice(memory->fields, 0, PyList_GET_SIZE(memory->fields), NULL) < 0 ||
        put_session(memory, response->request) < 0) {
        return -1;
    }
    for (Py_ssize_t i = 0; headers != NULL && i < PyList_GET_SIZE(headers); i++) {
        if (put_header(memory, PyList_GET_ITEM(headers, i)) < 0) {
            return -1;
        }
    }
    response->has_begun = response->request->has_begun = true;
    return 0;
}

static int memory_write(struct smpy_response *response, struct sm_str bytes, PyObject *owner) {
    (void)owner;
    struct memory *memory = response->sink;
    if (!response->has_begun && memory_begin(response) < 0) {
        return -1;
    }
    if (sm_bytes_append_str(&memory->body, bytes) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static int memory_flush(struct smpy_response *response) {
    (void)response;
    return 0;
}

static int memory_send_file(struct smpy_response *response, PyObject *path) {
    struct memory *memory = response->sink;
    PyObject *io = PyImport_ImportModule("io");
    PyObject *file = io == NULL ? NULL : PyObject_CallMethod(io, "open", "Os", path, "rb");
    PyObject *bytes = file == NULL ? NULL : PyObject_CallMethod(file, "read", NULL);
    PyObject *closed = file == NULL ? NULL : PyObject_CallMethod(file, "close", NULL);
    int status = bytes == NULL || closed == NULL || !PyBytes_Check(bytes) ? -1 : 0;
    memory->has_file = status == 0;
    if (status == 0 &&
        sm_bytes_append(&memory->body, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)) < 0) {
        PyErr_NoMemory();
        status = -1;
    }
    Py_XDECREF(closed);
    Py_XDECREF(bytes);
    Py_XDECREF(file);
    Py_XDECREF(io);
    return status;
}

static int memory_log(struct smpy_response *response, PyObject *exception) {
    PyObject *text = PyUnicode_FromFormat("%s: %S", Py_TYPE(exception)->tp_name, exception);
    PyObject *logged =
        text == NULL ? NULL : PyObject_CallMethod((PyObject *)response->request, "log_error", "O", text);
    Py_XDECREF(text);
    Py_XDECREF(logged);
    return logged == NULL ? -1 : 0;
}

static const struct smpy_reply_ops memory_ops = {
    .begin = memory_begin,
    .write = memory_write,
    .flush = memory_flush,
    .send_file = memory_send_file,
    .log = memory_log,
};

// --- a request ---

static int call_error(PyObject *app) {
    PyObject *exception = smpy_exception_take();
    PyObject *traceback = PyException_GetTraceback(exception);
    PyObject *returned = PyObject_CallMethod(app, "error", "OOO", (PyObject *)Py_TYPE(exception), exception,
                                             traceback == NULL ? Py_None : traceback);
    Py_XDECREF(traceback);
    Py_DECREF(exception);
    Py_XDECREF(returned);
    return returned == NULL ? -1 : 0;
}

static int run(struct smpy_response *response) {
    PyObject *returned = PyObject_CallMethod(response->app, "service", NULL);
    int status = returned == NULL ? -1 : response->has_begun ? 0 : memory_begin(response);
    Py_XDECREF(returned);
    if (status < 0) {
        status = call_error(response->app);
        status = status < 0 || response->has_begun ? status : memory_begin(response);
    }
    return status;
}

// The type of an answer that names none, as over HTTP.
static int put_type(struct memory *memory, PyObject *app) {
    if (memory->has_type || memory->has_file || memory->body.len == 0) {
        return 0;
    }
    PyObject *charset = PyObject_GetAttrString(app, "charset");
    PyObject *type = charset == NULL      ? NULL
                     : charset == Py_None ? PyUnicode_FromString("text/html")
                                          : PyUnicode_FromFormat("text/html; charset=%S", charset);
    const char *text = type == NULL ? NULL : PyUnicode_AsUTF8(type);
    int status = text == NULL ? -1 : put(memory, type, SM_STR("Content-Type"), sm_str_from(text));
    Py_XDECREF(type);
    Py_XDECREF(charset);
    return status;
}

// Returns new: what was gathered.
static PyObject *gathered(const struct memory *memory, struct smpy_request *request) {
    bool has_none = memory->status == 204 || memory->status == 205 || memory->status == 304 ||
                    smpy_request_head(request)->is_head_method;
    return Py_BuildValue("(iOy#)", memory->status, memory->fields, memory->body.data == NULL ? "" : memory->body.data,
                         has_none ? (Py_ssize_t)0 : (Py_ssize_t)memory->body.len);
}

// Returns new: the outcome of a request.
static PyObject *serve(struct smpy_state *state, struct smpy_response *response, struct smpy_request *request) {
    struct memory memory = {.fields = PyList_New(0)};
    PyObject *result = NULL;
    response->reply = &memory_ops;
    response->sink = &memory;
    response->request = (struct smpy_request *)Py_NewRef((PyObject *)request);
    response->app = Py_NewRef(request->cache[SMPY_FIELD_APP]);
    PyObject *token = memory.fields == NULL ? NULL : smpy_current_enter(state, response);
    if (token != NULL) {
        int status = run(response);
        status = status < 0 ? -1 : put_type(&memory, response->app);
        status = status < 0 || !smpy_request_has_session(request) ? status : smpy_request_session_finish(request);
        result = status < 0 ? NULL : gathered(&memory, request);
        smpy_current_leave(state, token);
    }
    response->reply = NULL;
    response->sink = NULL;
    Py_CLEAR(response->request);
    Py_CLEAR(response->app);
    Py_XDECREF(memory.fields);
    sm_bytes_deinit(&memory.body);
    return result;
}

// Returns new: the request as one of the Application's own class, to which its source is handed over.
static struct smpy_request *adopt(struct smpy_state *state, PyObject *app, struct smpy_request *request) {
    PyObject *type = PyObject_GetAttrString(app, "request_class");
    struct smpy_request *own = NULL;
    if (type == (PyObject *)Py_TYPE(request)) {
        own = (struct smpy_request *)Py_NewRef((PyObject *)request);
    } else if (type != NULL && PyType_Check(type) && PyType_IsSubtype((PyTypeObject *)type, state->request_type)) {
        own = smpy_request_new_as(state, (PyTypeObject *)type, request->ops, request->source);
        if (own != NULL) {
            request->ops = NULL;
        }
    } else if (type != NULL) {
        PyErr_Format(PyExc_TypeError, "request_class must be a class that derives from Request, not %R", type);
    }
    Py_XDECREF(type);
    if (own != NULL) {
        smpy_request_keep(own, SMPY_FIELD_APP, Py_NewRef(app));
    }
    return own;
}

PyObject *smpy_serve(PyObject *module, PyObject *args) {
    struct smpy_state *state = smpy_state_of_module(module);
    PyObject *app = NULL;
    PyObject *request = NULL;
    if (!PyArg_ParseTuple(args, "OO!:_serve", &app, state->request_type, &request)) {
        return NULL;
    }
    if (((struct smpy_request *)request)->ops == NULL) {
        PyErr_SetString(PyExc_ValueError, "the request was served already");
        return NULL;
    }
    PyObject *result = NULL;
    PyObject *response = PyObject_CallMethod(app, "response_class", NULL);
    struct smpy_request *own = response == NULL ? NULL : adopt(state, app, (struct smpy_request *)request);
    if (own != NULL && PyObject_TypeCheck(response, state->response_type)) {
        result = serve(state, (struct smpy_response *)response, own);
    } else if (own != NULL) {
        PyErr_SetString(PyExc_TypeError, "response_class must be a class that derives from Response");
    }
    Py_XDECREF((PyObject *)own);
    Py_XDECREF(response);
    return result;
}
