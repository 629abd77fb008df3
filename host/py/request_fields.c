// SPDX-License-Identifier: MIT
// The fields of a Request that stand in its head: method, path, query, URL, parameters, cookies, addresses. Each
// function here is a builder of request.h: it runs once for each request, when the field is first asked for.
#include <string.h>

#include "proto/fields.h"
#include "py/request.h"
#include "py/text.h"
#include "py/url.h"

static const struct sm_field_name cookie_name = {{"Cookie", 6}, {"HTTP_COOKIE", 11}};

PyObject *smpy_build_method(struct smpy_request *request) {
    const struct sm_head *head = smpy_request_head(request);
    return smpy_text(sm_head_text(head, head->method));
}

PyObject *smpy_build_path(struct smpy_request *request) {
    const struct sm_head *head = smpy_request_head(request);
    return smpy_text_path(sm_head_text(head, head->script), sm_head_text(head, head->path),
                          head->kind == SM_HEAD_HTTP);
}

PyObject *smpy_build_query(struct smpy_request *request) {
    const struct sm_head *head = smpy_request_head(request);
    return smpy_text(sm_head_text(head, head->query));
}

PyObject *smpy_build_protocol(struct smpy_request *request) {
    const struct sm_head *head = smpy_request_head(request);
    return smpy_text(sm_head_text(head, head->protocol));
}

PyObject *smpy_build_role(struct smpy_request *request) {
    switch (request->ops->role(request->source)) {
    case SM_ROLE_AUTHORIZER:
        return PyUnicode_InternFromString("authorizer");
    case SM_ROLE_FILTER:
        return PyUnicode_InternFromString("filter");
    case SM_ROLE_RESPONDER:
        break;
    }
    return PyUnicode_InternFromString("responder");
}

PyObject *smpy_build_id(struct smpy_request *request) {
    return smpy_text(request->ops->id(request->source));
}

PyObject *smpy_build_remote_addr(struct smpy_request *request) {
    const struct sm_head *head = smpy_request_head(request);
    if (head->kind == SM_HEAD_CGI && !request->ops->is_forwarded(request->source)) {
        return smpy_text(sm_head_text(head, head->remote_addr));
    }
    uint16_t port = 0;
    return smpy_text(request->ops->peer(request->source, &port));
}

PyObject *smpy_build_content_type(struct smpy_request *request) {
    const struct sm_head *head = smpy_request_head(request);
    if (head->content_type.len == 0) {
        Py_RETURN_NONE;
    }
    return smpy_text(sm_head_text(head, head->content_type));
}

static PyObject *number_or_none(int64_t number) {
    if (number < 0) {
        Py_RETURN_NONE;
    }
    return PyLong_FromLongLong(number);
}

PyObject *smpy_build_content_length(struct smpy_request *request) {
    return number_or_none(smpy_request_head(request)->content_length);
}

PyObject *smpy_build_data_length(struct smpy_request *request) {
    struct sm_field_name name = SM_FIELD_NAME("", "FCGI_DATA_LENGTH");
    return number_or_none(sm_str_number(sm_head_find(smpy_request_head(request), name)));
}

PyObject *smpy_build_data_time(struct smpy_request *request) {
    struct sm_field_name name = SM_FIELD_NAME("", "FCGI_DATA_LAST_MOD");
    return number_or_none(sm_str_number(sm_head_find(smpy_request_head(request), name)));
}

// --- parameters and cookies ---

PyObject *smpy_build_get(struct smpy_request *request) {
    const struct sm_head *head = smpy_request_head(request);
    if (head->query.len == 0) {
        return PyDict_New();
    }
    PyObject *parse = smpy_import(request->state, SMPY_IMPORT_PARSE_QUERY);
    if (parse == NULL) {
        return NULL;
    }
    // The state remembers the class, so that the native interface knows the error when it comes out of a handler.
    if (smpy_import(request->state, SMPY_IMPORT_FORM_ERROR) == NULL) {
        return NULL;
    }
    struct sm_str query = sm_head_text(head, head->query);
    uint32_t most = request->state->limits.max_fields;
    PyObject *app = smpy_request_app(request);
    if (app == NULL) {
        return PyObject_CallFunction(parse, "y#I", query.ptr, (Py_ssize_t)query.len, most);
    }
    PyObject *get = NULL;
    PyObject *charset = PyObject_GetAttrString(app, "charset");
    PyObject *tolerant = charset == NULL ? NULL : PyObject_GetAttrString(app, "tolerant");
    if (tolerant != NULL) {
        get = PyObject_CallFunction(parse, "y#IOO", query.ptr, (Py_ssize_t)query.len, most, charset, tolerant);
    }
    Py_XDECREF(tolerant);
    Py_XDECREF(charset);
    return get;
}

// Writes all Cookie fields, joined as one, to `out`; returns how many bytes that takes. `out` may be NULL.
static size_t put_cookies(const struct sm_head *head, char *out) {
    size_t len = 0;
    uint32_t i = sm_head_next(head, cookie_name, 0);
    while (i < head->n_fields) {
        struct sm_str separator = len == 0 ? SM_STR("") : SM_STR("; ");
        struct sm_str value = sm_field_text(head, i);
        if (out != NULL) {
            memcpy(out + len, separator.ptr, separator.len);
            memcpy(out + len + separator.len, value.ptr, value.len);
        }
        len += separator.len + value.len;
        i = sm_head_next(head, cookie_name, i + 1);
    }
    return len;
}

// Returns new: the bytes of all Cookie fields (RFC 6265 5.4 sends one; a front server may have split it).
static PyObject *cookie_header(const struct sm_head *head) {
    if (head->kind == SM_HEAD_CGI) {
        return smpy_text_bytes(sm_head_find(head, cookie_name));
    }
    PyObject *joined = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)put_cookies(head, NULL));
    if (joined != NULL) {
        (void)put_cookies(head, PyBytes_AS_STRING(joined));
    }
    return joined;
}

static PyObject *call_parse_cookies(struct smpy_request *request, PyObject *parse, PyObject *header) {
    PyObject *app = smpy_request_app(request);
    if (app == NULL) {
        return PyObject_CallOneArg(parse, header);
    }
    PyObject *charset = PyObject_GetAttrString(app, "charset");
    PyObject *tolerant = charset == NULL ? NULL : PyObject_GetAttrString(app, "tolerant");
    PyObject *cookies =
        tolerant == NULL ? NULL : PyObject_CallFunctionObjArgs(parse, header, charset, tolerant, NULL);
    Py_XDECREF(tolerant);
    Py_XDECREF(charset);
    return cookies;
}

PyObject *smpy_build_cookies(struct smpy_request *request) {
    PyObject *cookies = NULL;
    PyObject *parse = NULL;
    PyObject *header = cookie_header(smpy_request_head(request));
    if (header == NULL) {
        return NULL;
    }
    if (PyBytes_GET_SIZE(header) == 0) {
        cookies = PyDict_New();
        goto done;
    }
    parse = smpy_import(request->state, SMPY_IMPORT_PARSE_COOKIES);
    if (parse != NULL) {
        cookies = call_parse_cookies(request, parse, header);
    }
done:
    Py_DECREF(header);
    return cookies;
}

// --- the URL ---

// Host and port of the URL: what a trusted proxy says, the Host field, else what the server calls itself. A port that
// is not said stays 0.
static int set_authority(struct smpy_url *url, struct smpy_request *request) {
    const struct sm_head *head = smpy_request_head(request);
    int32_t port = -1;
    struct sm_str said = request->ops->host(request->source);
    struct sm_str host = sm_authority_split(said.len > 0 ? said : sm_head_text(head, head->host), &port);
    if (host.len == 0) {
        host = sm_authority_split(sm_head_text(head, head->server_name), &port);
        int64_t given = sm_str_number(sm_head_text(head, head->server_port));
        if (port < 0 && given <= 65535) {
            port = (int32_t)given;
        }
    }
    if (host.len == 0) {
        uint16_t local_port = 0;
        host = request->ops->local(request->source, &local_port);
        port = local_port;
    }
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host = (struct sm_str){host.ptr + 1, host.len - 2};
    }
    url->port = port <= 0 || port > UINT16_MAX ? 0 : (uint16_t)port;
    return host.len == 0 ? 0 : smpy_url_take(url, SMPY_URL_HOST, smpy_text(host));
}

// Returns new: the path as it stands in a URL, percent-encoded.
static PyObject *raw_path(const struct sm_head *head) {
    if (head->kind == SM_HEAD_HTTP) {
        return smpy_text(sm_head_text(head, head->path));
    }
    PyObject *bytes = smpy_text_encode_path(sm_head_text(head, head->script), sm_head_text(head, head->path));
    if (bytes == NULL) {
        return NULL;
    }
    PyObject *path = PyUnicode_DecodeASCII(PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes), NULL);
    Py_DECREF(bytes);
    return path;
}

PyObject *smpy_build_url(struct smpy_request *request) {
    const struct sm_head *head = smpy_request_head(request);
    struct smpy_url *url = smpy_url_new(request->state);
    if (url == NULL) {
        return NULL;
    }
    bool is_https = request->ops->is_https(request->source);
    struct sm_str user = sm_head_find(head, SM_FIELD_NAME("", "REMOTE_USER"));
    if (smpy_url_take(url, SMPY_URL_SCHEME, PyUnicode_InternFromString(is_https ? "https" : "http")) < 0 ||
        (user.len > 0 && smpy_url_take(url, SMPY_URL_USER, smpy_text(user)) < 0) || set_authority(url, request) < 0 ||
        smpy_url_take(url, SMPY_URL_PATH, raw_path(head)) < 0 ||
        (head->has_query && smpy_url_take(url, SMPY_URL_QUERY, smpy_text(sm_head_text(head, head->query))) < 0)) {
        Py_DECREF(url);
        return NULL;
    }
    return (PyObject *)url;
}

// A Referer that is no URL is none: it comes from the client, and must not raise.
PyObject *smpy_build_referring_url(struct smpy_request *request) {
    const struct sm_head *head = smpy_request_head(request);
    struct sm_str referer = sm_head_find(head, SM_FIELD_NAME("Referer", "HTTP_REFERER"));
    if (referer.len == 0) {
        Py_RETURN_NONE;
    }
    PyObject *type = smpy_import(request->state, SMPY_IMPORT_URL);
    PyObject *text = type == NULL ? NULL : smpy_text(referer);
    PyObject *url = text == NULL ? NULL : PyObject_CallOneArg(type, text);
    Py_XDECREF(text);
    if (url == NULL && PyErr_ExceptionMatches(PyExc_ValueError)) {
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    return url;
}
