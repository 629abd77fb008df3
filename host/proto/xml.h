// SPDX-License-Identifier: MIT
// The four characters that markup cannot have as they are, as entities and back: & < > " (XML 1.0, 2.4 and 4.6).
// Pure; works on units of 1, 2 or 4 bytes in the machine's order, which is how CPython keeps str. Comes in:
// smisk.core.xml. Owns nothing.
#pragma once

#include "base/str.h"

enum { SM_XML_GROWTH = 6 }; // no unit becomes more than these

// How many units the text has when it is escaped: `len` means that nothing would change.
size_t sm_xml_escaped_len(const void *text, size_t len, unsigned width);
// Writes as many units to `out` and returns how many. `room` is what it has, in units, and at least as many.
size_t sm_xml_escape(void *out, size_t room, const void *text, size_t len, unsigned width);
// Turns &amp; &lt; &gt; &quot; back, in one pass; every other reference stays. `out` has room for `len` units;
// returns how many it has then.
size_t sm_xml_unescape(void *out, const void *text, size_t len, unsigned width);
