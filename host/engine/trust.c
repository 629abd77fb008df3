// SPDX-License-Identifier: MIT
// Networks as the configuration helper wrote them, the test of a peer against them, and what a trusted peer may say
// about a connection and a request (see trust.h).
#include "engine/trust.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "engine/session.h"
#include "proto/fields.h"
#include "proto/proxy.h"

enum { MAX_NETWORKS = 1024, HTTP_PORT = 80, HTTPS_PORT = 443 };

// --- networks ---

// "10.0.0.0/8" or "192.0.2.1". The bits of an IPv4 address written as IPv6 would mean something else: they are
// refused.
static bool sm_network_parse(const char *text, struct sm_network *network_out) {
    const char *slash = strchr(text, '/');
    struct sm_str ip = {text, slash == NULL ? strlen(text) : (size_t)(slash - text)};
    if (!sm_ip_parse(ip, &network_out->ip)) {
        return false;
    }
    bool is_v6_text = memchr(text, ':', ip.len) != NULL;
    uint64_t bits = network_out->ip.version == 4 ? 32 : 128;
    if (slash != NULL &&
        (is_v6_text != (network_out->ip.version == 6) || !sm_u64_parse(sm_str_from(slash + 1), bits, &bits))) {
        return false;
    }
    network_out->bits = (uint8_t)bits;
    return true;
}

static bool sm_network_has(const struct sm_network *network, const struct sm_ip *ip) {
    size_t whole = network->bits / 8;
    unsigned rest = network->bits % 8;
    if (ip->version != network->ip.version || memcmp(ip->bytes, network->ip.bytes, whole) != 0) {
        return false;
    }
    return rest == 0 || ((ip->bytes[whole] ^ network->ip.bytes[whole]) >> (8 - rest)) == 0;
}

int sm_trust_init(struct sm_trust *trust, char *const *entries) {
    size_t n = 0;
    *trust = (struct sm_trust){0};
    while (entries != NULL && entries[n] != NULL) {
        n++;
    }
    if (n > MAX_NETWORKS) {
        sm_log(SM_LOG_CRITICAL, "trusted_proxies has more than %d entries", MAX_NETWORKS);
        return -EINVAL;
    }
    if (n == 0) {
        return 0;
    }
    trust->networks = calloc(n, sizeof(*trust->networks));
    if (trust->networks == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(entries[i], "unix") == 0) {
            trust->unix_sockets = true;
        } else if (sm_network_parse(entries[i], &trust->networks[trust->n_networks])) {
            trust->n_networks++;
        } else {
            sm_log(SM_LOG_CRITICAL, "trusted_proxies: \"%s\" is no address or network", entries[i]);
            sm_trust_deinit(trust);
            return -EINVAL;
        }
    }
    return 0;
}

void sm_trust_deinit(struct sm_trust *trust) {
    free(trust->networks);
    *trust = (struct sm_trust){0};
}

static bool sm_trust_has_ip(const void *context, const struct sm_ip *ip) {
    const struct sm_trust *trust = context;
    for (uint32_t i = 0; i < trust->n_networks; i++) {
        if (sm_network_has(&trust->networks[i], ip)) {
            return true;
        }
    }
    return false;
}

bool sm_trust_has(const struct sm_trust *trust, const struct sm_peer *peer) {
    if (peer->family == AF_UNIX) {
        return trust->unix_sockets;
    }
    struct sm_ip ip;
    sm_ip_from(peer->family == AF_INET ? 4 : 6, peer->bytes, &ip);
    return sm_trust_has_ip(trust, &ip);
}

static struct sm_peer sm_trust_peer(const struct sm_ip *ip, uint16_t port) {
    struct sm_peer peer = {.family = ip->version == 4 ? AF_INET : AF_INET6, .port = port};
    memcpy(peer.bytes, ip->bytes, sizeof(peer.bytes));
    return peer;
}

// --- connections ---

void sm_trust_meet(struct sm_session *session, const struct sm_peer *peer) {
    session->conn.peer = session->client = *peer;
    session->trusted = session->greets = sm_trust_has(&session->engine->trust, peer);
}

// The client's own word counts only if it is trusted itself; of somebody without an address nobody knows.
static void sm_trust_obey(struct sm_session *session, const struct sm_proxy *proxy) {
    if (proxy->kind == SM_PROXY_ADDRESS) {
        session->client = sm_trust_peer(&proxy->from, proxy->from_port);
        session->local = sm_trust_peer(&proxy->to, proxy->to_port);
        session->proxied = session->knows_local = true;
        session->is_tls = proxy->is_tls;
        session->trusted = sm_trust_has(&session->engine->trust, &session->client);
    } else {
        session->trusted = proxy->kind == SM_PROXY_LOCAL;
    }
}

bool sm_trust_greet(struct sm_session *session, const char *data, size_t len, size_t *used_out) {
    struct sm_proxy proxy;
    char peer[SM_ADDR_TEXT_MAX];
    *used_out = 0;
    switch (sm_proxy_parse(data, len, &proxy)) {
    case SM_PROXY_MORE:
        return false;
    case SM_PROXY_NONE:
        session->greets = false;
        return true;
    case SM_PROXY_DONE:
        session->greets = false;
        sm_trust_obey(session, &proxy);
        *used_out = proxy.len;
        return len > proxy.len;
    case SM_PROXY_BAD:
        break;
    }
    sm_peer_format(&session->conn.peer, peer);
    sm_log(SM_LOG_WARNING, "%s sent a malformed PROXY header: %s; connection closed", peer, proxy.reason);
    sm_conn_close(&session->conn);
    *used_out = len;
    return false;
}

void sm_trust_format(const struct sm_session *session, char out[static SM_TRUST_TEXT_MAX]) {
    sm_peer_format(&session->client, out);
    if (session->proxied) {
        size_t len = strlen(out);
        memcpy(out + len, " by ", 4);
        sm_peer_format(&session->conn.peer, out + len + 4);
    }
}

void sm_trust_late(const struct sm_session *session) {
    if (session->greets && session->conn.in.len > 0) {
        char peer[SM_ADDR_TEXT_MAX];
        sm_peer_format(&session->conn.peer, peer);
        sm_log(SM_LOG_WARNING, "%s began a PROXY header that was not complete within header_timeout; closed", peer);
    }
}

// --- requests ---

// Whether what the head says of its way counts. `client_out` gets who asked as far as the trusted ones see it: the
// peer, or behind FastCGI the front server's own client.
static bool sm_trust_applies(const struct sm_exchange *exchange, struct sm_peer *client_out) {
    const struct sm_head *head = &exchange->head;
    *client_out = exchange->session->client;
    if (!exchange->session->trusted || head->kind == SM_HEAD_HTTP) {
        return exchange->session->trusted;
    }
    struct sm_ip ip;
    int64_t port = sm_str_number(sm_span_in(head->remote_port, head->base));
    if (!sm_ip_parse(sm_span_in(head->remote_addr, head->base), &ip)) {
        return false;
    }
    *client_out = sm_trust_peer(&ip, port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0);
    return sm_trust_has_ip(&exchange->engine->trust, &ip);
}

static void sm_trust_complain(struct sm_exchange *exchange, const struct sm_forwarded *said) {
    struct sm_str id = sm_exchange_id(exchange);
    char peer[SM_TRUST_TEXT_MAX];
    sm_trust_format(exchange->session, peer);
    if (said->conflict) {
        sm_log(SM_LOG_WARNING,
               "[%.*s] %s: Forwarded and X-Forwarded-* contradict each other, neither counts; a proxy must set or"
               " remove both",
               (int)id.len, id.ptr, peer);
    } else {
        sm_log(SM_LOG_DEBUG, "[%.*s] %s: forwarded fields: ignored %s: \"%.*s\"", (int)id.len, id.ptr, peer,
               said->complaint, (int)(said->ignored.len < 256 ? said->ignored.len : 256), said->ignored.ptr);
    }
}

// The authority: the host that was said, or the head's own where a port was said; the scheme's own port is left out.
static void sm_origin_host(struct sm_origin *origin, const struct sm_head *head, const struct sm_forwarded *said) {
    int32_t port = -1;
    struct sm_str host = said->host;
    if (host.len == 0 && said->port == 0) {
        return;
    }
    if (host.len == 0) {
        host = sm_authority_split(sm_head_text(head, head->host), &port);
        port = -1; // of the way between the servers
    } else if (said->port != 0) {
        host = sm_authority_split(host, &port);
    }
    if (!sm_authority_ok(host)) { // the head of a front server may hold anything
        return;
    }
    memcpy(origin->host, host.ptr, host.len);
    size_t len = host.len;
    uint16_t added = port > 0 ? (uint16_t)port : said->port;
    if (added != 0 && added != (origin->is_https ? HTTPS_PORT : HTTP_PORT)) {
        char digits[SM_U64_DIGITS];
        size_t n = sm_u64_dec(digits, added);
        origin->host[len++] = ':';
        memcpy(origin->host + len, digits, n);
        len += n;
    }
    origin->host_len = (uint16_t)len;
}

static void sm_origin_take(struct sm_origin *origin, const struct sm_head *head, const struct sm_forwarded *said) {
    origin->is_forwarded = said->client.kind != SM_NODE_UNSAID || said->scheme != SM_SCHEME_UNSAID ||
                           said->host.len > 0 || said->port != 0;
    if (said->client.kind == SM_NODE_ADDRESS) {
        origin->client = sm_trust_peer(&said->client.ip, said->client.port);
    } else if (said->client.kind == SM_NODE_HIDDEN) {
        origin->client = (struct sm_peer){.family = AF_UNIX}; // without an address, as the name of a peer
    }
    if (said->scheme != SM_SCHEME_UNSAID) {
        origin->is_https = said->scheme == SM_SCHEME_HTTPS;
    }
    sm_origin_host(origin, head, said);
}

const struct sm_origin *sm_trust_origin(struct sm_exchange *exchange) {
    struct sm_origin *origin = &exchange->origin;
    const struct sm_head *head = &exchange->head;
    if (origin->is_known) {
        return origin;
    }
    origin->is_known = true;
    origin->is_forwarded = false;
    origin->host_len = 0;
    origin->is_https = head->is_https;
    if (sm_trust_applies(exchange, &origin->client)) {
        struct sm_forwarded said;
        sm_forwarded_read(head, sm_trust_has_ip, &exchange->engine->trust, &said);
        if (said.conflict || said.complaint != NULL) {
            sm_trust_complain(exchange, &said);
        }
        sm_origin_take(origin, head, &said);
    }
    return origin;
}
