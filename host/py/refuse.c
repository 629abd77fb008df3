// SPDX-License-Identifier: MIT
// What the engine says of a response, as exceptions (see refuse.h).
#include "py/refuse.h"

#include <errno.h>

int smpy_refuse(int outcome, PyObject *header) {
    static const char *const reasons[] = {
        [SM_EXCHANGE_BAD_NAME] = "header name is no token (RFC 9110 5.1)",
        [SM_EXCHANGE_BAD_VALUE] = "CR, LF or NUL in a header value",
        [SM_EXCHANGE_BAD_LENGTH] = "Content-Length is no number, or there are two that differ",
        [SM_EXCHANGE_TOO_LARGE] = "the headers are larger than 1 MiB",
        [SM_EXCHANGE_BAD_STATUS] = "the status is not between 200 and 999",
        [SM_EXCHANGE_BAD_FIELD] = "only the server may send this header",
        [SM_EXCHANGE_NOT_STARTED] = "the head was lost",
    };
    if (outcome < 0) {
        errno = -outcome;
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    const char *reason = (size_t)outcome < sizeof reasons / sizeof reasons[0] ? reasons[outcome] : NULL;
    if (header == NULL) {
        PyErr_SetString(PyExc_ValueError, reason == NULL ? "the response was refused" : reason);
    } else {
        PyErr_Format(PyExc_ValueError, "%s: %R", reason == NULL ? "the header was refused" : reason, header);
    }
    return -1;
}
