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
#include "py/application.h"
#include "py/error.h"
#include "py/kind.h"
#include "py/maker.h"
#include "py/target.h"

static const char *const usual_names[] = {"application", "app", "handle"};

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

// Borrows the name of a factory among the names; NULL: there is none.
static PyObject *factory_name(PyObject *names) {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(names); i++) {
        PyObject *name = PyList_GET_ITEM(names, i);
        if (PyUnicode_CompareWithASCIIString(name, "create_app") == 0 ||
            PyUnicode_CompareWithASCIIString(name, "make_app") == 0) {
            return name;
        }
    }
    return NULL;
}

// Returns new: that the module has none of the usual names, and what to name instead.
static PyObject *describe_unusual(const char *label, PyObject *names, PyObject *has) {
    PyObject *factory = factory_name(names);
    if (factory != NULL) {
        return PyUnicode_FromFormat("app: module \"%s\" has none of application, app, handle: name its factory as "
                                    "%s:%U()%U",
                                    label, label, factory, has);
    }
    return PyUnicode_FromFormat("app: module \"%s\" has none of application, app, handle: name what to serve as "
                                "%s:NAME%U",
                                label, label, has);
}

// Logs that `object`, called `label`, has no attribute `name` (NULL: none of the usual names), with what it has.
static int log_missing(PyObject *object, const char *label, const char *name) {
    PyObject *text = NULL;
    PyObject *names = servable_names(object);
    PyObject *has = names == NULL ? NULL : list_names(names);
    PyObject *hint = has == NULL || name == NULL ? NULL : did_you_mean(name, names);
    if (hint != NULL) {
        text = PyUnicode_FromFormat("app: module \"%s\" has no attribute \"%s\"%U%U", label, name, hint, has);
    } else if (has != NULL && name == NULL) {
        text = describe_unusual(label, names, has);
    }
    smpy_error_log_line(SM_LOG_CRITICAL, text);
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
    smpy_error_log_line(SM_LOG_CRITICAL, hint == NULL || path == NULL
                                             ? NULL
                                             : PyUnicode_FromFormat("app: there is no module \"%s\"%U; looked in %R",
                                                                    module, hint, path));
    Py_XDECREF(hint);
    Py_XDECREF(here);
    return SM_EXIT_APP;
}

// Puts the named file's folder at the front of sys.path.
static int put_folder(const struct sm_target *target) {
    PyObject *path = PySys_GetObject("path");
    PyObject *folder = PyUnicode_DecodeFSDefault(target->folder);
    int status = path == NULL || folder == NULL ? -1 : PyList_Insert(path, 0, folder);
    Py_XDECREF(folder);
    return status;
}

// The module may have been imported before under the same name: then the named file is not what would be served.
static int check_file(const struct sm_target *target, PyObject *module) {
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

static int import_module(const struct sm_target *target, struct smpy_loaded *out) {
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

static int find_dotted(const struct sm_target *target, struct smpy_loaded *out) {
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

static bool can_be_served(PyObject *object) {
    return PyCallable_Check(object) || smpy_application_kind(object) != SMPY_APPLICATION_NONE;
}

// A module that gives none of the usual names may yet mean an Application.
static int find_application(const struct sm_target *target, struct smpy_loaded *out) {
    int found = smpy_application_find(out->module, &out->handler);
    if (found < 0) {
        smpy_error_log("app: what to serve is not clear");
        return SM_EXIT_APP;
    }
    if (found == 0) {
        return log_missing(out->module, target->module, NULL);
    }
    PyTypeObject *type = PyType_Check(out->handler) ? (PyTypeObject *)out->handler : Py_TYPE(out->handler);
    (void)snprintf(out->label, sizeof out->label, "%.120s:%.120s", target->module, type->tp_name);
    return 0;
}

static int find_usual(const struct sm_target *target, struct smpy_loaded *out) {
    for (size_t i = 0; i < sizeof usual_names / sizeof usual_names[0]; i++) {
        int found = smpy_attribute_find_text(out->module, usual_names[i], &out->handler);
        if (found < 0) {
            smpy_error_log("app: an attribute could not be read");
            return SM_EXIT_APP;
        }
        // A submodule, a constant, or a proxy of that name is not what was meant.
        if (found == 1 && can_be_served(out->handler)) {
            (void)snprintf(out->label, sizeof out->label, "%.240s:%s", target->module, usual_names[i]);
            return 0;
        }
        Py_CLEAR(out->handler);
    }
    return find_application(target, out);
}

static int refuse_object(const struct smpy_loaded *loaded) {
    sm_log(SM_LOG_CRITICAL, "app: %s is %.100s, which cannot be called and so is no application", loaded->label,
           Py_TYPE(loaded->handler)->tp_name);
    return SM_EXIT_APP;
}

// Calls the factory if one is named, tells the kind of what there is then, and calls what turns out to be a factory.
static int find_kind(const struct sm_target *target, const char *interface, struct smpy_loaded *out) {
    bool is_made = target->arguments[0] != '\0';
    if (!can_be_served(out->handler)) {
        return refuse_object(out);
    }
    int status = is_made ? smpy_maker_call(out, target->arguments) : 0;
    // An Application is an object: of a class, one is made.
    if (status == 0 && smpy_application_kind(out->handler) == SMPY_APPLICATION_CLASS) {
        status = smpy_maker_call(out, "()");
    }
    if (status != 0) {
        return status;
    }
    enum smpy_kind_outcome outcome = smpy_kind_find(out, interface, is_made);
    if (outcome == SMPY_KIND_FACTORY) {
        status = smpy_maker_call(out, "()");
        outcome = status == 0 ? smpy_kind_find(out, interface, true) : SMPY_KIND_REFUSED;
    }
    return outcome == SMPY_KIND_FOUND ? 0 : SM_EXIT_APP;
}

int smpy_load(const char *app, const char *interface, struct smpy_loaded *out) {
    struct sm_target target;
    *out = (struct smpy_loaded){0};
    int status = sm_target_split(app, &target);
    if (status == 0) {
        status = import_module(&target, out);
    }
    if (status == 0) {
        status = target.attribute[0] != '\0' ? find_dotted(&target, out) : find_usual(&target, out);
    }
    if (status == 0) {
        status = find_kind(&target, interface, out);
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
