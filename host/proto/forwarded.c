// SPDX-License-Identifier: MIT
// The parts of Forwarded and X-Forwarded-*: elements from the right, nodes, and the parameters of one element.
// Section numbers are those of RFC 7239. More is taken than its grammar has where senders differ and nothing can be
// mistaken: space around ";", and ":" "[" "]" in values without quotes.
#include "proto/forwarded.h"

#include "base/num.h"
#include "proto/byteclass.h"

static struct sm_str trim(struct sm_str text) {
    while (text.len > 0 && sm_byte_is(*text.ptr, SM_BYTE_SPACE)) {
        text = (struct sm_str){text.ptr + 1, text.len - 1};
    }
    while (text.len > 0 && sm_byte_is(text.ptr[text.len - 1], SM_BYTE_SPACE)) {
        text.len--;
    }
    return text;
}

// --- lists ---

// Whether the byte at `at` stands behind an odd number of backslashes.
static bool is_escaped(struct sm_str text, size_t at) {
    size_t from = at;
    while (from > 0 && text.ptr[from - 1] == '\\') {
        from--;
    }
    return ((at - from) & 1) != 0;
}

bool sm_list_prev(struct sm_str *list, struct sm_str *element_out) {
    while (list->len > 0) {
        bool quoted = false;
        size_t from = list->len;
        for (; from > 0; from--) {
            char c = list->ptr[from - 1];
            if (c == '"' && !is_escaped(*list, from - 1)) {
                quoted = !quoted;
            } else if (c == ',' && !quoted) {
                break;
            }
        }
        *element_out = trim((struct sm_str){list->ptr + from, list->len - from});
        list->len = from > 0 ? from - 1 : 0;
        if (element_out->len > 0) {
            return true;
        }
    }
    return false;
}

// --- nodes (6) ---

// obfnode and obfport: "_" and at least one more.
static bool is_obfuscated(struct sm_str text) {
    for (size_t i = 0; i < text.len; i++) {
        char c = sm_ascii_lower(text.ptr[i]);
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-') {
            return false;
        }
    }
    return text.len > 1 && text.ptr[0] == '_';
}

// Takes ":port" or nothing.
static bool parse_node_port(struct sm_str text, uint16_t *port_out) {
    uint64_t port = 0;
    *port_out = 0;
    if (text.len == 0) {
        return true;
    }
    if (*text.ptr != ':') {
        return false;
    }
    text = (struct sm_str){text.ptr + 1, text.len - 1};
    if (is_obfuscated(text)) {
        return true;
    }
    if (text.len > 5 || !sm_u64_parse(text, UINT16_MAX, &port)) {
        return false;
    }
    *port_out = (uint16_t)port;
    return true;
}

// Where ":port" begins, or the end. The colons of an IPv6 address without brackets are none of a port.
static size_t find_port(struct sm_str text) {
    const char *bracket = text.len > 0 && *text.ptr == '[' ? memchr(text.ptr, ']', text.len) : NULL;
    if (bracket != NULL) {
        return (size_t)(bracket + 1 - text.ptr);
    }
    const char *colon = text.len == 0 ? NULL : memchr(text.ptr, ':', text.len);
    size_t at = colon == NULL ? text.len : (size_t)(colon - text.ptr);
    bool is_v6 = colon != NULL && memchr(colon + 1, ':', text.len - at - 1) != NULL;
    return is_v6 ? text.len : at;
}

struct sm_node sm_node_parse(struct sm_str text) {
    struct sm_node node = {.kind = SM_NODE_BAD};
    size_t at = find_port(text);
    struct sm_str name = {text.ptr, at};
    if (!parse_node_port((struct sm_str){text.ptr + at, text.len - at}, &node.port)) {
        return (struct sm_node){.kind = SM_NODE_BAD};
    }
    bool bracketed = name.len >= 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']';
    if (bracketed) {
        name = (struct sm_str){name.ptr + 1, name.len - 2};
    }
    bool has_colon = name.len > 0 && memchr(name.ptr, ':', name.len) != NULL;
    if ((!bracketed || has_colon) && sm_ip_parse(name, &node.ip)) {
        node.kind = SM_NODE_ADDRESS;
    } else if (!bracketed && (sm_str_ieq(name, SM_STR("unknown")) || is_obfuscated(name))) {
        node.kind = SM_NODE_HIDDEN;
    }
    return node.kind == SM_NODE_BAD ? (struct sm_node){.kind = SM_NODE_BAD} : node;
}

// --- elements (4) ---

static struct sm_str cut(struct sm_str *rest, size_t len) {
    struct sm_str piece = {rest->ptr, len};
    *rest = (struct sm_str){rest->ptr + len, rest->len - len};
    return piece;
}

// token; what else may stand in a value without quotes is in `also`.
static struct sm_str take_token(struct sm_str *rest, const char *also) {
    size_t len = 0;
    while (len < rest->len && (sm_byte_is(rest->ptr[len], SM_BYTE_TOKEN) ||
                               (rest->ptr[len] != '\0' && strchr(also, rest->ptr[len]) != NULL))) {
        len++;
    }
    return cut(rest, len);
}

// quoted-string (RFC 9110 5.6.4); the value is what stands between the quotes, escapes as they came.
static bool take_quoted(struct sm_str *rest, struct sm_str *value_out, bool *escaped_out) {
    *escaped_out = false;
    for (size_t i = 1; i < rest->len; i++) {
        char c = rest->ptr[i];
        if (c == '"') {
            *value_out = cut(rest, i + 1);
            *value_out = (struct sm_str){value_out->ptr + 1, value_out->len - 2};
            return true;
        }
        if (c == '\\') {
            *escaped_out = true;
            i++;
        }
    }
    return false;
}

static bool take_value(struct sm_str *rest, struct sm_str *value_out, bool *escaped_out) {
    if (rest->len > 0 && *rest->ptr == '"') {
        return take_quoted(rest, value_out, escaped_out);
    }
    *escaped_out = false;
    *value_out = take_token(rest, ":[]");
    return value_out->len > 0;
}

// One forwarded-pair. No address, scheme or host needs escapes: one that has some is somebody's trick.
static bool take_pair(struct sm_str *rest, struct sm_forwarded_element *element) {
    struct sm_str name = take_token(rest, "");
    struct sm_str value;
    bool escaped;
    if (name.len == 0 || rest->len == 0 || *rest->ptr != '=') {
        return false;
    }
    cut(rest, 1);
    if (!take_value(rest, &value, &escaped)) {
        return false;
    }
    struct sm_str *slot = sm_str_ieq(name, SM_STR("for"))     ? &element->client
                          : sm_str_ieq(name, SM_STR("proto")) ? &element->scheme
                          : sm_str_ieq(name, SM_STR("host"))  ? &element->host
                                                              : NULL;
    if (slot == NULL) {
        return true; // "by", and extensions
    }
    if (slot->ptr != NULL || escaped) {
        return false;
    }
    *slot = value;
    return true;
}

bool sm_forwarded_parse(struct sm_str text, struct sm_forwarded_element *element_out) {
    *element_out = (struct sm_forwarded_element){0};
    for (struct sm_str rest = trim(text); rest.len > 0; rest = trim(rest)) {
        if (*rest.ptr == ';') {
            cut(&rest, 1);
            continue;
        }
        if (!take_pair(&rest, element_out)) {
            return false;
        }
        rest = trim(rest);
        if (rest.len > 0 && *rest.ptr != ';') {
            return false;
        }
    }
    return true;
}
