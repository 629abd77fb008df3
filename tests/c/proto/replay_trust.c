// SPDX-License-Identifier: MIT
// The half of replay.h that is about proxies: the header at the start of a connection, the fields of a request.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/forwarded.h"
#include "proto/proxy.h"
#include "replay.h"

static void dump_ip(struct dump *out, const struct sm_ip *ip) {
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(ip->version == 4 ? AF_INET : AF_INET6, ip->bytes, text, sizeof text);
    dump_printf(out, "%s", text);
}

// --- PROXY ---

static void dump_proxy(const struct sm_proxy *proxy, struct dump *out) {
    static const char *const kinds[] = {"local", "unknown", "address"};
    dump_printf(out, "%s", kinds[proxy->kind]);
    if (proxy->kind == SM_PROXY_ADDRESS) {
        dump_printf(out, " ");
        dump_ip(out, &proxy->from);
        dump_printf(out, " %u ", proxy->from_port);
        dump_ip(out, &proxy->to);
        dump_printf(out, " %u%s", proxy->to_port, proxy->is_tls ? " tls" : "");
    }
    dump_printf(out, "\n");
}

void replay_proxy(const struct replay *input, struct dump *out) {
    static const char *const names[] = {"more", "none", "", "bad"};
    size_t given = input->first < input->len ? input->first : input->len;
    struct sm_proxy proxy;
    enum sm_proxy_outcome outcome;
    for (;;) {
        const char *window = guard_put(input->guard, input->data, given);
        outcome = sm_proxy_parse(window, given, &proxy);
        if (outcome != SM_PROXY_MORE || given == input->len) {
            break;
        }
        given = input->len - given > input->step ? given + input->step : input->len;
    }
    if (outcome != SM_PROXY_DONE) {
        replay_check((outcome == SM_PROXY_BAD) == (proxy.reason != NULL), "a refusal says why");
        dump_printf(out, "%s\n", names[outcome]);
        return;
    }
    replay_check(proxy.len <= given && proxy.len <= 16 + 65535, "a header lies in the data");
    dump_proxy(&proxy, out);
    dump_value(out, "rest", (struct sm_str){input->data + proxy.len, input->len - proxy.len});
}

// --- Forwarded ---

// Cuts the next line off the input into a field "Name: value"; false when there is none, or it has no colon.
static bool take_line(struct sm_str *rest, const char *base, struct sm_field *field) {
    const char *end = rest->len == 0 ? NULL : memchr(rest->ptr, '\n', rest->len);
    const char *colon = end == NULL ? NULL : memchr(rest->ptr, ':', (size_t)(end - rest->ptr));
    if (colon == NULL) {
        return false;
    }
    const char *value = colon + 1;
    while (value < end && *value == ' ') {
        value++;
    }
    field->name = (struct sm_span){(uint32_t)(rest->ptr - base), (uint32_t)(colon - rest->ptr)};
    field->value = (struct sm_span){(uint32_t)(value - base), (uint32_t)(end - value)};
    *rest = (struct sm_str){end + 1, rest->len - (size_t)(end + 1 - rest->ptr)};
    return true;
}

bool replay_trusts(const void *context, const struct sm_ip *ip) {
    (void)context;
    return (ip->version == 4 && ip->bytes[0] == 10) || (ip->version == 6 && ip->bytes[0] == 0xfd);
}

static void dump_forwarded(const struct sm_forwarded *said, struct dump *out) {
    static const char *const schemes[] = {"", "scheme http\n", "scheme https\n"};
    if (said->conflict) {
        dump_printf(out, "conflict\n");
    }
    if (said->client.kind == SM_NODE_HIDDEN) {
        dump_printf(out, "client hidden\n");
    } else if (said->client.kind == SM_NODE_ADDRESS) {
        dump_printf(out, "client ");
        dump_ip(out, &said->client.ip);
        dump_printf(out, " %u\n", said->client.port);
    }
    dump_printf(out, "%s", schemes[said->scheme]);
    if (said->host.len > 0) {
        dump_value(out, "host", said->host);
    }
    if (said->port != 0) {
        dump_printf(out, "port %u\n", said->port);
    }
    if (said->complaint != NULL) {
        dump_value(out, "ignored", said->ignored);
    }
}

static void check_forwarded(const struct sm_forwarded *said, const char *base, size_t len) {
    replay_check(said->host.len == 0 || (said->host.ptr >= base && said->host.ptr + said->host.len <= base + len),
                 "the host lies in the head");
    replay_check(said->host.len == 0 || sm_authority_ok(said->host), "the host is one");
    replay_check(said->complaint == NULL ||
                     (said->ignored.ptr >= base && said->ignored.ptr + said->ignored.len <= base + len),
                 "what is ignored lies in the head");
    replay_check(said->client.kind != SM_NODE_BAD, "a bad node is no client");
}

void replay_forwarded(const char *data, size_t len, struct dump *out) {
    struct sm_field fields[REPLAY_MAX_FIELDS];
    struct sm_head head = {.base = data, .fields = fields, .max_fields = REPLAY_MAX_FIELDS};
    struct sm_str rest = {data, len};
    while (head.n_fields < REPLAY_MAX_FIELDS && take_line(&rest, data, &fields[head.n_fields])) {
        head.n_fields++;
    }
    struct sm_forwarded said;
    sm_forwarded_read(&head, replay_trusts, NULL, &said);
    check_forwarded(&said, data, len);
    dump_forwarded(&said, out);
}
