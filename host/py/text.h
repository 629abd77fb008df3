// SPDX-License-Identifier: MIT
// Bytes of a request as Python text, tolerantly: UTF-8, and what is not UTF-8 is read as ISO-8859-1, so that no
// byte a client sends can raise. Comes in: the fields of Request. Owns nothing.
#pragma once

#include "base/str.h"
#include "py/compat.h"

// Returns new: str.
PyObject *smpy_text(struct sm_str bytes);
// Returns new: str of one or two pieces put together, percent-decoded (RFC 3986 2.1) where `decode` says so.
PyObject *smpy_text_path(struct sm_str first, struct sm_str second, bool decode);
// Returns new: bytes, percent-encoding all that may not stand in a path (RFC 3986 3.3).
PyObject *smpy_text_encode_path(struct sm_str first, struct sm_str second);
// Returns new: bytes.
PyObject *smpy_text_bytes(struct sm_str bytes);
