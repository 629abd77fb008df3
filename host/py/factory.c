// SPDX-License-Identifier: MIT
// Makes a Request without a server (see factory.h): writes the head in the protocol's own form, reads it with the
// protocol's own parser, and puts the outcome into a snapshot. The Request owns all of it.
#include "py/factory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "proto/fastcgi.h"
#include "proto/fields.h"
#include "proto/http1.h"
#include "py/request.h"

const char smpy_make_request_doc[] =
    "_make_request(kind, fields, body=b'', *, method='GET', target='/', role=1, data=b'', peer='', spool=-1)\n\n"
    "A Request as a server would make it. kind: 'http' (fields are header fields; method and target are used) or\n"
    "'cgi' (fields are CGI variables). fields: (name, value) pairs of bytes. role: 1 responder, 2 authorizer,\n"
    "3 filter; data: what there is to filter. spool: a descriptor to take as the body instead of `body`; it is\n"
    "duplicated. ValueError where the parser refuses the head.";

struct recipe {
    const char *kind;
    PyObject *fields;
    const char *method, *target, *peer;
    struct sm_str body, data;
    int role, spool;
};

// Calls `put` with each (name, value) pair of `fields`. The count, or -1 with an exception.
static Py_ssize_t each_field(PyObject *fields,
                             int (*put)(struct sm_bytes *out, struct sm_str name, struct sm_str value),
                             struct sm_bytes *out) {
    Py_ssize_t count = -1;
    PyObject *list = PySequence_Fast(fields, "fields must be a sequence of (name, value)");
    if (list == NULL) {
        return -1;
    }
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list); i++) {
        PyObject *pair = PySequence_Fast_GET_ITEM(list, i);
        const char *name = NULL;
        const char *value = NULL;
        Py_ssize_t name_len = 0;
        Py_ssize_t value_len = 0;
        if (!PyTuple_Check(pair)) {
            PyErr_SetString(PyExc_TypeError, "each field must be a tuple (name, value)");
            goto done;
        }
        if (!PyArg_ParseTuple(pair, "s#s#;a field is (name, value)", &name, &name_len, &value, &value_len)) {
            goto done;
        }
        if (put(out, (struct sm_str){name, (size_t)name_len}, (struct sm_str){value, (size_t)value_len}) < 0) {
            PyErr_NoMemory();
            goto done;
        }
    }
    count = PySequence_Fast_GET_SIZE(list);
done:
    Py_DECREF(list);
    return count;
}

static int put_line(struct sm_bytes *out, struct sm_str name, struct sm_str value) {
    if (sm_bytes_append_str(out, name) < 0 || sm_bytes_append_str(out, SM_STR(": ")) < 0 ||
        sm_bytes_append_str(out, value) < 0) {
        return -ENOMEM;
    }
    return sm_bytes_append_str(out, SM_STR("\r\n"));
}

static int put_pair(struct sm_bytes *out, struct sm_str name, struct sm_str value) {
    if (sm_bytes_reserve(out, name.len + value.len + 8) < 0) {
        return -ENOMEM;
    }
    out->len += sm_fcgi_pair_put(out->data + out->len, out->cap - out->len, name, value);
    return 0;
}

// --- heads ---

// Takes the block into a snapshot with room for `n_fields`. NULL with an exception.
static struct smpy_snapshot *snapshot_over(struct sm_bytes *block, Py_ssize_t n_fields) {
    struct smpy_snapshot *snapshot = smpy_snapshot_new((uint32_t)n_fields);
    if (snapshot == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    snapshot->block = block->data;
    *block = (struct sm_bytes){0};
    return snapshot;
}

static struct smpy_snapshot *parse_http(const struct recipe *recipe, struct sm_bytes *block) {
    if (sm_bytes_append_str(block, sm_str_from(recipe->method)) < 0 || sm_bytes_append_str(block, SM_STR(" ")) < 0 ||
        sm_bytes_append_str(block, sm_str_from(recipe->target)) < 0 ||
        sm_bytes_append_str(block, SM_STR(" HTTP/1.1\r\n")) < 0) {
        PyErr_NoMemory();
        return NULL;
    }
    Py_ssize_t n_fields = each_field(recipe->fields, put_line, block);
    if (n_fields < 0) {
        return NULL;
    }
    if (sm_bytes_append_str(block, SM_STR("\r\n")) < 0) {
        PyErr_NoMemory();
        return NULL;
    }
    size_t len = block->len;
    struct smpy_snapshot *snapshot = snapshot_over(block, n_fields + 1);
    if (snapshot == NULL) {
        return NULL;
    }
    struct sm_http1_limits limits = {UINT32_MAX, (uint32_t)n_fields + 1, UINT64_MAX >> 1};
    struct sm_http1 parser;
    size_t used = 0;
    struct sm_str piece;
    sm_http1_init(&parser, &limits, &snapshot->head);
    if (sm_http1_next(&parser, snapshot->block, len, &used, &piece) != SM_HTTP1_HEAD) {
        PyErr_Format(PyExc_ValueError, "not a request head: %s",
                     parser.reason == NULL ? "it is not complete" : parser.reason);
        smpy_snapshot_free(snapshot);
        return NULL;
    }
    snapshot->head.base = snapshot->block;
    return snapshot;
}

static struct smpy_snapshot *parse_cgi(const struct recipe *recipe, struct sm_bytes *block) {
    Py_ssize_t n_fields = each_field(recipe->fields, put_pair, block);
    if (n_fields < 0) {
        return NULL;
    }
    size_t len = block->len;
    struct smpy_snapshot *snapshot = snapshot_over(block, n_fields);
    if (snapshot == NULL) {
        return NULL;
    }
    snapshot->head.base = snapshot->block == NULL ? "" : snapshot->block;
    enum sm_fcgi_params outcome = sm_fcgi_params_parse(snapshot->head.base, len, &snapshot->head);
    if (outcome != SM_FCGI_PARAMS_OK) {
        PyErr_Format(PyExc_ValueError, "not a set of CGI variables: outcome %d of sm_fcgi_params_parse",
                     (int)outcome);
        smpy_snapshot_free(snapshot);
        return NULL;
    }
    return snapshot;
}

// --- bodies ---

// 0, or -1 with an exception.
static int set_body(struct sm_body *body, struct sm_str bytes) {
    if (bytes.len == 0) {
        return 0;
    }
    char *data = malloc(bytes.len);
    if (data == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(data, bytes.ptr, bytes.len);
    body->data = data;
    body->len = bytes.len;
    return 0;
}

static int set_spool(struct sm_body *body, int fd) {
    off_t end = lseek(fd, 0, SEEK_END);
    body->fd = end < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (body->fd < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    body->len = (uint64_t)end;
    return 0;
}

static int set_facts(struct smpy_snapshot *snapshot, const struct recipe *recipe) {
    if (recipe->role < SM_ROLE_RESPONDER || recipe->role > SM_ROLE_FILTER) {
        PyErr_SetString(PyExc_ValueError, "role must be 1, 2 or 3");
        return -1;
    }
    snapshot->role = (enum sm_role)recipe->role;
    snapshot->is_https = snapshot->head.is_https;
    (void)snprintf(snapshot->peer, sizeof snapshot->peer, "%s", recipe->peer);
    (void)snprintf(snapshot->id, sizeof snapshot->id, "test");
    if (recipe->spool >= 0 ? set_spool(&snapshot->body, recipe->spool) < 0
                           : set_body(&snapshot->body, recipe->body) < 0) {
        return -1;
    }
    return set_body(&snapshot->filter_data, recipe->data);
}

static struct smpy_snapshot *cook(const struct recipe *recipe) {
    struct sm_bytes block = {0};
    struct smpy_snapshot *snapshot = NULL;
    if (strcmp(recipe->kind, "http") == 0) {
        snapshot = parse_http(recipe, &block);
    } else if (strcmp(recipe->kind, "cgi") == 0) {
        snapshot = parse_cgi(recipe, &block);
    } else {
        PyErr_SetString(PyExc_ValueError, "kind must be 'http' or 'cgi'");
    }
    sm_bytes_deinit(&block);
    if (snapshot != NULL && set_facts(snapshot, recipe) < 0) {
        smpy_snapshot_free(snapshot);
        snapshot = NULL;
    }
    return snapshot;
}

PyObject *smpy_make_request(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"kind", "fields", "body", "method", "target", "role", "data", "peer", "spool", NULL};
    struct recipe recipe = {.method = "GET", .target = "/", .peer = "", .role = SM_ROLE_RESPONDER, .spool = -1};
    Py_buffer body = {0};
    Py_buffer data = {0};
    PyObject *request = NULL;
    struct smpy_snapshot *snapshot = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "sO|y*$ssiy*si:_make_request", names, &recipe.kind, &recipe.fields,
                                     &body, &recipe.method, &recipe.target, &recipe.role, &data, &recipe.peer,
                                     &recipe.spool)) {
        goto done;
    }
    recipe.body = (struct sm_str){body.buf, (size_t)body.len};
    recipe.data = (struct sm_str){data.buf, (size_t)data.len};
    snapshot = cook(&recipe);
    if (snapshot == NULL) {
        goto done;
    }
    request = (PyObject *)smpy_request_new(smpy_state_of_module(module), &smpy_snapshot_ops, snapshot);
    if (request == NULL) {
        smpy_snapshot_free(snapshot);
    }
done:
    PyBuffer_Release(&data);
    PyBuffer_Release(&body);
    return request;
}
