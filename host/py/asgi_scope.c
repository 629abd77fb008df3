// SPDX-License-Identifier: MIT
// The scope of a request (ASGI HTTP 2.5, "HTTP Connection Scope"): a copy of a template, then what differs. Header
// names repeat from request to request, so their lowercase bytes are kept in a small table.
#include <string.h>

#include "proto/fields.h"
#include "py/asgi.h"
#include "py/paths.h"
#include "py/text.h"

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

static PyObject *header_name(struct smpy_asgi_app *asgi, struct sm_str name, bool is_cgi) {
    if (name.len == 0 || name.len > SMPY_ASGI_NAME_MAX) {
        return lower_bytes(name, is_cgi);
    }
    struct smpy_asgi_name *kept = &asgi->kept_names[slot_of(name)];
    if (kept->lower != NULL && kept->len == name.len && memcmp(kept->spelled, name.ptr, name.len) == 0) {
        return Py_NewRef(kept->lower);
    }
    PyObject *lower = lower_bytes(name, is_cgi);
    if (lower != NULL && kept->lower == NULL) {
        kept->lower = Py_NewRef(lower);
        kept->len = (uint8_t)name.len;
        memcpy(kept->spelled, name.ptr, name.len);
    }
    return lower;
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

// Returns new: (name, value).
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

// Whether this is the field that a trusted proxy's word replaces, as frameworks have no other place to look for it.
static bool is_host(const struct sm_head *head, uint32_t i) {
    return sm_field_is(head, i, SM_FIELD_NAME("Host", "HTTP_HOST"));
}

static PyObject *headers_of(struct smpy_asgi_app *asgi, const struct sm_head *head, struct sm_str forwarded_host) {
    bool is_cgi = head->kind == SM_HEAD_CGI;
    PyObject *list = PyList_New(is_cgi ? 0 : (Py_ssize_t)head->n_fields);
    for (uint32_t i = 0; list != NULL && i < head->n_fields; i++) {
        struct sm_str name = sm_field_label(head, i);
        struct sm_str value = sm_field_text(head, i);
        if (forwarded_host.len > 0 && is_host(head, i)) {
            value = forwarded_host;
        }
        if (is_cgi) {
            // A variable that comes again counts with its last value, as it would in an environment.
            struct sm_str header = cgi_header(name, value);
            if (header.len == 0 || sm_head_next(head, (struct sm_field_name){.cgi = name}, i + 1) < head->n_fields) {
                continue;
            }
            name = header;
        }
        PyObject *both = pair(header_name(asgi, name, is_cgi), value);
        if (both == NULL) {
            Py_CLEAR(list);
        } else if (!is_cgi) {
            PyList_SET_ITEM(list, (Py_ssize_t)i, both);
        } else {
            int status = PyList_Append(list, both);
            Py_DECREF(both);
            if (status < 0) {
                Py_CLEAR(list);
            }
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

// The same for every connection to one address: made anew only when it changes.
static PyObject *server_of(struct smpy_asgi_app *asgi, const struct sm_head *head, struct sm_exchange *exchange) {
    uint16_t port = 0;
    struct sm_str host;
    if (head->kind == SM_HEAD_CGI) {
        host = sm_head_find(head, SM_FIELD_NAME("", "SERVER_NAME"));
        int64_t number = sm_str_number(sm_head_find(head, SM_FIELD_NAME("", "SERVER_PORT")));
        port = number > 0 && number <= 65535 ? (uint16_t)number : 0;
    } else {
        host = sm_exchange_local(exchange, &port);
    }
    if (host.len == 0) {
        return Py_NewRef(Py_None);
    }
    bool is_kept = asgi->server != NULL && asgi->server_port == port && strlen(asgi->server_host) == host.len &&
                   memcmp(asgi->server_host, host.ptr, host.len) == 0;
    if (is_kept) {
        return Py_NewRef(asgi->server);
    }
    PyObject *server = address(smpy_text(host), port);
    if (server != NULL && host.len < sizeof asgi->server_host) {
        Py_XSETREF(asgi->server, Py_NewRef(server));
        memcpy(asgi->server_host, host.ptr, host.len);
        asgi->server_host[host.len] = '\0';
        asgi->server_port = port;
    }
    return server;
}

// --- the request line ---

static PyObject *method_of(const struct smpy_asgi_names *names, struct sm_str method) {
    if (sm_str_eq(method, SM_STR("GET"))) {
        return Py_NewRef(names->get);
    }
    if (sm_str_eq(method, SM_STR("POST"))) {
        return Py_NewRef(names->post);
    }
    PyObject *text = smpy_text(method);
    PyObject *upper = text == NULL ? NULL : PyObject_CallMethod(text, "upper", NULL);
    Py_XDECREF(text);
    return upper;
}

static PyObject *version_of(const struct smpy_asgi_names *names, struct sm_str protocol) {
    if (sm_str_eq(protocol, SM_STR("HTTP/1.0"))) {
        return Py_NewRef(names->http10);
    }
    bool is_2 = protocol.len >= 6 && memcmp(protocol.ptr, "HTTP/2", 6) == 0;
    return Py_NewRef(is_2 ? names->http20 : names->http11);
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

static int put_scheme(struct smpy_app *app, PyObject *scope, struct sm_exchange *exchange) {
    const struct smpy_asgi_names *names = &app->asgi.names;
    return sm_exchange_is_https(exchange) ? PyDict_SetItem(scope, names->scheme, names->https) : 0;
}

static int fill(struct smpy_app *app, PyObject *scope, struct sm_exchange *exchange) {
    struct smpy_asgi_app *asgi = &app->asgi;
    const struct smpy_asgi_names *names = &asgi->names;
    const struct sm_head *head = sm_exchange_head(exchange);
    if (put(scope, names->http_version, version_of(names, sm_head_text(head, head->protocol))) < 0 ||
        put(scope, names->server, server_of(asgi, head, exchange)) < 0 ||
        put(scope, names->client, client_of(asgi, exchange)) < 0 || put_scheme(app, scope, exchange) < 0 ||
        put(scope, names->method, method_of(names, sm_head_text(head, head->method))) < 0 ||
        put_paths(app, scope, head) < 0 || put(scope, names->raw_path, raw_path_of(head)) < 0 ||
        put(scope, names->query_string, smpy_text_bytes(sm_head_text(head, head->query))) < 0 ||
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
