// SPDX-License-Identifier: MIT
// A Response that answers a request of an Application: the methods that write (see response.h). Text becomes bytes
// here; where the bytes go is the reply's affair.
#include <string.h>

#include "py/request.h"
#include "py/response.h"

// The Response if it answers a request, else NULL with an exception.
static struct smpy_response *answering(PyObject *self) {
    struct smpy_response *response = (struct smpy_response *)self;
    if (response->reply == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "this Response answers no request: it is returned by a handler, or its "
                                            "request is over");
        return NULL;
    }
    return response;
}

static PyObject *none_if(int status) {
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

// --- pieces ---

// Returns new: text as bytes in the Application's charset, or itself where that is UTF-8, whose form a str keeps.
static PyObject *encode(struct smpy_response *response, PyObject *text) {
    PyObject *encoded = NULL;
    PyObject *charset = PyObject_GetAttr(response->app, response->request->state->name_charset);
    if (charset == NULL) {
        return NULL;
    }
    if (charset == Py_None) {
        PyErr_SetString(PyExc_TypeError, "the application's charset is None, so bytes are written, not str");
    } else if (!PyUnicode_Check(charset)) {
        PyErr_Format(PyExc_TypeError, "the application's charset is %.100s, not str or None",
                     Py_TYPE(charset)->tp_name);
    } else if (PyUnicode_CompareWithASCIIString(charset, "utf-8") == 0) {
        response->is_utf8 = true;
        encoded = Py_NewRef(text);
    } else {
        const char *name = PyUnicode_AsUTF8(charset);
        encoded = name == NULL ? NULL : PyUnicode_AsEncodedString(text, name, "strict");
    }
    Py_DECREF(charset);
    return encoded;
}

// The bytes of what encode() gave; ptr NULL with an exception.
static struct sm_str bytes_of(PyObject *piece) {
    if (PyBytes_Check(piece)) {
        return (struct sm_str){PyBytes_AS_STRING(piece), (size_t)PyBytes_GET_SIZE(piece)};
    }
    Py_ssize_t len = 0;
    const char *text = PyUnicode_AsUTF8AndSize(piece, &len);
    return (struct sm_str){text, (size_t)len};
}

// Takes `piece`, which is bytes or a str, or NULL with an exception.
static int write_encoded(struct smpy_response *response, PyObject *piece) {
    if (piece == NULL) {
        return -1;
    }
    struct sm_str bytes = bytes_of(piece);
    int status = bytes.ptr == NULL ? -1 : bytes.len == 0 ? 0 : response->reply->write(response, bytes, piece);
    Py_DECREF(piece);
    return status;
}

// 1: written; 0: it is neither text nor bytes. -1 with an exception.
static int write_piece(struct smpy_response *response, PyObject *piece) {
    if (PyUnicode_Check(piece)) {
        return write_encoded(response, encode(response, piece)) < 0 ? -1 : 1;
    }
    if (PyBytes_Check(piece)) {
        return write_encoded(response, Py_NewRef(piece)) < 0 ? -1 : 1;
    }
    // These may change while they wait to be sent: a copy is.
    if (PyByteArray_Check(piece) || PyMemoryView_Check(piece)) {
        return write_encoded(response, PyBytes_FromObject(piece)) < 0 ? -1 : 1;
    }
    return 0;
}

static int write_any(struct smpy_response *response, PyObject *piece) {
    int written = write_piece(response, piece);
    if (written != 0) {
        return written < 0 ? -1 : 0;
    }
    PyObject *text = PyObject_Str(piece);
    written = text == NULL ? -1 : write_piece(response, text);
    Py_XDECREF(text);
    return written < 0 ? -1 : 0;
}

// --- methods ---

PyObject *smpy_response_begin(PyObject *self, PyObject *unused) {
    (void)unused;
    struct smpy_response *response = answering(self);
    if (response != NULL && response->has_begun) {
        PyErr_SetString(PyExc_OSError, "output has already begun");
        response = NULL;
    }
    return response == NULL ? NULL : none_if(response->reply->begin(response));
}

PyObject *smpy_response_write(PyObject *self, PyObject *piece) {
    struct smpy_response *response = answering(self);
    int written = response == NULL ? -1 : write_piece(response, piece);
    if (written == 0) {
        PyErr_Format(PyExc_TypeError, "write() takes bytes or str, not %.100s", Py_TYPE(piece)->tp_name);
    }
    return written <= 0 ? NULL : Py_NewRef(Py_None);
}

PyObject *smpy_response_writelines(PyObject *self, PyObject *pieces) {
    struct smpy_response *response = answering(self);
    PyObject *iterator = response == NULL ? NULL : PyObject_GetIter(pieces);
    if (iterator == NULL) {
        return NULL;
    }
    int status = 0;
    PyObject *piece = NULL;
    while (status == 0 && (piece = PyIter_Next(iterator)) != NULL) {
        status = write_any(response, piece);
        Py_DECREF(piece);
    }
    Py_DECREF(iterator);
    return PyErr_Occurred() ? NULL : none_if(status);
}

PyObject *smpy_response_call(PyObject *self, PyObject *const *pieces, size_t nargsf, PyObject *names) {
    struct smpy_response *response = answering(self);
    if (response != NULL && names != NULL && PyTuple_GET_SIZE(names) > 0) {
        PyErr_SetString(PyExc_TypeError, "a Response is called with what to write, without names");
        response = NULL;
    }
    int status = response == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; status == 0 && i < PyVectorcall_NARGS(nargsf); i++) {
        status = write_any(response, pieces[i]);
    }
    return none_if(status);
}

PyObject *smpy_response_flush(PyObject *self, PyObject *unused) {
    (void)unused;
    struct smpy_response *response = answering(self);
    return response == NULL ? NULL : none_if(response->reply->flush(response));
}

PyObject *smpy_response_log(PyObject *self, PyObject *exception) {
    struct smpy_response *response = answering(self);
    if (response != NULL && !PyExceptionInstance_Check(exception)) {
        PyErr_Format(PyExc_TypeError, "an exception is needed, not %.100s", Py_TYPE(exception)->tp_name);
        response = NULL;
    }
    return response == NULL ? NULL : none_if(response->reply->log(response, exception));
}

PyObject *smpy_response_send_file(PyObject *self, PyObject *path) {
    struct smpy_response *response = answering(self);
    if (response != NULL && response->has_begun) {
        PyErr_SetString(PyExc_OSError, "send_file() comes too late: output has already begun");
        response = NULL;
    }
    return response == NULL ? NULL : none_if(response->reply->send_file(response, path));
}

PyObject *smpy_response_out(PyObject *self, void *closure) {
    (void)closure;
    struct smpy_state *state = smpy_state_of_type(Py_TYPE(self));
    PyObject *type = state == NULL ? NULL : smpy_import(state, SMPY_IMPORT_STREAM);
    PyObject *write = type == NULL ? NULL : PyObject_GetAttrString(self, "write");
    PyObject *flush = write == NULL ? NULL : PyObject_GetAttrString(self, "_flush");
    PyObject *out = flush == NULL ? NULL : PyObject_CallFunctionObjArgs(type, Py_None, write, flush, NULL);
    Py_XDECREF(flush);
    Py_XDECREF(write);
    return out;
}

// --- headers ---

// Borrows the bytes of a header: Latin-1 where its characters are in it (RFC 9112 2.2), else UTF-8.
static int header_text(PyObject *object, struct sm_str *out) {
    if (PyBytes_Check(object)) {
        *out = (struct sm_str){PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object)};
        return 0;
    }
    if (!PyUnicode_Check(object)) {
        PyErr_Format(PyExc_TypeError, "a header is \"Name: value\" or (name, value), str or bytes, not %.100s",
                     Py_TYPE(object)->tp_name);
        return -1;
    }
#if PY_VERSION_HEX < 0x030c0000
    if (PyUnicode_READY(object) < 0) {
        return -1;
    }
#endif
    if (PyUnicode_KIND(object) == PyUnicode_1BYTE_KIND) {
        *out = (struct sm_str){(const char *)PyUnicode_1BYTE_DATA(object), (size_t)PyUnicode_GET_LENGTH(object)};
        return 0;
    }
    *out = bytes_of(object);
    return out->ptr == NULL ? -1 : 0;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static int split_line(PyObject *item, struct sm_str line, struct sm_str *name_out, struct sm_str *value_out) {
    const char *colon = line.len == 0 ? NULL : memchr(line.ptr, ':', line.len);
    if (colon == NULL) {
        PyErr_Format(PyExc_ValueError, "a header without a colon: %R", item);
        return -1;
    }
    *name_out = (struct sm_str){line.ptr, (size_t)(colon - line.ptr)};
    struct sm_str value = {colon + 1, line.len - name_out->len - 1};
    while (value.len > 0 && is_blank(value.ptr[0])) {
        value = (struct sm_str){value.ptr + 1, value.len - 1};
    }
    while (value.len > 0 && is_blank(value.ptr[value.len - 1])) {
        value.len--;
    }
    *value_out = value;
    return 0;
}

int smpy_response_header(PyObject *item, struct sm_str *name_out, struct sm_str *value_out) {
    if (!PyTuple_Check(item) && !PyList_Check(item)) {
        struct sm_str line;
        return header_text(item, &line) < 0 ? -1 : split_line(item, line, name_out, value_out);
    }
    if (PySequence_Fast_GET_SIZE(item) != 2) {
        PyErr_Format(PyExc_ValueError, "a header that is no pair (name, value): %R", item);
        return -1;
    }
    return header_text(PySequence_Fast_GET_ITEM(item, 0), name_out) < 0 ||
                   header_text(PySequence_Fast_GET_ITEM(item, 1), value_out) < 0
               ? -1
               : 0;
}

// Whether "name: value" begins with the prefix, whatever the case.
static bool begins_with(struct sm_str name, struct sm_str value, struct sm_str prefix) {
    const struct sm_str parts[] = {name, SM_STR(": "), value};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && prefix.len > 0; i++) {
        size_t len = parts[i].len < prefix.len ? parts[i].len : prefix.len;
        if (!sm_str_ieq((struct sm_str){parts[i].ptr, len}, (struct sm_str){prefix.ptr, len})) {
            return false;
        }
        prefix = (struct sm_str){prefix.ptr + len, prefix.len - len};
    }
    return prefix.len == 0;
}

PyObject *smpy_response_find_header(PyObject *self, PyObject *prefix) {
    PyObject *headers = ((struct smpy_response *)self)->headers;
    struct sm_str wanted;
    if (header_text(prefix, &wanted) < 0) {
        return NULL;
    }
    for (Py_ssize_t i = 0; headers != NULL && i < PyList_GET_SIZE(headers); i++) {
        struct sm_str name;
        struct sm_str value;
        if (smpy_response_header(PyList_GET_ITEM(headers, i), &name, &value) < 0) {
            return NULL;
        }
        if (begins_with(name, value, wanted)) {
            return PyLong_FromSsize_t(i);
        }
    }
    return PyLong_FromLong(-1);
}
