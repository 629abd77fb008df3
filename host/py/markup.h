// SPDX-License-Identifier: MIT
// smisk.core.xml: escape and unescape of str and bytes. Comes in: the module's table of functions. Owns nothing.
#pragma once

#include "py/compat.h"

extern const char smpy_xml_escape_doc[];
extern const char smpy_xml_unescape_doc[];
// Both return new: of the argument's type, or the argument itself when nothing changes. TypeError for anything but
// str and bytes.
PyObject *smpy_xml_escape(PyObject *module, PyObject *text);
PyObject *smpy_xml_unescape(PyObject *module, PyObject *text);
