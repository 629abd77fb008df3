// SPDX-License-Identifier: MIT
// The fields of a Request that list a whole head: `headers` in the spelling of HTTP, `env` in that of CGI/1.1
// (RFC 3875 4.1). Each is made from either kind of head, once, when it is first asked for.
#include <string.h>

#include "config.h"
#include "proto/fields.h"
#include "py/request.h"
#include "py/text.h"

enum { MAX_NAME = 256 }; // bytes of a field name that becomes a variable; a longer one is left out

static bool starts_with(struct sm_str text, struct sm_str prefix) {
    return text.len > prefix.len && memcmp(text.ptr, prefix.ptr, prefix.len) == 0;
}

// --- headers ---

// HTTP_USER_AGENT to User-Agent; CONTENT_TYPE and CONTENT_LENGTH likewise, which nginx says twice, with HTTP_ too; 0
// for a variable that is no header.
static size_t header_name(char out[static MAX_NAME], struct sm_str variable) {
    struct sm_str http = SM_STR("HTTP_");
    bool is_http = starts_with(variable, http);
    if (is_http) {
        variable = (struct sm_str){variable.ptr + http.len, variable.len - http.len};
    }
    bool is_of_body = sm_str_eq(variable, SM_STR("CONTENT_TYPE")) || sm_str_eq(variable, SM_STR("CONTENT_LENGTH"));
    if (is_http == is_of_body || variable.len > MAX_NAME) {
        return 0;
    }
    bool first = true;
    for (size_t i = 0; i < variable.len; i++) {
        char c = variable.ptr[i];
        out[i] = c == '_' ? '-' : first ? c : sm_ascii_lower(c);
        first = c == '_';
    }
    return variable.len;
}

// Takes `name` and `value` into a tuple at the end of the list. -1 with an exception, also when one is NULL.
static int append_pair(PyObject *pairs, PyObject *name, PyObject *value) {
    int status = -1;
    PyObject *pair = name == NULL || value == NULL ? NULL : PyTuple_Pack(2, name, value);
    if (pair != NULL) {
        status = PyList_Append(pairs, pair);
    }
    Py_XDECREF(pair);
    Py_XDECREF(value);
    Py_XDECREF(name);
    return status;
}

static int append_header(PyObject *pairs, const struct sm_head *head, uint32_t i) {
    char spelled[MAX_NAME];
    struct sm_str name = sm_field_label(head, i);
    struct sm_str value = sm_field_text(head, i);
    if (head->kind == SM_HEAD_CGI) {
        size_t len = header_name(spelled, name);
        // A variable that comes again counts with its last value, as it would in an environment.
        if (sm_head_next(head, (struct sm_field_name){.cgi = name}, i + 1) < head->n_fields) {
            return 0;
        }
        // A front server sends these two for every request, empty where the client sent none.
        if (len == 0 || (value.len == 0 && name.ptr[0] == 'C')) {
            return 0;
        }
        name = (struct sm_str){spelled, len};
    }
    return append_pair(pairs, smpy_text(name), smpy_text(value));
}

PyObject *smpy_build_headers(struct smpy_request *request) {
    PyObject *headers = NULL;
    const struct sm_head *head = smpy_request_head(request);
    PyObject *type = smpy_import(request->state, SMPY_IMPORT_HEADERS);
    PyObject *pairs = type == NULL ? NULL : PyList_New(0);
    if (pairs == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < head->n_fields; i++) {
        if (append_header(pairs, head, i) < 0) {
            goto done;
        }
    }
    headers = PyObject_CallOneArg(type, pairs);
done:
    Py_DECREF(pairs);
    return headers;
}

// --- env ---

// Takes `value`. -1 with an exception, also when it is NULL.
static int put(PyObject *env, const char *name, PyObject *value) {
    if (value == NULL) {
        return -1;
    }
    int status = PyDict_SetItemString(env, name, value);
    Py_DECREF(value);
    return status;
}

static int put_text(PyObject *env, const char *name, struct sm_str value) {
    return put(env, name, smpy_text(value));
}

// User-Agent to HTTP_USER_AGENT; 0 for a field that must not become a variable.
static size_t variable_name(char out[static MAX_NAME + 8], struct sm_str name) {
    // Proxy would become HTTP_PROXY, which HTTP clients obey; "_" would become the same variable as "-".
    if (name.len > MAX_NAME || sm_str_ieq(name, SM_STR("Proxy")) || memchr(name.ptr, '_', name.len) != NULL) {
        return 0;
    }
    size_t len = 0;
    if (!sm_str_ieq(name, SM_STR("Content-Type")) && !sm_str_ieq(name, SM_STR("Content-Length"))) {
        memcpy(out, "HTTP_", 5);
        len = 5;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        out[len++] = c == '-' ? '_' : (c >= 'a' && c <= 'z') ? (char)(c & ~0x20) : c;
    }
    return len;
}

// Adds one field of an HTTP head; a repeated one is joined to the value that is there (RFC 3875 4.1.18).
static int put_field(PyObject *env, struct sm_str name, struct sm_str value) {
    int status = -1;
    char spelled[MAX_NAME + 8];
    size_t len = variable_name(spelled, name);
    if (len == 0) {
        return 0;
    }
    PyObject *text = smpy_text(value);
    PyObject *key = smpy_text((struct sm_str){spelled, len});
    if (text == NULL || key == NULL) {
        goto done;
    }
    PyObject *before = PyDict_GetItemWithError(env, key);
    if (before == NULL && PyErr_Occurred()) {
        goto done;
    }
    if (before != NULL) {
        const char *separator = sm_str_ieq(name, SM_STR("Cookie")) ? "; " : ", ";
        PyObject *joined = PyUnicode_FromFormat("%U%s%U", before, separator, text);
        Py_SETREF(text, joined);
    }
    if (text != NULL) {
        status = PyDict_SetItem(env, key, text);
    }
done:
    Py_XDECREF(key);
    Py_XDECREF(text);
    return status;
}

// SERVER_NAME and SERVER_PORT (RFC 3875 4.1.14, 4.1.15): the name the client used, the port it came to.
static int put_server(PyObject *env, struct smpy_request *request) {
    const struct sm_head *head = smpy_request_head(request);
    int32_t port = -1;
    uint16_t local_port = 0;
    struct sm_str local = request->ops->local(request->source, &local_port);
    struct sm_str name = sm_authority_split(sm_head_text(head, head->host), &port);
    if (local_port != 0) {
        port = local_port;
    }
    if (put_text(env, "SERVER_NAME", name.len > 0 ? name : local.len > 0 ? local : SM_STR("localhost")) < 0) {
        return -1;
    }
    return put(env, "SERVER_PORT", PyUnicode_FromFormat("%d", port < 0 ? 80 : (int)port));
}

static int put_peer(PyObject *env, struct smpy_request *request) {
    uint16_t port = 0;
    struct sm_str peer = request->ops->peer(request->source, &port);
    if (put_text(env, "REMOTE_ADDR", peer) < 0) {
        return -1;
    }
    return port == 0 ? 0 : put(env, "REMOTE_PORT", PyUnicode_FromFormat("%d", (int)port));
}

static int env_from_http(PyObject *env, struct smpy_request *request) {
    const struct sm_head *head = smpy_request_head(request);
    struct sm_str path = sm_head_text(head, head->path);
    if (put_text(env, "GATEWAY_INTERFACE", SM_STR("CGI/1.1")) < 0 ||
        put_text(env, "SERVER_SOFTWARE", SM_STR("smisk/" SMISK_VERSION)) < 0 ||
        put_text(env, "REQUEST_METHOD", sm_head_text(head, head->method)) < 0 ||
        put_text(env, "REQUEST_URI", sm_head_text(head, head->target)) < 0 ||
        put_text(env, "REQUEST_SCHEME", SM_STR("http")) < 0 || put_text(env, "SCRIPT_NAME", SM_STR("")) < 0 ||
        put(env, "PATH_INFO", smpy_text_path(path, SM_STR(""), true)) < 0 ||
        put_text(env, "QUERY_STRING", sm_head_text(head, head->query)) < 0 ||
        put_text(env, "SERVER_PROTOCOL", sm_head_text(head, head->protocol)) < 0 || put_server(env, request) < 0 ||
        put_peer(env, request) < 0) {
        return -1;
    }
    for (uint32_t i = 0; i < head->n_fields; i++) {
        if (put_field(env, sm_field_label(head, i), sm_field_text(head, i)) < 0) {
            return -1;
        }
    }
    return 0;
}

static int env_from_cgi(PyObject *env, const struct sm_head *head) {
    for (uint32_t i = 0; i < head->n_fields; i++) {
        struct sm_str label = sm_field_label(head, i);
        if (sm_str_eq(label, SM_STR("HTTP_PROXY"))) {
            continue;
        }
        int status = -1;
        PyObject *name = smpy_text(label);
        PyObject *value = smpy_text(sm_field_text(head, i));
        if (name != NULL && value != NULL) {
            status = PyDict_SetItem(env, name, value);
        }
        Py_XDECREF(value);
        Py_XDECREF(name);
        if (status < 0) {
            return -1;
        }
    }
    return 0;
}

// --- env, behind trusted proxies ---

static int drop(PyObject *env, const char *name) {
    PyObject *key = PyUnicode_FromString(name);
    if (key == NULL) {
        return -1;
    }
    int status = PyDict_Contains(env, key);
    if (status > 0) {
        status = PyDict_DelItem(env, key);
    }
    Py_DECREF(key);
    return status;
}

static int put_forwarded_peer(PyObject *env, struct smpy_request *request) {
    return drop(env, "REMOTE_PORT") < 0 ? -1 : put_peer(env, request);
}

static int put_scheme(PyObject *env, bool is_https) {
    if (put_text(env, "REQUEST_SCHEME", is_https ? SM_STR("https") : SM_STR("http")) < 0) {
        return -1;
    }
    return is_https ? put_text(env, "HTTPS", SM_STR("on")) : drop(env, "HTTPS");
}

// The port is the one that the client used: that of the authority, or of the scheme.
static int put_forwarded_server(PyObject *env, struct smpy_request *request, bool is_https) {
    const struct sm_head *head = smpy_request_head(request);
    int32_t port = -1;
    struct sm_str host = request->ops->host(request->source);
    struct sm_str name = sm_authority_split(host.len > 0 ? host : sm_head_text(head, head->host), &port);
    if ((host.len > 0 && put_text(env, "HTTP_HOST", host) < 0) ||
        (name.len > 0 && put_text(env, "SERVER_NAME", name) < 0)) {
        return -1;
    }
    return put(env, "SERVER_PORT", PyUnicode_FromFormat("%d", port > 0 ? (int)port : is_https ? 443 : 80));
}

// An Application sees ours behind the name of the server in front, as it always did.
static int put_software(PyObject *env, struct smpy_request *request) {
    struct sm_str software = sm_head_find(smpy_request_head(request), SM_FIELD_NAME("", "SERVER_SOFTWARE"));
    PyObject *front = software.len == 0 ? NULL : smpy_text(software);
    int status = software.len == 0 ? 0
                 : front == NULL
                     ? -1
                     : put(env, "SERVER_SOFTWARE", PyUnicode_FromFormat("%U smisk/%s", front, SMISK_VERSION));
    Py_XDECREF(front);
    return status;
}

PyObject *smpy_build_env(struct smpy_request *request) {
    const struct sm_head *head = smpy_request_head(request);
    PyObject *env = PyDict_New();
    if (env == NULL) {
        return NULL;
    }
    bool is_https = request->ops->is_https(request->source);
    int status = head->kind == SM_HEAD_HTTP ? env_from_http(env, request) : env_from_cgi(env, head);
    if (status == 0 && head->kind == SM_HEAD_HTTP && is_https) {
        status = put_scheme(env, true);
    }
    if (status == 0 && request->ops->is_forwarded(request->source)) {
        status = put_forwarded_peer(env, request) < 0 || put_scheme(env, is_https) < 0 ||
                         put_forwarded_server(env, request, is_https) < 0
                     ? -1
                     : 0;
    }
    if (status == 0 && head->kind == SM_HEAD_CGI && smpy_request_app(request) != NULL) {
        status = put_software(env, request);
    }
    if (status < 0) {
        Py_CLEAR(env);
    }
    return env;
}
