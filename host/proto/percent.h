// SPDX-License-Identifier: MIT
// Percent-encoding (RFC 3986 2.1), and what forms make of it (URL Standard 5.1). Pure: bytes in, bytes out; the
// caller brings the room. Comes in: paths and URLs of requests, queries, forms, cookies. Owns nothing.
#pragma once

#include "base/str.h"

// What stays as it is; everything else becomes %HH.
enum sm_percent_keep {
    SM_PERCENT_COMPONENT = 1, // letters, digits and !'()*-._~ : one component of a URL
    SM_PERCENT_WHOLE = 2,     // these and $&+,/;=? : text that has the delimiters of path and query
    SM_PERCENT_PATH = 4,      // pchar and "/" (RFC 3986 3.3)
};

// Writes the bytes with each %HH turned back to `out`, which has room for src.len and may be src.ptr, and returns how
// many. A percent sign without two hexadecimal digits stays.
size_t sm_percent_decode(char *out, struct sm_str src);
// The same for keys and values of forms, where a plus sign is a space.
size_t sm_form_decode(char *out, struct sm_str src);
// Whether the bytes are ASCII and decoding them would change nothing.
bool sm_form_is_plain(struct sm_str src);

// How many bytes `src` has when it is encoded: src.len means that nothing would change.
size_t sm_percent_encoded_len(struct sm_str src, enum sm_percent_keep keep);
// Writes as many bytes to `out` and returns how many.
size_t sm_percent_encode(char *out, struct sm_str src, enum sm_percent_keep keep);
