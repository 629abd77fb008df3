// SPDX-License-Identifier: MIT
// A URL taken apart (RFC 3986 3), with what Smisk always took besides: `host:80/path`, `john@host`. Pure; the parts
// point into the text and stay encoded. Comes in: the type URL. Owns nothing.
#pragma once

#include "base/str.h"

// A part that is absent has the pointer NULL, one that is only empty has not. `host` is without the brackets of IPv6;
// port 0 is none.
struct sm_url {
    struct sm_str scheme;
    struct sm_str user;
    struct sm_str password;
    struct sm_str host;
    struct sm_str path;
    struct sm_str query;
    struct sm_str fragment;
    uint16_t port;
};

// NULL, or why the text is no URL: static, for people. Bytes above 0x7f are taken anywhere but in the scheme.
const char *sm_url_split(struct sm_str text, struct sm_url *url_out);
// Whether URLs of this scheme have no authority, as in "mailto:joe@host"; in either case.
bool sm_url_is_opaque(struct sm_str scheme);
