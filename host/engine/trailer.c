// SPDX-License-Identifier: MIT
// Trailer fields (RFC 9110 6.5): collected until the response ends, as they come behind the last chunk. Nothing that
// a recipient must know before the body may be among them.
#include "engine/reply.h"

// Fields that say how to frame, route, read or keep a message, or who may have it (RFC 9110 6.5.1), and those that a
// recipient which merges trailers into the head would be misled by.
static bool sm_trailer_is_refused(struct sm_str name) {
    static const char *const refused[] = {
        "Accept-Ranges",
        "Age",
        "Allow",
        "Alt-Svc",
        "Authorization",
        "Cache-Control",
        "Clear-Site-Data",
        "Cookie",
        "Expect",
        "Expires",
        "Host",
        "Location",
        "Max-Forwards",
        "Pragma",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Range",
        "Refresh",
        "Retry-After",
        "Set-Cookie",
        "Strict-Transport-Security",
        "Trailer",
        "Vary",
        "Via",
        "Warning",
        "WWW-Authenticate",
    };
    static const char *const prefixes[] = {"Access-Control-", "Content-", "If-", "X-Accel-", "X-Forwarded-"};
    if (sm_reply_field_kind(name) != FIELD_PLAIN) {
        return true;
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        if (sm_str_ieq(name, sm_str_from(refused[i]))) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
        struct sm_str prefix = sm_str_from(prefixes[i]);
        if (name.len >= prefix.len && sm_str_ieq((struct sm_str){name.ptr, prefix.len}, prefix)) {
            // A digest can be known only behind the content that it is of (RFC 9530 2).
            return !sm_str_ieq(name, SM_STR("Content-Digest"));
        }
    }
    return false;
}

int sm_exchange_trailer(struct sm_exchange *exchange, struct sm_str name, struct sm_str value) {
    int r = sm_reply_check(exchange, 0);
    if (r != 0) {
        return r;
    }
    if (!exchange->committed) {
        return SM_EXCHANGE_NOT_STARTED;
    }
    r = sm_reply_check_field(name, value);
    if (r != 0) {
        return r;
    }
    if (sm_trailer_is_refused(name)) {
        return SM_EXCHANGE_BAD_FIELD;
    }
    return exchange->chunked ? sm_reply_add_field(&exchange->trailers, name, value) : 0;
}
