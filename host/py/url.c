// SPDX-License-Identifier: MIT
// The type URL: life, parts, comparison, copies (see url.h). How it is put together: url_text.c.
#include "py/url.h"

#include "proto/url.h"
#include "py/coding.h"
#include "py/pairs.h"
#include "py/text.h"

const char *const smpy_url_part_names[SMPY_URL_PART_COUNT] = {
    "scheme", "user", "password", "host", "path", "query", "fragment",
};

// --- parts ---

int smpy_url_take(struct smpy_url *url, enum smpy_url_part part, PyObject *text) {
    if (text == NULL) {
        return -1;
    }
    Py_XSETREF(url->parts[part], text);
    return 0;
}

int smpy_url_port(PyObject *port) {
    int overflow = 0;
    long number = -1;
    if (!PyLong_Check(port)) {
        PyErr_Format(PyExc_TypeError, "a port must be int, not %.100s", Py_TYPE(port)->tp_name);
        return -1;
    }
    number = PyLong_AsLongAndOverflow(port, &overflow);
    if (overflow != 0 || number < 0 || number > UINT16_MAX) {
        PyErr_Format(PyExc_ValueError, "a port is between 0 and %d, not %.100S", UINT16_MAX, port);
        return -1;
    }
    return (int)number;
}

static int must_be_there(PyObject *value, const char *name) {
    if (value == NULL) {
        PyErr_Format(PyExc_AttributeError, "%s of a URL cannot be deleted; set it to None", name);
        return -1;
    }
    return 0;
}

static PyObject *get_part(PyObject *self, void *closure) {
    PyObject *part = ((struct smpy_url *)self)->parts[(uintptr_t)closure];
    return Py_NewRef(part == NULL ? Py_None : part);
}

static int set_part(PyObject *self, PyObject *value, void *closure) {
    struct smpy_url *url = (struct smpy_url *)self;
    enum smpy_url_part part = (enum smpy_url_part)(uintptr_t)closure;
    const char *name = smpy_url_part_names[part];
    if (must_be_there(value, name) < 0) {
        return -1;
    }
    if (value == Py_None) {
        Py_CLEAR(url->parts[part]);
        return 0;
    }
    if (PyBytes_Check(value)) {
        return smpy_url_take(url, part,
                             smpy_text((struct sm_str){PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value)}));
    }
    if (!PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s of a URL must be str or None, not %.100s", name, Py_TYPE(value)->tp_name);
        return -1;
    }
    return PyUnicode_READY(value) < 0 ? -1 : smpy_url_take(url, part, Py_NewRef(value));
}

static PyObject *get_port(PyObject *self, void *closure) {
    (void)closure;
    return PyLong_FromLong(((struct smpy_url *)self)->port);
}

static int set_port(PyObject *self, PyObject *value, void *closure) {
    (void)closure;
    if (must_be_there(value, "port") < 0) {
        return -1;
    }
    int port = value == Py_None ? 0 : smpy_url_port(value);
    if (port < 0) {
        return -1;
    }
    ((struct smpy_url *)self)->port = (uint16_t)port;
    return 0;
}

static PyObject *get_uri(PyObject *self, void *closure) {
    (void)closure;
    return smpy_url_uri((struct smpy_url *)self);
}

// --- parsing ---

// Lone surrogates pass: whatever str goes in, its parts are pieces of it.
static int take_split(struct smpy_url *url, const struct sm_url *split) {
    const struct sm_str found[SMPY_URL_PART_COUNT] = {
        [SMPY_URL_SCHEME] = split->scheme,     [SMPY_URL_USER] = split->user, [SMPY_URL_PASSWORD] = split->password,
        [SMPY_URL_HOST] = split->host,         [SMPY_URL_PATH] = split->path, [SMPY_URL_QUERY] = split->query,
        [SMPY_URL_FRAGMENT] = split->fragment,
    };
    for (unsigned i = 0; i < SMPY_URL_PART_COUNT; i++) {
        if (found[i].ptr == NULL) {
            continue;
        }
        PyObject *text = PyUnicode_DecodeUTF8(found[i].ptr, (Py_ssize_t)found[i].len, "surrogatepass");
        if (smpy_url_take(url, i, text) < 0) {
            return -1;
        }
    }
    url->port = split->port;
    return 0;
}

// RFC 3986 3.1: a scheme is compared without regard to case, and lower case is its form.
static int lower_scheme(struct smpy_url *url, struct sm_str scheme) {
    for (size_t i = 0; i < scheme.len; i++) {
        if (sm_ascii_lower(scheme.ptr[i]) != scheme.ptr[i]) {
            PyObject *own = url->parts[SMPY_URL_SCHEME];
            return smpy_url_take(url, SMPY_URL_SCHEME, PyObject_CallMethod(own, "lower", NULL));
        }
    }
    return 0;
}

// Fills an empty URL from str.
static int parse(struct smpy_url *url, PyObject *text) {
    struct sm_url split;
    PyObject *encoded = NULL;
    struct sm_str bytes;
    int status = -1;
    if (PyUnicode_READY(text) < 0) {
        return -1;
    }
    if (PyUnicode_IS_ASCII(text)) {
        bytes = (struct sm_str){PyUnicode_DATA(text), (size_t)PyUnicode_GET_LENGTH(text)};
    } else {
        encoded = PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass");
        if (encoded == NULL) {
            return -1;
        }
        bytes = (struct sm_str){PyBytes_AS_STRING(encoded), (size_t)PyBytes_GET_SIZE(encoded)};
    }
    const char *why = sm_url_split(bytes, &split);
    if (why != NULL) {
        PyErr_Format(PyExc_ValueError, "no URL: %.200R (%s)", text, why);
    } else if (take_split(url, &split) == 0) {
        status = lower_scheme(url, split.scheme);
    }
    Py_XDECREF(encoded);
    return status;
}

static int parse_object(struct smpy_url *url, PyObject *object) {
    PyObject *text = NULL;
    if (PyBytes_Check(object)) {
        text = smpy_text((struct sm_str){PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object)});
    } else {
        text = PyUnicode_Check(object) ? Py_NewRef(object) : PyObject_Str(object);
    }
    if (text == NULL) {
        return -1;
    }
    int status = parse(url, text);
    Py_DECREF(text);
    return status;
}

// --- life ---

struct smpy_url *smpy_url_new(struct smpy_state *state) {
    return (struct smpy_url *)state->url_type->tp_alloc(state->url_type, 0);
}

static int url_traverse(PyObject *self, visitproc visit, void *arg) {
    struct smpy_url *url = (struct smpy_url *)self;
    Py_VISIT(Py_TYPE(self));
    for (unsigned i = 0; i < SMPY_URL_PART_COUNT; i++) {
        Py_VISIT(url->parts[i]);
    }
    return 0;
}

static int url_clear(PyObject *self) {
    struct smpy_url *url = (struct smpy_url *)self;
    for (unsigned i = 0; i < SMPY_URL_PART_COUNT; i++) {
        Py_CLEAR(url->parts[i]);
    }
    url->port = 0;
    return 0;
}

static void url_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)url_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static int url_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"obj", NULL};
    struct smpy_url *url = (struct smpy_url *)self;
    PyObject *object = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:URL", names, &object)) {
        return -1;
    }
    struct smpy_state *state = smpy_state_of_type(Py_TYPE(self));
    if (state == NULL || object == self) {
        return state == NULL ? -1 : 0;
    }
    (void)url_clear(self);
    if (object == Py_None) {
        return 0;
    }
    if (!PyObject_TypeCheck(object, state->url_type)) {
        return parse_object(url, object);
    }
    struct smpy_url *other = (struct smpy_url *)object;
    for (unsigned i = 0; i < SMPY_URL_PART_COUNT; i++) {
        url->parts[i] = Py_XNewRef(other->parts[i]);
    }
    url->port = other->port;
    return 0;
}

// --- comparison and copies ---

// Returns new: (scheme, user, password, host, path, query, fragment, port).
static PyObject *all_parts(struct smpy_url *url) {
    PyObject *all = PyTuple_New(SMPY_URL_PART_COUNT + 1);
    PyObject *port = PyLong_FromLong(url->port);
    if (all == NULL || port == NULL) {
        Py_XDECREF(all);
        Py_XDECREF(port);
        return NULL;
    }
    for (unsigned i = 0; i < SMPY_URL_PART_COUNT; i++) {
        PyTuple_SET_ITEM(all, i, Py_NewRef(url->parts[i] == NULL ? Py_None : url->parts[i]));
    }
    PyTuple_SET_ITEM(all, SMPY_URL_PART_COUNT, port);
    return all;
}

static PyObject *url_richcompare(PyObject *self, PyObject *other, int operation) {
    struct smpy_state *state = smpy_state_of_type(Py_TYPE(self));
    if (state == NULL) {
        return NULL;
    }
    if (!PyObject_TypeCheck(other, state->url_type) || (operation != Py_EQ && operation != Py_NE)) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    PyObject *result = NULL;
    PyObject *one = all_parts((struct smpy_url *)self);
    PyObject *two = one == NULL ? NULL : all_parts((struct smpy_url *)other);
    if (two != NULL) {
        result = PyObject_RichCompare(one, two, operation);
    }
    Py_XDECREF(two);
    Py_XDECREF(one);
    return result;
}

static Py_hash_t url_hash(PyObject *self) {
    PyObject *parts = all_parts((struct smpy_url *)self);
    if (parts == NULL) {
        return -1;
    }
    Py_hash_t hash = PyObject_Hash(parts);
    Py_DECREF(parts);
    return hash;
}

// Returns new: {name: part} of what the URL has.
static PyObject *parts_by_name(struct smpy_url *url) {
    PyObject *parts = PyDict_New();
    PyObject *port = PyLong_FromLong(url->port);
    int status = parts == NULL || port == NULL ? -1 : PyDict_SetItemString(parts, "port", port);
    Py_XDECREF(port);
    for (unsigned i = 0; status == 0 && i < SMPY_URL_PART_COUNT; i++) {
        if (url->parts[i] != NULL) {
            status = PyDict_SetItemString(parts, smpy_url_part_names[i], url->parts[i]);
        }
    }
    if (status < 0) {
        Py_CLEAR(parts);
    }
    return parts;
}

// For copy and pickle, in their own words: a new object of the type, then its __dict__, then attributes to set.
static PyObject *url_reduce(PyObject *self, PyObject *unused) {
    (void)unused;
    PyObject *result = NULL;
    PyObject *dict = NULL;
    PyObject *parts = NULL;
    PyObject *make = NULL;
    PyObject *module = PyImport_ImportModule("copyreg");
    if (module == NULL || smpy_attribute_find_text(self, "__dict__", &dict) < 0) {
        goto done;
    }
    make = PyObject_GetAttrString(module, "__newobj__");
    parts = parts_by_name((struct smpy_url *)self);
    if (make != NULL && parts != NULL) {
        result = Py_BuildValue("O(O)(OO)", make, (PyObject *)Py_TYPE(self), dict == NULL ? Py_None : dict, parts);
    }
done:
    Py_XDECREF(parts);
    Py_XDECREF(make);
    Py_XDECREF(dict);
    Py_XDECREF(module);
    return result;
}

// --- text ---

static PyObject *url_str(PyObject *self) {
    struct smpy_url_choice choice = {.port80 = NULL};
    return smpy_url_text((struct smpy_url *)self, &choice);
}

static PyObject *url_repr(PyObject *self) {
    struct smpy_url_choice choice = {.port80 = Py_True};
    PyObject *result = NULL;
    PyObject *name = PyObject_GetAttrString((PyObject *)Py_TYPE(self), "__name__");
    PyObject *text = name == NULL ? NULL : smpy_url_text((struct smpy_url *)self, &choice);
    if (text != NULL) {
        result = PyUnicode_FromFormat("%U(%R)", name, text);
    }
    Py_XDECREF(text);
    Py_XDECREF(name);
    return result;
}

// Where a keyword's value goes; NULL when there is no such keyword.
static PyObject **choice_named(struct smpy_url_choice *choice, PyObject *name) {
    for (unsigned i = 0; i < SMPY_URL_PART_COUNT; i++) {
        if (PyUnicode_CompareWithASCIIString(name, smpy_url_part_names[i]) == 0) {
            return &choice->parts[i];
        }
    }
    if (PyUnicode_CompareWithASCIIString(name, "port") == 0) {
        return &choice->port;
    }
    return PyUnicode_CompareWithASCIIString(name, "port80") == 0 ? &choice->port80 : NULL;
}

static PyObject *url_to_s(PyObject *self, PyObject *const *args, Py_ssize_t n_args, PyObject *names) {
    struct smpy_url_choice choice = {.port80 = NULL};
    for (Py_ssize_t i = 0; names != NULL && i < PyTuple_GET_SIZE(names); i++) {
        PyObject **slot = choice_named(&choice, PyTuple_GET_ITEM(names, i));
        if (slot == NULL) {
            return PyErr_Format(PyExc_TypeError, "to_s() got an unexpected keyword argument %R",
                                PyTuple_GET_ITEM(names, i));
        }
        *slot = args[n_args + i];
    }
    return smpy_url_text((struct smpy_url *)self, &choice);
}

// --- static methods ---

static PyObject *url_encode(PyObject *unused, PyObject *text) {
    (void)unused;
    return smpy_percent_encode(text, SM_PERCENT_COMPONENT);
}

static PyObject *url_escape(PyObject *unused, PyObject *text) {
    (void)unused;
    return smpy_percent_encode(text, SM_PERCENT_WHOLE);
}

static PyObject *url_decode(PyObject *unused, PyObject *text) {
    (void)unused;
    return smpy_percent_decode(text);
}

// Returns new: the bytes of what is to be decomposed, anything but bytes being taken as its text.
static PyObject *query_bytes(PyObject *object) {
    if (PyBytes_Check(object)) {
        return Py_NewRef(object);
    }
    PyObject *text = PyObject_Str(object);
    PyObject *bytes = text == NULL ? NULL : PyUnicode_AsEncodedString(text, "utf-8", "surrogateescape");
    Py_XDECREF(text);
    return bytes;
}

static PyObject *url_decompose_query(PyObject *unused, PyObject *args, PyObject *kwargs) {
    (void)unused;
    static char *names[] = {"string", "charset", "tolerant", "max_fields", NULL};
    PyObject *object = NULL;
    PyObject *charset = NULL;
    PyObject *tolerant = NULL;
    PyObject *max_fields = Py_None;
    PyObject *dict = NULL;
    struct smpy_pairs_rule rule;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OOO:decompose_query", names, &object, &charset, &tolerant,
                                     &max_fields) ||
        smpy_pairs_rule_init(&rule, SMPY_PAIRS_FORM, charset, tolerant) < 0) {
        return NULL;
    }
    if (max_fields != Py_None) {
        rule.max_pairs = PyLong_AsSize_t(max_fields);
        if (rule.max_pairs == (size_t)-1 && PyErr_Occurred()) {
            return NULL;
        }
    }
    PyObject *bytes = query_bytes(object);
    if (bytes == NULL) {
        return NULL;
    }
    struct sm_str text = {PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)};
    if (smpy_pairs_parse(text, &rule, &dict) == 1) {
        PyErr_Format(PyExc_ValueError, "more than %zu fields", rule.max_pairs);
    }
    Py_DECREF(bytes);
    return dict;
}

// --- the type ---

#define PART(name, part, doc)                                                                                        \
    { name, get_part, set_part, doc, (void *)(uintptr_t)(part) }

static PyGetSetDef url_getset[] = {
    PART("scheme", SMPY_URL_SCHEME, "str or None: as \"https\"; lower-cased when it is parsed."),
    PART("user", SMPY_URL_USER, "str or None."),
    PART("password", SMPY_URL_PASSWORD, "str or None."),
    PART("host", SMPY_URL_HOST, "str or None: a name or an address, that of IPv6 without its brackets."),
    {"port", get_port, set_port, "int: 1 to 65535, or 0 where there is none.", NULL},
    PART("path", SMPY_URL_PATH, "str or None."),
    PART("query", SMPY_URL_QUERY, "str or None: without its question mark."),
    PART("fragment", SMPY_URL_FRAGMENT, "str or None: without its number sign."),
    {"uri", get_uri, NULL,
     "str or None: path, query and fragment as they stand in a URL; None if there is none of them.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static const char to_s_doc[] =
    "to_s($self, /, *ignored, scheme=True, user=True, password=True, host=True, port=True, port80=False, path=True,\n"
    "     query=True, fragment=True)\n--\n\n"
    "Puts the URL together. True or 1 takes the URL's own part, anything false leaves it out, text replaces it.\n\n"
    "`port` takes a number. Port 80 appears only with `port80`. Positional arguments are ignored, as ever.";

static const char decode_doc[] =
    "decode(text, /)\n--\n\nUndoes encode() and escape(): turns each %HH back. A plus sign stays one, always; it is "
    "a "
    "space only in\nforms, see decompose_query(). UnicodeDecodeError if the text is str and would not be UTF-8.";

static PyMethodDef url_methods[] = {
    {"to_s", (PyCFunction)(void (*)(void))url_to_s, METH_FASTCALL | METH_KEYWORDS, to_s_doc},
    {"to_str", (PyCFunction)(void (*)(void))url_to_s, METH_FASTCALL | METH_KEYWORDS, "The same as to_s()."},
    {"encode", url_encode, METH_O | METH_STATIC,
     "encode(text, /)\n--\n\nPercent-encodes text for one component of a URL; str gives str (through UTF-8), bytes "
     "give bytes."},
    {"escape", url_escape, METH_O | METH_STATIC,
     "escape(text, /)\n--\n\nPercent-encodes text that has the delimiters of a path and query; they stay."},
    {"decode", url_decode, METH_O | METH_STATIC, decode_doc},
    {"unescape", url_decode, METH_O | METH_STATIC, "unescape(text, /)\n--\n\nThe same as decode()."},
    {"decompose_query", (PyCFunction)(void (*)(void))url_decompose_query, METH_VARARGS | METH_KEYWORDS | METH_STATIC,
     "decompose_query(string, charset='utf-8', tolerant=True, max_fields=None)\n--\n\n"
     "Parses `a=1&b` into {'a': '1', 'b': None}; a key that comes again gives a list.\n\n"
     "Values are text in `charset` (what does not fit: ISO-8859-1 if `tolerant`, else UnicodeDecodeError), or bytes\n"
     "if it is None. Anything but bytes is taken as its text. LookupError for an unknown charset, ValueError for "
     "more\n"
     "than `max_fields`."},
    {"__reduce__", url_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot url_slots[] = {
    {Py_tp_doc, "URL(obj=None)\n--\n\n"
                "A URL in parts; what is absent is None, and 0 for the port. Every part can be set.\n\n"
                "`URL(text)` parses text (or UTF-8 bytes) and raises ValueError for what is no URL; `URL(url)` "
                "copies; `URL()` is\n"
                "empty. The parts stay percent-encoded. Equal by parts; the hash follows the parts, so leave a URL "
                "alone while it\n"
                "is a key."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, url_init},
    {Py_tp_dealloc, url_dealloc},
    {Py_tp_traverse, url_traverse},
    {Py_tp_clear, url_clear},
    {Py_tp_richcompare, url_richcompare},
    {Py_tp_hash, url_hash},
    {Py_tp_str, url_str},
    {Py_tp_repr, url_repr},
    {Py_tp_getset, url_getset},
    {Py_tp_methods, url_methods},
    {0, NULL},
};

static PyType_Spec url_spec = {
    .name = "_smisk.URL",
    .basicsize = sizeof(struct smpy_url),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = url_slots,
};

PyTypeObject *smpy_url_type_new(PyObject *module) {
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &url_spec, NULL);
}
