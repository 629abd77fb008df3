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

enum { SMALL = 2048 }; // bytes that are worked on without asking for memory

// Text of a str or bytes object.
struct source {
    PyObject *object; // borrowed
    const char *data;
    size_t len; // units
    unsigned width;
};

// -1 with a TypeError.
static int source_init(struct source *source, PyObject *object) {
    if (PyBytes_Check(object)) {
        *source = (struct source){object, PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object), 1};
        return 0;
    }
    if (!PyUnicode_Check(object)) {
        PyErr_Format(PyExc_TypeError, "first argument must be a string, str or bytes, not %.100s",
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    if (PyUnicode_READY(object) < 0) {
        return -1;
    }
    *source = (struct source){object, PyUnicode_DATA(object), (size_t)PyUnicode_GET_LENGTH(object),
                              (unsigned)PyUnicode_KIND(object)};
    return 0;
}

// Returns new: an object like the source, of `len` units that are still to be written to `data_out`.
static PyObject *result_new(const struct source *source, size_t len, char **data_out) {
    bool is_bytes = PyBytes_Check(source->object);
    PyObject *made = is_bytes ? PyBytes_FromStringAndSize(NULL, (Py_ssize_t)len)
                              : PyUnicode_New((Py_ssize_t)len, PyUnicode_MAX_CHAR_VALUE(source->object));
    if (made != NULL) {
        *data_out = is_bytes ? PyBytes_AS_STRING(made) : PyUnicode_DATA(made);
    }
    return made;
}

// Returns new: what was made of the source, or the source itself where that is the same.
static PyObject *result_from(const struct source *source, const char *data, size_t len) {
    char *copy = NULL;
    if (len == source->len) {
        return Py_NewRef(source->object);
    }
    PyObject *made = result_new(source, len, &copy);
    if (made != NULL) {
        memcpy(copy, data, len * source->width);
    }
    return made;
}

PyObject *smpy_xml_escape(PyObject *module, PyObject *text) {
    (void)module;
    struct source source;
    char small[SMALL];
    char *data = NULL;
    if (source_init(&source, text) < 0) {
        return NULL;
    }
    size_t room = sizeof small / source.width;
    if (source.len <= room / SM_XML_GROWTH) {
        return result_from(&source, small, sm_xml_escape(small, room, source.data, source.len, source.width));
    }
    size_t len = sm_xml_escaped_len(source.data, source.len, source.width);
    if (len == source.len) {
        return Py_NewRef(text);
    }
    PyObject *made = result_new(&source, len, &data);
    if (made != NULL) {
        (void)sm_xml_escape(data, len, source.data, source.len, source.width);
    }
    return made;
}

PyObject *smpy_xml_unescape(PyObject *module, PyObject *text) {
    (void)module;
    struct source source;
    char small[SMALL];
    PyObject *made = NULL;
    if (source_init(&source, text) < 0) {
        return NULL;
    }
    size_t size = source.len * source.width;
    if (size == 0 || memchr(source.data, '&', size) == NULL) {
        return Py_NewRef(text);
    }
    char *buffer = size <= sizeof small ? small : PyMem_Malloc(size);
    if (buffer == NULL) {
        return PyErr_NoMemory();
    }
    made = result_from(&source, buffer, sm_xml_unescape(buffer, source.data, source.len, source.width));
    if (buffer != small) {
        PyMem_Free(buffer);
    }
    return made;
}
