// SPDX-License-Identifier: MIT
// Pairs into dicts (see pairs.h). Keys are always str, whose hash is keyed with a secret (PEP 456): hostile keys
// cannot flood a dict. Names of cookies are taken as they are: decoding them would let `__%48ost-id` pass for
// `__Host-id`, which browsers protect.
#include "py/pairs.h"

#include "proto/pairs.h"
#include "proto/percent.h"

// --- text ---

static PyObject *decode_strictly(struct sm_str bytes, const char *charset, const char *errors) {
    const char *ptr = bytes.len == 0 ? "" : bytes.ptr;
    return charset == NULL ? PyUnicode_DecodeUTF8(ptr, (Py_ssize_t)bytes.len, errors)
                           : PyUnicode_Decode(ptr, (Py_ssize_t)bytes.len, charset, errors);
}

static PyObject *decode_value(struct sm_str bytes, const struct smpy_pairs_rule *rule) {
    if (rule->keeps_bytes) {
        return PyBytes_FromStringAndSize(bytes.len == 0 ? "" : bytes.ptr, (Py_ssize_t)bytes.len);
    }
    PyObject *text = decode_strictly(bytes, rule->charset, NULL);
    if (text == NULL && rule->is_tolerant && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
        text = PyUnicode_DecodeLatin1(bytes.ptr, (Py_ssize_t)bytes.len, NULL);
    }
    return text;
}

// A key never fails: what is not in the charset is ISO-8859-1, or U+FFFD where that is not tolerated.
static PyObject *decode_key(struct sm_str bytes, const struct smpy_pairs_rule *rule) {
    PyObject *text = decode_strictly(bytes, rule->charset, NULL);
    if (text != NULL || !PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        return text;
    }
    PyErr_Clear();
    return rule->is_tolerant || rule->keeps_bytes ? PyUnicode_DecodeLatin1(bytes.ptr, (Py_ssize_t)bytes.len, NULL)
                                                  : decode_strictly(bytes, rule->charset, "replace");
}

// Returns new: text of ASCII.
static PyObject *plain_text(struct sm_str bytes) {
    if (bytes.len < 2) { // of these the interpreter has its own
        return PyUnicode_FromKindAndData(PyUnicode_1BYTE_KIND, bytes.len == 0 ? "" : bytes.ptr,
                                         (Py_ssize_t)bytes.len);
    }
    PyObject *text = PyUnicode_New((Py_ssize_t)bytes.len, 127);
    if (text != NULL) {
        memcpy(PyUnicode_1BYTE_DATA(text), bytes.ptr, bytes.len);
    }
    return text;
}

// The bytes with escapes and plus signs turned back, in `scratch` unless there are none.
static struct sm_str unescaped(struct sm_str bytes, char *scratch) {
    if (bytes.len == 0 || (memchr(bytes.ptr, '%', bytes.len) == NULL && memchr(bytes.ptr, '+', bytes.len) == NULL)) {
        return bytes;
    }
    return (struct sm_str){scratch, sm_form_decode(scratch, bytes)};
}

// Returns new: a key or a value of a form.
static PyObject *form_key(struct sm_str bytes, const struct smpy_pairs_rule *rule, char *scratch) {
    bool is_plain = rule->charset == NULL && sm_form_is_plain(bytes);
    return is_plain ? plain_text(bytes) : decode_key(unescaped(bytes, scratch), rule);
}

static PyObject *form_value(struct sm_str bytes, const struct smpy_pairs_rule *rule, char *scratch) {
    bool is_plain = rule->charset == NULL && !rule->keeps_bytes && sm_form_is_plain(bytes);
    return is_plain ? plain_text(bytes) : decode_value(unescaped(bytes, scratch), rule);
}

// --- pairs ---

// Adds one value to what the key has. No value is a list unless it was made here.
static int add(PyObject *dict, PyObject *key, PyObject *value) {
    Py_ssize_t size = PyDict_GET_SIZE(dict);
    PyObject *first = PyDict_SetDefault(dict, key, value); // borrowed
    if (first == NULL || PyDict_GET_SIZE(dict) > size) {
        return first == NULL ? -1 : 0;
    }
    if (PyList_CheckExact(first)) {
        return PyList_Append(first, value);
    }
    PyObject *list = PyList_New(2);
    if (list == NULL) {
        return -1;
    }
    PyList_SET_ITEM(list, 0, Py_NewRef(first));
    PyList_SET_ITEM(list, 1, Py_NewRef(value));
    int status = PyDict_SetItem(dict, key, list);
    Py_DECREF(list);
    return status;
}

static int add_pair(PyObject *dict, struct sm_pair pair, const struct smpy_pairs_rule *rule, char *scratch) {
    int status = -1;
    PyObject *value = NULL;
    PyObject *key = rule->kind == SMPY_PAIRS_COOKIE ? decode_key(pair.key, rule) : form_key(pair.key, rule, scratch);
    if (key != NULL) {
        value = pair.has_value ? form_value(pair.value, rule, scratch) : Py_NewRef(Py_None);
    }
    if (value != NULL) {
        status = add(dict, key, value);
    }
    Py_XDECREF(value);
    Py_XDECREF(key);
    return status;
}

static bool next_pair(struct sm_str *rest, enum smpy_pairs_kind kind, struct sm_pair *pair_out) {
    return kind == SMPY_PAIRS_COOKIE ? sm_cookie_pair_next(rest, pair_out) : sm_form_pair_next(rest, pair_out);
}

int smpy_pairs_parse(struct sm_str text, const struct smpy_pairs_rule *rule, PyObject **dict_out) {
    char small[1024];
    char *scratch = small;
    struct sm_pair pair;
    size_t n = 0;
    int status = 0;
    PyObject *dict = PyDict_New();
    if (text.len > sizeof small) {
        scratch = PyMem_Malloc(text.len);
    }
    if (dict == NULL || scratch == NULL) {
        (void)PyErr_NoMemory();
        status = -1;
    }
    while (status == 0 && next_pair(&text, rule->kind, &pair)) {
        status = ++n > rule->max_pairs ? 1 : add_pair(dict, pair, rule, scratch);
    }
    if (scratch != small) {
        PyMem_Free(scratch);
    }
    if (status != 0) {
        Py_CLEAR(dict);
    }
    *dict_out = dict;
    return status;
}

// --- arguments ---

static bool is_utf8(const char *charset) {
    struct sm_str name = sm_str_from(charset);
    return sm_str_ieq(name, SM_STR("utf-8")) || sm_str_ieq(name, SM_STR("utf8"));
}

int smpy_pairs_rule_init(struct smpy_pairs_rule *rule, enum smpy_pairs_kind kind, PyObject *charset,
                         PyObject *tolerant) {
    int is_tolerant = tolerant == NULL ? 1 : PyObject_IsTrue(tolerant);
    *rule = (struct smpy_pairs_rule){.kind = kind, .is_tolerant = is_tolerant > 0, .max_pairs = SIZE_MAX};
    if (is_tolerant < 0 || charset == NULL) {
        return is_tolerant < 0 ? -1 : 0;
    }
    if (charset == Py_None) {
        rule->keeps_bytes = true;
        return 0;
    }
    if (!PyUnicode_Check(charset)) {
        PyErr_Format(PyExc_TypeError, "charset must be str or None, not %.100s", Py_TYPE(charset)->tp_name);
        return -1;
    }
    Py_ssize_t len = 0;
    rule->charset = PyUnicode_AsUTF8AndSize(charset, &len);
    if (rule->charset == NULL) {
        return -1;
    }
    if (strlen(rule->charset) != (size_t)len) {
        PyErr_SetString(PyExc_ValueError, "charset with a NUL character");
        return -1;
    }
    if (is_utf8(rule->charset)) {
        rule->charset = NULL;
    }
    return 0;
}

// Borrows args[0] as bytes and checks how many arguments there are. -1 with an exception.
static int first_bytes(const char *name, PyObject *const *args, Py_ssize_t n_args, Py_ssize_t max,
                       struct sm_str *bytes_out) {
    if (n_args < 1 || n_args > max) {
        PyErr_Format(PyExc_TypeError, "%s() takes from 1 to %zd arguments, not %zd", name, max, n_args);
        return -1;
    }
    if (!PyBytes_Check(args[0])) {
        PyErr_Format(PyExc_TypeError, "%s() takes bytes, not %.100s", name, Py_TYPE(args[0])->tp_name);
        return -1;
    }
    *bytes_out = (struct sm_str){PyBytes_AS_STRING(args[0]), (size_t)PyBytes_GET_SIZE(args[0])};
    return 0;
}

const char smpy_parse_pairs_doc[] =
    "parse_pairs($module, data, max_pairs=None, charset='utf-8', tolerant=True, /)\n--\n\n"
    "Parses bytes of a query or an urlencoded form into a dict; None when there are more than `max_pairs`.\n\n"
    "No `=` gives None, a key that comes again a list. Values are text in `charset`, or bytes if it is None; what "
    "does "
    "not fit is\nISO-8859-1 if `tolerant`, else UnicodeDecodeError. LookupError for an unknown charset.";

PyObject *smpy_parse_pairs(PyObject *module, PyObject *const *args, Py_ssize_t n_args) {
    (void)module;
    struct smpy_pairs_rule rule;
    struct sm_str text;
    PyObject *dict = NULL;
    if (first_bytes("parse_pairs", args, n_args, 4, &text) < 0 ||
        smpy_pairs_rule_init(&rule, SMPY_PAIRS_FORM, n_args > 2 ? args[2] : NULL, n_args > 3 ? args[3] : NULL) < 0) {
        return NULL;
    }
    if (n_args > 1 && args[1] != Py_None) {
        rule.max_pairs = PyLong_AsSize_t(args[1]);
        if (rule.max_pairs == (size_t)-1 && PyErr_Occurred()) {
            return NULL;
        }
    }
    switch (smpy_pairs_parse(text, &rule, &dict)) {
    case 1:
        Py_RETURN_NONE;
    default:
        return dict;
    }
}

const char smpy_parse_cookies_doc[] =
    "parse_cookies($module, header, charset='utf-8', tolerant=True, /)\n--\n\n"
    "Parses the value of a Cookie field; never raises where the charset is known and `tolerant` is true.\n\n"
    "Quotes are kept, `a` without `=` is None, a repeated name gives a list in order, an empty name is dropped.\n"
    "Values are percent-decoded, names are taken as they are.";

PyObject *smpy_parse_cookies(PyObject *module, PyObject *const *args, Py_ssize_t n_args) {
    (void)module;
    struct smpy_pairs_rule rule;
    struct sm_str text;
    PyObject *dict = NULL;
    if (first_bytes("parse_cookies", args, n_args, 3, &text) < 0 ||
        smpy_pairs_rule_init(&rule, SMPY_PAIRS_COOKIE, n_args > 1 ? args[1] : NULL, n_args > 2 ? args[2] : NULL) <
            0) {
        return NULL;
    }
    (void)smpy_pairs_parse(text, &rule, &dict);
    return dict;
}
