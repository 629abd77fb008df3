// SPDX-License-Identifier: MIT
// Bytes of a request as Python text, tolerantly (see text.h).
#include "py/text.h"

#include "proto/percent.h"

PyObject *smpy_text(struct sm_str bytes) {
    PyObject *text = PyUnicode_DecodeUTF8(bytes.len == 0 ? "" : bytes.ptr, (Py_ssize_t)bytes.len, NULL);
    if (text == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
        text = PyUnicode_DecodeLatin1(bytes.ptr, (Py_ssize_t)bytes.len, NULL);
    }
    return text;
}

PyObject *smpy_text_bytes(struct sm_str bytes) {
    return PyBytes_FromStringAndSize(bytes.len == 0 ? "" : bytes.ptr, (Py_ssize_t)bytes.len);
}

static size_t copy(char *out, struct sm_str src) {
    if (src.len > 0) {
        memcpy(out, src.ptr, src.len);
    }
    return src.len;
}

PyObject *smpy_text_path(struct sm_str first, struct sm_str second, bool decode) {
    decode = decode && ((first.len > 0 && memchr(first.ptr, '%', first.len) != NULL) ||
                        (second.len > 0 && memchr(second.ptr, '%', second.len) != NULL));
    if (!decode && (first.len == 0 || second.len == 0)) {
        return smpy_text(first.len == 0 ? second : first);
    }
    char small[512];
    char *buffer = small;
    if (first.len + second.len > sizeof small) {
        buffer = PyMem_Malloc(first.len + second.len);
        if (buffer == NULL) {
            return PyErr_NoMemory();
        }
    }
    size_t len = decode ? sm_percent_decode(buffer, first) : copy(buffer, first);
    len += decode ? sm_percent_decode(buffer + len, second) : copy(buffer + len, second);
    PyObject *text = smpy_text((struct sm_str){buffer, len});
    if (buffer != small) {
        PyMem_Free(buffer);
    }
    return text;
}

PyObject *smpy_text_encode_path(struct sm_str first, struct sm_str second) {
    PyObject *out = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)((first.len + second.len) * 3));
    if (out == NULL) {
        return NULL;
    }
    size_t len = sm_percent_encode(PyBytes_AS_STRING(out), first, SM_PERCENT_PATH);
    len += sm_percent_encode(PyBytes_AS_STRING(out) + len, second, SM_PERCENT_PATH);
    if (_PyBytes_Resize(&out, (Py_ssize_t)len) < 0) {
        return NULL;
    }
    return out;
}
