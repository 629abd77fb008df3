// SPDX-License-Identifier: MIT
// The one place that starts Python and ends it (see interp.h). The host forks before it comes here; what Python
// reports as a status is logged whole, since it is all that the operator gets to see.
#include "py/interp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/exit.h"
#include "base/log.h"
#include "config.h"
#include "py/error.h"
#include "py/module.h"
#include "py/threads.h"
#include "py/venv.h"

#define TEXT_OF(x) TEXT_OF_VALUE(x)
#define TEXT_OF_VALUE(x) #x
#define PYTHON_NAME "python" TEXT_OF(PY_MAJOR_VERSION) "." TEXT_OF(PY_MINOR_VERSION)

static int status_failed(PyStatus status) {
    if (PyStatus_IsExit(status)) {
        sm_log(SM_LOG_CRITICAL, "Python could not be started: it asked to exit with status %d", status.exitcode);
    } else {
        sm_log(SM_LOG_CRITICAL, "Python could not be started: %s%s%s", status.func == NULL ? "" : status.func,
               status.func == NULL ? "" : ": ", status.err_msg == NULL ? "no reason given" : status.err_msg);
    }
    return SM_EXIT_PYTHON;
}

// --- configuration ---

// What Python takes itself for: from it follow sys.executable, sys.prefix and the standard library.
static const char *find_python(const struct sm_venv *venv) {
    if (venv->python[0] != '\0') {
        return venv->python;
    }
    if (access(SMISK_PYTHON_EXE, X_OK) == 0) {
        return SMISK_PYTHON_EXE;
    }
    if (errno == EACCES) {
        sm_log(SM_LOG_WARNING,
               "Python's own folder cannot be read by user %d (%s); taking " PYTHON_NAME
               " from PATH. Install Python where "
               "that user may go, or choose another `user`",
               (int)geteuid(), SMISK_PYTHON_EXE);
    }
    return PYTHON_NAME;
}

static PyStatus fill_config(PyConfig *config, const struct smpy_interp_options *options, const char *python) {
    char *argv[] = {(char *)options->app_name};
    config->parse_argv = 0;
    config->install_signal_handlers = 0;
    config->site_import = options->without_site ? 0 : 1;
    PyStatus status = PyConfig_SetBytesString(config, &config->program_name, python);
    if (PyStatus_Exception(status)) {
        return status;
    }
    return PyConfig_SetBytesArgv(config, 1, argv);
}

static int initialize(const struct smpy_interp_options *options, const char *python) {
    PyConfig config;
    PyPreConfig before;
    PyPreConfig_InitPythonConfig(&before);
    before.parse_argv = 0;
    PyStatus status = Py_PreInitialize(&before);
    if (PyStatus_Exception(status)) {
        return status_failed(status);
    }
    PyConfig_InitPythonConfig(&config);
    status = fill_config(&config, options, python);
    if (!PyStatus_Exception(status)) {
        status = Py_InitializeFromConfig(&config);
    }
    PyConfig_Clear(&config);
    return PyStatus_Exception(status) ? status_failed(status) : 0;
}

// --- sys ---

// Borrows an attribute of sys that must be there; NULL with an exception.
static PyObject *sys_object(const char *name) {
    PyObject *object = PySys_GetObject(name);
    if (object == NULL) {
        PyErr_Format(PyExc_RuntimeError, "lost sys.%s", name);
    }
    return object;
}

static int insert_path(PyObject *path, Py_ssize_t at, const char *folder) {
    PyObject *text = PyUnicode_DecodeFSDefault(folder);
    if (text == NULL) {
        return -1;
    }
    int status = PyList_Insert(path, at, text);
    Py_DECREF(text);
    return status;
}

// Whether the user asked Python to keep the working directory off sys.path (-P, PYTHONSAFEPATH; 3.11).
static bool is_safe_path(void) {
    PyObject *value = NULL;
    PyObject *flags = PySys_GetObject("flags");
    bool is_safe = flags != NULL && smpy_attribute_find_text(flags, "safe_path", &value) > 0 && value == Py_True;
    PyErr_Clear();
    Py_XDECREF(value);
    return is_safe;
}

// The front of sys.path: the folders of the option, then the working directory, as for `python -m`.
static int extend_path(const struct smpy_interp_options *options) {
    char cwd[PATH_MAX];
    Py_ssize_t at = 0;
    PyObject *path = sys_object("path");
    if (path == NULL) {
        return -1;
    }
    for (char *const *folder = options->pythonpath; folder != NULL && *folder != NULL; folder++) {
        if (insert_path(path, at++, *folder) < 0) {
            return -1;
        }
    }
    if (options->without_cwd || is_safe_path()) {
        return 0;
    }
    if (getcwd(cwd, sizeof cwd) == NULL) {
        sm_log(SM_LOG_WARNING, "the working directory cannot be named, so it is not on sys.path");
        return 0;
    }
    return insert_path(path, at, cwd);
}

// 1 when `import smisk` would find it, 0 when not, -1 with an exception.
static int can_find_smisk(void) {
    PyObject *finders = PyImport_ImportModule("_frozen_importlib_external");
    PyObject *finder = finders == NULL ? NULL : PyObject_GetAttrString(finders, "PathFinder");
    PyObject *spec = finder == NULL ? NULL : PyObject_CallMethod(finder, "find_spec", "s", "smisk");
    int found = spec == NULL ? -1 : spec != Py_None;
    Py_XDECREF(spec);
    Py_XDECREF(finder);
    Py_XDECREF(finders);
    return found;
}

// Where the package lies when it is not on sys.path: beside this program, or in the tree it was built from.
static int smisk_folder(char out[static PATH_MAX]) {
#ifdef SMISK_PYLIB
    int n = snprintf(out, PATH_MAX, "%s", SMISK_PYLIB);
#else
    char folder[PATH_MAX];
    if (sm_program_folder(folder) < 0) {
        return -1;
    }
    int n = snprintf(out, PATH_MAX, "%.*s/../lib/" PYTHON_NAME "/site-packages", PATH_MAX - 64, folder);
#endif
    return n < 0 || n >= PATH_MAX ? -1 : 0;
}

static int find_smisk(void) {
    char folder[PATH_MAX];
    int found = can_find_smisk();
    if (found != 0 || smisk_folder(folder) < 0) {
        return found < 0 ? -1 : 0;
    }
    PyObject *path = sys_object("path");
    return path == NULL ? -1 : insert_path(path, PyList_Size(path), folder);
}

// print() in a handler shows at once, a line at a time, also when stdout is a file or a pipe.
static int flush_lines(void) {
    PyObject *done = NULL;
    PyObject *stream = sys_object("stdout");
    if (stream == NULL) {
        return -1;
    }
    if (stream == Py_None) {
        return 0;
    }
    PyObject *reconfigure = PyObject_GetAttrString(stream, "reconfigure");
    PyObject *none = PyTuple_New(0);
    PyObject *arguments = Py_BuildValue("{s:O}", "line_buffering", Py_True);
    if (reconfigure != NULL && none != NULL && arguments != NULL) {
        done = PyObject_Call(reconfigure, none, arguments);
    }
    int status = done == NULL ? -1 : 0;
    Py_XDECREF(done);
    Py_XDECREF(arguments);
    Py_XDECREF(none);
    Py_XDECREF(reconfigure);
    return status;
}

// --- start and stop ---

int smpy_interp_start(const struct smpy_interp_options *options) {
    struct sm_venv venv = {0};
    if (sm_venv_find(options->venv, options->without_active ? NULL : getenv("VIRTUAL_ENV"), &venv) < 0) {
        return SM_EXIT_PYTHON;
    }
    if (PyImport_AppendInittab("_smisk", PyInit__smisk) < 0) {
        sm_log(SM_LOG_CRITICAL, "Python could not be started: no memory");
        return SM_EXIT_PYTHON;
    }
    int status = initialize(options, find_python(&venv));
    if (status != 0) {
        return status;
    }
    if (find_smisk() < 0 || extend_path(options) < 0 || flush_lines() < 0) {
        smpy_error_log("Python could not be set up");
        return SM_EXIT_PYTHON;
    }
    return 0;
}

// Calls a method and forgets its result; an exception goes to sys.unraisablehook.
static void call_quietly(PyObject *object, const char *method) {
    PyObject *result = object == NULL ? NULL : PyObject_CallMethod(object, method, NULL);
    if (result == NULL && PyErr_Occurred()) {
        PyErr_WriteUnraisable(object);
    }
    Py_XDECREF(result);
}

// What Py_FinalizeEx does for the application, without taking Python away from under the threads that still run.
static void end_around_threads(void) {
    PyObject *atexit = PyImport_ImportModule("atexit");
    call_quietly(atexit, "_run_exitfuncs");
    Py_XDECREF(atexit);
    static const char *const streams[] = {"stdout", "stderr"};
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        PyObject *stream = PySys_GetObject(streams[i]);
        if (stream != NULL && stream != Py_None) {
            call_quietly(stream, "flush");
        }
    }
}

enum smpy_interp_outcome smpy_interp_stop(uint64_t timeout) {
    smpy_threads_join(timeout);
    if (smpy_threads_are_live()) {
        end_around_threads();
        return SMPY_INTERP_LIVE;
    }
    if (Py_FinalizeEx() < 0) {
        sm_log(SM_LOG_WARNING, "Python ended with an error: not everything that was printed could be written");
    }
    return SMPY_INTERP_ENDED;
}
