// SPDX-License-Identifier: MIT
// Reason phrases for status codes: RFC 9110 15, and the codes registered beside it that applications use.
// A phrase is decoration (RFC 9112 4); an unknown status has an empty one.
#include "proto/http1.h"

static const char *const informational[] = {"Continue", "Switching Protocols", "Processing", "Early Hints"};

static const char *const successful[] = {
    "OK",
    "Created",
    "Accepted",
    "Non-Authoritative Information",
    "No Content",
    "Reset Content",
    "Partial Content",
    "Multi-Status",
    "Already Reported",
    [26] = "IM Used",
};

static const char *const redirection[] = {
    "Multiple Choices",         "Moved Permanently",  "Found", "See Other", "Not Modified", "Use Proxy",
    [7] = "Temporary Redirect", "Permanent Redirect",
};

static const char *const client_error[] = {
    "Bad Request",
    "Unauthorized",
    "Payment Required",
    "Forbidden",
    "Not Found",
    "Method Not Allowed",
    "Not Acceptable",
    "Proxy Authentication Required",
    "Request Timeout",
    "Conflict",
    "Gone",
    "Length Required",
    "Precondition Failed",
    "Content Too Large",
    "URI Too Long",
    "Unsupported Media Type",
    "Range Not Satisfiable",
    "Expectation Failed",
    [21] = "Misdirected Request",
    "Unprocessable Content",
    "Locked",
    "Failed Dependency",
    "Too Early",
    "Upgrade Required",
    [28] = "Precondition Required",
    "Too Many Requests",
    [31] = "Request Header Fields Too Large",
    [51] = "Unavailable For Legal Reasons",
};

static const char *const server_error[] = {
    "Internal Server Error",
    "Not Implemented",
    "Bad Gateway",
    "Service Unavailable",
    "Gateway Timeout",
    "HTTP Version Not Supported",
    "Variant Also Negotiates",
    "Insufficient Storage",
    "Loop Detected",
    [10] = "Not Extended",
    "Network Authentication Required",
};

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static const struct {
    const char *const *phrases;
    int count;
} classes[] = {
    {informational, COUNT(informational)}, {successful, COUNT(successful)},     {redirection, COUNT(redirection)},
    {client_error, COUNT(client_error)},   {server_error, COUNT(server_error)},
};

const char *sm_http1_reason(int status) {
    int class = status / 100 - 1;
    int index = status % 100;
    if (status < 100 || class >= COUNT(classes) || index >= classes[class].count) {
        return "";
    }
    const char *phrase = classes[class].phrases[index];
    return phrase == NULL ? "" : phrase;
}
