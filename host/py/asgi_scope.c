// SPDX-License-Identifier: MIT
// The scope of a request (ASGI HTTP 2.5, "HTTP Connection Scope"): a copy of a template, then what differs. Headers
// repeat from request to request, so for each name the pair that it last made is kept in a small table.
#include <string.h>

#include "proto/fields.h"
#include "py/asgi.h"
#include "py/paths.h"
#include "py/text.h"

enum { MAX_VALUE = 256 }; // bytes of a header value worth keeping

// --- header names ---

static size_t slot_of(struct sm_str name) {
    unsigned char first = (unsigned char)name.ptr[0];
    unsigned char middle = (unsigned char)name.ptr[name.len / 2];
    unsigned char last = (unsigned char)name.ptr[name.len - 1];
    return (name.len * 31 + first * 7u + middle * 5u + last * 3u) % SMPY_ASGI_NAME_SLOTS;
}

// Returns new: the name in lower case; of a CGI variable, without HTTP_ and with hyphens.
static PyObject *lower_bytes(struct sm_str name, bool is_cgi) {
    PyObject *lower = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)name.len);
    if (lower != NULL) {
        char *out = PyBytes_AS_STRING(lower);
        for (size_t i = 0; i < name.len; i++) {
            out[i] = is_cgi && name.ptr[i] == '_' ? '-' : sm_ascii_lower(name.ptr[i]);
        }
    }
    return lower;
}

// The entry of a name, made now where its place is free. NULL: it has none, or with an exception.
static struct smpy_asgi_name *entry_of(struct smpy_asgi_app *asgi, struct sm_str name, bool is_cgi) {
    if (name.len == 0 || name.len > SMPY_ASGI_NAME_MAX) {
        return NULL;
    }
    struct smpy_asgi_name *entry = &asgi->kept_names[slot_of(name)];
    if (entry->lower == NULL) {
        entry->lower = lower_bytes(name, is_cgi);
        entry->is_cgi = is_cgi;
        entry->len = (uint8_t)name.len;
        memcpy(entry->spelled, name.ptr, name.len);
        return entry->lower == NULL ? NULL : entry;
    }
    bool is_it = entry->len == name.len && entry->is_cgi == is_cgi && sm_same(entry->spelled, name.ptr, name.len);
    return is_it ? entry : NULL;
}

// --- headers ---

static bool is_of_body(struct sm_str name) {
    return sm_str_eq(name, SM_STR("CONTENT_TYPE")) || sm_str_eq(name, SM_STR("CONTENT_LENGTH"));
}

// The header that a CGI variable stands for; len 0: none. nginx says what is of the body twice, with HTTP_ too.
static struct sm_str cgi_header(struct sm_str variable, struct sm_str value) {
    if (variable.len > 5 && memcmp(variable.ptr, "HTTP_", 5) == 0) {
        struct sm_str name = {variable.ptr + 5, variable.len - 5};
        return is_of_body(name) ? (struct sm_str){NULL, 0} : name;
    }
    return is_of_body(variable) && value.len > 0 ? variable : (struct sm_str){NULL, 0};
}

// Takes `name`, which may be NULL with an exception. Returns new: (name, value).
static PyObject *pair(PyObject *name, struct sm_str value) {
    PyObject *bytes = name == NULL ? NULL : smpy_text_bytes(value);
    PyObject *both = bytes == NULL ? NULL : PyTuple_New(2);
    if (both == NULL) {
        Py_XDECREF(bytes);
        Py_XDECREF(name);
        return NULL;
    }
    PyTuple_SET_ITEM(both, 0, name);
    PyTuple_SET_ITEM(both, 1, bytes);
    return both;
}

// Returns new: the pair of a name that has an entry, the last one again where the value is the same.
static PyObject *kept_pair(struct smpy_asgi_name *entry, struct sm_str value) {
    if (entry->pair != NULL) {
        PyObject *last = PyTuple_GET_ITEM(entry->pair, 1);
        if ((size_t)PyBytes_GET_SIZE(last) == value.len && sm_same(PyBytes_AS_STRING(last), value.ptr, value.len)) {
            return Py_NewRef(entry->pair);
        }
    }
    PyObject *both = pair(Py_NewRef(entry->lower), value);
    if (both != NULL && value.len <= MAX_VALUE) {
        Py_XSETREF(entry->pair, Py_NewRef(both));
    }
    return both;
}

// Returns new: the pair of a field as HTTP has it.
static PyObject *field_pair(struct smpy_asgi_app *asgi, struct sm_str name, struct sm_str value) {
    struct smpy_asgi_name *entry = entry_of(asgi, name, false);
    if (entry == NULL && PyErr_Occurred()) {
        return NULL;
    }
    return entry != NULL ? kept_pair(entry, value) : pair(lower_bytes(name, false), value);
}

// Takes the pair. -1 with an exception, also when it is NULL.
static int append(PyObject *list, PyObject *both) {
    int status = both == NULL ? -1 : PyList_Append(list, both);
    Py_XDECREF(both);
    return status;
}

// Adds a header of a front server. One that comes again counts with its last value, as it would in an environment.
static int add_variable(struct smpy_asgi_app *asgi, PyObject *list, const struct sm_head *head, uint32_t i,
                        struct sm_str value) {
    struct sm_str variable = sm_field_label(head, i);
    struct sm_str name = cgi_header(variable, value);
    if (name.len == 0) {
        return 0;
    }
    struct smpy_asgi_name *entry = entry_of(asgi, name, true);
    if (entry == NULL) {
        bool comes_again = sm_head_next(head, (struct sm_field_name){.cgi = variable}, i + 1) < head->n_fields;
        return comes_again ? 0 : PyErr_Occurred() ? -1 : append(list, pair(lower_bytes(name, true), value));
    }
    if (entry->scope == asgi->n_scopes) {
        PyObject *both = kept_pair(entry, value);
        return both == NULL ? -1 : PyList_SetItem(list, entry->index, both);
    }
    entry->scope = asgi->n_scopes;
    entry->index = PyList_GET_SIZE(list);
    return append(list, kept_pair(entry, value));
}

// Whether this is the field that a trusted proxy's word replaces, as frameworks have no other place to look for it.
static bool is_host(const struct sm_head *head, uint32_t i) {
    return sm_field_is(head, i, SM_FIELD_NAME("Host", "HTTP_HOST"));
}

static PyObject *headers_of(struct smpy_asgi_app *asgi, const struct sm_head *head, struct sm_str forwarded_host) {
    bool is_cgi = head->kind == SM_HEAD_CGI;
    PyObject *list = PyList_New(is_cgi ? 0 : (Py_ssize_t)head->n_fields);
    asgi->n_scopes++;
    for (uint32_t i = 0; list != NULL && i < head->n_fields; i++) {
        struct sm_str value = forwarded_host.len > 0 && is_host(head, i) ? forwarded_host : sm_field_text(head, i);
        if (is_cgi) {
            if (add_variable(asgi, list, head, i, value) < 0) {
                Py_CLEAR(list);
            }
            continue;
        }
        PyObject *both = field_pair(asgi, sm_field_label(head, i), value);
        if (both == NULL) {
            Py_CLEAR(list);
        } else {
            PyList_SET_ITEM(list, (Py_ssize_t)i, both);
        }
    }
    return list;
}

// --- addresses ---

// Takes the host. Returns new: (host, port).
static PyObject *address(PyObject *host, uint16_t port) {
    PyObject *number = host == NULL ? NULL : PyLong_FromLong(port);
    PyObject *both = number == NULL ? NULL : PyTuple_New(2);
    if (both == NULL) {
        Py_XDECREF(number);
        Py_XDECREF(host);
        return NULL;
    }
    PyTuple_SET_ITEM(both, 0, host);
    PyTuple_SET_ITEM(both, 1, number);
    return both;
}

// Returns new: the host as text. Most requests come from where the one before came from: a front server.
static PyObject *client_host(struct smpy_asgi_app *asgi, struct sm_str host) {
    if (asgi->client_host != NULL && asgi->client_text_len == host.len &&
        memcmp(asgi->client_text, host.ptr, host.len) == 0) {
        return Py_NewRef(asgi->client_host);
    }
    PyObject *text = smpy_text(host);
    if (text != NULL && host.len <= sizeof asgi->client_text) {
        Py_XSETREF(asgi->client_host, Py_NewRef(text));
        memcpy(asgi->client_text, host.ptr, host.len);
        asgi->client_text_len = host.len;
    }
    return text;
}

static PyObject *client_of(struct smpy_asgi_app *asgi, struct sm_exchange *exchange) {
    uint16_t port = 0;
    struct sm_str host = sm_exchange_peer(exchange, &port);
    return host.len == 0 ? Py_NewRef(Py_None) : address(client_host(asgi, host), port);
}

static struct sm_str server_name(const struct sm_head *head, struct sm_exchange *exchange, uint16_t *port_out) {
    if (head->kind == SM_HEAD_HTTP) {
        return sm_exchange_local(exchange, port_out);
    }
    int64_t port = sm_str_number(sm_head_text(head, head->server_port));
    *port_out = port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
    return sm_head_text(head, head->server_name);
}

// The same for every connection to one address: the template has it, and is told when it changes. -1 with an
// exception.
static int put_server(struct smpy_asgi_app *asgi, PyObject *scope, const struct sm_head *head,
                      struct sm_exchange *exchange) {
    uint16_t port = 0;
    struct sm_str host = server_name(head, exchange, &port);
    if (asgi->server != NULL && asgi->server_port == port && asgi->server_len == host.len &&
        sm_same(asgi->server_host, host.ptr, host.len)) {
        return 0; // it came with the copy
    }
    PyObject *server = host.len == 0 ? Py_NewRef(Py_None) : address(smpy_text(host), port);
    int status = server == NULL ? -1 : PyDict_SetItem(scope, asgi->names.server, server);
    if (status == 0 && host.len <= sizeof asgi->server_host) {
        Py_CLEAR(asgi->server);
        status = PyDict_SetItem(asgi->template, asgi->names.server, server);
        asgi->server = status < 0 ? NULL : Py_NewRef(server);
        asgi->server_len = host.len;
        asgi->server_port = port;
        memcpy(asgi->server_host, host.ptr, host.len);
    }
    Py_XDECREF(server);
    return status;
}

// --- the request line ---

// Returns new.
static PyObject *method_of(const struct smpy_asgi_names *names, struct sm_str method) {
    if (sm_str_eq(method, SM_STR("POST"))) {
        return Py_NewRef(names->post);
    }
    PyObject *text = smpy_text(method);
    PyObject *upper = text == NULL ? NULL : PyObject_CallMethod(text, "upper", NULL);
    Py_XDECREF(text);
    return upper;
}

// Borrows.
static PyObject *version_of(const struct smpy_asgi_names *names, struct sm_str protocol) {
    if (sm_str_eq(protocol, SM_STR("HTTP/1.0"))) {
        return names->http10;
    }
    bool is_2 = protocol.len >= 6 && memcmp(protocol.ptr, "HTTP/2", 6) == 0;
    return is_2 ? names->http20 : names->http11;
}

// The path as it came, without the query: from REQUEST_URI where the front server sends it.
static PyObject *raw_path_of(const struct sm_head *head) {
    if (head->kind == SM_HEAD_HTTP) {
        return smpy_text_bytes(sm_head_text(head, head->path));
    }
    struct sm_str target = sm_head_text(head, head->target);
    if (target.len == 0) {
        return smpy_text_encode_path(sm_head_text(head, head->script), sm_head_text(head, head->path));
    }
    const char *query = memchr(target.ptr, '?', target.len);
    target.len = query == NULL ? target.len : (size_t)(query - target.ptr);
    return smpy_text_bytes(target);
}

// Takes `value`, which may be NULL with an exception. 0 or -1.
static int put(PyObject *scope, PyObject *name, PyObject *value) {
    int status = value == NULL ? -1 : PyDict_SetItem(scope, name, value);
    Py_XDECREF(value);
    return status;
}

// `path` contains `root_path`, as the specification says since HTTP 2.3.
static int put_paths(struct smpy_app *app, PyObject *scope, const struct sm_head *head) {
    const struct smpy_asgi_names *names = &app->asgi.names;
    struct sm_str root = sm_str_from(app->settings->root_path);
    size_t room = sm_paths_room(head);
    char small[1024];
    char *scratch = room <= sizeof small ? small : PyMem_Malloc(room);
    if (scratch == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    struct sm_paths paths = sm_paths_of(head, root, scratch);
    int status = put(scope, names->path, smpy_text_path(paths.script, paths.path, false));
    if (status == 0 && paths.script.len > 0) {
        status = put(scope, names->root_path, smpy_text(paths.script));
    }
    if (scratch != small) {
        PyMem_Free(scratch);
    }
    return status;
}

// What most requests have as the template has it: HTTP/1.1, GET, no query, no TLS.
static int put_seldom(struct smpy_app *app, PyObject *scope, const struct sm_head *head,
                      struct sm_exchange *exchange) {
    const struct smpy_asgi_names *names = &app->asgi.names;
    PyObject *version = version_of(names, sm_head_text(head, head->protocol));
    struct sm_str method = sm_head_text(head, head->method);
    if ((version != names->http11 && PyDict_SetItem(scope, names->http_version, version) < 0) ||
        (!sm_str_eq(method, SM_STR("GET")) && put(scope, names->method, method_of(names, method)) < 0) ||
        (head->query.len > 0 &&
         put(scope, names->query_string, smpy_text_bytes(sm_head_text(head, head->query))) < 0)) {
        return -1;
    }
    return sm_exchange_is_https(exchange) ? PyDict_SetItem(scope, names->scheme, names->https) : 0;
}

static int fill(struct smpy_app *app, PyObject *scope, struct sm_exchange *exchange) {
    struct smpy_asgi_app *asgi = &app->asgi;
    const struct smpy_asgi_names *names = &asgi->names;
    const struct sm_head *head = sm_exchange_head(exchange);
    if (put_server(asgi, scope, head, exchange) < 0 || put(scope, names->client, client_of(asgi, exchange)) < 0 ||
        put_seldom(app, scope, head, exchange) < 0 || put_paths(app, scope, head) < 0 ||
        put(scope, names->raw_path, raw_path_of(head)) < 0 ||
        put(scope, names->headers, headers_of(asgi, head, sm_exchange_host(exchange))) < 0 ||
        put(scope, names->extensions, PyDict_Copy(asgi->extensions)) < 0) {
        return -1;
    }
    return asgi->state == NULL ? 0 : put(scope, names->state, PyDict_Copy(asgi->state));
}

PyObject *smpy_asgi_scope(struct smpy_app *app, struct sm_exchange *exchange) {
    PyObject *scope = PyDict_Copy(app->asgi.template);
    if (scope != NULL && fill(app, scope, exchange) < 0) {
        Py_CLEAR(scope);
    }
    return scope;
}
