// SPDX-License-Identifier: MIT
// The four characters that markup cannot have as they are, as entities and back: & < > " (XML 1.0, 2.4 and 4.6).
// Pure; works on units of 1, 2 or 4 bytes in the machine's order, which is how CPython keeps str. Comes in:
// smisk.core.xml. Owns nothing.
#pragma once

#include "base/str.h"

// Both write to `out`, or only count when it is NULL, and return how many units they have; `len` of them come in. The
// room is what the counting said: the same number as `len` means that nothing would change.
size_t sm_xml_escape(void *out, const void *text, size_t len, unsigned width);
// &amp; &lt; &gt; &quot; in one pass; every other reference stays as it is.
size_t sm_xml_unescape(void *out, const void *text, size_t len, unsigned width);
