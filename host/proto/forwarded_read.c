// SPDX-License-Identifier: MIT
// The walk over what a head says of its way here (see forwarded.h). A list may have come in several fields, which
// mean the same as one with commas between them (RFC 9110 5.3), so the walk goes through them from the last to the
// first.
#include "proto/fields.h"
#include "proto/forwarded.h"
#include "proto/http1_parse.h"

static const struct sm_field_name forwarded_name = {{"Forwarded", 9}, {"HTTP_FORWARDED", 14}};
static const struct sm_field_name for_name = {{"X-Forwarded-For", 15}, {"HTTP_X_FORWARDED_FOR", 20}};
static const struct sm_field_name proto_name = {{"X-Forwarded-Proto", 17}, {"HTTP_X_FORWARDED_PROTO", 22}};
static const struct sm_field_name host_name = {{"X-Forwarded-Host", 16}, {"HTTP_X_FORWARDED_HOST", 21}};
static const struct sm_field_name port_name = {{"X-Forwarded-Port", 16}, {"HTTP_X_FORWARDED_PORT", 21}};

struct walk {
    const struct sm_head *head;
    struct sm_field_name name;
    uint32_t field; // the fields before this one are still to be read
    struct sm_str rest;
};

static struct walk walk_from_end(const struct sm_head *head, struct sm_field_name name) {
    return (struct walk){.head = head, .name = name, .field = head->n_fields};
}

static bool walk_prev(struct walk *walk, struct sm_str *element_out) {
    while (!sm_list_prev(&walk->rest, element_out)) {
        do {
            if (walk->field == 0) {
                return false;
            }
            walk->field--;
        } while (!sm_field_is(walk->head, walk->field, walk->name));
        walk->rest = sm_field_text(walk->head, walk->field);
    }
    return true;
}

static void complain(struct sm_forwarded *said, const char *complaint, struct sm_str ignored) {
    if (said->complaint == NULL) {
        said->complaint = complaint;
        said->ignored = ignored;
    }
}

// --- single facts ---

static enum sm_scheme read_scheme(struct sm_str text, struct sm_forwarded *said) {
    if (sm_str_ieq(text, SM_STR("https")) || sm_str_ieq(text, SM_STR("wss"))) {
        return SM_SCHEME_HTTPS;
    }
    if (sm_str_ieq(text, SM_STR("http")) || sm_str_ieq(text, SM_STR("ws"))) {
        return SM_SCHEME_HTTP;
    }
    complain(said, "a scheme that is none of http, https, ws, wss", text);
    return SM_SCHEME_UNSAID;
}

static uint16_t read_port(struct sm_str text) {
    int64_t port = text.len > 5 ? -1 : sm_str_number(text);
    return port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
}

bool sm_authority_ok(struct sm_str text) {
    int32_t port = -1;
    struct sm_str host = sm_authority_split(text, &port);
    bool port_fits = host.len == text.len || port > 0;
    return text.len > 0 && text.len <= SM_AUTHORITY_MAX && port_fits &&
           sm_http1_authority_ok(text.ptr, text.ptr + text.len);
}

static struct sm_str read_host(struct sm_str text, struct sm_forwarded *said) {
    if (sm_authority_ok(text)) {
        return text;
    }
    complain(said, "a host that is none", text);
    return (struct sm_str){NULL, 0};
}

// --- Forwarded ---

// Takes what one element says. False when the walk ends with it, or before it.
static bool take_element(struct sm_forwarded *said, struct sm_str text, sm_trusts *trusts, const void *context) {
    struct sm_forwarded_element element;
    if (!sm_forwarded_parse(text, &element)) {
        complain(said, "a malformed element", text);
        return false;
    }
    struct sm_node node = {.kind = SM_NODE_UNSAID};
    if (element.client.ptr != NULL) {
        node = sm_node_parse(element.client);
    }
    if (node.kind == SM_NODE_BAD) {
        complain(said, "a node that is neither address nor identifier", element.client);
        return false;
    }
    if (node.kind != SM_NODE_UNSAID) {
        said->client = node;
    }
    said->scheme = element.scheme.ptr == NULL ? SM_SCHEME_UNSAID : read_scheme(element.scheme, said);
    said->host = element.host.ptr == NULL ? (struct sm_str){NULL, 0} : read_host(element.host, said);
    return node.kind == SM_NODE_ADDRESS && trusts(context, &node.ip);
}

// False when there is no such field.
static bool read_forwarded(const struct sm_head *head, sm_trusts *trusts, const void *context,
                           struct sm_forwarded *said) {
    struct walk walk = walk_from_end(head, forwarded_name);
    struct sm_str element;
    if (!walk_prev(&walk, &element)) {
        return false;
    }
    while (take_element(said, element, trusts, context) && walk_prev(&walk, &element)) {
    }
    return true;
}

// --- X-Forwarded-* ---

// Walks X-Forwarded-For; the place of the client in it, counted from the right.
static size_t read_for(const struct sm_head *head, sm_trusts *trusts, const void *context,
                       struct sm_forwarded *said) {
    struct walk walk = walk_from_end(head, for_name);
    struct sm_str element;
    size_t place = 0;
    for (size_t i = 0; walk_prev(&walk, &element); i++) {
        struct sm_node node = sm_node_parse(element);
        if (node.kind == SM_NODE_BAD) {
            complain(said, "a node that is neither address nor identifier", element);
            break;
        }
        said->client = node;
        place = i;
        if (node.kind == SM_NODE_HIDDEN || !trusts(context, &node.ip)) {
            break;
        }
    }
    return place;
}

// The element at this place from the right; the leftmost where there are fewer: servers that do not add to a list
// leave the value of the first. False when there is none at all.
static bool element_at(const struct sm_head *head, struct sm_field_name name, size_t place,
                       struct sm_str *element_out) {
    struct walk walk = walk_from_end(head, name);
    struct sm_str element;
    bool found = false;
    for (size_t i = 0; i <= place && walk_prev(&walk, &element); i++) {
        *element_out = element;
        found = true;
    }
    return found;
}

static void read_x_forwarded(const struct sm_head *head, sm_trusts *trusts, const void *context,
                             struct sm_forwarded *said) {
    struct sm_str text;
    size_t place = read_for(head, trusts, context, said);
    if (element_at(head, proto_name, place, &text)) {
        said->scheme = read_scheme(text, said);
    }
    if (element_at(head, host_name, place, &text)) {
        said->host = read_host(text, said);
    }
    if (element_at(head, port_name, place, &text)) {
        said->port = read_port(text);
        if (said->port == 0) {
            complain(said, "a port that is none", text);
        }
    }
}

// --- both ---

static bool same_node(const struct sm_node *a, const struct sm_node *b) {
    return a->kind == b->kind && a->ip.version == b->ip.version &&
           memcmp(a->ip.bytes, b->ip.bytes, sizeof a->ip.bytes) == 0;
}

// Whether nothing that X-Forwarded-* says is missing from Forwarded or different there.
static bool agree(const struct sm_forwarded *forwarded, const struct sm_forwarded *x) {
    return (x->client.kind == SM_NODE_UNSAID || same_node(&forwarded->client, &x->client)) &&
           (x->scheme == SM_SCHEME_UNSAID || forwarded->scheme == SM_SCHEME_UNSAID ||
            forwarded->scheme == x->scheme) &&
           (x->host.len == 0 || forwarded->host.len == 0 || sm_str_ieq(forwarded->host, x->host));
}

void sm_forwarded_read(const struct sm_head *head, sm_trusts *trusts, const void *context,
                       struct sm_forwarded *said_out) {
    struct sm_forwarded x = {0};
    *said_out = (struct sm_forwarded){0};
    read_x_forwarded(head, trusts, context, &x);
    if (!read_forwarded(head, trusts, context, said_out)) {
        *said_out = x;
    } else if (!agree(said_out, &x)) {
        *said_out = (struct sm_forwarded){.conflict = true};
    }
}
