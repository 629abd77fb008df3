// SPDX-License-Identifier: MIT
// Looking things up in a request head, whichever way its fields are spelled (HTTP fields or CGI variables). Pure
// functions over spans. Comes in: what the front servers say (forwarded.c), the fields of Request. Owns nothing.
#pragma once

#include "proto/message.h"

// One fact under its two spellings; an empty name means that this kind of head does not have it.
struct sm_field_name {
    struct sm_str http; // "User-Agent", without regard to case
    struct sm_str cgi;  // "HTTP_USER_AGENT"
};

#define SM_FIELD_NAME(http_name, cgi_name) ((struct sm_field_name){SM_STR(http_name), SM_STR(cgi_name)})

static inline struct sm_str sm_field_label(const struct sm_head *head, uint32_t i) {
    return sm_span_in(head->fields[i].name, head->base);
}

static inline struct sm_str sm_field_text(const struct sm_head *head, uint32_t i) {
    return sm_span_in(head->fields[i].value, head->base);
}

static inline struct sm_str sm_head_text(const struct sm_head *head, struct sm_span span) {
    return sm_span_in(span, head->base);
}

// Whether field `i` has this name.
bool sm_field_is(const struct sm_head *head, uint32_t i, struct sm_field_name name);
// Index of the next field of this name from `from` on; n_fields when there is none.
uint32_t sm_head_next(const struct sm_head *head, struct sm_field_name name, uint32_t from);
// The first field's value, of CGI variables the last (as in an environment); ptr NULL when there is none.
struct sm_str sm_head_find(const struct sm_head *head, struct sm_field_name name);
// A decimal number that fits; -1 otherwise.
int64_t sm_str_number(struct sm_str text);
// Splits "host:port", "[v6]:port" or "host"; port -1 where there is none or it is no port. The host keeps brackets.
struct sm_str sm_authority_split(struct sm_str authority, int32_t *port_out);
