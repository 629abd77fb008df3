// SPDX-License-Identifier: MIT
// The words of ASGI, interned once, so that messages are told apart by pointer.
#include <stddef.h>

#include "py/asgi.h"

static const struct {
    size_t offset;
    const char *text;
} words[] = {
#define WORD(field, text)                                                                                            \
    { offsetof(struct smpy_asgi_names, field), text }
    WORD(type, "type"),
    WORD(status, "status"),
    WORD(headers, "headers"),
    WORD(trailers, "trailers"),
    WORD(body, "body"),
    WORD(more_body, "more_body"),
    WORD(more_trailers, "more_trailers"),
    WORD(links, "links"),
    WORD(path, "path"),
    WORD(file, "file"),
    WORD(offset, "offset"),
    WORD(count, "count"),
    WORD(http_request, "http.request"),
    WORD(http_disconnect, "http.disconnect"),
    WORD(response_start, "http.response.start"),
    WORD(response_body, "http.response.body"),
    WORD(response_trailers, "http.response.trailers"),
    WORD(early_hint, "http.response.early_hint"),
    WORD(pathsend, "http.response.pathsend"),
    WORD(zerocopysend, "http.response.zerocopysend"),
    WORD(asgi, "asgi"),
    WORD(http_version, "http_version"),
    WORD(server, "server"),
    WORD(client, "client"),
    WORD(scheme, "scheme"),
    WORD(method, "method"),
    WORD(root_path, "root_path"),
    WORD(raw_path, "raw_path"),
    WORD(query_string, "query_string"),
    WORD(state, "state"),
    WORD(extensions, "extensions"),
    WORD(subprotocols, "subprotocols"),
    WORD(http, "http"),
    WORD(https, "https"),
    WORD(websocket, "websocket"),
    WORD(ws, "ws"),
    WORD(wss, "wss"),
    WORD(websocket_connect, "websocket.connect"),
    WORD(websocket_accept, "websocket.accept"),
    WORD(websocket_receive, "websocket.receive"),
    WORD(websocket_send, "websocket.send"),
    WORD(websocket_disconnect, "websocket.disconnect"),
    WORD(websocket_close, "websocket.close"),
    WORD(websocket_response_start, "websocket.http.response.start"),
    WORD(websocket_response_body, "websocket.http.response.body"),
    WORD(text, "text"),
    WORD(bytes, "bytes"),
    WORD(code, "code"),
    WORD(reason, "reason"),
    WORD(subprotocol, "subprotocol"),
    WORD(http10, "1.0"),
    WORD(http11, "1.1"),
    WORD(http20, "2"),
    WORD(get, "GET"),
    WORD(post, "POST"),
    WORD(empty_text, ""),
#undef WORD
};

static PyObject **slot(struct smpy_asgi_app *asgi, size_t i) {
    return (PyObject **)(void *)((char *)&asgi->names + words[i].offset);
}

int smpy_asgi_names_init(struct smpy_asgi_app *asgi) {
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        *slot(asgi, i) = PyUnicode_InternFromString(words[i].text);
        if (*slot(asgi, i) == NULL) {
            return -1;
        }
    }
    asgi->names.empty_bytes = PyBytes_FromStringAndSize(NULL, 0);
    return asgi->names.empty_bytes == NULL ? -1 : 0;
}

void smpy_asgi_names_clear(struct smpy_asgi_app *asgi) {
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        Py_CLEAR(*slot(asgi, i));
    }
    Py_CLEAR(asgi->names.empty_bytes);
}
