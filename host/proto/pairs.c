// SPDX-License-Identifier: MIT
// Splitting pairs, tolerantly: any bytes are pairs (see pairs.h).
#include "proto/pairs.h"

static struct sm_str after(struct sm_str text, size_t len) {
    return (struct sm_str){text.ptr + len, text.len - len};
}

// What stands before the mark, all of the text if it has none.
static struct sm_str before(struct sm_str text, char mark) {
    const char *at = text.len == 0 ? NULL : memchr(text.ptr, mark, text.len);
    return (struct sm_str){text.ptr, at == NULL ? text.len : (size_t)(at - text.ptr)};
}

// Takes the next piece and the separator behind it; the piece may be empty.
static struct sm_str take_piece(struct sm_str *rest, char separator) {
    struct sm_str piece = before(*rest, separator);
    *rest = after(*rest, piece.len < rest->len ? piece.len + 1 : piece.len);
    return piece;
}

static struct sm_pair split(struct sm_str piece) {
    struct sm_pair pair = {.key = before(piece, '=')};
    pair.has_value = pair.key.len < piece.len;
    if (pair.has_value) {
        pair.value = after(piece, pair.key.len + 1);
    }
    return pair;
}

bool sm_form_pair_next(struct sm_str *rest_inout, struct sm_pair *pair_out) {
    while (rest_inout->len > 0) {
        struct sm_str piece = take_piece(rest_inout, '&');
        if (piece.len > 0) {
            *pair_out = split(piece);
            return true;
        }
    }
    return false;
}

static bool is_space(char byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

bool sm_cookie_pair_next(struct sm_str *rest_inout, struct sm_pair *pair_out) {
    while (rest_inout->len > 0) {
        struct sm_str piece = take_piece(rest_inout, ';');
        while (piece.len > 0 && is_space(*piece.ptr)) {
            piece = after(piece, 1);
        }
        *pair_out = split(piece);
        if (pair_out->key.len > 0) {
            return true;
        }
    }
    return false;
}
