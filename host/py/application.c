// SPDX-License-Identifier: MIT
// smisk.core.Application as the host sees it (see application.h).
#include "py/application.h"

// Returns new: the class, or NULL where nobody has imported it. Leaves no exception.
static PyTypeObject *application_type(void) {
    PyObject *type = NULL;
    PyObject *name = PyUnicode_FromString("smisk.core.application");
    PyObject *module = name == NULL ? NULL : PyImport_GetModule(name);
    if (module != NULL) {
        (void)smpy_attribute_find_text(module, "Application", &type);
    }
    if (type != NULL && !PyType_Check(type)) {
        Py_CLEAR(type);
    }
    PyErr_Clear();
    Py_XDECREF(module);
    Py_XDECREF(name);
    return (PyTypeObject *)type;
}

enum smpy_application_kind smpy_application_kind(PyObject *object) {
    enum smpy_application_kind kind = SMPY_APPLICATION_NONE;
    PyTypeObject *type = application_type();
    if (type == NULL) {
        return kind;
    }
    if (PyType_Check(object) && PyType_IsSubtype((PyTypeObject *)object, type)) {
        kind = SMPY_APPLICATION_CLASS;
    } else if (PyType_IsSubtype(Py_TYPE(object), type)) {
        kind = SMPY_APPLICATION_INSTANCE;
    }
    Py_DECREF(type);
    return kind;
}

// Whether the class is one of the module's own. -1 with an exception.
static int is_own(PyObject *object, PyObject *module_name) {
    if (smpy_application_kind(object) != SMPY_APPLICATION_CLASS) {
        return 0;
    }
    PyObject *name = NULL;
    int found = smpy_attribute_find_text(object, "__module__", &name);
    int is_it = found <= 0 ? found : PyObject_RichCompareBool(name, module_name, Py_EQ);
    Py_XDECREF(name);
    return is_it;
}

// Returns new: the module's own Application classes, each once. NULL with an exception.
static PyObject *own_classes(PyObject *module) {
    PyObject *namespace = PyModule_GetDict(module); // borrowed
    PyObject *module_name = PyModule_GetNameObject(module);
    PyObject *classes = module_name == NULL ? NULL : PyList_New(0);
    PyObject *values = classes == NULL ? NULL : PyDict_Values(namespace);
    int status = values == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; status >= 0 && i < PyList_GET_SIZE(values); i++) {
        PyObject *value = PyList_GET_ITEM(values, i);
        status = is_own(value, module_name);
        if (status > 0 && PySequence_Contains(classes, value) == 0) {
            status = PyList_Append(classes, value);
        }
    }
    if (status < 0) {
        Py_CLEAR(classes);
    }
    Py_XDECREF(values);
    Py_XDECREF(module_name);
    return classes;
}

// Returns new: Application.current where that is an Application, or NULL. Leaves no exception.
static PyObject *current(void) {
    PyObject *instance = NULL;
    PyTypeObject *type = application_type();
    if (type != NULL) {
        (void)smpy_attribute_find_text((PyObject *)type, "current", &instance);
        PyErr_Clear();
    }
    if (instance != NULL && smpy_application_kind(instance) != SMPY_APPLICATION_INSTANCE) {
        Py_CLEAR(instance);
    }
    Py_XDECREF(type);
    return instance;
}

int smpy_application_find(PyObject *module, PyObject **found_out) {
    *found_out = current();
    if (*found_out != NULL) {
        return 1;
    }
    PyObject *classes = PyModule_Check(module) ? own_classes(module) : PyList_New(0);
    if (classes == NULL) {
        return -1;
    }
    int found = PyList_GET_SIZE(classes) > 0;
    if (PyList_GET_SIZE(classes) > 1) {
        PyErr_Format(PyExc_ValueError,
                     "the module has several classes that derive from Application: %R; name one, as "
                     "MODULE:CLASS",
                     classes);
        found = -1;
    } else if (found > 0) {
        *found_out = Py_NewRef(PyList_GET_ITEM(classes, 0));
    }
    Py_DECREF(classes);
    return found;
}

// The attribute to read the charset from: where the class has not made one of its own, the property need not be
// called. Returns new.
static PyObject *name_of_charset(PyTypeObject *type, PyObject *instance) {
    PyObject *ours = PyObject_GetAttrString((PyObject *)type, "charset");
    PyObject *its = ours == NULL ? NULL : PyObject_GetAttrString((PyObject *)Py_TYPE(instance), "charset");
    PyObject *name = its == NULL ? NULL : PyUnicode_InternFromString(its == ours ? "_charset" : "charset");
    Py_XDECREF(its);
    Py_XDECREF(ours);
    return name;
}

int smpy_application_take(struct smpy_state *state, PyObject *instance, bool show_traceback) {
    PyTypeObject *type = application_type();
    if (type == NULL) {
        PyErr_SetString(PyExc_ImportError, "smisk.core.application is not there");
        return -1;
    }
    int status = PyObject_SetAttrString((PyObject *)type, "current", instance);
    if (status == 0 && show_traceback) {
        status = PyObject_SetAttrString((PyObject *)type, "show_traceback", Py_True);
    }
    PyObject *name = status < 0 ? NULL : name_of_charset(type, instance);
    if (name != NULL) {
        Py_SETREF(state->name_charset, name);
    }
    Py_DECREF(type);
    return name == NULL ? -1 : 0;
}
