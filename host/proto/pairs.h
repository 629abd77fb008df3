// SPDX-License-Identifier: MIT
// Pairs of a query, of a form (URL Standard 5.1) and of a Cookie field (RFC 6265 4.2), split and not yet decoded.
// Pure; the spans point into the text. Comes in: the application's floor. Owns nothing.
#pragma once

#include "base/str.h"

struct sm_pair {
    struct sm_str key;
    struct sm_str value;
    bool has_value; // there was a "="
};

// Takes the next pair of `a=1&b` off `rest_inout`; false when there is none left. Empty pieces are skipped.
bool sm_form_pair_next(struct sm_str *rest_inout, struct sm_pair *pair_out);
// The same for `a=1; b`. White space before a name is dropped, and what has no name is skipped.
bool sm_cookie_pair_next(struct sm_str *rest_inout, struct sm_pair *pair_out);
