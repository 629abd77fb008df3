// SPDX-License-Identifier: MIT
// A request head as every protocol delivers it: spans into one block of bytes.
// The parsers fill it, the engine owns block and field array, the application reads it.
#pragma once

#include "base/str.h"

// How the fields of a head are spelled.
enum sm_head_kind {
    SM_HEAD_HTTP, // `fields` are header fields: "User-Agent"
    SM_HEAD_CGI,  // `fields` are CGI/1.1 variables: "HTTP_USER_AGENT", "DOCUMENT_ROOT"
};

// One header field (HTTP) or one parameter (FastCGI).
struct sm_field {
    struct sm_span name;
    struct sm_span value;
};

// All spans are relative to `base`. An absent part has len 0; `has_query` tells "/x?" from "/x".
struct sm_head {
    const char *base;
    struct sm_field *fields; // room for `max_fields`; belongs to the caller of the parser
    uint32_t max_fields;
    uint32_t n_fields;
    enum sm_head_kind kind;
    bool has_query;
    bool is_head_method; // the method is HEAD: the answer has no body (RFC 9110 9.3.2)
    struct sm_span method;
    struct sm_span target; // as received: request-target, or REQUEST_URI where the server sends it
    struct sm_span path;   // HTTP: path of the target, still percent-encoded. CGI: PATH_INFO
    struct sm_span script; // CGI: SCRIPT_NAME
    struct sm_span query;
    struct sm_span protocol; // "HTTP/1.1"
    struct sm_span host;     // Host field, the authority of an absolute-form target, or HTTP_HOST
    struct sm_span content_type;
    struct sm_span server_name, server_port, remote_addr, remote_port; // CGI: what the front server says of itself,
                                                                       // and of its client
    bool is_https;          // the client came over TLS: HTTPS is on or 1, REQUEST_SCHEME https, or PROXY said so
    int64_t content_length; // bytes; -1: not given
};
