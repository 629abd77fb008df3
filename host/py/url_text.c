// SPDX-License-Identifier: MIT
// How a URL is put together: what is asked for is chosen first, then measured and written in one go (see url.h).
#include "proto/url.h"
#include "py/text.h"
#include "py/url.h"

// --- pieces ---

// A run of text: str, or ASCII that lasts longer than the pieces do.
struct piece {
    PyObject *text; // borrowed; NULL: `ascii`
    struct sm_str ascii;
};

// scheme :// user : password @ [ host ] :port path ? query # fragment
enum { MAX_PIECES = 15 };

struct pieces {
    struct piece list[MAX_PIECES];
    unsigned n;
    Py_ssize_t len;
    Py_UCS4 max_char;
};

static void add_ascii(struct pieces *pieces, struct sm_str ascii) {
    pieces->list[pieces->n++] = (struct piece){.ascii = ascii};
    pieces->len += (Py_ssize_t)ascii.len;
}

static void add_text(struct pieces *pieces, PyObject *text) {
    Py_UCS4 max_char = PyUnicode_MAX_CHAR_VALUE(text);
    pieces->list[pieces->n++] = (struct piece){.text = text};
    pieces->len += PyUnicode_GET_LENGTH(text);
    if (max_char > pieces->max_char) {
        pieces->max_char = max_char;
    }
}

// Returns new. All of it ASCII: one copy after the other.
static PyObject *join_ascii(const struct pieces *pieces) {
    PyObject *whole = PyUnicode_New(pieces->len, 127);
    char *out = whole == NULL ? NULL : PyUnicode_DATA(whole);
    for (unsigned i = 0; out != NULL && i < pieces->n; i++) {
        const struct piece *piece = &pieces->list[i];
        const void *ptr = piece->text == NULL ? piece->ascii.ptr : PyUnicode_DATA(piece->text);
        size_t len = piece->text == NULL ? piece->ascii.len : (size_t)PyUnicode_GET_LENGTH(piece->text);
        memcpy(out, ptr, len);
        out += len;
    }
    return whole;
}

// Returns new.
static PyObject *join(const struct pieces *pieces) {
    if (pieces->max_char <= 127) {
        return join_ascii(pieces);
    }
    PyObject *whole = PyUnicode_New(pieces->len, pieces->max_char);
    Py_ssize_t at = 0;
    for (unsigned i = 0; whole != NULL && i < pieces->n; i++) {
        const struct piece *piece = &pieces->list[i];
        if (piece->text == NULL) {
            for (size_t j = 0; j < piece->ascii.len; j++) {
                PyUnicode_WRITE(PyUnicode_KIND(whole), PyUnicode_DATA(whole), at++, (Py_UCS4)piece->ascii.ptr[j]);
            }
            continue;
        }
        Py_ssize_t len = PyUnicode_GET_LENGTH(piece->text);
        if (PyUnicode_CopyCharacters(whole, at, piece->text, 0, len) < 0) {
            Py_CLEAR(whole);
        }
        at += len;
    }
    return whole;
}

// --- what is chosen ---

// What goes into the text. Owns its parts.
struct chosen {
    PyObject *parts[SMPY_URL_PART_COUNT]; // NULL: left out
    int port;                             // 0: left out
};

// Returns a part in `out`, new, or NULL where it is left out. -1 with an exception. Asking for the truth of a choice
// may change the URL, so its own part is looked at last.
static int choose(PyObject *choice, PyObject *const *own, PyObject **out) {
    int wanted = 1;
    *out = NULL;
    if (choice != NULL && PyBytes_Check(choice)) {
        Py_ssize_t len = PyBytes_GET_SIZE(choice);
        *out = len == 0 ? NULL : smpy_text((struct sm_str){PyBytes_AS_STRING(choice), (size_t)len});
        return len > 0 && *out == NULL ? -1 : 0;
    }
    if (choice != NULL && PyUnicode_Check(choice)) {
        if (PyUnicode_READY(choice) < 0) {
            return -1;
        }
        *out = PyUnicode_GET_LENGTH(choice) == 0 ? NULL : Py_NewRef(choice);
        return 0;
    }
    if (choice != NULL) {
        wanted = PyObject_IsTrue(choice);
    }
    *out = wanted > 0 ? Py_XNewRef(*own) : NULL;
    return wanted < 0 ? -1 : 0;
}

// True and 1 are the URL's own port; text never was one.
static int choose_port(PyObject *choice, int own) {
    if (choice == NULL) {
        return own;
    }
    if (choice == Py_None || PyUnicode_Check(choice) || PyBytes_Check(choice)) {
        return 0;
    }
    int port = smpy_url_port(choice);
    return port == 1 ? own : port;
}

static void drop(struct chosen *chosen) {
    for (unsigned i = 0; i < SMPY_URL_PART_COUNT; i++) {
        Py_CLEAR(chosen->parts[i]);
    }
}

static int choose_all(struct smpy_url *url, const struct smpy_url_choice *choice, struct chosen *chosen) {
    int is_80_shown = choice->port80 == NULL ? 0 : PyObject_IsTrue(choice->port80);
    chosen->port = is_80_shown < 0 ? -1 : choose_port(choice->port, url->port);
    if (chosen->port < 0) {
        return -1;
    }
    if (chosen->port == 80 && !is_80_shown) {
        chosen->port = 0;
    }
    for (unsigned i = 0; i < SMPY_URL_PART_COUNT; i++) {
        if (choose(choice->parts[i], &url->parts[i], &chosen->parts[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

// --- parts to pieces ---

static bool is_opaque(PyObject *scheme) {
    return PyUnicode_IS_ASCII(scheme) &&
           sm_url_is_opaque((struct sm_str){PyUnicode_DATA(scheme), (size_t)PyUnicode_GET_LENGTH(scheme)});
}

static void add_scheme(struct pieces *pieces, const struct chosen *chosen) {
    PyObject *scheme = chosen->parts[SMPY_URL_SCHEME];
    PyObject *host = chosen->parts[SMPY_URL_HOST];
    if (scheme == NULL) {
        return;
    }
    bool has_host = host != NULL && PyUnicode_GET_LENGTH(host) > 0;
    bool has_authority = has_host || chosen->port != 0 || chosen->parts[SMPY_URL_USER] != NULL;
    add_text(pieces, scheme);
    add_ascii(pieces, !has_authority && is_opaque(scheme) ? SM_STR(":") : SM_STR("://"));
}

static void add_user(struct pieces *pieces, const struct chosen *chosen) {
    if (chosen->parts[SMPY_URL_USER] == NULL) {
        return;
    }
    add_text(pieces, chosen->parts[SMPY_URL_USER]);
    if (chosen->parts[SMPY_URL_PASSWORD] != NULL) {
        add_ascii(pieces, SM_STR(":"));
        add_text(pieces, chosen->parts[SMPY_URL_PASSWORD]);
    }
    add_ascii(pieces, SM_STR("@"));
}

// Whether the host is an address of IPv6 whose brackets are not part of it.
static bool wants_brackets(PyObject *host) {
    Py_ssize_t len = PyUnicode_GET_LENGTH(host);
    return len > 0 && PyUnicode_READ_CHAR(host, 0) != '[' && PyUnicode_FindChar(host, ':', 0, len, 1) >= 0;
}

static void add_host(struct pieces *pieces, const struct chosen *chosen) {
    PyObject *host = chosen->parts[SMPY_URL_HOST];
    if (host == NULL) {
        return;
    }
    bool is_bracketed = wants_brackets(host);
    if (is_bracketed) {
        add_ascii(pieces, SM_STR("["));
    }
    add_text(pieces, host);
    if (is_bracketed) {
        add_ascii(pieces, SM_STR("]"));
    }
}

static void add_uri(struct pieces *pieces, PyObject *path, PyObject *query, PyObject *fragment) {
    if (path != NULL) {
        add_text(pieces, path);
    }
    if (query != NULL && PyUnicode_GET_LENGTH(query) > 0) {
        add_ascii(pieces, SM_STR("?"));
        add_text(pieces, query);
    }
    if (fragment != NULL) {
        add_ascii(pieces, SM_STR("#"));
        add_text(pieces, fragment);
    }
}

PyObject *smpy_url_text(struct smpy_url *url, const struct smpy_url_choice *choice) {
    struct pieces pieces = {.n = 0};
    struct chosen chosen = {.port = 0};
    char port[8];
    PyObject *text = NULL;
    if (choose_all(url, choice, &chosen) < 0) {
        goto done;
    }
    add_scheme(&pieces, &chosen);
    add_user(&pieces, &chosen);
    add_host(&pieces, &chosen);
    if (chosen.port != 0) {
        size_t len = (size_t)PyOS_snprintf(port, sizeof port, ":%d", chosen.port);
        add_ascii(&pieces, (struct sm_str){port, len});
    }
    add_uri(&pieces, chosen.parts[SMPY_URL_PATH], chosen.parts[SMPY_URL_QUERY], chosen.parts[SMPY_URL_FRAGMENT]);
    text = join(&pieces);
done:
    drop(&chosen);
    return text;
}

PyObject *smpy_url_uri(struct smpy_url *url) {
    struct pieces pieces = {.n = 0};
    PyObject *path = url->parts[SMPY_URL_PATH];
    PyObject *query = url->parts[SMPY_URL_QUERY];
    PyObject *fragment = url->parts[SMPY_URL_FRAGMENT];
    if (path == NULL && query == NULL && fragment == NULL) {
        Py_RETURN_NONE;
    }
    add_uri(&pieces, path, query, fragment);
    return join(&pieces);
}
