// SPDX-License-Identifier: MIT
// Fields of a head as environment variables (RFC 3875 4.1.18). Clients send the same names, and mostly the same
// values, over and over: a table remembers for each name its key, whose hash is known, and its last value. Names push
// each other out of their places; so the table is bounded whatever clients send.
#include "proto/fields.h"
#include "py/wsgi.h"

enum { MAX_NAME = 256, MAX_VALUE = 256 }; // bytes of a name that becomes a variable; of a value worth remembering

static const char *const common[] = {
    "CONTENT_TYPE",
    "DOCUMENT_ROOT",
    "DOCUMENT_URI",
    "GATEWAY_INTERFACE",
    "HTTPS",
    "HTTP_ACCEPT",
    "HTTP_ACCEPT_ENCODING",
    "HTTP_ACCEPT_LANGUAGE",
    "HTTP_AUTHORIZATION",
    "HTTP_CACHE_CONTROL",
    "HTTP_CONNECTION",
    "HTTP_COOKIE",
    "HTTP_EXPECT",
    "HTTP_FORWARDED",
    "HTTP_HOST",
    "HTTP_IF_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_ORIGIN",
    "HTTP_RANGE",
    "HTTP_REFERER",
    "HTTP_SEC_FETCH_DEST",
    "HTTP_SEC_FETCH_MODE",
    "HTTP_SEC_FETCH_SITE",
    "HTTP_UPGRADE_INSECURE_REQUESTS",
    "HTTP_USER_AGENT",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REQUESTED_WITH",
    "REDIRECT_STATUS",
    "REMOTE_USER",
    "SERVER_ADDR",
    "SERVER_SOFTWARE",
};

PyObject *smpy_wsgi_text(struct sm_str bytes) {
    return PyUnicode_DecodeLatin1(bytes.len == 0 ? "" : bytes.ptr, (Py_ssize_t)bytes.len, NULL);
}

bool smpy_wsgi_text_is(PyObject *text, struct sm_str bytes) {
    return (size_t)PyUnicode_GET_LENGTH(text) == bytes.len &&
           sm_same((const char *)PyUnicode_1BYTE_DATA(text), bytes.ptr, bytes.len);
}

// --- names ---

// User-Agent to HTTP_USER_AGENT; 0 for a field that becomes no variable.
static size_t variable_of_field(char out[static MAX_NAME + 8], struct sm_str name) {
    // "_" would become the same variable as "-". Proxy would become HTTP_PROXY, which HTTP clients obey. The body has
    // been decoded (RFC 9112 6.1), and its length is known: see environ.
    if (memchr(name.ptr, '_', name.len) != NULL || sm_str_ieq(name, SM_STR("Proxy")) ||
        sm_str_ieq(name, SM_STR("Transfer-Encoding")) || sm_str_ieq(name, SM_STR("Content-Length"))) {
        return 0;
    }
    size_t len = 0;
    if (!sm_str_ieq(name, SM_STR("Content-Type"))) {
        memcpy(out, "HTTP_", 5);
        len = 5;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        out[len++] = c == '-' ? '_' : (c >= 'a' && c <= 'z') ? (char)(c & ~0x20) : c;
    }
    return len;
}

// A parameter of a front server keeps its name; 0 for one that becomes no variable: what the header fields above
// would be called, what environ sets itself, and what WSGI names.
static size_t variable_of_parameter(char out[static MAX_NAME + 8], struct sm_str name) {
    static const char *const left_out[] = {"HTTP_PROXY",        "HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_LENGTH",
                                           "HTTP_CONTENT_TYPE", "CONTENT_LENGTH",         "SCRIPT_NAME",
                                           "PATH_INFO"};
    for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++) {
        if (sm_str_eq(name, sm_str_from(left_out[i]))) {
            return 0;
        }
    }
    if (name.len > 5 && memcmp(name.ptr, "wsgi.", 5) == 0) {
        return 0;
    }
    memcpy(out, name.ptr, name.len);
    return name.len;
}

int smpy_wsgi_key_of(struct smpy_wsgi *wsgi, enum sm_head_kind kind, struct sm_str name, PyObject **key_out) {
    char spelled[MAX_NAME + 8];
    *key_out = NULL;
    if (name.len == 0 || name.len > MAX_NAME) {
        return 0;
    }
    size_t len = kind == SM_HEAD_HTTP ? variable_of_field(spelled, name) : variable_of_parameter(spelled, name);
    if (len == 0) {
        return 0;
    }
    PyObject *key = smpy_wsgi_text((struct sm_str){spelled, len});
    // What a client makes up is not interned: some Python versions never forget an interned str.
    PyObject *known = key == NULL ? NULL : PyDict_GetItemWithError(wsgi->known, key);
    if (known != NULL) {
        Py_SETREF(key, Py_NewRef(known));
    } else if (PyErr_Occurred()) {
        Py_CLEAR(key);
    }
    *key_out = key;
    return key == NULL ? -1 : 0;
}

static struct smpy_wsgi_name *place_of(struct smpy_wsgi *wsgi, struct sm_str name) {
    uint64_t first = 0;
    uint64_t last = 0;
    size_t len = name.len < sizeof first ? name.len : sizeof first;
    memcpy(&first, name.ptr, len);
    memcpy(&last, name.ptr + name.len - len, len);
    uint64_t mixed = (first ^ (last << 1) ^ name.len) * 0x9e3779b97f4a7c15u;
    return &wsgi->names[(mixed >> 32) % SMPY_WSGI_NAMES];
}

static bool is_name(const struct smpy_wsgi_name *place, enum sm_head_kind kind, struct sm_str name) {
    return place->len == name.len && place->kind == kind && sm_same(place->text, name.ptr, name.len);
}

static void forget(struct smpy_wsgi_name *place) {
    place->len = 0;
    Py_CLEAR(place->key);
    Py_CLEAR(place->value);
}

// Finds or makes the entry of a short name. A name has two places, its own and the one beside it, where the name that
// came before it moves. NULL with an exception.
static struct smpy_wsgi_name *remember(struct smpy_wsgi *wsgi, enum sm_head_kind kind, struct sm_str name) {
    struct smpy_wsgi_name *place = place_of(wsgi, name);
    if (is_name(place, kind, name)) {
        return place;
    }
    struct smpy_wsgi_name *beside = &wsgi->names[(size_t)(place - wsgi->names) ^ 1];
    if (is_name(beside, kind, name)) {
        return beside;
    }
    PyObject *key = NULL;
    if (smpy_wsgi_key_of(wsgi, kind, name, &key) < 0) {
        return NULL;
    }
    if (place->len > 0) {
        forget(beside);
        *beside = *place;
    }
    *place = (struct smpy_wsgi_name){.len = (uint8_t)name.len, .kind = (uint8_t)kind, .key = key};
    memcpy(place->text, name.ptr, name.len);
    return place;
}

// --- values ---

// Returns new: the value, the last one again if it is the same.
static PyObject *value_at(struct smpy_wsgi_name *place, struct sm_str value) {
    if (place->value != NULL && smpy_wsgi_text_is(place->value, value)) {
        return Py_NewRef(place->value);
    }
    PyObject *text = smpy_wsgi_text(value);
    if (text != NULL && value.len <= MAX_VALUE) {
        Py_XSETREF(place->value, Py_NewRef(text));
    }
    return text;
}

// A header field that comes again is joined to what is there (RFC 9110 5.3).
static int join(PyObject *env, PyObject *key, PyObject *before, PyObject *value) {
    const char *separator = PyUnicode_CompareWithASCIIString(key, "HTTP_COOKIE") == 0 ? "; " : ", ";
    PyObject *joined = PyUnicode_FromFormat("%U%s%U", before, separator, value);
    int status = joined == NULL ? -1 : PyDict_SetItem(env, key, joined);
    Py_XDECREF(joined);
    return status;
}

// Takes `value`. -1 with an exception, also when it is NULL.
static int set(PyObject *env, enum sm_head_kind kind, PyObject *key, PyObject *value) {
    if (value == NULL) {
        return -1;
    }
    int status = 0;
    if (kind == SM_HEAD_CGI) {
        status = PyDict_SetItem(env, key, value); // of a parameter that comes again the last counts
    } else {
        Py_ssize_t n = PyDict_GET_SIZE(env);
        PyObject *there = PyDict_SetDefault(env, key, value);
        status = there == NULL ? -1 : PyDict_GET_SIZE(env) > n ? 0 : join(env, key, there, value);
    }
    Py_DECREF(value);
    return status;
}

int smpy_wsgi_put_field(struct smpy_wsgi *wsgi, PyObject *env, enum sm_head_kind kind, struct sm_str name,
                        struct sm_str value) {
    if (name.len > 0 && name.len <= sizeof wsgi->names[0].text) {
        struct smpy_wsgi_name *place = remember(wsgi, kind, name);
        if (place == NULL) {
            return -1;
        }
        return place->key == NULL ? 0 : set(env, kind, place->key, value_at(place, value));
    }
    PyObject *key = NULL;
    int status = smpy_wsgi_key_of(wsgi, kind, name, &key);
    if (key != NULL) {
        status = set(env, kind, key, smpy_wsgi_text(value));
    }
    Py_XDECREF(key);
    return status;
}

// --- life ---

int smpy_wsgi_names_init(struct smpy_wsgi *wsgi) {
    wsgi->known = PyDict_New();
    int status = wsgi->known == NULL ? -1 : 0;
    for (size_t i = 0; status == 0 && i < SMPY_WSGI_KEY_COUNT; i++) {
        status = PyDict_SetItem(wsgi->known, wsgi->keys[i], wsgi->keys[i]);
    }
    for (size_t i = 0; status == 0 && i < sizeof common / sizeof common[0]; i++) {
        PyObject *name = PyUnicode_InternFromString(common[i]);
        status = name == NULL ? -1 : PyDict_SetItem(wsgi->known, name, name);
        Py_XDECREF(name);
    }
    return status;
}

void smpy_wsgi_names_deinit(struct smpy_wsgi *wsgi) {
    for (size_t i = 0; i < SMPY_WSGI_NAMES; i++) {
        forget(&wsgi->names[i]);
    }
    Py_CLEAR(wsgi->known);
}
