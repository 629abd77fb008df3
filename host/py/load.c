// SPDX-License-Identifier: MIT
// From the text of the `app` setting to a handler (see load.h). A person reads what is logged here, mostly on the
// first day: so each message says what was looked for, where, and what there is instead.
#include "py/load.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/exit.h"
#include "base/log.h"
#include "py/error.h"
#include "py/kind.h"

// The setting in parts.
struct target {
    char module[256];
    char attribute[256];   // "": the usual names
    char folder[PATH_MAX]; // "": the module is on sys.path
    char file[PATH_MAX];   // the file that was named, "" if none was
};

static const char *const usual_names[] = {"application", "app", "handle"};

// --- the setting ---

static int too_long(const char *app) {
    sm_log(SM_LOG_CRITICAL, "app: too long a name: %.200s", app);
    return SM_EXIT_APP;
}

// A file: its folder goes to sys.path, its name without .py is the module.
static int split_file(const char *app, struct target *target) {
    if (realpath(target->module, target->file) == NULL) {
        sm_log(SM_LOG_CRITICAL, "app: cannot open %s: %s", target->module, strerror(errno));
        return SM_EXIT_APP;
    }
    char *slash = strrchr(target->file, '/');
    int folder_len = slash == target->file ? 1 : (int)(slash - target->file);
    (void)snprintf(target->folder, sizeof target->folder, "%.*s", folder_len, target->file);
    size_t name_len = strlen(slash + 1);
    if (name_len <= 3 || name_len >= sizeof target->module) {
        return too_long(app);
    }
    memcpy(target->module, slash + 1, name_len - 3);
    target->module[name_len - 3] = '\0';
    return 0;
}

static int split_target(const char *app, struct target *target) {
    size_t len = strlen(app);
    const char *colon = strrchr(app, ':');
    size_t module_len = colon == NULL ? len : (size_t)(colon - app);
    *target = (struct target){0};
    if (module_len == 0 || (colon != NULL && colon[1] == '\0')) {
        sm_log(SM_LOG_CRITICAL, "app: \"%s\" is not of the form module, module:attribute or path/to/file.py", app);
        return SM_EXIT_APP;
    }
    if (module_len >= sizeof target->module || len - module_len > sizeof target->attribute) {
        return too_long(app);
    }
    memcpy(target->module, app, module_len);
    if (colon != NULL) {
        memcpy(target->attribute, colon + 1, len - module_len - 1);
    }
    bool is_file = module_len > 3 && memcmp(app + module_len - 3, ".py", 3) == 0;
    return is_file ? split_file(app, target) : 0;
}

// --- hints ---

// Returns new: ` (did you mean "x"?)` or an empty str. NULL with an exception.
static PyObject *did_you_mean(const char *name, PyObject *candidates) {
    PyObject *hint = NULL;
    PyObject *difflib = PyImport_ImportModule("difflib");
    PyObject *matches =
        difflib == NULL ? NULL : PyObject_CallMethod(difflib, "get_close_matches", "sOi", name, candidates, 1);
    if (matches != NULL) {
        // The very same name may lie in the working directory while that is not on sys.path.
        hint =
            PyList_GET_SIZE(matches) == 0 || PyUnicode_CompareWithASCIIString(PyList_GET_ITEM(matches, 0), name) == 0
                ? PyUnicode_FromString("")
                : PyUnicode_FromFormat(" (did you mean \"%U\"?)", PyList_GET_ITEM(matches, 0));
    }
    Py_XDECREF(matches);
    Py_XDECREF(difflib);
    return hint;
}

// 1 when the object's attribute is something one would serve: public, callable, no class. -1 with an exception.
static int is_servable(PyObject *object, PyObject *name) {
    const char *text = PyUnicode_AsUTF8(name);
    if (text == NULL) {
        return -1;
    }
    if (text[0] == '_') {
        return 0;
    }
    PyObject *value = NULL;
    int found = smpy_attribute_find(object, name, &value);
    int servable = found <= 0 ? found : PyCallable_Check(value) && !PyType_Check(value);
    Py_XDECREF(value);
    return servable;
}

// Returns new: the names of what could be served.
static PyObject *servable_names(PyObject *object) {
    PyObject *found = PyList_New(0);
    PyObject *all = PyObject_Dir(object);
    int status = found == NULL || all == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; status >= 0 && i < PyList_GET_SIZE(all); i++) {
        PyObject *name = PyList_GET_ITEM(all, i);
        status = is_servable(object, name);
        if (status > 0) {
            status = PyList_Append(found, name);
        }
    }
    if (status < 0) {
        Py_CLEAR(found);
    }
    Py_XDECREF(all);
    return found;
}

// Returns new: `; it has: a, b`.
static PyObject *list_names(PyObject *names) {
    if (PyList_GET_SIZE(names) == 0) {
        return PyUnicode_FromString("; it has no function that could be one");
    }
    PyObject *text = NULL;
    PyObject *comma = PyUnicode_FromString(", ");
    PyObject *joined = comma == NULL ? NULL : PyUnicode_Join(comma, names);
    if (joined != NULL) {
        text = PyUnicode_FromFormat("; it has: %U", joined);
    }
    Py_XDECREF(joined);
    Py_XDECREF(comma);
    return text;
}

// Logs that `object`, called `label`, has no attribute `name` (NULL: none of the usual names), with what it has.
static int log_missing(PyObject *object, const char *label, const char *name) {
    PyObject *text = NULL;
    PyObject *names = servable_names(object);
    PyObject *has = names == NULL ? NULL : list_names(names);
    PyObject *hint = has == NULL ? NULL : name == NULL ? PyUnicode_FromString("") : did_you_mean(name, names);
    if (hint != NULL && name != NULL) {
        text = PyUnicode_FromFormat("app: module \"%s\" has no attribute \"%s\"%U%U", label, name, hint, has);
    } else if (hint != NULL) {
        text = PyUnicode_FromFormat("app: module \"%s\" has none of application, app, handle: name what to serve as "
                                    "%s:NAME%U",
                                    label, label, has);
    }
    smpy_error_log_line(text);
    Py_XDECREF(hint);
    Py_XDECREF(has);
    Py_XDECREF(names);
    return SM_EXIT_APP;
}

// --- the module ---

// Whether the exception that is set says that the module itself, not one that it imports, is not there.
static bool is_not_there(const char *module) {
    if (!PyErr_ExceptionMatches(PyExc_ModuleNotFoundError)) {
        return false;
    }
    PyObject *exception = smpy_exception_take();
    PyObject *name = PyObject_GetAttrString(exception, "name");
    const char *text = name == NULL || !PyUnicode_Check(name) ? NULL : PyUnicode_AsUTF8(name);
    size_t len = text == NULL ? 0 : strlen(text);
    bool matches = len > 0 && strncmp(module, text, len) == 0 && (module[len] == '\0' || module[len] == '.');
    PyErr_Clear();
    Py_XDECREF(name);
    smpy_exception_give(exception);
    return matches;
}

// Returns new: the names of modules in the working directory.
static PyObject *modules_here(void) {
    PyObject *found = PyList_New(0);
    PyObject *os = PyImport_ImportModule("os");
    PyObject *all = os == NULL ? NULL : PyObject_CallMethod(os, "listdir", NULL);
    int status = found == NULL || all == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; status == 0 && i < PyList_GET_SIZE(all); i++) {
        PyObject *name = PyList_GET_ITEM(all, i);
        Py_ssize_t len = PyUnicode_GET_LENGTH(name);
        PyObject *stem = PyUnicode_Substring(name, 0, len > 3 ? len - 3 : 0);
        PyObject *whole = stem == NULL ? NULL : PyUnicode_FromFormat("%U.py", stem);
        status = whole == NULL ? -1 : len > 3 && PyUnicode_Compare(whole, name) == 0 ? PyList_Append(found, stem) : 0;
        Py_XDECREF(whole);
        Py_XDECREF(stem);
    }
    if (status < 0) {
        Py_CLEAR(found);
    }
    Py_XDECREF(all);
    Py_XDECREF(os);
    return found;
}

static int log_not_there(const char *module) {
    PyErr_Clear();
    PyObject *path = PySys_GetObject("path");
    PyObject *here = modules_here();
    PyObject *hint = here == NULL ? NULL : did_you_mean(module, here);
    smpy_error_log_line(
        hint == NULL || path == NULL
            ? NULL
            : PyUnicode_FromFormat("app: there is no module \"%s\"%U; looked in %R", module, hint, path));
    Py_XDECREF(hint);
    Py_XDECREF(here);
    return SM_EXIT_APP;
}

// Puts the named file's folder at the front of sys.path.
static int put_folder(const struct target *target) {
    PyObject *path = PySys_GetObject("path");
    PyObject *folder = PyUnicode_DecodeFSDefault(target->folder);
    int status = path == NULL || folder == NULL ? -1 : PyList_Insert(path, 0, folder);
    Py_XDECREF(folder);
    return status;
}

// The module may have been imported before under the same name: then the named file is not what would be served.
static int check_file(const struct target *target, PyObject *module) {
    char real[PATH_MAX];
    PyObject *file = NULL;
    if (target->file[0] == '\0') {
        return 0;
    }
    (void)smpy_attribute_find_text(module, "__file__", &file);
    const char *text = file == NULL || !PyUnicode_Check(file) ? NULL : PyUnicode_AsUTF8(file);
    bool is_it = text != NULL && realpath(text, real) != NULL && strcmp(real, target->file) == 0;
    PyErr_Clear();
    if (!is_it) {
        sm_log(SM_LOG_CRITICAL, "app: %s cannot be imported: another module is called \"%s\" (%s); rename the file",
               target->file, target->module, text == NULL ? "built in" : text);
    }
    Py_XDECREF(file);
    return is_it ? 0 : SM_EXIT_APP;
}

static int import_module(const struct target *target, struct smpy_loaded *out) {
    char heading[512];
    if (target->folder[0] != '\0' && put_folder(target) < 0) {
        smpy_error_log("app: sys.path cannot be changed");
        return SM_EXIT_APP;
    }
    PyObject *package = PyImport_ImportModule(target->module);
    if (package == NULL) {
        if (is_not_there(target->module)) {
            return log_not_there(target->module);
        }
        (void)snprintf(heading, sizeof heading, "app: importing \"%s\" failed", target->module);
        smpy_error_log(heading);
        return SM_EXIT_APP;
    }
    out->module = package;
    return check_file(target, package);
}

// --- the attribute ---

static int find_dotted(const struct target *target, struct smpy_loaded *out) {
    char path[sizeof target->attribute];
    char label[sizeof target->module + sizeof target->attribute];
    char *rest = NULL;
    (void)snprintf(path, sizeof path, "%s", target->attribute);
    (void)snprintf(label, sizeof label, "%s", target->module);
    PyObject *object = Py_NewRef(out->module);
    for (char *name = strtok_r(path, ".", &rest); name != NULL; name = strtok_r(NULL, ".", &rest)) {
        PyObject *next = NULL;
        int found = smpy_attribute_find_text(object, name, &next);
        if (found < 0) {
            smpy_error_log("app: an attribute could not be read");
        } else if (found == 0) {
            (void)log_missing(object, label, name);
        }
        Py_SETREF(object, next);
        if (object == NULL) {
            return SM_EXIT_APP;
        }
        size_t len = strlen(label);
        (void)snprintf(label + len, sizeof label - len, ".%s", name);
    }
    out->handler = object;
    (void)snprintf(out->label, sizeof out->label, "%.120s:%.120s", target->module, target->attribute);
    return 0;
}

static int find_usual(const struct target *target, struct smpy_loaded *out) {
    for (size_t i = 0; i < sizeof usual_names / sizeof usual_names[0]; i++) {
        int found = smpy_attribute_find_text(out->module, usual_names[i], &out->handler);
        if (found < 0) {
            smpy_error_log("app: an attribute could not be read");
            return SM_EXIT_APP;
        }
        // A submodule or a constant of that name is not what was meant.
        if (found == 1 && PyCallable_Check(out->handler)) {
            (void)snprintf(out->label, sizeof out->label, "%.240s:%s", target->module, usual_names[i]);
            return 0;
        }
        Py_CLEAR(out->handler);
    }
    return log_missing(out->module, target->module, NULL);
}

static int find_kind(const char *interface, struct smpy_loaded *out) {
    bool is_auto = interface == NULL || strcmp(interface, "auto") == 0;
    if (!is_auto && strcmp(interface, "native") != 0) {
        out->kind = strcmp(interface, "wsgi") == 0 ? SMPY_KIND_WSGI : SMPY_KIND_ASGI;
        return 0;
    }
    if (!PyCallable_Check(out->handler) || PyType_Check(out->handler)) {
        sm_log(SM_LOG_CRITICAL, "app: %s is %s, not something to call with a request", out->label,
               PyType_Check(out->handler) ? "a class" : Py_TYPE(out->handler)->tp_name);
        return SM_EXIT_APP;
    }
    int kind = smpy_kind_of(out->handler);
    if (kind == SMPY_KIND_COUNT) {
        sm_log(SM_LOG_CRITICAL, "app: %s cannot be called with one argument, the request", out->label);
        return SM_EXIT_APP;
    }
    if (kind < 0) {
        smpy_error_log("app: the handler could not be looked at");
        return SM_EXIT_APP;
    }
    out->kind = is_auto || kind == SMPY_KIND_ASYNC ? (enum smpy_kind)kind : SMPY_KIND_NATIVE;
    return 0;
}

int smpy_load(const char *app, const char *interface, struct smpy_loaded *out) {
    struct target target;
    *out = (struct smpy_loaded){0};
    int status = split_target(app, &target);
    if (status == 0) {
        status = import_module(&target, out);
    }
    if (status == 0) {
        status = target.attribute[0] != '\0' ? find_dotted(&target, out) : find_usual(&target, out);
    }
    if (status == 0) {
        status = find_kind(interface, out);
    }
    if (status != 0) {
        smpy_loaded_clear(out);
    }
    return status;
}

void smpy_loaded_clear(struct smpy_loaded *loaded) {
    Py_CLEAR(loaded->handler);
    Py_CLEAR(loaded->module);
}
