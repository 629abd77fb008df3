// SPDX-License-Identifier: MIT
// What all requests of an ASGI application share, made once: words, templates, the lifespan. Embedded in struct
// smpy_app; filled and cleared by iface_asgi.c.
#pragma once

#include "py/compat.h"

struct smpy_asgi;

struct smpy_asgi_names {
    PyObject *type, *status, *headers, *trailers, *body, *more_body, *more_trailers, *links, *path, *file, *offset,
        *count;
    PyObject *http_request, *http_disconnect, *response_start, *response_body, *response_trailers, *early_hint,
        *pathsend, *zerocopysend;
    PyObject *asgi, *http_version, *server, *client, *scheme, *method, *root_path, *raw_path, *query_string, *state,
        *extensions, *subprotocols;
    PyObject *http, *https, *websocket, *ws, *wss, *http10, *http11, *http20, *get, *post;
    PyObject *websocket_connect, *websocket_accept, *websocket_receive, *websocket_send, *websocket_disconnect,
        *websocket_close, *websocket_response_start, *websocket_response_body;
    PyObject *text, *bytes, *code, *reason, *subprotocol;
    PyObject *empty_bytes, *empty_text;
};

enum { SMPY_ASGI_NAME_SLOTS = 128, SMPY_ASGI_NAME_MAX = 40 };

// A header name as it came, and what became of it.
struct smpy_asgi_name {
    PyObject *lower;  // as the scope spells it; NULL: free
    PyObject *pair;   // (lower, value) with the last short value, or NULL
    uint64_t scope;   // the last scope with it
    Py_ssize_t index; // ... and where in its headers
    bool is_cgi;      // it came as a CGI variable, without HTTP_
    uint8_t len;
    char spelled[SMPY_ASGI_NAME_MAX];
};

enum { SMPY_ASGI_SENT_TYPES = 6 };

struct smpy_asgi_app {
    struct smpy_asgi_name kept_names[SMPY_ASGI_NAME_SLOTS]; // filled when a name comes first
    struct smpy_asgi_names names;
    PyObject *sent_types[SMPY_ASGI_SENT_TYPES]; // types of messages as the application spells them, or NULL
    uint64_t n_scopes;
    PyTypeObject *type;   // of struct smpy_asgi
    PyObject *template;   // of a scope
    PyObject *asgi;       // {"version": "3.0", "spec_version": "2.5"}
    PyObject *extensions; // {"http.response.trailers": {}, …}
    PyObject *state;      // the lifespan's, or NULL
    PyObject *lifespan;   // smisk.aio.lifespan.Lifespan
    PyObject *lost_error; // smisk.aio.errors.ClientDisconnected
    PyObject *websocket;  // the module smisk.websocket, once there was one
    PyObject *server;     // the last scope's `server`, which the template has too
    char server_host[64]; // ... made from this
    size_t server_len;
    uint16_t server_port;
    PyObject *client_host; // the last scope's, made from client_text
    size_t client_text_len;
    char client_text[64];
    struct smpy_asgi *spare; // owned: a call that can be used again
};
