// SPDX-License-Identifier: MIT
// environ: a copy of what requests have in common (wsgi_past.c), then what this one says. A value that is the same
// as in the request before is the same object. All text is bytes read as ISO-8859-1 (PEP 3333, "Unicode Issues").
#include "base/num.h"
#include "config.h"
#include "proto/fields.h"
#include "py/paths.h"
#include "py/wsgi.h"

enum { SMALL = 1024, MAX_VALUE = 256 }; // bytes

static const char *const key_names[SMPY_WSGI_KEY_COUNT] = {
    [SMPY_WSGI_REQUEST_METHOD] = "REQUEST_METHOD",
    [SMPY_WSGI_SCRIPT_NAME] = "SCRIPT_NAME",
    [SMPY_WSGI_PATH_INFO] = "PATH_INFO",
    [SMPY_WSGI_QUERY_STRING] = "QUERY_STRING",
    [SMPY_WSGI_REQUEST_URI] = "REQUEST_URI",
    [SMPY_WSGI_SERVER_PROTOCOL] = "SERVER_PROTOCOL",
    [SMPY_WSGI_SERVER_NAME] = "SERVER_NAME",
    [SMPY_WSGI_SERVER_PORT] = "SERVER_PORT",
    [SMPY_WSGI_REMOTE_ADDR] = "REMOTE_ADDR",
    [SMPY_WSGI_REMOTE_PORT] = "REMOTE_PORT",
    [SMPY_WSGI_CONTENT_LENGTH] = "CONTENT_LENGTH",
    [SMPY_WSGI_URL_SCHEME] = "wsgi.url_scheme",
    [SMPY_WSGI_INPUT] = "wsgi.input",
    [SMPY_WSGI_ERRORS] = "wsgi.errors",
    [SMPY_WSGI_EARLY_HINTS] = "wsgi.early_hints",
};

int smpy_wsgi_put(struct smpy_wsgi *wsgi, PyObject *env, enum smpy_wsgi_key key, struct sm_str value) {
    PyObject *last = wsgi->last[key];
    if (last != NULL && smpy_wsgi_text_is(last, value)) {
        return PyDict_SetItem(env, wsgi->keys[key], last);
    }
    PyObject *text = smpy_wsgi_text(value);
    int status = text == NULL ? -1 : PyDict_SetItem(env, wsgi->keys[key], text);
    if (status == 0 && value.len <= MAX_VALUE) {
        Py_XSETREF(wsgi->last[key], Py_NewRef(text));
    }
    Py_XDECREF(text);
    return status;
}

static int put_number(struct smpy_wsgi *wsgi, PyObject *env, enum smpy_wsgi_key key, uint64_t number) {
    char digits[SM_U64_DIGITS];
    size_t len = sm_u64_dec(digits, number);
    return smpy_wsgi_put(wsgi, env, key, (struct sm_str){digits, len});
}

// --- from either kind of head ---

static int put_paths(struct smpy_wsgi *wsgi, PyObject *env, const struct sm_head *head) {
    char small[SMALL];
    char *scratch = small;
    size_t room = sm_paths_room(head);
    if (room > sizeof small) {
        scratch = PyMem_Malloc(room);
        if (scratch == NULL) {
            PyErr_NoMemory();
            return -1;
        }
    }
    struct sm_paths paths = sm_paths_of(head, wsgi->root_path, scratch);
    int status = smpy_wsgi_put_seldom(wsgi, head, env, SMPY_WSGI_SCRIPT_NAME, paths.script);
    if (status == 0) {
        status = smpy_wsgi_put(wsgi, env, SMPY_WSGI_PATH_INFO, paths.path);
    }
    if (scratch != small) {
        PyMem_Free(scratch);
    }
    return status;
}

// The length after transfer codings are undone, set if and only if there is a body (RFC 3875 4.1.2).
static int put_length(struct smpy_wsgi_call *call, PyObject *env, const struct sm_head *head) {
    uint64_t len = sm_exchange_body(call->exchange)->len;
    if (len == 0 && head->content_length < 0) {
        return 0;
    }
    return put_number(call->wsgi, env, SMPY_WSGI_CONTENT_LENGTH, len);
}

static int put_parts(struct smpy_wsgi_call *call, PyObject *env) {
    struct smpy_wsgi *wsgi = call->wsgi;
    if (PyDict_SetItem(env, wsgi->keys[SMPY_WSGI_INPUT], (PyObject *)call->input) < 0 ||
        PyDict_SetItem(env, wsgi->keys[SMPY_WSGI_ERRORS], (PyObject *)call->errors) < 0) {
        return -1;
    }
    return PyDict_SetItem(env, wsgi->keys[SMPY_WSGI_EARLY_HINTS], (PyObject *)call->hints);
}

// --- SERVER_NAME and SERVER_PORT ---

// RFC 3875 4.1.14, 4.1.15; neither may be empty.
struct server {
    struct sm_str name;
    char port[SM_U64_DIGITS];
    size_t port_len;
};

// The name the client used, the port it came to.
static void find_server(struct smpy_wsgi_call *call, const struct sm_head *head, struct server *out) {
    int32_t port = -1;
    uint16_t local_port = 0;
    struct sm_str local = sm_exchange_local(call->exchange, &local_port);
    out->name = sm_authority_split(sm_head_text(head, head->host), &port);
    if (local_port != 0 && head->kind == SM_HEAD_HTTP) {
        port = local_port;
    }
    if (out->name.len == 0) {
        out->name = local.len > 0 ? local : SM_STR("localhost");
    }
    out->port_len = sm_u64_dec(out->port, port >= 0 ? (uint64_t)port : head->is_https ? 443 : 80);
}

// --- the scheme ---

// Sets a variable that seldom needs to be set; `value` NULL: takes it away.
static int put_named(PyObject *env, const char *name, PyObject *value) {
    if (value != NULL) {
        return PyDict_SetItemString(env, name, value);
    }
    int status = PyDict_DelItemString(env, name);
    if (status < 0 && PyErr_ExceptionMatches(PyExc_KeyError)) {
        PyErr_Clear();
        return 0;
    }
    return status;
}

static int put_scheme(struct smpy_wsgi *wsgi, PyObject *env, bool is_https) {
    PyObject *http = PyUnicode_InternFromString("http");
    PyObject *on = PyUnicode_InternFromString("on");
    int status = http == NULL || on == NULL ||
                         PyDict_SetItem(env, wsgi->keys[SMPY_WSGI_URL_SCHEME], is_https ? wsgi->https : http) < 0 ||
                         put_named(env, "REQUEST_SCHEME", is_https ? wsgi->https : http) < 0 ||
                         put_named(env, "HTTPS", is_https ? on : NULL) < 0
                     ? -1
                     : 0;
    Py_XDECREF(on);
    Py_XDECREF(http);
    return status;
}

// --- HTTP ---

static int put_remote_port(struct smpy_wsgi *wsgi, PyObject *env, uint16_t port) {
    return port == 0 ? 0 : put_number(wsgi, env, SMPY_WSGI_REMOTE_PORT, port);
}

static int put_http(struct smpy_wsgi_call *call, PyObject *env, const struct sm_head *head) {
    struct smpy_wsgi *wsgi = call->wsgi;
    struct server server;
    find_server(call, head, &server);
    uint16_t peer_port = 0;
    struct sm_str peer = sm_exchange_peer(call->exchange, &peer_port);
    struct sm_str port = {server.port, server.port_len};
    if (smpy_wsgi_put_seldom(wsgi, head, env, SMPY_WSGI_REQUEST_METHOD, sm_head_text(head, head->method)) < 0 ||
        smpy_wsgi_put_seldom(wsgi, head, env, SMPY_WSGI_SERVER_PROTOCOL, sm_head_text(head, head->protocol)) < 0 ||
        smpy_wsgi_put_seldom(wsgi, head, env, SMPY_WSGI_SERVER_NAME, server.name) < 0 ||
        smpy_wsgi_put_seldom(wsgi, head, env, SMPY_WSGI_SERVER_PORT, port) < 0 ||
        smpy_wsgi_put_seldom(wsgi, head, env, SMPY_WSGI_REMOTE_ADDR, peer) < 0 ||
        smpy_wsgi_put(wsgi, env, SMPY_WSGI_REQUEST_URI, sm_head_text(head, head->target)) < 0 ||
        smpy_wsgi_put(wsgi, env, SMPY_WSGI_QUERY_STRING, sm_head_text(head, head->query)) < 0) {
        return -1;
    }
    return head->is_https && put_scheme(wsgi, env, true) < 0 ? -1 : put_remote_port(wsgi, env, peer_port);
}

// --- CGI ---

// What the front server must have sent and did not, or sent empty (nginx: server_name "").
static int put_missing(struct smpy_wsgi_call *call, PyObject *env, const struct sm_head *head) {
    struct smpy_wsgi *wsgi = call->wsgi;
    if ((head->method.len == 0 && smpy_wsgi_put(wsgi, env, SMPY_WSGI_REQUEST_METHOD, SM_STR("GET")) < 0) ||
        (head->protocol.len == 0 && smpy_wsgi_put(wsgi, env, SMPY_WSGI_SERVER_PROTOCOL, SM_STR("HTTP/1.0")) < 0)) {
        return -1;
    }
    if (head->server_name.len > 0 && head->server_port.len > 0) {
        return 0;
    }
    struct server server;
    find_server(call, head, &server);
    struct sm_str port = {server.port, server.port_len};
    if (head->server_name.len == 0 && smpy_wsgi_put(wsgi, env, SMPY_WSGI_SERVER_NAME, server.name) < 0) {
        return -1;
    }
    return head->server_port.len > 0 ? 0 : smpy_wsgi_put(wsgi, env, SMPY_WSGI_SERVER_PORT, port);
}

static int put_cgi(struct smpy_wsgi_call *call, PyObject *env, const struct sm_head *head) {
    struct smpy_wsgi *wsgi = call->wsgi;
    if (put_missing(call, env, head) < 0) {
        return -1;
    }
    return head->is_https ? PyDict_SetItem(env, wsgi->keys[SMPY_WSGI_URL_SCHEME], wsgi->https) : 0;
}

// --- trusted proxies ---

static int put_host(PyObject *env, struct sm_str host) {
    PyObject *text = PyUnicode_DecodeLatin1(host.ptr, (Py_ssize_t)host.len, NULL);
    int status = text == NULL ? -1 : put_named(env, "HTTP_HOST", text);
    Py_XDECREF(text);
    return status;
}

// What a trusted proxy says of the client, over what the head and the connection say.
static int put_forwarded(struct smpy_wsgi_call *call, PyObject *env, const struct sm_head *head) {
    bool is_https = sm_exchange_is_https(call->exchange);
    struct sm_str host = sm_exchange_host(call->exchange);
    uint16_t peer_port = 0;
    struct sm_str peer = sm_exchange_peer(call->exchange, &peer_port);
    int32_t port = -1;
    struct sm_str name = sm_authority_split(host.len > 0 ? host : sm_head_text(head, head->host), &port);
    if (put_named(env, "REMOTE_PORT", NULL) < 0 || smpy_wsgi_put(call->wsgi, env, SMPY_WSGI_REMOTE_ADDR, peer) < 0 ||
        put_remote_port(call->wsgi, env, peer_port) < 0 || put_scheme(call->wsgi, env, is_https) < 0) {
        return -1;
    }
    if ((name.len > 0 && smpy_wsgi_put(call->wsgi, env, SMPY_WSGI_SERVER_NAME, name) < 0) ||
        put_number(call->wsgi, env, SMPY_WSGI_SERVER_PORT,
                   port > 0   ? (uint64_t)port
                   : is_https ? 443
                              : 80) < 0) {
        return -1;
    }
    return host.len == 0 ? 0 : put_host(env, host);
}

PyObject *smpy_wsgi_environ(struct smpy_wsgi_call *call) {
    const struct sm_head *head = sm_exchange_head(call->exchange);
    PyObject *env = smpy_wsgi_past_environ(call->wsgi, head);
    if (env == NULL) {
        return NULL;
    }
    if ((head->kind == SM_HEAD_HTTP ? put_http(call, env, head) : put_cgi(call, env, head)) < 0 ||
        put_paths(call->wsgi, env, head) < 0 || put_length(call, env, head) < 0 || put_parts(call, env) < 0 ||
        (sm_exchange_is_forwarded(call->exchange) && put_forwarded(call, env, head) < 0)) {
        Py_CLEAR(env);
    }
    return env;
}

// --- templates ---

// Takes `value`. -1 with an exception, also when it is NULL.
static int put_constant(PyObject *env, const char *name, PyObject *value) {
    int status = -1;
    PyObject *key = value == NULL ? NULL : PyUnicode_InternFromString(name);
    if (key != NULL) {
        status = PyDict_SetItem(env, key, value);
    }
    Py_XDECREF(key);
    Py_XDECREF(value);
    return status;
}

static int put_keys(struct smpy_wsgi *wsgi, PyObject *env, enum smpy_wsgi_key first, enum smpy_wsgi_key last) {
    for (unsigned key = first; key <= (unsigned)last; key++) {
        if (PyDict_SetItem(env, wsgi->keys[key], Py_None) < 0) {
            return -1;
        }
    }
    return 0;
}

// The WSGI variables of every request; those with None in them are set for each.
static PyObject *make_template(struct smpy_wsgi *wsgi) {
    PyObject *env = PyDict_New();
    if (env == NULL) {
        return NULL;
    }
    bool is_multiprocess = wsgi->app->settings->workers > 1;
    if (put_constant(env, "wsgi.version", Py_BuildValue("(ii)", 1, 0)) < 0 ||
        put_constant(env, "wsgi.url_scheme", PyUnicode_InternFromString("http")) < 0 ||
        put_constant(env, "wsgi.multithread", Py_NewRef(Py_False)) < 0 ||
        put_constant(env, "wsgi.multiprocess", PyBool_FromLong(is_multiprocess)) < 0 ||
        put_constant(env, "wsgi.run_once", Py_NewRef(Py_False)) < 0 ||
        put_constant(env, "wsgi.file_wrapper", Py_NewRef((PyObject *)wsgi->file_type)) < 0 ||
        put_constant(env, "wsgi.input_terminated", Py_NewRef(Py_True)) < 0 ||
        put_keys(wsgi, env, SMPY_WSGI_INPUT, SMPY_WSGI_EARLY_HINTS) < 0 ||
        put_keys(wsgi, env, SMPY_WSGI_SCRIPT_NAME, SMPY_WSGI_PATH_INFO) < 0) {
        Py_CLEAR(env);
    }
    return env;
}

// The variables that every HTTP request has too: a copy of this template has room for them, and for as many more,
// without growing.
static PyObject *make_http_template(struct smpy_wsgi *wsgi) {
    PyObject *env = PyDict_Copy(wsgi->past[1].plain);
    if (env == NULL) {
        return NULL;
    }
    if (put_constant(env, "GATEWAY_INTERFACE", PyUnicode_InternFromString("CGI/1.1")) < 0 ||
        put_constant(env, "SERVER_SOFTWARE", PyUnicode_InternFromString("smisk/" SMISK_VERSION)) < 0 ||
        put_constant(env, "REQUEST_SCHEME", PyUnicode_InternFromString("http")) < 0 ||
        put_keys(wsgi, env, SMPY_WSGI_REQUEST_METHOD, SMPY_WSGI_REMOTE_ADDR) < 0) {
        Py_CLEAR(env);
    }
    return env;
}

int smpy_wsgi_environ_init(struct smpy_wsgi *wsgi) {
    for (size_t i = 0; i < SMPY_WSGI_KEY_COUNT; i++) {
        wsgi->keys[i] = PyUnicode_InternFromString(key_names[i]);
        if (wsgi->keys[i] == NULL) {
            return -1;
        }
    }
    wsgi->https = PyUnicode_InternFromString("https");
    if (wsgi->https == NULL || smpy_wsgi_names_init(wsgi) < 0) {
        return -1;
    }
    wsgi->past[1].plain = make_template(wsgi);
    wsgi->past[0].plain = wsgi->past[1].plain == NULL ? NULL : make_http_template(wsgi);
    return wsgi->past[0].plain == NULL ? -1 : 0;
}

void smpy_wsgi_environ_deinit(struct smpy_wsgi *wsgi) {
    smpy_wsgi_names_deinit(wsgi);
    smpy_wsgi_past_deinit(&wsgi->past[0]);
    smpy_wsgi_past_deinit(&wsgi->past[1]);
    Py_CLEAR(wsgi->https);
    for (size_t i = 0; i < SMPY_WSGI_KEY_COUNT; i++) {
        Py_CLEAR(wsgi->last[i]);
        Py_CLEAR(wsgi->keys[i]);
    }
}
