// SPDX-License-Identifier: MIT
// The configuration helper (see config_run.h). Python starts here without `site`, without the working directory on
// its path and whatever environment is active: none of them is needed to read a file, the helper may run as root, and
// the file may name another environment.
#include "py/config_run.h"

#include "base/exit.h"
#include "base/log.h"
#include "py/error.h"

// Returns new: smisk.host_config. Without `site`, smisk may lie in a folder that only `site` adds.
static PyObject *import_helper(void) {
    PyObject *helper = PyImport_ImportModule("smisk.host_config");
    if (helper != NULL || !PyErr_ExceptionMatches(PyExc_ModuleNotFoundError)) {
        return helper;
    }
    PyErr_Clear();
    PyObject *site = PyImport_ImportModule("site");
    PyObject *done = site == NULL ? NULL : PyObject_CallMethod(site, "main", NULL);
    Py_XDECREF(site);
    if (done == NULL) {
        return NULL;
    }
    Py_DECREF(done);
    return PyImport_ImportModule("smisk.host_config");
}

// Returns new: a list of str.
static PyObject *list_arguments(const struct sm_str *arguments, size_t n_arguments) {
    PyObject *list = PyList_New((Py_ssize_t)n_arguments);
    for (size_t i = 0; list != NULL && i < n_arguments; i++) {
        PyObject *text = PyUnicode_DecodeFSDefaultAndSize(arguments[i].ptr, (Py_ssize_t)arguments[i].len);
        if (text == NULL) {
            Py_CLEAR(list);
        } else {
            PyList_SET_ITEM(list, (Py_ssize_t)i, text);
        }
    }
    return list;
}

static int call_helper(const struct sm_str *arguments, size_t n_arguments, int out_fd) {
    PyObject *result = NULL;
    long code = -1;
    PyObject *helper = import_helper();
    PyObject *list = helper == NULL ? NULL : list_arguments(arguments, n_arguments);
    if (list != NULL) {
        result = PyObject_CallMethod(helper, "main", "Oi", list, out_fd);
    }
    if (result != NULL) {
        code = PyLong_AsLong(result);
    }
    if (PyErr_Occurred()) {
        smpy_error_log("the configuration cannot be read");
        code = SM_EXIT_PYTHON;
    }
    Py_XDECREF(result);
    Py_XDECREF(list);
    Py_XDECREF(helper);
    return (int)code;
}

int smpy_config_run(const struct smpy_interp_options *options, const struct sm_str *arguments, size_t n_arguments,
                    int out_fd) {
    struct smpy_interp_options quick = *options;
    quick.without_site = true;
    quick.without_active = true;
    quick.without_cwd = true;
    int status = smpy_interp_start(&quick);
    if (status == 0) {
        status = call_helper(arguments, n_arguments, out_fd);
        (void)smpy_interp_stop(0);
    }
    return status;
}
