// SPDX-License-Identifier: MIT
// Queries, forms and Cookie fields as dicts: str keys, str values (None without "=", bytes without a charset), and a
// list, in order, where a key comes again. Comes in: URL.decompose_query, the module's table of functions. Owns
// nothing.
#pragma once

#include "base/str.h"
#include "py/compat.h"

enum smpy_pairs_kind { SMPY_PAIRS_FORM, SMPY_PAIRS_COOKIE };

struct smpy_pairs_rule {
    enum smpy_pairs_kind kind;
    const char *charset; // borrowed; NULL: UTF-8
    bool keeps_bytes;    // no charset: values stay bytes
    bool is_tolerant;    // what is not in the charset is ISO-8859-1
    size_t max_pairs;
};

// The rule for a charset (str or None) and `tolerant`. -1 with an exception.
int smpy_pairs_rule_init(struct smpy_pairs_rule *rule, enum smpy_pairs_kind kind, PyObject *charset,
                         PyObject *tolerant);
// 0 with a new dict; 1 when there are more than max_pairs; -1 with an exception: UnicodeDecodeError unless tolerant,
// LookupError for an unknown charset. May call Python where the charset is not UTF-8.
int smpy_pairs_parse(struct sm_str text, const struct smpy_pairs_rule *rule, PyObject **dict_out);

extern const char smpy_parse_pairs_doc[];
extern const char smpy_parse_cookies_doc[];
// _smisk.parse_pairs() and parse_cookies(): return new.
PyObject *smpy_parse_pairs(PyObject *module, PyObject *const *args, Py_ssize_t n_args);
PyObject *smpy_parse_cookies(PyObject *module, PyObject *const *args, Py_ssize_t n_args);
