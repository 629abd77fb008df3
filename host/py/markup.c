// SPDX-License-Identifier: MIT
// Entities in Python's text (see markup.h). All that is read and written are ASCII characters, so the text's width
// and its largest character stay what they were.
#include "py/markup.h"

#include "proto/xml.h"

const char smpy_xml_escape_doc[] = "xml_escape($module, text, /)\n--\n\nTurns & < > \" into &amp; &lt; &gt; &quot; "
                                   "and leaves the apostrophe alone.\n\n"
                                   "str gives str, bytes give bytes; the same object where nothing changes.";

const char smpy_xml_unescape_doc[] =
    "xml_unescape($module, text, /)\n--\n\nTurns &amp; &lt; &gt; &quot; back, in one pass; every other reference "
    "stays.\n\nstr gives str, bytes give bytes; the same object where nothing changes.";

// One of the two of proto/xml.h.
typedef size_t convert_fn(void *out, const void *text, size_t len, unsigned width);

static PyObject *convert_str(PyObject *text, convert_fn *convert) {
    if (PyUnicode_READY(text) < 0) {
        return NULL;
    }
    unsigned width = (unsigned)PyUnicode_KIND(text);
    size_t len = (size_t)PyUnicode_GET_LENGTH(text);
    size_t new_len = convert(NULL, PyUnicode_DATA(text), len, width);
    if (new_len == len) {
        return Py_NewRef(text);
    }
    PyObject *made = PyUnicode_New((Py_ssize_t)new_len, PyUnicode_MAX_CHAR_VALUE(text));
    if (made != NULL) {
        (void)convert(PyUnicode_DATA(made), PyUnicode_DATA(text), len, width);
    }
    return made;
}

static PyObject *convert_bytes(PyObject *text, convert_fn *convert) {
    size_t len = (size_t)PyBytes_GET_SIZE(text);
    size_t new_len = convert(NULL, PyBytes_AS_STRING(text), len, 1);
    if (new_len == len) {
        return Py_NewRef(text);
    }
    PyObject *made = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)new_len);
    if (made != NULL) {
        (void)convert(PyBytes_AS_STRING(made), PyBytes_AS_STRING(text), len, 1);
    }
    return made;
}

static PyObject *convert(PyObject *text, convert_fn *function) {
    if (PyUnicode_Check(text)) {
        return convert_str(text, function);
    }
    if (PyBytes_Check(text)) {
        return convert_bytes(text, function);
    }
    return PyErr_Format(PyExc_TypeError, "first argument must be a string, str or bytes, not %.100s",
                        Py_TYPE(text)->tp_name);
}

PyObject *smpy_xml_escape(PyObject *module, PyObject *text) {
    (void)module;
    return convert(text, sm_xml_escape);
}

PyObject *smpy_xml_unescape(PyObject *module, PyObject *text) {
    (void)module;
    return convert(text, sm_xml_unescape);
}
