// SPDX-License-Identifier: MIT
// The module `_smisk` (see module.h): multi-phase initialisation, its state, and the table of lazy imports.
#include "py/module.h"

#include "build_id.h"
#include "config.h"
#include "py/coding.h"
#include "py/current.h"
#include "py/factory.h"
#include "py/markup.h"
#include "py/pairs.h"
#include "py/request.h"
#include "py/response.h"
#include "py/spool.h"
#include "py/url.h"

static const struct {
    const char *module;
    const char *attribute;
} imports[SMPY_IMPORT_COUNT] = {
    [SMPY_IMPORT_PARSE_QUERY] = {"smisk.core.forms", "parse_query"},
    [SMPY_IMPORT_PARSE_FORM] = {"smisk.core.forms", "parse_form"},
    [SMPY_IMPORT_FORM_ERROR] = {"smisk.core.forms", "FormError"},
    [SMPY_IMPORT_PARSE_COOKIES] = {"smisk.core.cookies", "parse_cookies"},
    [SMPY_IMPORT_FORMAT_COOKIE] = {"smisk.core.cookies", "format_cookie"},
    [SMPY_IMPORT_HEADERS] = {"smisk.core.headers", "Headers"},
    [SMPY_IMPORT_URL] = {"smisk.core.url", "URL"},
    [SMPY_IMPORT_ERROR_PAGE] = {"smisk.core.errorpage", "render"},
    [SMPY_IMPORT_PARSE_JSON] = {"smisk.core.forms", "parse_json"},
    [SMPY_IMPORT_JSON_ENCODER] = {"json", "JSONEncoder"},
    [SMPY_IMPORT_BYTES_IO] = {"io", "BytesIO"},
    [SMPY_IMPORT_BUFFERED_READER] = {"io", "BufferedReader"},
    [SMPY_IMPORT_BUFFERED_RANDOM] = {"io", "BufferedRandom"},
    [SMPY_IMPORT_FILE_IO] = {"io", "FileIO"},
    [SMPY_IMPORT_STREAM] = {"smisk.core.stream", "Stream"},
    [SMPY_IMPORT_LOG_STREAM] = {"smisk.core.stream", "LogStream"},
    [SMPY_IMPORT_SESSION_BEGIN] = {"smisk.session.life", "begin"},
    [SMPY_IMPORT_DEFAULT_STORE] = {"smisk.core.sessions", "default_store"},
    [SMPY_IMPORT_GUESS_TYPE] = {"mimetypes", "guess_type"},
};

static struct PyModuleDef module_def;

struct smpy_state *smpy_state_of_module(PyObject *module) {
    return PyModule_GetState(module);
}

struct smpy_state *smpy_state_of_type(PyTypeObject *type) {
#if PY_VERSION_HEX >= 0x030b0000
    PyObject *module = PyType_GetModuleByDef(type, &module_def);
    return module == NULL ? NULL : PyModule_GetState(module);
#else
    PyObject *mro = type->tp_mro;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mro); i++) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(mro, i);
        if (!PyType_HasFeature(base, Py_TPFLAGS_HEAPTYPE)) {
            continue;
        }
        PyObject *module = PyType_GetModule(base);
        if (module == NULL) {
            PyErr_Clear();
        } else if (PyModule_GetDef(module) == &module_def) {
            return PyModule_GetState(module);
        }
    }
    PyErr_SetString(PyExc_TypeError, "not a type of _smisk");
    return NULL;
#endif
}

PyObject *smpy_import(struct smpy_state *state, enum smpy_import_id id) {
    if (state->imports[id] != NULL) {
        return state->imports[id];
    }
    PyObject *module = PyImport_ImportModule(imports[id].module);
    if (module == NULL) {
        return NULL;
    }
    PyObject *object = PyObject_GetAttrString(module, imports[id].attribute);
    Py_DECREF(module);
    Py_XSETREF(state->imports[id], object);
    return object;
}

PyObject *smpy_import_if_loaded(struct smpy_state *state, enum smpy_import_id id) {
    return state->imports[id];
}

// Takes a new type and adds it under its own name. -1 with an exception.
static int add_type(PyObject *module, PyTypeObject *type, PyTypeObject **slot) {
    if (type == NULL) {
        return -1;
    }
    *slot = type;
    return PyModule_AddType(module, type);
}

static int module_exec(PyObject *module) {
    struct smpy_state *state = PyModule_GetState(module);
    state->limits = (struct smpy_limits){
        .body_memory = 1 << 20,
        .max_fields = 1000,
        .max_parts = 1000,
        .max_formdata = SMPY_MAX_FORMDATA,
        .max_multipart = SMPY_MAX_MULTIPART,
    };
    state->name_close = PyUnicode_InternFromString("close");
    state->spool_type = smpy_spool_type_new(module);
    state->name_charset = PyUnicode_InternFromString("charset");
    state->current = PyContextVar_New("smisk.response", NULL);
    if (state->name_close == NULL || state->spool_type == NULL || state->current == NULL ||
        state->name_charset == NULL || smpy_current_add(module) < 0 ||
        add_type(module, smpy_request_type_new(module), &state->request_type) < 0 ||
        add_type(module, smpy_response_type_new(module), &state->response_type) < 0 ||
        add_type(module, smpy_url_type_new(module), &state->url_type) < 0) {
        return -1;
    }
    return PyModule_AddStringConstant(module, "__version__", SMISK_VERSION) < 0
               ? -1
               : PyModule_AddStringConstant(module, "__build__", SMISK_BUILD_ID);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
    struct smpy_state *state = PyModule_GetState(module);
    if (state == NULL) {
        return 0;
    }
    Py_VISIT(state->request_type);
    Py_VISIT(state->response_type);
    Py_VISIT(state->spool_type);
    Py_VISIT(state->url_type);
    Py_VISIT(state->json_encode);
    Py_VISIT(state->current);
    for (size_t i = 0; i < SMPY_IMPORT_COUNT; i++) {
        Py_VISIT(state->imports[i]);
    }
    return 0;
}

static int module_clear(PyObject *module) {
    struct smpy_state *state = PyModule_GetState(module);
    if (state == NULL) {
        return 0;
    }
    smpy_request_drop_free(state);
    for (size_t i = 0; i < SMPY_IMPORT_COUNT; i++) {
        Py_CLEAR(state->imports[i]);
    }
    Py_CLEAR(state->json_encode);
    Py_CLEAR(state->name_close);
    Py_CLEAR(state->url_type);
    Py_CLEAR(state->current);
    Py_CLEAR(state->name_charset);
    Py_CLEAR(state->spool_type);
    Py_CLEAR(state->response_type);
    Py_CLEAR(state->request_type);
    return 0;
}

static void module_free(void *module) {
    (void)module_clear(module);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030c0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static PyObject *module_want_exit(PyObject *module, PyObject *unused) {
    (void)unused;
    smpy_state_of_module(module)->wants_exit = true;
    Py_RETURN_NONE;
}

static PyMethodDef module_methods[] = {
    {"_make_request", (PyCFunction)(void (*)(void))smpy_make_request, METH_VARARGS | METH_KEYWORDS,
     smpy_make_request_doc},
    {"pack", (PyCFunction)(void (*)(void))smpy_pack, METH_FASTCALL, smpy_pack_doc},
    {"parse_cookies", (PyCFunction)(void (*)(void))smpy_parse_cookies, METH_FASTCALL, smpy_parse_cookies_doc},
    {"parse_pairs", (PyCFunction)(void (*)(void))smpy_parse_pairs, METH_FASTCALL, smpy_parse_pairs_doc},
    {"xml_escape", smpy_xml_escape, METH_O, smpy_xml_escape_doc},
    {"xml_unescape", smpy_xml_unescape, METH_O, smpy_xml_unescape_doc},
    {"_serve", smpy_serve, METH_VARARGS, smpy_serve_doc},
    {"_want_exit", module_want_exit, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_smisk",
    .m_doc = "The parts of Smisk that are written in C.",
    .m_size = sizeof(struct smpy_state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__smisk(void) {
    return PyModuleDef_Init(&module_def);
}
