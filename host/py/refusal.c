// SPDX-License-Identifier: MIT
// The words for what the engine refuses (see refusal.h).
#include "py/refusal.h"

#include <errno.h>

int smpy_refuse(int outcome, const char *who, PyObject *what) {
    static const char *const reasons[] = {
        [SM_EXCHANGE_BAD_NAME] = "a header name that is no token (RFC 9110 5.1)",
        [SM_EXCHANGE_BAD_VALUE] = "a header value with CR, LF or NUL in it (RFC 9110 5.5)",
        [SM_EXCHANGE_BAD_LENGTH] = "a Content-Length that is no number or disagrees with the body",
        [SM_EXCHANGE_TOO_LARGE] = "headers of more than 1 MiB",
        [SM_EXCHANGE_BAD_STATUS] = "a status that may not stand here",
        [SM_EXCHANGE_BAD_FIELD] = "a header that only the server may send",
        [SM_EXCHANGE_NOT_STARTED] = "a head that was not begun",
    };
    if (outcome < 0) {
        errno = -outcome;
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    bool is_known = (size_t)outcome < sizeof reasons / sizeof reasons[0] && reasons[outcome] != NULL;
    const char *reason = is_known ? reasons[outcome] : "an answer that was refused";
    if (what == NULL) {
        PyErr_Format(PyExc_ValueError, "%s%s", who, reason);
    } else {
        PyErr_Format(PyExc_ValueError, "%s%s: %R", who, reason, what);
    }
    return -1;
}
