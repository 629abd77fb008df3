// SPDX-License-Identifier: MIT
// Percent-encoding of Python's text, and pack() (see coding.h).
#include "py/coding.h"

#include "py/text.h"

// --- percent-encoding ---

static PyObject *refuse(PyObject *object) {
    return PyErr_Format(PyExc_TypeError, "first argument must be a string, str or bytes, not %.100s",
                        Py_TYPE(object)->tp_name);
}

// Borrows the bytes of a str or bytes object. What is not ASCII is encoded first: `owner_out` then owns the bytes,
// and is NULL otherwise. -1 with an exception.
static int bytes_of(PyObject *object, PyObject **owner_out, struct sm_str *bytes_out) {
    *owner_out = NULL;
    if (PyBytes_Check(object)) {
        *bytes_out = (struct sm_str){PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object)};
        return 0;
    }
    if (!PyUnicode_Check(object)) {
        (void)refuse(object);
        return -1;
    }
    if (PyUnicode_READY(object) < 0) {
        return -1;
    }
    if (PyUnicode_IS_ASCII(object)) {
        *bytes_out = (struct sm_str){PyUnicode_DATA(object), (size_t)PyUnicode_GET_LENGTH(object)};
        return 0;
    }
    *owner_out = PyUnicode_AsEncodedString(object, "utf-8", "surrogateescape");
    if (*owner_out == NULL) {
        return -1;
    }
    *bytes_out = (struct sm_str){PyBytes_AS_STRING(*owner_out), (size_t)PyBytes_GET_SIZE(*owner_out)};
    return 0;
}

PyObject *smpy_percent_encode(PyObject *text, enum sm_percent_keep keep) {
    PyObject *made = NULL;
    PyObject *owner = NULL;
    struct sm_str bytes;
    if (bytes_of(text, &owner, &bytes) < 0) {
        return NULL;
    }
    size_t len = sm_percent_encoded_len(bytes, keep);
    if (len == bytes.len) {
        made = Py_NewRef(text); // not one byte of it is above 0x7f, so it was not encoded
    } else if (PyBytes_Check(text)) {
        made = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)len);
        if (made != NULL) {
            (void)sm_percent_encode(PyBytes_AS_STRING(made), bytes, keep);
        }
    } else {
        made = PyUnicode_New((Py_ssize_t)len, 127);
        if (made != NULL) {
            (void)sm_percent_encode(PyUnicode_DATA(made), bytes, keep);
        }
    }
    Py_XDECREF(owner);
    return made;
}

PyObject *smpy_percent_decode(PyObject *text) {
    PyObject *made = NULL;
    PyObject *owner = NULL;
    struct sm_str bytes;
    char small[512];
    char *buffer = small;
    if (bytes_of(text, &owner, &bytes) < 0) {
        return NULL;
    }
    if (bytes.len == 0 || memchr(bytes.ptr, '%', bytes.len) == NULL) {
        made = Py_NewRef(text);
        goto done;
    }
    if (bytes.len > sizeof small) {
        buffer = PyMem_Malloc(bytes.len);
        if (buffer == NULL) {
            (void)PyErr_NoMemory();
            goto done;
        }
    }
    size_t len = sm_percent_decode(buffer, bytes);
    if (len == bytes.len) {
        made = Py_NewRef(text);
    } else if (PyBytes_Check(text)) {
        made = smpy_text_bytes((struct sm_str){buffer, len});
    } else {
        made = PyUnicode_DecodeUTF8(buffer, (Py_ssize_t)len, NULL);
    }
    if (buffer != small) {
        PyMem_Free(buffer);
    }
done:
    Py_XDECREF(owner);
    return made;
}

// --- pack ---

const char smpy_pack_doc[] =
    "pack($module, data, nbits=5, /)\n--\n\nPacks bytes into the letters 0-9 a-z A-Z _ -, `nbits` (4, 5 or 6; None "
    "is "
    "5) in each.\n\n`data` is bytes, or str through UTF-8. Bits are taken least significant first; the last letter "
    "is "
    "padded with\nzeros, so n bytes give ceil(8 n / nbits) letters. ValueError for any other number of bits.";

enum { DEFAULT_BITS = 5, MIN_BITS = 4, MAX_BITS = 6 };

// 4, 5 or 6; 0 with an exception.
static unsigned bits_of(PyObject *nbits) {
    if (nbits == Py_None) {
        return DEFAULT_BITS;
    }
    if (!PyLong_Check(nbits)) {
        PyErr_Format(PyExc_TypeError, "nbits must be int or None, not %.100s", Py_TYPE(nbits)->tp_name);
        return 0;
    }
    int overflow = 0;
    long bits = PyLong_AsLongAndOverflow(nbits, &overflow);
    if (overflow != 0 || bits < MIN_BITS || bits > MAX_BITS) {
        PyErr_Format(PyExc_ValueError, "Invalid number of bits: %.100S", nbits);
        return 0;
    }
    return (unsigned)bits;
}

static void pack(char *out, size_t len, struct sm_str data, unsigned bits) {
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-";
    unsigned pending = 0; // bits that came in and are not yet a letter, the next one lowest
    unsigned n_pending = 0;
    size_t at = 0;
    for (size_t i = 0; i < len; i++) {
        if (n_pending < bits && at < data.len) {
            pending |= (unsigned)(uint8_t)data.ptr[at++] << n_pending;
            n_pending += 8;
        }
        out[i] = letters[pending & ((1u << bits) - 1)];
        pending >>= bits;
        n_pending = n_pending < bits ? 0 : n_pending - bits;
    }
}

PyObject *smpy_pack(PyObject *module, PyObject *const *args, Py_ssize_t n_args) {
    (void)module;
    PyObject *owner = NULL;
    struct sm_str data;
    if (n_args < 1 || n_args > 2) {
        return PyErr_Format(PyExc_TypeError, "pack() takes data and nbits, not %zd arguments", n_args);
    }
    unsigned bits = n_args < 2 ? DEFAULT_BITS : bits_of(args[1]);
    if (bits == 0 || bytes_of(args[0], &owner, &data) < 0) {
        return NULL;
    }
    size_t len = data.len / bits * 8 + (data.len % bits * 8 + bits - 1) / bits;
    PyObject *made = PyUnicode_New((Py_ssize_t)len, 127);
    if (made != NULL) {
        pack(PyUnicode_DATA(made), len, data, bits);
    }
    Py_XDECREF(owner);
    return made;
}
