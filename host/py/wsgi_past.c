// SPDX-License-Identifier: MIT
// What requests have in common. A front server sends the same parameters in the same order with each request, and a
// client the same fields, most of them with the same values: such a request begins with a copy of what the one before
// had in its environment, and only what differs is set. It is a shape that came twice in a row that is remembered, so
// that clients who take turns do not pay for it.
#include "proto/fields.h"
#include "py/wsgi.h"

static struct smpy_wsgi_past *past_of(struct smpy_wsgi *wsgi, const struct sm_head *head) {
    return &wsgi->past[head->kind == SM_HEAD_HTTP ? 0 : 1];
}

int smpy_wsgi_put_seldom(struct smpy_wsgi *wsgi, const struct sm_head *head, PyObject *env, enum smpy_wsgi_key key,
                         struct sm_str value) {
    struct smpy_wsgi_past *past = past_of(wsgi, head);
    if (past->last[key] != NULL && smpy_wsgi_text_is(past->last[key], value)) {
        return 0; // it came with the copy
    }
    PyObject *text = smpy_wsgi_text(value);
    if (text == NULL) {
        return -1;
    }
    // Until both have the new value, neither is believed to have the old one.
    Py_CLEAR(past->last[key]);
    int status = PyDict_SetItem(env, wsgi->keys[key], text);
    if (status == 0) {
        status = PyDict_SetItem(past->plain, wsgi->keys[key], text);
    }
    if (status == 0 && past->whole != NULL) {
        status = PyDict_SetItem(past->whole, wsgi->keys[key], text);
    }
    if (status == 0) {
        past->last[key] = Py_NewRef(text);
    }
    Py_DECREF(text);
    return status;
}

// --- the shape of a head ---

// A front server sends CONTENT_TYPE with every request, empty where the client sent none: then it becomes no
// variable.
static bool is_no_type(const struct sm_head *head, struct sm_str label) {
    return head->kind == SM_HEAD_CGI && head->content_type.len == 0 && sm_str_eq(label, SM_STR("CONTENT_TYPE"));
}

static bool has_shape(const struct smpy_wsgi_past *past, const struct sm_head *head) {
    const char *name = past->names;
    if (past->whole == NULL || past->n_fields != head->n_fields || past->has_type != (head->content_type.len > 0)) {
        return false;
    }
    for (uint32_t i = 0; i < head->n_fields; i++) {
        struct sm_str label = sm_field_label(head, i);
        if (label.len != past->fields[i].name_len || !sm_same(label.ptr, name, label.len)) {
            return false;
        }
        name += label.len;
    }
    return true;
}

static void forget_shape(struct smpy_wsgi_past *past) {
    for (uint32_t i = 0; i < past->n_fields; i++) {
        Py_CLEAR(past->fields[i].key);
        Py_CLEAR(past->fields[i].value);
    }
    past->n_fields = 0;
    past->text_len = 0;
    Py_CLEAR(past->whole);
}

// A number that differs for most heads with other names.
static uint32_t sum_of(const struct sm_head *head) {
    uint32_t sum = head->n_fields;
    for (uint32_t i = 0; i < head->n_fields; i++) {
        struct sm_str label = sm_field_label(head, i);
        sum = sum * 31 + (uint32_t)label.len * 8;
        sum += label.len == 0 ? 0 : (unsigned char)label.ptr[label.len - 1];
    }
    return sum;
}

// --- the same request once more ---

// The fields as they came, from the first one's name to the last one's value; empty where there are none.
static struct sm_str text_of(const struct sm_head *head) {
    if (head->n_fields == 0) {
        return (struct sm_str){0};
    }
    uint32_t start = head->fields[0].name.off;
    struct sm_span last = head->fields[head->n_fields - 1].value;
    return (struct sm_str){head->base + start, last.off < start ? 0 : last.off + last.len - start};
}

static struct sm_span first_of(const struct sm_head *head) {
    struct sm_field first = head->fields[0];
    return (struct sm_span){first.value.off - first.name.off, first.value.len};
}

// Whether `whole` is what this head gives: a client that asks for the same again, a monitor that looks whether all is
// well. Where the first field ends is told before the text of a CGI head begins; of all others it is in the text.
static bool is_same(const struct smpy_wsgi_past *past, const struct sm_head *head) {
    if (past->text_len == 0 || past->n_fields != head->n_fields) {
        return false;
    }
    struct sm_span first = first_of(head);
    struct sm_str text = text_of(head);
    return first.off == past->first.off && first.len == past->first.len && text.len == past->text_len &&
           memcmp(text.ptr, past->text, text.len) == 0;
}

static void keep_text(struct smpy_wsgi_past *past, const struct sm_head *head) {
    struct sm_str text = text_of(head);
    past->text_len = 0;
    if (text.len > 0 && text.len <= sizeof past->text) {
        memcpy(past->text, text.ptr, text.len);
        past->text_len = text.len;
        past->first = first_of(head);
    }
}

// --- remembering ---

// Sets *key_out to a new reference, or to NULL where the field becomes no variable. -1 with an exception.
static int find_key(struct smpy_wsgi *wsgi, const struct sm_head *head, uint32_t i, PyObject **key_out) {
    struct sm_str label = sm_field_label(head, i);
    *key_out = NULL;
    return is_no_type(head, label) ? 0 : smpy_wsgi_key_of(wsgi, head->kind, label, key_out);
}

// Whether the head fits, and no two of its fields became one variable: `env` has a copy of `plain` and the fields.
static bool can_remember(struct smpy_wsgi *wsgi, const struct smpy_wsgi_past *past, const struct sm_head *head,
                         PyObject *env) {
    size_t names_len = 0;
    Py_ssize_t n_keys = 0;
    for (uint32_t i = 0; i < head->n_fields && i < SMPY_WSGI_PAST_FIELDS; i++) {
        PyObject *key = NULL;
        names_len += sm_field_label(head, i).len;
        if (find_key(wsgi, head, i, &key) < 0) {
            PyErr_Clear();
            return false;
        }
        n_keys += key != NULL;
        Py_XDECREF(key);
    }
    return head->n_fields <= SMPY_WSGI_PAST_FIELDS && names_len <= sizeof past->names &&
           PyDict_GET_SIZE(env) == PyDict_GET_SIZE(past->plain) + n_keys;
}

// -1 with an exception.
static int remember_field(struct smpy_wsgi *wsgi, struct smpy_wsgi_past *past, const struct sm_head *head,
                          uint32_t i) {
    PyObject *key = NULL;
    if (find_key(wsgi, head, i, &key) < 0) {
        return -1;
    }
    past->fields[i].key = key;
    past->fields[i].value = key == NULL ? NULL : Py_XNewRef(PyDict_GetItemWithError(past->whole, key));
    past->fields[i].name_len = (uint32_t)sm_field_label(head, i).len;
    return key != NULL && past->fields[i].value == NULL ? -1 : 0;
}

// Remembers the head, and the environment that its fields made. Failing is no harm.
static void remember(struct smpy_wsgi *wsgi, struct smpy_wsgi_past *past, const struct sm_head *head, PyObject *env) {
    char *name = past->names;
    forget_shape(past);
    past->has_type = head->content_type.len > 0;
    past->whole = PyDict_Copy(env);
    int status = past->whole == NULL ? -1 : 0;
    for (uint32_t i = 0; status == 0 && i < head->n_fields; i++) {
        struct sm_str label = sm_field_label(head, i);
        memcpy(name, label.ptr, label.len);
        name += label.len;
        past->n_fields = i + 1;
        status = remember_field(wsgi, past, head, i);
    }
    if (status < 0) {
        PyErr_Clear();
        forget_shape(past);
    }
}

// --- environments ---

// Sets one value that differs from the one remembered. -1 with an exception.
static int put_other(struct smpy_wsgi_past *past, PyObject *env, uint32_t i, struct sm_str value) {
    PyObject *text = smpy_wsgi_text(value);
    if (text == NULL) {
        return -1;
    }
    int status = PyDict_SetItem(env, past->fields[i].key, text);
    if (status == 0) {
        status = PyDict_SetItem(past->whole, past->fields[i].key, text);
    }
    if (status == 0) {
        Py_XSETREF(past->fields[i].value, Py_NewRef(text));
    }
    Py_DECREF(text);
    return status;
}

// Returns new: a copy of what the request before had, with what differs.
static PyObject *copy_whole(struct smpy_wsgi_past *past, const struct sm_head *head) {
    PyObject *env = PyDict_Copy(past->whole);
    past->text_len = 0; // until all are set
    for (uint32_t i = 0; env != NULL && i < head->n_fields; i++) {
        PyObject *value = past->fields[i].value;
        struct sm_str text = sm_field_text(head, i);
        if (value != NULL && !smpy_wsgi_text_is(value, text) && put_other(past, env, i, text) < 0) {
            Py_CLEAR(env);
        }
    }
    if (env != NULL) {
        keep_text(past, head);
    }
    return env;
}

PyObject *smpy_wsgi_past_environ(struct smpy_wsgi *wsgi, const struct sm_head *head) {
    struct smpy_wsgi_past *past = past_of(wsgi, head);
    if (is_same(past, head)) {
        past->sum = 0;
        return PyDict_Copy(past->whole);
    }
    if (has_shape(past, head)) {
        past->sum = 0;
        return copy_whole(past, head);
    }
    PyObject *env = PyDict_Copy(past->plain);
    for (uint32_t i = 0; env != NULL && i < head->n_fields; i++) {
        struct sm_str label = sm_field_label(head, i);
        if (!is_no_type(head, label) &&
            smpy_wsgi_put_field(wsgi, env, head->kind, label, sm_field_text(head, i)) < 0) {
            Py_CLEAR(env);
        }
    }
    uint32_t sum = sum_of(head);
    if (env != NULL && sum == past->sum && can_remember(wsgi, past, head, env)) {
        remember(wsgi, past, head, env);
    }
    past->sum = sum;
    return env;
}

void smpy_wsgi_past_deinit(struct smpy_wsgi_past *past) {
    forget_shape(past);
    Py_CLEAR(past->plain);
    for (size_t i = 0; i < SMPY_WSGI_KEY_COUNT; i++) {
        Py_CLEAR(past->last[i]);
    }
}
