// SPDX-License-Identifier: MIT
// The type URL: a URL in parts, each of which can be set, still percent-encoded. Comes in: handlers make them,
// request.url is one. A URL owns its parts.
#pragma once

#include "py/module.h"

enum smpy_url_part {
    SMPY_URL_SCHEME,
    SMPY_URL_USER,
    SMPY_URL_PASSWORD,
    SMPY_URL_HOST,
    SMPY_URL_PATH,
    SMPY_URL_QUERY,
    SMPY_URL_FRAGMENT,
    SMPY_URL_PART_COUNT
};

struct smpy_url {
    PyObject ob_base;
    PyObject *parts[SMPY_URL_PART_COUNT]; // str; NULL where there is none
    uint16_t port;                        // 0: none
};

// Names of the parts, as Python sees them.
extern const char *const smpy_url_part_names[SMPY_URL_PART_COUNT];

// Returns new: the type, for the module that is being made.
PyTypeObject *smpy_url_type_new(PyObject *module);
// Returns new: an empty URL.
struct smpy_url *smpy_url_new(struct smpy_state *state);
// Takes a str into a part. -1 with the exception that made it NULL.
int smpy_url_take(struct smpy_url *url, enum smpy_url_part part, PyObject *text);

// What to_s() is asked for; every choice is borrowed, and NULL is the URL's own part.
struct smpy_url_choice {
    PyObject *parts[SMPY_URL_PART_COUNT];
    PyObject *port;
    PyObject *port80; // NULL: no
};

// Return new: str. The first may call Python (truth of a choice).
PyObject *smpy_url_text(struct smpy_url *url, const struct smpy_url_choice *choice);
PyObject *smpy_url_uri(struct smpy_url *url);

// The number of a port, 0 to 65535. -1 with an exception.
int smpy_url_port(PyObject *port);
