// SPDX-License-Identifier: MIT
// Looking things up in a request head (see fields.h).
#include "proto/fields.h"

bool sm_field_is(const struct sm_head *head, uint32_t i, struct sm_field_name name) {
    struct sm_str label = sm_field_label(head, i);
    return head->kind == SM_HEAD_HTTP ? sm_str_ieq(label, name.http) : sm_str_eq(label, name.cgi);
}

uint32_t sm_head_next(const struct sm_head *head, struct sm_field_name name, uint32_t from) {
    struct sm_str wanted = head->kind == SM_HEAD_HTTP ? name.http : name.cgi;
    if (wanted.len == 0) {
        return head->n_fields;
    }
    for (uint32_t i = from; i < head->n_fields; i++) {
        if (sm_field_is(head, i, name)) {
            return i;
        }
    }
    return head->n_fields;
}

struct sm_str sm_head_find(const struct sm_head *head, struct sm_field_name name) {
    struct sm_str found = {NULL, 0};
    uint32_t i = sm_head_next(head, name, 0);
    while (i < head->n_fields) {
        found = sm_field_text(head, i);
        if (head->kind == SM_HEAD_HTTP) {
            break;
        }
        i = sm_head_next(head, name, i + 1);
    }
    return found;
}

int64_t sm_str_number(struct sm_str text) {
    if (text.len == 0 || text.len > 18) {
        return -1;
    }
    int64_t number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return -1;
        }
        number = number * 10 + (text.ptr[i] - '0');
    }
    return number;
}

struct sm_str sm_authority_split(struct sm_str authority, int32_t *port_out) {
    *port_out = -1;
    size_t colon = authority.len;
    for (size_t i = authority.len; i > 0; i--) {
        if (authority.ptr[i - 1] == ']') {
            break;
        }
        if (authority.ptr[i - 1] == ':') {
            colon = i - 1;
            break;
        }
    }
    if (colon == authority.len) {
        return authority;
    }
    int64_t port = sm_str_number((struct sm_str){authority.ptr + colon + 1, authority.len - colon - 1});
    if (port >= 0 && port <= 65535) {
        *port_out = (int32_t)port;
    }
    return (struct sm_str){authority.ptr, colon};
}
