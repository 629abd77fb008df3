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

int sm_fcgi_pair_next(const char *data, size_t len, size_t *off, struct sm_str *name_out, struct sm_str *value_out) {
    size_t at = *off;
    size_t name_len;
    size_t value_len;
    if (at == len) {
        return 0;
    }
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

// A block on its way into a head.
struct reading {
    const char *end; // of the block
    const char *nul; // the first NUL byte of the block at or behind what is read; `end`: none
    struct sm_head *head;
    struct sm_span https, scheme;
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
static struct sm_span *find_place(struct reading *reading, struct sm_str name) {
    struct sm_head *head = reading->head;
    switch (name.len) {
    case 5:
        return name_is(name, SM_STR("HTTPS")) ? &reading->https : NULL;
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
               : name_is(name, SM_STR("REQUEST_SCHEME")) ? &reading->scheme
                                                         : NULL;
    case 15:
        return name_is(name, SM_STR("SERVER_PROTOCOL")) ? &head->protocol : NULL;
    default:
        return NULL;
    }
}

// Whether there is a NUL in [from, to). The lengths between names and values have NULs too, where they are 0, but
// few: looking from one to the next is quicker than into each name and value.
static bool has_nul(struct reading *reading, const char *from, const char *to) {
    if (reading->nul < from) {
        const char *nul = memchr(from, '\0', (size_t)(reading->end - from));
        reading->nul = nul == NULL ? reading->end : nul;
    }
    return reading->nul < to;
}

static enum sm_fcgi_params take_pair(struct reading *reading, struct sm_str name, struct sm_str value) {
    struct sm_head *head = reading->head;
    // Name and value lie side by side.
    if (name.len == 0 || has_nul(reading, name.ptr, value.ptr + value.len)) {
        return SM_FCGI_PARAMS_BAD_BYTES;
    }
    if (head->n_fields >= head->max_fields) {
        return SM_FCGI_PARAMS_TOO_MANY;
    }
    struct sm_field *field = &head->fields[head->n_fields++];
    field->name = (struct sm_span){(uint32_t)(name.ptr - head->base), (uint32_t)name.len};
    field->value = (struct sm_span){(uint32_t)(value.ptr - head->base), (uint32_t)value.len};
    struct sm_span *place = find_place(reading, name);
    if (place != NULL) {
        *place = field->value;
    } else if (name.len == 14 && name_is(name, SM_STR("CONTENT_LENGTH"))) {
        return take_length(head, value);
    }
    return SM_FCGI_PARAMS_OK;
}

static bool says_https(const struct reading *reading) {
    struct sm_str https = sm_span_in(reading->https, reading->head->base);
    if (https.len == 1 ? https.ptr[0] == '1' : sm_str_ieq(https, SM_STR("on"))) {
        return true;
    }
    return sm_str_ieq(sm_span_in(reading->scheme, reading->head->base), SM_STR("https"));
}

// What follows from several variables together.
static void conclude(const struct reading *reading) {
    struct sm_head *head = reading->head;
    const char *target = head->base + head->target.off;
    head->has_query = head->query.len > 0 || (head->target.len > 0 && memchr(target, '?', head->target.len) != NULL);
    head->is_head_method = sm_str_eq(sm_span_in(head->method, head->base), SM_STR("HEAD"));
    head->is_https = says_https(reading);
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
    struct reading reading = {.head = head, .nul = block, .end = block + len};
    size_t off = 0;
    struct sm_str name;
    struct sm_str value;
    for (;;) {
        int pair = sm_fcgi_pair_next(block, len, &off, &name, &value);
        if (pair <= 0) {
            conclude(&reading);
            return pair == 0 ? SM_FCGI_PARAMS_OK : SM_FCGI_PARAMS_MALFORMED;
        }
        enum sm_fcgi_params outcome = take_pair(&reading, name, value);
        if (outcome != SM_FCGI_PARAMS_OK) {
            return outcome;
        }
    }
}
