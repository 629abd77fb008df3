// SPDX-License-Identifier: MIT
// The HTTP/1 half of replay.h.
#include <stdio.h>
#include <stdlib.h>

#include "replay.h"

struct session {
    struct sm_http1 parser;
    struct sm_head head;
    struct sm_field fields[REPLAY_MAX_FIELDS];
    bool head_done;
    bool in_body; // the last line of the dump is an open "body"
    struct dump *out;
};

void replay_check(int kept, const char *promise) {
    if (!kept) {
        fprintf(stderr, "broken promise: %s\n", promise);
        abort();
    }
}

static void begin_request(struct session *session, const struct sm_http1_limits *limits) {
    session->head.fields = session->fields;
    session->head.max_fields = REPLAY_MAX_FIELDS;
    session->head_done = false;
    sm_http1_init(&session->parser, limits, &session->head);
}

static void check_span(struct sm_span span, size_t used) {
    replay_check(span.off <= used && span.len <= used - span.off, "spans lie within the head");
}

// What holds for every head, whatever the input was.
static void check_head(const struct sm_head *head, size_t used) {
    const struct sm_span spans[] = {head->method, head->target, head->path,         head->script,
                                    head->query,  head->host,   head->content_type, head->protocol};
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        check_span(spans[i], used);
    }
    for (uint32_t i = 0; i < head->n_fields; i++) {
        check_span(head->fields[i].name, used);
        check_span(head->fields[i].value, used);
        replay_check(sm_http1_name_ok(sm_span_in(head->fields[i].name, head->base)), "field names are tokens");
        replay_check(sm_http1_value_ok(sm_span_in(head->fields[i].value, head->base)),
                     "field values hold no CR LF NUL");
    }
    struct sm_str method = sm_span_in(head->method, head->base);
    replay_check(sm_http1_name_ok(method) && method.len <= 32, "the method is a short token");
    replay_check(head->target.len > 0 && head->protocol.len == 8, "target and version are there");
    replay_check(head->is_head_method == sm_str_eq(method, SM_STR("HEAD")), "HEAD is recognised");
    replay_check(head->has_query || head->query.len == 0, "a query is announced");
    replay_check(head->kind == SM_HEAD_HTTP && head->script.len == 0, "the head is an HTTP head");
}

static void dump_head(struct session *session) {
    const struct sm_head *head = &session->head;
    struct dump *out = session->out;
    dump_printf(out, "head ");
    dump_bytes(out, sm_span_in(head->method, head->base));
    dump_printf(out, " ");
    dump_bytes(out, sm_span_in(head->target, head->base));
    dump_printf(out, " 1.%u\n", session->parser.minor);
    dump_part(out, "host", sm_span_in(head->host, head->base));
    dump_part(out, "path", sm_span_in(head->path, head->base));
    if (head->has_query) {
        dump_value(out, " query", sm_span_in(head->query, head->base));
    }
    dump_part(out, "type", sm_span_in(head->content_type, head->base));
    if (head->content_length >= 0) {
        dump_printf(out, " length %lld\n", (long long)head->content_length);
    }
    dump_printf(out, "%s%s%s", session->parser.chunked ? " chunked\n" : "",
                session->parser.expect_continue ? " continue\n" : "", session->parser.keep_alive ? "" : " close\n");
    for (uint32_t i = 0; i < head->n_fields; i++) {
        dump_printf(out, " field ");
        dump_bytes(out, sm_span_in(head->fields[i].name, head->base));
        dump_value(out, ":", sm_span_in(head->fields[i].value, head->base));
    }
}

static void dump_line(struct session *session, const char *line) {
    dump_printf(session->out, "%s%s\n", session->in_body ? "\n" : "", line);
    session->in_body = false;
}

static void take_body(struct session *session, struct sm_str body, const char *window, size_t used) {
    replay_check(body.ptr >= window && body.len > 0 && body.ptr + body.len <= window + used, "body lies in the data");
    if (!session->in_body) {
        dump_printf(session->out, "body ");
        session->in_body = true;
    }
    dump_bytes(session->out, body);
}

// Handles one event other than MORE; false when the connection is over.
static bool take_event(struct session *session, enum sm_http1_event event, size_t used) {
    char line[32];
    switch (event) {
    case SM_HTTP1_HEAD:
        session->head_done = true;
        check_head(&session->head, used);
        dump_head(session);
        return true;
    case SM_HTTP1_END:
        dump_line(session, "end");
        begin_request(session, session->parser.limits);
        return true;
    case SM_HTTP1_BAD:
        replay_check(session->parser.reason != NULL, "a refusal says why");
        snprintf(line, sizeof line, "bad %u", session->parser.status);
        dump_line(session, line);
        return false;
    default:
        return true;
    }
}

void replay_http1(const struct replay *input, const struct sm_http1_limits *limits, struct dump *out) {
    struct session session = {.out = out};
    size_t dropped = 0;
    size_t given = input->first < input->len ? input->first : input->len;
    char *window = guard_put(input->guard, input->data, given);
    begin_request(&session, limits);
    for (;;) {
        struct sm_str body = {0};
        size_t used = 0;
        size_t len = given - dropped;
        enum sm_http1_event event = sm_http1_next(&session.parser, window, len, &used, &body);
        replay_check(used <= len, "no more is used than was given");
        if (event == SM_HTTP1_BODY) {
            take_body(&session, body, window, used);
        } else if (event == SM_HTTP1_MORE) {
            replay_check(used == (session.head_done ? len : 0), "a head is kept, a body is taken");
            replay_check(session.head_done || len < limits->max_header_size || len < 2,
                         "no head grows past its limit");
        } else if (!take_event(&session, event, used)) {
            return;
        }
        dropped += used;
        window += used;
        if (event == SM_HTTP1_MORE && given == input->len) {
            dump_line(&session, "more");
            return;
        }
        if (event == SM_HTTP1_END && dropped == input->len) {
            return;
        }
        if (event == SM_HTTP1_MORE) {
            given = input->len - given > input->step ? given + input->step : input->len;
            window = guard_put(input->guard, input->data + dropped, given - dropped);
        }
    }
}
