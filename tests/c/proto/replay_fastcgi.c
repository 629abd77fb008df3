// SPDX-License-Identifier: MIT
// The FastCGI half of replay.h.
#include <stdio.h>
#include <stdlib.h>

#include "replay.h"

struct params {
    uint16_t id; // 0: free
    char *block; // owned
    size_t len;
};

struct session {
    struct sm_fcgi_reader reader;
    struct params params[REPLAY_MAX_STREAMS];
    uint32_t max_fields;
    uint8_t open_type; // the stream whose line is open, so that its pieces join; 0: none
    uint16_t open_id;
    struct dump *out;
};

static void close_line(struct session *session) {
    if (session->open_type != 0) {
        dump_printf(session->out, "\n");
        session->open_type = 0;
    }
}

static void check_cgi_head(const struct sm_head *head, size_t len) {
    const struct sm_span spans[] = {head->method, head->target, head->path,         head->script,
                                    head->query,  head->host,   head->content_type, head->protocol};
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        replay_check(spans[i].off <= len && spans[i].len <= len - spans[i].off, "spans lie within the block");
    }
    for (uint32_t i = 0; i < head->n_fields; i++) {
        const struct sm_field *field = &head->fields[i];
        replay_check(field->name.len > 0 && field->value.off == field->name.off + field->name.len &&
                         field->value.off + field->value.len <= len,
                     "fields lie within the block");
    }
    struct sm_str method = sm_span_in(head->method, head->base);
    replay_check(head->is_head_method == sm_str_eq(method, SM_STR("HEAD")), "HEAD is recognised");
    replay_check(head->content_length >= -1 && head->kind == SM_HEAD_CGI, "the head is a CGI head");
}

static void dump_cgi_head(const struct sm_head *head, struct dump *out) {
    dump_part(out, "method", sm_span_in(head->method, head->base));
    dump_part(out, "target", sm_span_in(head->target, head->base));
    dump_part(out, "script", sm_span_in(head->script, head->base));
    dump_part(out, "path", sm_span_in(head->path, head->base));
    if (head->has_query) {
        dump_value(out, " query", sm_span_in(head->query, head->base));
    }
    dump_part(out, "protocol", sm_span_in(head->protocol, head->base));
    dump_part(out, "host", sm_span_in(head->host, head->base));
    dump_part(out, "type", sm_span_in(head->content_type, head->base));
    if (head->content_length >= 0) {
        dump_printf(out, " length %lld\n", (long long)head->content_length);
    }
    for (uint32_t i = 0; i < head->n_fields; i++) {
        dump_printf(out, " field ");
        dump_bytes(out, sm_span_in(head->fields[i].name, head->base));
        dump_printf(out, "=");
        dump_bytes(out, sm_span_in(head->fields[i].value, head->base));
        dump_printf(out, "\n");
    }
}

static bool is_like(const struct sm_head *a, const struct sm_head *b) {
    const struct sm_span of_a[] = {a->method,      a->target,      a->path,         a->script,
                                   a->query,       a->protocol,    a->host,         a->server_name,
                                   a->server_port, a->remote_addr, a->content_type, a->remote_port};
    const struct sm_span of_b[] = {b->method,      b->target,      b->path,         b->script,
                                   b->query,       b->protocol,    b->host,         b->server_name,
                                   b->server_port, b->remote_addr, b->content_type, b->remote_port};
    return memcmp(of_a, of_b, sizeof(of_a)) == 0 && a->base == b->base && a->kind == b->kind &&
           a->max_fields == b->max_fields && a->has_query == b->has_query && a->is_https == b->is_https &&
           a->is_head_method == b->is_head_method && a->content_length == b->content_length;
}

// A memory of blocks must change nothing: neither for this one, read until it is known, nor with others in between.
static void check_again(const char *block, size_t len, const struct sm_head *head, enum sm_fcgi_params outcome) {
    static struct sm_fcgi_past past; // as a worker has it: what is in it stays
    struct sm_field fields[REPLAY_MAX_FIELDS];
    char other[64];
    size_t other_len = sm_fcgi_pair_put(other, sizeof(other), SM_STR("REQUEST_METHOD"), SM_STR("HEAD"));
    for (int i = 0; i < 6; i++) {
        struct sm_head again = {.fields = fields, .max_fields = head->max_fields};
        replay_check(sm_fcgi_params_read(&past, block, len, &again) == outcome, "the outcome is the same again");
        if (outcome != SM_FCGI_PARAMS_OK) {
            continue;
        }
        size_t fields_len = head->n_fields * sizeof(struct sm_field);
        replay_check(again.n_fields == head->n_fields && memcmp(fields, head->fields, fields_len) == 0,
                     "fields again");
        replay_check(is_like(&again, head), "the head is the same again");
        if (i == 3) {
            again = (struct sm_head){.fields = fields, .max_fields = REPLAY_MAX_FIELDS};
            (void)sm_fcgi_params_read(&past, other, other_len, &again);
            replay_check(again.is_head_method && again.n_fields == 1, "another block is another head");
        }
    }
}

void replay_params(const char *block, size_t len, uint32_t max_fields, const char *name, struct dump *out) {
    static const char *const outcomes[] = {"ok", "malformed", "too-many", "bad-length", "bad-bytes"};
    struct sm_field fields[REPLAY_MAX_FIELDS];
    struct sm_head head = {.fields = fields, .max_fields = max_fields};
    enum sm_fcgi_params outcome = sm_fcgi_params_parse(block, len, &head);
    check_again(block, len, &head, outcome);
    dump_printf(out, "%s %s\n", name, outcomes[outcome]);
    if (outcome == SM_FCGI_PARAMS_OK) {
        check_cgi_head(&head, len);
        dump_cgi_head(&head, out);
    }
}

// The slot that collects this request's params; NULL when all are taken.
static struct params *find_params(struct session *session, uint16_t id) {
    struct params *slot = NULL;
    for (size_t i = 0; i < REPLAY_MAX_STREAMS; i++) {
        if (session->params[i].id == id) {
            return &session->params[i];
        }
        if (session->params[i].id == 0 && slot == NULL) {
            slot = &session->params[i];
        }
    }
    if (slot != NULL) {
        *slot = (struct params){.id = id};
    }
    return slot;
}

static void take_params(struct session *session, const struct sm_fcgi_event *event) {
    char name[32];
    struct params *params = find_params(session, event->id);
    if (params == NULL) {
        return;
    }
    if (event->data.len > 0) {
        params->block = realloc(params->block, params->len + event->data.len);
        replay_check(params->block != NULL, "there is memory");
        memcpy(params->block + params->len, event->data.ptr, event->data.len);
        params->len += event->data.len;
        return;
    }
    close_line(session);
    snprintf(name, sizeof name, "params %u", event->id);
    // An exact allocation: the address sanitizer sees the first byte read past it.
    replay_params(params->block == NULL ? "" : params->block, params->len, session->max_fields, name, session->out);
    free(params->block);
    *params = (struct params){0};
}

static void take_stream(struct session *session, const struct sm_fcgi_event *event) {
    if (event->type == SM_FCGI_PARAMS) {
        take_params(session, event);
        return;
    }
    const char *name = event->type == SM_FCGI_STDIN ? "stdin" : "data";
    if (event->data.len == 0) {
        close_line(session);
        dump_printf(session->out, "%s %u end\n", name, event->id);
        return;
    }
    if (session->open_type != event->type || session->open_id != event->id) {
        close_line(session);
        dump_printf(session->out, "%s %u ", name, event->id);
        session->open_type = event->type;
        session->open_id = event->id;
    }
    dump_bytes(session->out, event->data);
}

static void dump_values(struct dump *out, struct sm_str data) {
    size_t off = 0;
    struct sm_str name;
    struct sm_str value;
    int pair;
    dump_printf(out, "values\n");
    while ((pair = sm_fcgi_pair_next(data.ptr, data.len, &off, &name, &value)) > 0) {
        dump_printf(out, " pair ");
        dump_bytes(out, name);
        dump_printf(out, "=");
        dump_bytes(out, value);
        dump_printf(out, "\n");
    }
    if (pair < 0) {
        dump_printf(out, " malformed\n");
    }
}

static void take_event(struct session *session, const struct sm_fcgi_event *event) {
    if (event->kind == SM_FCGI_EV_STREAM) {
        take_stream(session, event);
        return;
    }
    close_line(session);
    switch (event->kind) {
    case SM_FCGI_EV_BEGIN:
        dump_printf(session->out, "begin %u role=%u %s\n", event->id, event->role,
                    event->keep_conn ? "keep" : "close");
        break;
    case SM_FCGI_EV_ABORT:
        dump_printf(session->out, "abort %u\n", event->id);
        break;
    case SM_FCGI_EV_VALUES:
        dump_values(session->out, event->data);
        break;
    case SM_FCGI_EV_UNKNOWN:
        dump_printf(session->out, "unknown %u\n", event->type);
        break;
    default:
        replay_check(event->reason != NULL, "a refusal says why");
        dump_printf(session->out, "bad\n");
        break;
    }
}

static void play(struct session *session, const struct replay *input) {
    size_t dropped = 0;
    size_t given = input->first < input->len ? input->first : input->len;
    char *window = guard_put(input->guard, input->data, given);
    struct sm_fcgi_event event = {.kind = SM_FCGI_EV_MORE};
    while (event.kind != SM_FCGI_EV_BAD) {
        size_t used = 0;
        size_t len = given - dropped;
        sm_fcgi_next(&session->reader, window, len, &used, &event);
        replay_check(used <= len, "no more is used than was given");
        replay_check(event.data.len == 0 ||
                         (event.data.ptr >= window && event.data.ptr + event.data.len <= window + used),
                     "content lies in the data");
        dropped += used;
        window += used;
        if (event.kind != SM_FCGI_EV_MORE) {
            take_event(session, &event);
            continue;
        }
        replay_check(len - used < SM_FCGI_HEADER_LEN + SM_FCGI_MAX_CONTENT, "no record needs more than its length");
        if (given == input->len) {
            close_line(session);
            if (dropped < given || session->reader.in_record) {
                dump_printf(session->out, "more\n");
            }
            return;
        }
        given = input->len - given > input->step ? given + input->step : input->len;
        window = guard_put(input->guard, input->data + dropped, given - dropped);
    }
}

void replay_fastcgi(const struct replay *input, uint32_t max_fields, struct dump *out) {
    struct session session = {.max_fields = max_fields, .out = out};
    play(&session, input);
    for (size_t i = 0; i < REPLAY_MAX_STREAMS; i++) {
        free(session.params[i].block);
    }
}
