// SPDX-License-Identifier: MIT
// FastCGI name-value pairs (specification, section 3.4), and a block of CGI/1.1 variables as a request head.
// Comes in: the engine, with a complete PARAMS stream or the content of GET_VALUES. Owns nothing; spans point into
// the caller's block. A variable given twice counts with its last value, as it would in an environment;
// CONTENT_LENGTH given twice must agree.
#include "proto/fastcgi.h"

enum { LONG_LENGTH = 0x80 }; // the bit that tells a length of four bytes from one of one byte

// Reads one length at data[*off, len); false when the block ends before.
static bool read_length(const char *data, size_t len, size_t *off, size_t *length_out) {
    if (*off >= len) {
        return false;
    }
    const uint8_t *ptr = (const uint8_t *)data + *off;
    if (!(ptr[0] & LONG_LENGTH)) {
        *length_out = ptr[0];
        *off += 1;
        return true;
    }
    if (len - *off < 4) {
        return false;
    }
    *length_out = (size_t)(ptr[0] & ~LONG_LENGTH) << 24 | (size_t)ptr[1] << 16 | (size_t)ptr[2] << 8 | ptr[3];
    *off += 4;
    return true;
}

// A pair with a length of four bytes, or one that the block does not hold.
static int read_long_pair(const char *data, size_t len, size_t *off, struct sm_str *name_out,
                          struct sm_str *value_out) {
    size_t at = *off;
    size_t name_len;
    size_t value_len;
    if (!read_length(data, len, &at, &name_len) || !read_length(data, len, &at, &value_len)) {
        return -1;
    }
    // Compared by subtraction: the sum of two lengths from the wire may not fit where size_t has 32 bits.
    if (name_len > len - at || value_len > len - at - name_len) {
        return -1;
    }
    *name_out = (struct sm_str){data + at, name_len};
    *value_out = (struct sm_str){data + at + name_len, value_len};
    *off = at + name_len + value_len;
    return 1;
}

// As sm_fcgi_pair_next, quick for nearly every pair: one whose lengths are of one byte each.
static inline int read_pair(const char *data, size_t len, size_t *off, struct sm_str *name_out,
                            struct sm_str *value_out) {
    uint8_t lens[2];
    if (*off == len) {
        return 0;
    }
    if (len - *off >= sizeof lens) {
        memcpy(lens, data + *off, sizeof lens);
        size_t used = sizeof lens + lens[0] + lens[1];
        if (!((lens[0] | lens[1]) & LONG_LENGTH) && used <= len - *off) {
            const char *name = data + *off + sizeof lens;
            *name_out = (struct sm_str){name, lens[0]};
            *value_out = (struct sm_str){name + lens[0], lens[1]};
            *off += used;
            return 1;
        }
    }
    return read_long_pair(data, len, off, name_out, value_out);
}

int sm_fcgi_pair_next(const char *data, size_t len, size_t *off, struct sm_str *name_out, struct sm_str *value_out) {
    return read_pair(data, len, off, name_out, value_out);
}

static char *put_length(char *out, size_t length) {
    if (length < LONG_LENGTH) {
        *out++ = (char)length;
        return out;
    }
    *out++ = (char)(length >> 24 | LONG_LENGTH);
    *out++ = (char)(length >> 16);
    *out++ = (char)(length >> 8);
    *out++ = (char)length;
    return out;
}

size_t sm_fcgi_pair_put(char *out, size_t cap, struct sm_str name, struct sm_str value) {
    size_t prefix = (name.len < LONG_LENGTH ? 1u : 4u) + (value.len < LONG_LENGTH ? 1u : 4u);
    if (name.len > INT32_MAX || value.len > INT32_MAX) {
        return 0;
    }
    if (prefix > cap || name.len > cap - prefix || value.len > cap - prefix - name.len) {
        return 0;
    }
    char *ptr = put_length(put_length(out, name.len), value.len);
    if (name.len > 0) {
        memcpy(ptr, name.ptr, name.len);
    }
    if (value.len > 0) {
        memcpy(ptr + name.len, value.ptr, value.len);
    }
    return prefix + name.len + value.len;
}

// RFC 3875 4.1.2: 1*DIGIT, or empty for none. At most 63 bits. Caddy says "-1" for a body of unknown length.
static enum sm_fcgi_params take_length(struct sm_head *head, struct sm_str value) {
    int64_t length = 0;
    if (value.len == 0 || (value.len == 2 && memcmp(value.ptr, "-1", 2) == 0)) {
        return SM_FCGI_PARAMS_OK;
    }
    for (size_t i = 0; i < value.len; i++) {
        int digit = value.ptr[i] - '0';
        if (digit < 0 || digit > 9 || length > (INT64_MAX - digit) / 10) {
            return SM_FCGI_PARAMS_BAD_LENGTH;
        }
        length = length * 10 + digit;
    }
    if (head->content_length >= 0 && head->content_length != length) {
        return SM_FCGI_PARAMS_BAD_LENGTH;
    }
    head->content_length = length;
    return SM_FCGI_PARAMS_OK;
}

// What a block says of the scheme, on its way into a head.
struct scheme {
    struct sm_span https, name;
};

// Whether a name of the same length is this one. The length is a constant here, so there is no call.
static inline bool name_is(struct sm_str name, struct sm_str known) {
    return memcmp(name.ptr, known.ptr, known.len) == 0;
}

static struct sm_span *find_address(struct sm_head *head, struct sm_str name) {
    return name_is(name, SM_STR("SERVER_NAME"))   ? &head->server_name
           : name_is(name, SM_STR("SERVER_PORT")) ? &head->server_port
           : name_is(name, SM_STR("REMOTE_ADDR")) ? &head->remote_addr
           : name_is(name, SM_STR("REMOTE_PORT")) ? &head->remote_port
                                                  : NULL;
}

// Where the variable of this name is kept; NULL when it has no place of its own.
static inline struct sm_span *find_place(struct sm_head *head, struct scheme *scheme, struct sm_str name) {
    switch (name.len) {
    case 5:
        return name_is(name, SM_STR("HTTPS")) ? &scheme->https : NULL;
    case 9:
        return name_is(name, SM_STR("PATH_INFO"))   ? &head->path
               : name_is(name, SM_STR("HTTP_HOST")) ? &head->host
                                                    : NULL;
    case 11:
        return name_is(name, SM_STR("REQUEST_URI"))   ? &head->target
               : name_is(name, SM_STR("SCRIPT_NAME")) ? &head->script
                                                      : find_address(head, name);
    case 12:
        return name_is(name, SM_STR("QUERY_STRING"))   ? &head->query
               : name_is(name, SM_STR("CONTENT_TYPE")) ? &head->content_type
                                                       : NULL;
    case 14:
        return name_is(name, SM_STR("REQUEST_METHOD"))   ? &head->method
               : name_is(name, SM_STR("REQUEST_SCHEME")) ? &scheme->name
                                                         : NULL;
    case 15:
        return name_is(name, SM_STR("SERVER_PROTOCOL")) ? &head->protocol : NULL;
    default:
        return NULL;
    }
}

// What follows from several variables together.
static void conclude(struct sm_head *head, const struct scheme *scheme) {
    const char *target = head->base + head->target.off;
    struct sm_str https = sm_span_in(scheme->https, head->base);
    head->has_query = head->query.len > 0 || (head->target.len > 0 && memchr(target, '?', head->target.len) != NULL);
    head->is_head_method = sm_str_eq(sm_span_in(head->method, head->base), SM_STR("HEAD"));
    head->is_https = (https.len == 1 ? https.ptr[0] == '1' : sm_str_ieq(https, SM_STR("on"))) ||
                     sm_str_ieq(sm_span_in(scheme->name, head->base), SM_STR("https"));
}

// The first NUL of the block from `from` on; `end`: none. The lengths between names and values have NULs too, where
// they are 0, but few: looking from one to the next is quicker than into each name and value.
static const char *find_nul(const char *from, const char *end) {
    const char *nul = memchr(from, '\0', (size_t)(end - from));
    return nul == NULL ? end : nul;
}

// Takes a variable into the head, which has room for it.
static inline enum sm_fcgi_params take(struct sm_head *head, struct scheme *scheme, struct sm_str name,
                                       struct sm_str value) {
    struct sm_field *field = &head->fields[head->n_fields++];
    struct sm_span where = {(uint32_t)(value.ptr - head->base), (uint32_t)value.len};
    field->name = (struct sm_span){(uint32_t)(name.ptr - head->base), (uint32_t)name.len};
    field->value = where;
    struct sm_span *place = find_place(head, scheme, name);
    if (place != NULL) {
        *place = where;
    } else if (name.len == 14 && name_is(name, SM_STR("CONTENT_LENGTH"))) {
        return take_length(head, value);
    }
    return SM_FCGI_PARAMS_OK;
}

static enum sm_fcgi_params parse(const char *block, size_t len, struct sm_head *head, struct scheme *scheme) {
    const char *end = block + len;
    const char *nul = find_nul(block, end);
    struct sm_str name;
    struct sm_str value;
    size_t off = 0;
    for (;;) {
        int pair = read_pair(block, len, &off, &name, &value);
        if (pair <= 0) {
            return pair == 0 ? SM_FCGI_PARAMS_OK : SM_FCGI_PARAMS_MALFORMED;
        }
        if (nul < name.ptr) {
            nul = find_nul(name.ptr, end);
        }
        if (name.len == 0 || nul < block + off) { // name and value lie side by side
            return SM_FCGI_PARAMS_BAD_BYTES;
        }
        if (head->n_fields >= head->max_fields) {
            return SM_FCGI_PARAMS_TOO_MANY;
        }
        enum sm_fcgi_params outcome = take(head, scheme, name, value);
        if (outcome != SM_FCGI_PARAMS_OK) {
            return outcome;
        }
    }
}

enum sm_fcgi_params sm_fcgi_params_parse(const char *block, size_t len, struct sm_head *head) {
    *head = (struct sm_head){
        .base = block,
        .fields = head->fields,
        .max_fields = head->max_fields,
        .kind = SM_HEAD_CGI,
        .content_length = -1,
    };
    if (len > UINT32_MAX) {
        return SM_FCGI_PARAMS_MALFORMED; // spans could not point into it
    }
    struct scheme scheme = {0};
    enum sm_fcgi_params outcome = parse(block, len, head, &scheme);
    if (outcome == SM_FCGI_PARAMS_OK || outcome == SM_FCGI_PARAMS_MALFORMED) {
        conclude(head, &scheme);
    }
    return outcome;
}

// --- a block that comes again ---

static void keep(struct sm_fcgi_past *past, const char *block, size_t len, const struct sm_head *head) {
    past->len = 0;
    if (len > sizeof(past->block) || head->n_fields > SM_FCGI_PAST_FIELDS) {
        return;
    }
    memcpy(past->block, block, len);
    memcpy(past->fields, head->fields, head->n_fields * sizeof(struct sm_field));
    past->head = *head;
    past->len = len;
}

static void recall(const struct sm_fcgi_past *past, const char *block, struct sm_head *head) {
    struct sm_field *fields = head->fields;
    uint32_t max_fields = head->max_fields;
    *head = past->head;
    head->base = block;
    head->fields = fields;
    head->max_fields = max_fields;
    memcpy(fields, past->fields, head->n_fields * sizeof(struct sm_field));
}

enum sm_fcgi_params sm_fcgi_params_read(struct sm_fcgi_past *past, const char *block, size_t len,
                                        struct sm_head *head) {
    if (len == past->len && len > 0 && past->head.n_fields <= head->max_fields &&
        memcmp(block, past->block, len) == 0) {
        recall(past, block, head);
        return SM_FCGI_PARAMS_OK;
    }
    enum sm_fcgi_params outcome = sm_fcgi_params_parse(block, len, head);
    // Blocks of one length after another are probably alike; others are not worth a copy.
    if (outcome == SM_FCGI_PARAMS_OK && len == past->last_len && len > 0) {
        keep(past, block, len, head);
    }
    past->last_len = len;
    return outcome;
}
