// SPDX-License-Identifier: MIT
// One request with its response, as the application sees it. The engine makes, pools and frees exchanges;
// between `request` and sm_exchange_end (or `abort`) the application may read the request and write the answer.
#pragma once

#include <sys/types.h>

#include "base/str.h"
#include "proto/message.h"

struct sm_exchange;

// FastCGI roles (section 6); HTTP requests are responders.
enum sm_role { SM_ROLE_RESPONDER = 1, SM_ROLE_AUTHORIZER = 2, SM_ROLE_FILTER = 3 };

// A body, whole: in memory (`data`), or past `request_body_memory` in an unlinked file (`fd` >= 0, data NULL).
// The exchange owns both. Read the file with pread(2): its offset is nobody's.
struct sm_body {
    const char *data;
    int fd;
    uint64_t len; // bytes
};

// Outcomes of the writing calls, beside 0 and negative errors.
enum sm_exchange_outcome {
    SM_EXCHANGE_FULL = 1,       // taken, but stop now: `resume` comes when there is room
    SM_EXCHANGE_GONE = 2,       // the client has gone; nothing was taken. End the exchange
    SM_EXCHANGE_BAD_NAME = 3,   // a field name that is no token (RFC 9110 5.1)
    SM_EXCHANGE_BAD_VALUE = 4,  // CR, LF or NUL in a field value (RFC 9110 5.5)
    SM_EXCHANGE_BAD_LENGTH = 5, // Content-Length is no number or disagrees with an earlier one; or body bytes past it
    SM_EXCHANGE_TOO_LARGE = 6,  // the head, or the trailers, are larger than 1 MiB
    SM_EXCHANGE_BAD_STATUS =
        7,                     // status outside 200..999 (1xx are not final answers); of an interim response: not 1xx
    SM_EXCHANGE_BAD_FIELD = 8, // a field that belongs to the connection: Transfer-Encoding, Keep-Alive, Upgrade …; or
                               // one that must not stand in an interim response or a trailer
    SM_EXCHANGE_NOT_STARTED = 9, // no head was begun, or another exchange began one since: start again
};

// --- the request ---

const struct sm_head *sm_exchange_head(const struct sm_exchange *exchange);
// Bytes of the block that head->base points to; every span of the head lies within it.
size_t sm_exchange_head_len(const struct sm_exchange *exchange);
const struct sm_body *sm_exchange_body(const struct sm_exchange *exchange);
// --- ... of an application that streams ---

// Copies up to `len` bytes of the body that have come and were not read yet. The count, 0 when there are none now, or
// -errno. Lets the client send more: also "100 Continue" where it waits for that (RFC 9110 10.1.1).
ssize_t sm_exchange_body_read(struct sm_exchange *exchange, char *out, size_t len);
// Bytes that could be read now.
uint64_t sm_exchange_body_unread(const struct sm_exchange *exchange);
// Whether more of the body is still to come (SM_NOTICE_BODY tells).
bool sm_exchange_body_coming(const struct sm_exchange *exchange);

// FCGI_DATA of a Filter (section 6.4); an empty body otherwise.
const struct sm_body *sm_exchange_filter_data(const struct sm_exchange *exchange);
enum sm_role sm_exchange_role(const struct sm_exchange *exchange);
// Who asks, as numeric text: "192.0.2.7"; port 0 where it is not known, empty for a unix socket or a hidden client.
// Of FastCGI it is what the front server says (REMOTE_ADDR). Whom `trusted_proxies` names is believed about it
// (trust.h). Local is where the client connected to. All of this is valid until the head is taken.
struct sm_str sm_exchange_peer(const struct sm_exchange *exchange, uint16_t *port_out);
struct sm_str sm_exchange_local(const struct sm_exchange *exchange, uint16_t *port_out);
// Whether the client came over TLS, as far as somebody says who is believed.
bool sm_exchange_is_https(const struct sm_exchange *exchange);
// The authority that the client asked for ("example.com:8443"), said by a trusted proxy, sound; empty: the head's
// `host` stands.
struct sm_str sm_exchange_host(const struct sm_exchange *exchange);
// Whether these come from the fields of a trusted proxy, so that a head of CGI variables that says otherwise is
// wrong.
bool sm_exchange_is_forwarded(const struct sm_exchange *exchange);
// Text that names this request in the log, unique in the life of the server: "3f2a-00001c". At most 31 bytes.
struct sm_str sm_exchange_id(struct sm_exchange *exchange);
// Whether the client has left or aborted. Looks at the socket; one system call.
bool sm_exchange_is_aborted(struct sm_exchange *exchange);

// The application's own pointer, NULL at `request`.
void *sm_exchange_user(const struct sm_exchange *exchange);
void sm_exchange_set_user(struct sm_exchange *exchange, void *user);

// Gives the head's block to the caller, who frees it with free(3); head->base stays valid as long as the block.
// The spans of sm_exchange_head must be copied first. NULL when there is no memory.
char *sm_exchange_take_head(struct sm_exchange *exchange);
// Gives away body (filter false) or FCGI_DATA (filter true): afterwards free(data) and close(fd) are the caller's.
struct sm_body sm_exchange_take_body(struct sm_exchange *exchange, bool filter);

// --- the response: start, fields, head, writes, end ---

// Begins a response head, forgetting one that was begun and not committed, of this exchange or another: heads are
// built one at a time, so start, fields and commit belong into one stretch of work. `reason` may be empty.
int sm_exchange_start(struct sm_exchange *exchange, int status, struct sm_str reason);
// Adds a field. Content-Length is remembered and enforced; "Connection: close" is obeyed; Date and Server of the
// application replace the server's own. Other connection fields are refused. Nothing was added unless 0.
int sm_exchange_field(struct sm_exchange *exchange, struct sm_str name, struct sm_str value);
// Whether the head that was begun is still there: another one may have been built since, of a request that was
// refused while this one's application looked at the connection.
bool sm_exchange_has_head(const struct sm_exchange *exchange);
// Commits the head. `body_len` >= 0: bytes of the body to come, where the fields did not say. -1: unknown; the
// body is chunked, or ends with the connection.
int sm_exchange_commit(struct sm_exchange *exchange, int64_t body_len);
// Begins a head that switches this connection to another protocol (101, RFC 9110 7.8), with its Upgrade and
// Connection fields; more may follow by sm_exchange_field. BAD_STATUS where that cannot be: FastCGI, HTTP/1.0, after
// commit.
int sm_exchange_upgrade(struct sm_exchange *exchange, struct sm_str protocol);
// Commits it. From now on sm_exchange_body_read gives what the client sends, and writes go out as they are.
int sm_exchange_tunnel(struct sm_exchange *exchange);
// Of an upgraded connection: `notice` tells SM_NOTICE_ALARM after `timeout_ms`, once; 0: not at all. Replaces the
// alarm before it.
void sm_exchange_alarm(struct sm_exchange *exchange, uint64_t timeout_ms);
bool sm_exchange_committed(const struct sm_exchange *exchange);
// Begins an interim response (1xx but 101; RFC 9110 15.2, 103: RFC 8297), before the final one is begun; its fields
// follow by sm_exchange_field, but none that speaks of the connection or of Content-Length. BAD_STATUS after commit.
int sm_exchange_interim(struct sm_exchange *exchange, int status);
// Sends it at once. Over HTTP/1.0 and FastCGI, which know no such thing, it is dropped, and 0 said all the same.
int sm_exchange_interim_end(struct sm_exchange *exchange);
// Body bytes, copied. The answer to HEAD, a 204 or a 304 swallows them.
int sm_exchange_write(struct sm_exchange *exchange, const char *data, size_t len);
// Body bytes, borrowed until `release(owner)` is called, exactly once, also when the outcome is an error.
int sm_exchange_write_ref(struct sm_exchange *exchange, const char *data, size_t len, void (*release)(void *owner),
                          void *owner);
// `len` bytes of the file `fd` from `off` as body bytes, sent by the kernel where it can. The descriptor is borrowed
// until `release(owner)` is called, exactly once, also when the outcome is an error; its offset is neither used nor
// moved. A file that turns out to be shorter breaks the connection off, with a log line. After FULL the response may
// be ended at once; whatever else is to follow should wait for `resume`.
int sm_exchange_write_file(struct sm_exchange *exchange, int fd, uint64_t off, uint64_t len,
                           void (*release)(void *owner), void *owner);
// Adds a trailer field (RFC 9110 6.5), from commit to end. Sent behind a chunked body; dropped, and 0 said, where
// there is none: a known length, HTTP/1.0, FastCGI. BAD_FIELD for what a trailer must not say: framing, routing, how
// to read the content, who may (RFC 9110 6.5.1).
int sm_exchange_trailer(struct sm_exchange *exchange, struct sm_str name, struct sm_str value);
// Sends what is queued before the application goes on to produce more.
int sm_exchange_flush(struct sm_exchange *exchange);
// Asks for `resume` after other work had its turn (a producer that could go on for ever).
void sm_exchange_yield(struct sm_exchange *exchange);
// Ends the response and gives the exchange back. A body shorter than its Content-Length closes the connection with
// a log line. An exchange that was never committed is answered 500. app_status is FastCGI's (0 for HTTP).
void sm_exchange_end(struct sm_exchange *exchange, uint32_t app_status);
// Ends a response that cannot be completed: 500 if nothing was committed, else the connection closes, so that the
// client sees that it is incomplete (RFC 9112 8).
void sm_exchange_fail(struct sm_exchange *exchange);

// Text for the front server's error log (FCGI_STDERR) and for ours; control bytes are escaped, long text is split.
void sm_exchange_log(struct sm_exchange *exchange, struct sm_str text);
// The same for the front server only, where our own log has said it already.
void sm_exchange_log_front(struct sm_exchange *exchange, struct sm_str text);
