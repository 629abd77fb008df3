// SPDX-License-Identifier: MIT
// CPython 3.10 to 3.13 seen as one: the few calls of newer versions that we want, for the older ones too. Every
// name here says `smpy_` and means the GIL is held. Comes in: the other files of this floor. Owns nothing.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <structmember.h>

// Returns new: the exception that is set, with its traceback in place, and clears it. NULL when none is set.
static inline PyObject *smpy_exception_take(void) {
#if PY_VERSION_HEX >= 0x030c0000
    return PyErr_GetRaisedException();
#else
    PyObject *type = NULL;
    PyObject *value = NULL;
    PyObject *traceback = NULL;
    PyErr_Fetch(&type, &value, &traceback);
    if (type == NULL) {
        return NULL;
    }
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL && value != NULL) {
        (void)PyException_SetTraceback(value, traceback);
    }
    Py_XDECREF(traceback);
    Py_XDECREF(type);
    return value;
#endif
}

// Takes the reference to `exception` and sets it.
static inline void smpy_exception_give(PyObject *exception) {
#if PY_VERSION_HEX >= 0x030c0000
    PyErr_SetRaisedException(exception);
#else
    PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(exception)), exception, PyException_GetTraceback(exception));
#endif
}

// 1 with a new reference, 0 with NULL when there is no such attribute, -1 with an exception.
static inline int smpy_attribute_find(PyObject *object, PyObject *name, PyObject **value_out) {
    *value_out = PyObject_GetAttr(object, name);
    if (*value_out != NULL) {
        return 1;
    }
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
        return -1;
    }
    PyErr_Clear();
    return 0;
}

// The same with a C string for the name.
static inline int smpy_attribute_find_text(PyObject *object, const char *name, PyObject **value_out) {
    *value_out = NULL;
    PyObject *key = PyUnicode_InternFromString(name);
    if (key == NULL) {
        return -1;
    }
    int found = smpy_attribute_find(object, key, value_out);
    Py_DECREF(key);
    return found;
}

// Whether nobody but the caller can reach the object, so that it may be used again.
static inline bool smpy_is_only_reference(PyObject *object) {
#ifdef Py_GIL_DISABLED
    (void)object;
    return false;
#else
    return Py_REFCNT(object) == 1;
#endif
}
