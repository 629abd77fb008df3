// SPDX-License-Identifier: MIT
// Whose word counts: networks, PROXY headers at the start of connections, forwarded fields in heads of both kinds.
// The rig's peer is 192.0.2.7, port 5000; the application answers with what it is told about the client.
#define _GNU_SOURCE
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include "client.h"
#include "engine/trust.h"
#include "front.h"

#define GET "GET / HTTP/1.1\r\nHost: site.example\r\n"
#define PROXY "PROXY TCP4 198.51.100.9 203.0.113.1 4000 443\r\n"
#define PROXY_TRUSTED "PROXY TCP4 10.0.0.9 203.0.113.1 4000 443\r\n"
#define FOR "X-Forwarded-For: 203.0.113.5\r\n"

static int append(char *out, size_t cap, struct sm_str text) {
    return snprintf(out, cap, "%.*s", (int)text.len, text.ptr);
}

// "CLIENT PORT http|https HOST forwarded|plain"; "-" for what is empty.
static void probe_origin(struct probe *app, struct sm_exchange *exchange) {
    char peer[64];
    char host[300];
    char text[512];
    uint16_t port = 0;
    append(peer, sizeof peer, sm_exchange_peer(exchange, &port));
    append(host, sizeof host, sm_exchange_host(exchange));
    snprintf(text, sizeof text, "%s %u %s %s %s", *peer == '\0' ? "-" : peer, port,
             sm_exchange_is_https(exchange) ? "https" : "http", *host == '\0' ? "-" : host,
             sm_exchange_is_forwarded(exchange) ? "forwarded" : "plain");
    probe_note(app, exchange);
    probe_finish(exchange, text);
}

static void trust(struct rig *rig, char *const *entries) {
    sm_trust_deinit(&rig->engine.trust);
    assert_int_equal(sm_trust_init(&rig->engine.trust, entries), 0);
}

#define TRUST(rig, ...) trust(rig, (char *const[]){__VA_ARGS__, NULL})

// --- networks ---

static struct sm_peer peer_of(const char *text) {
    struct sm_peer peer = {.family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET};
    assert_int_equal(inet_pton(peer.family, text, peer.bytes), 1);
    return peer;
}

static void expect_trusted(char *entry, const char *peer, bool trusted) {
    struct sm_trust trust;
    struct sm_peer from = peer_of(peer);
    assert_int_equal(sm_trust_init(&trust, (char *const[]){entry, NULL}), 0);
    if (sm_trust_has(&trust, &from) != trusted) {
        fail_msg("%s in %s should be %d", peer, entry, trusted);
    }
    sm_trust_deinit(&trust);
}

static void test_trust_knows_networks_to_the_bit(void **state) {
    (void)state;
    expect_trusted("10.0.0.0/8", "10.255.255.255", true);
    expect_trusted("10.0.0.0/8", "11.0.0.0", false);
    expect_trusted("10.0.0.0/8", "9.255.255.255", false);
    expect_trusted("192.0.2.128/25", "192.0.2.128", true);
    expect_trusted("192.0.2.128/25", "192.0.2.127", false);
    expect_trusted("192.0.2.4/31", "192.0.2.5", true);
    expect_trusted("192.0.2.4/31", "192.0.2.6", false);
    expect_trusted("192.0.2.4", "192.0.2.4", true);
    expect_trusted("192.0.2.4", "192.0.2.5", false);
    expect_trusted("0.0.0.0/0", "255.0.0.1", true);
    expect_trusted("0.0.0.0/0", "::1", false);
    expect_trusted("::/0", "127.0.0.1", false);
    expect_trusted("2001:db8::/33", "2001:db8:7fff::1", true);
    expect_trusted("2001:db8::/33", "2001:db8:8000::1", false);
    expect_trusted("::1", "::1", true);
    expect_trusted("::1", "::2", false);
    expect_trusted("unix", "127.0.0.1", false);
}

static void test_trust_of_unix_sockets_is_by_name(void **state) {
    (void)state;
    struct sm_trust trust;
    struct sm_peer unix_peer = {.family = AF_UNIX};
    assert_int_equal(sm_trust_init(&trust, (char *const[]){"0.0.0.0/0", "::/0", NULL}), 0);
    assert_false(sm_trust_has(&trust, &unix_peer));
    sm_trust_deinit(&trust);
    assert_int_equal(sm_trust_init(&trust, (char *const[]){"unix", NULL}), 0);
    assert_true(sm_trust_has(&trust, &unix_peer));
    sm_trust_deinit(&trust);
}

static void test_trust_refuses_what_is_no_network(void **state) {
    struct client *client = *state;
    static char *const wrong[] = {
        "", "x", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/x", "::ffff:10.0.0.0/104", "UNIX", "10.0.0.0/-1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct sm_trust trust;
        capture_clear(&client->rig->log);
        assert_int_equal(sm_trust_init(&trust, (char *const[]){"10.0.0.1", wrong[i], NULL}), -EINVAL);
        assert_true(capture_has(&client->rig->log, wrong[i]));
        assert_int_equal(capture_lines(&client->rig->log), 1);
    }
}

static void test_trust_refuses_more_entries_than_its_bound(void **state) {
    struct client *client = *state;
    struct sm_trust trust;
    char **entries = calloc(1026, sizeof *entries);
    assert_non_null(entries);
    for (int i = 0; i < 1024; i++) {
        entries[i] = "10.0.0.1";
    }
    assert_int_equal(sm_trust_init(&trust, entries), 0);
    sm_trust_deinit(&trust);
    entries[1024] = "10.0.0.2";
    assert_int_equal(sm_trust_init(&trust, entries), -EINVAL);
    assert_true(capture_has(&client->rig->log, "1024"));
    free(entries);
}

// --- PROXY over HTTP ---

// A new connection of the rig's peer, after whom to trust was said.
static void reconnect(struct client *client) {
    struct rig *rig = client->rig;
    client_close(client);
    client_open(client, rig);
    rig->app.request = probe_origin;
}

static void test_proxy_from_trusted_peer_names_the_client(void **state) {
    struct client *client = *state;
    TRUST(client->rig, "192.0.2.7");
    reconnect(client);
    client_ask(client, PROXY GET "\r\n", 200, "198.51.100.9 4000 http - plain");
    client_ask(client, GET "\r\n", 200, "198.51.100.9 4000 http - plain");
}

static void test_proxy_byte_by_byte_names_the_client(void **state) {
    struct client *client = *state;
    static const char text[] = PROXY GET "\r\n";
    TRUST(client->rig, "192.0.2.0/24");
    reconnect(client);
    for (size_t i = 0; i < sizeof text - 1; i++) {
        rig_send(client->rig, client->fd, text + i, 1);
    }
    assert_string_equal(client_answer(client, false)->body, "198.51.100.9 4000 http - plain");
}

static void test_proxy_version_2_names_client_and_destination(void **state) {
    struct client *client = *state;
    static const char header[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\xc6\x33\x64\x09\xcb\0\x71\x01\x0f\xa0\x01\xbb"
                                 "\x04\0\0";
    uint16_t port = 0;
    TRUST(client->rig, "192.0.2.7");
    reconnect(client);
    client->rig->app.request = probe_hold;
    rig_send(client->rig, client->fd, header, sizeof header - 1);
    client_send(client, GET "\r\n");
    assert_int_equal(client->rig->app.n_held, 1);
    struct sm_exchange *exchange = client->rig->app.held[0];
    assert_true(sm_str_eq(sm_exchange_peer(exchange, &port), SM_STR("198.51.100.9")));
    assert_int_equal(port, 4000);
    assert_true(sm_str_eq(sm_exchange_local(exchange, &port), SM_STR("203.0.113.1")));
    assert_int_equal(port, 443);
    probe_finish(exchange, "x");
    assert_string_equal(client_answer(client, false)->body, "x");
}

static void test_proxy_is_not_needed_from_trusted_peer(void **state) {
    struct client *client = *state;
    TRUST(client->rig, "192.0.2.7");
    reconnect(client);
    client_ask(client, "\r\n" GET "\r\n", 200, "192.0.2.7 5000 http - plain");
}

static void test_proxy_from_untrusted_peer_is_bad_input(void **state) {
    struct client *client = *state;
    TRUST(client->rig, "192.0.2.8", "10.0.0.0/8", "unix");
    client_close(client);
    client_expect_refused(client->rig, PROXY, sizeof PROXY - 1, 400);
    assert_int_equal(client->rig->app.requests, 0);
}

static void test_proxy_second_header_is_bad_input(void **state) {
    struct client *client = *state;
    TRUST(client->rig, "192.0.2.7");
    reconnect(client);
    client_send(client, PROXY PROXY_TRUSTED GET "\r\n");
    assert_int_equal(client_answer(client, false)->status, 400);
    client_expect_ended(client);
    assert_true(capture_has(&client->rig->log, "198.51.100.9:4000 by 192.0.2.7:5000 "));
}

static void test_proxy_after_the_first_request_is_bad_input(void **state) {
    struct client *client = *state;
    TRUST(client->rig, "192.0.2.7");
    reconnect(client);
    client_ask(client, GET "\r\n", 200, NULL);
    client_ask(client, PROXY GET "\r\n", 400, NULL);
}

static void test_proxy_malformed_closes_with_a_log_line(void **state) {
    struct client *client = *state;
    TRUST(client->rig, "192.0.2.7");
    reconnect(client);
    client_send(client, "PROXY TCP4 198.51.100.9\r\n" GET "\r\n");
    rig_collect(client->rig, client->fd, &client->inbox);
    assert_int_equal(client->inbox.bytes.len, 0);
    assert_true(client->inbox.ended || client->inbox.reset);
    assert_true(capture_has(&client->rig->log, "192.0.2.7:5000 sent a malformed PROXY header: "));
    assert_int_equal(client->rig->app.requests, 0);
}

static void test_proxy_that_trickles_ends_with_header_timeout(void **state) {
    struct client *client = *state;
    TRUST(client->rig, "192.0.2.7");
    reconnect(client);
    for (int i = 0; i < 9; i++) {
        rig_send(client->rig, client->fd, &PROXY[i], 1);
        rig_pass(client->rig, 1000);
    }
    client_expect_open(client);
    rig_pass(client->rig, 1000 + RIG_TICK);
    client_expect_ended(client);
    assert_true(capture_has(&client->rig->log, "PROXY header that was not complete within header_timeout"));
}

static void test_proxy_without_request_ends_with_header_timeout(void **state) {
    struct client *client = *state;
    TRUST(client->rig, "192.0.2.7");
    reconnect(client);
    rig_pass(client->rig, 9000);
    client_send(client, PROXY);
    client_expect_open(client);
    rig_pass(client->rig, 1000 + RIG_TICK);
    client_expect_ended(client);
    assert_int_equal(capture_lines(&client->rig->log), 0);
}

static void test_proxy_local_keeps_address_and_trust(void **state) {
    struct client *client = *state;
    static const char header[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    TRUST(client->rig, "192.0.2.7");
    reconnect(client);
    client_ask(client, GET FOR "\r\n", 200, "203.0.113.5 0 http - forwarded");
    reconnect(client);
    rig_send(client->rig, client->fd, header, sizeof header - 1);
    client_ask(client, GET "\r\n", 200, "192.0.2.7 5000 http - plain");
    client_ask(client, GET FOR "\r\n", 200, "203.0.113.5 0 http - forwarded");
}

static void test_proxy_unknown_keeps_address_without_trust(void **state) {
    struct client *client = *state;
    TRUST(client->rig, "192.0.2.7");
    reconnect(client);
    client_ask(client, "PROXY UNKNOWN\r\n" GET FOR "\r\n", 200, "192.0.2.7 5000 http - plain");
}

// --- forwarded fields over HTTP ---

static void test_forwarded_counts_from_trusted_peer_only(void **state) {
    struct client *client = *state;
    static const char text[] = GET FOR "X-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n\r\n";
    reconnect(client);
    client_ask(client, text, 200, "192.0.2.7 5000 http - plain");
    TRUST(client->rig, "192.0.2.8");
    reconnect(client);
    client_ask(client, text, 200, "192.0.2.7 5000 http - plain");
    TRUST(client->rig, "192.0.2.7");
    reconnect(client);
    client_ask(client, text, 200, "203.0.113.5 0 https shop.example forwarded");
}

static void test_forwarded_is_read_anew_for_each_request(void **state) {
    struct client *client = *state;
    TRUST(client->rig, "192.0.2.7");
    reconnect(client);
    client_ask(client, GET "Forwarded: for=\"203.0.113.5:1\";proto=https;host=a.example\r\n\r\n", 200,
               "203.0.113.5 1 https a.example forwarded");
    client_ask(client, GET "\r\n", 200, "192.0.2.7 5000 http - plain");
    client_ask(client, GET "Forwarded: for=unknown\r\n\r\n", 200, "- 0 http - forwarded");
}

static void test_forwarded_behind_proxy_header_needs_a_trusted_client(void **state) {
    struct client *client = *state;
    TRUST(client->rig, "192.0.2.7", "10.0.0.0/8");
    reconnect(client);
    client_ask(client, PROXY GET FOR "\r\n", 200, "198.51.100.9 4000 http - plain");
    reconnect(client);
    client_ask(client, PROXY_TRUSTED GET FOR "\r\n", 200, "203.0.113.5 0 http - forwarded");
}

static void test_forwarded_port_completes_the_authority(void **state) {
    struct client *client = *state;
    TRUST(client->rig, "192.0.2.7");
    reconnect(client);
    client_ask(client, GET "X-Forwarded-Port: 8443\r\n\r\n", 200, "192.0.2.7 5000 http site.example:8443 forwarded");
    client_ask(client, GET "X-Forwarded-Port: 443\r\nX-Forwarded-Proto: https\r\n\r\n", 200,
               "192.0.2.7 5000 https site.example forwarded");
    client_ask(client, GET "X-Forwarded-Port: 1\r\nX-Forwarded-Host: [::1]:8443\r\n\r\n", 200,
               "192.0.2.7 5000 http [::1]:8443 forwarded");
    client_ask(client, "GET / HTTP/1.0\r\nConnection: keep-alive\r\nX-Forwarded-Port: 1\r\n\r\n", 200,
               "192.0.2.7 5000 http - forwarded");
}

static void test_forwarded_contradiction_counts_for_nothing(void **state) {
    struct client *client = *state;
    TRUST(client->rig, "192.0.2.7");
    reconnect(client);
    client_ask(client, GET FOR "Forwarded: for=203.0.113.66;proto=https\r\n\r\n", 200, "192.0.2.7 5000 http - plain");
    assert_true(capture_has(&client->rig->log, "192.0.2.7:5000: Forwarded and X-Forwarded-* contradict each other"));
    assert_int_equal(capture_lines(&client->rig->log), 1);
}

static void test_forwarded_garbage_is_a_debug_line(void **state) {
    struct client *client = *state;
    TRUST(client->rig, "192.0.2.7");
    reconnect(client);
    client_ask(client, GET "X-Forwarded-Host: a b\r\n\r\n", 200, "192.0.2.7 5000 http - plain");
    assert_int_equal(capture_lines(&client->rig->log), 0);
    sm_log_set_level(SM_LOG_DEBUG);
    client_ask(client, GET "X-Forwarded-Host: a b\r\n\r\n", 200, "192.0.2.7 5000 http - plain");
    assert_true(capture_has(&client->rig->log, "ignored a host that is none: \"a b\""));
}

// --- FastCGI ---

static void put_variables(struct front *front, const char *const *pairs) {
    struct sm_bytes block = {0};
    put_begin(&front->out, 1, RESPONDER, KEEP_CONN);
    put_pair(&block, "REQUEST_METHOD", "GET");
    for (; pairs[0] != NULL; pairs += 2) {
        put_pair(&block, pairs[0], pairs[1]);
    }
    put_record(&front->out, PARAMS, 1, block.data, block.len, 0);
    put_record(&front->out, PARAMS, 1, NULL, 0, 0);
    put_record(&front->out, STDIN, 1, NULL, 0, 0);
    sm_bytes_deinit(&block);
}

#define ASK(front, said, ...)                                                                                        \
    (put_variables(front, (const char *const[]){__VA_ARGS__, NULL}), front_expect(front, 1, "200", said),            \
     front_forget(front))

static void reconnect_front(struct front *front) {
    struct rig *rig = front->rig;
    front_close(front);
    front_open(front, rig);
    rig->app.request = probe_origin;
}

static void test_cgi_client_is_what_the_front_server_says(void **state) {
    struct front *front = *state;
    reconnect_front(front);
    ASK(front, "203.0.113.8 77 https - plain", "REMOTE_ADDR", "203.0.113.8", "REMOTE_PORT", "77", "HTTPS", "on",
        "HTTP_X_FORWARDED_FOR", "203.0.113.5", "HTTP_X_FORWARDED_PROTO", "http");
    ASK(front, "- 0 http - plain", "REMOTE_PORT", "65536");
}

static void test_cgi_forwarded_counts_when_front_and_its_client_are_trusted(void **state) {
    struct front *front = *state;
    TRUST(front->rig, "192.0.2.7", "10.0.0.0/8");
    reconnect_front(front);
    ASK(front, "203.0.113.5 0 https shop.example forwarded", "REMOTE_ADDR", "10.0.0.4", "HTTP_X_FORWARDED_FOR",
        "203.0.113.5", "HTTP_X_FORWARDED_PROTO", "https", "HTTP_X_FORWARDED_HOST", "shop.example");
    ASK(front, "203.0.113.8 0 http - plain", "REMOTE_ADDR", "203.0.113.8", "HTTP_X_FORWARDED_FOR", "203.0.113.5");
    ASK(front, "unix: 0 http - plain", "REMOTE_ADDR", "unix:", "HTTP_X_FORWARDED_FOR", "203.0.113.5");
    ASK(front, "10.0.0.4 9 https - plain", "REMOTE_ADDR", "10.0.0.4", "REMOTE_PORT", "9", "HTTPS", "on");
    ASK(front, "203.0.113.5 0 http - forwarded", "REMOTE_ADDR", "10.0.0.4", "REMOTE_PORT", "9", "HTTPS", "on",
        "HTTP_FORWARDED", "for=203.0.113.5;proto=http");
}

static void test_cgi_forwarded_of_untrusted_front_is_nothing(void **state) {
    struct front *front = *state;
    TRUST(front->rig, "10.0.0.0/8");
    reconnect_front(front);
    ASK(front, "10.0.0.4 0 http - plain", "REMOTE_ADDR", "10.0.0.4", "HTTP_X_FORWARDED_FOR", "203.0.113.5");
}

static void test_cgi_port_is_not_put_behind_a_host_that_is_none(void **state) {
    struct front *front = *state;
    TRUST(front->rig, "192.0.2.7", "10.0.0.0/8");
    reconnect_front(front);
    ASK(front, "10.0.0.4 0 http - forwarded", "REMOTE_ADDR", "10.0.0.4", "HTTP_HOST", "a b<", "HTTP_X_FORWARDED_PORT",
        "8080");
}

static void test_proxy_before_fastcgi_is_taken(void **state) {
    struct front *front = *state;
    TRUST(front->rig, "192.0.2.7", "10.0.0.0/8");
    reconnect_front(front);
    rig_text(front->rig, front->fd, PROXY_TRUSTED);
    ASK(front, "203.0.113.5 0 http - forwarded", "REMOTE_ADDR", "10.0.0.4", "HTTP_X_FORWARDED_FOR", "203.0.113.5");
    reconnect_front(front);
    rig_text(front->rig, front->fd, PROXY);
    ASK(front, "10.0.0.4 0 http - plain", "REMOTE_ADDR", "10.0.0.4", "HTTP_X_FORWARDED_FOR", "203.0.113.5");
}

static void test_proxy_before_fastcgi_from_untrusted_peer_is_a_protocol_error(void **state) {
    struct front *front = *state;
    reconnect_front(front);
    rig_text(front->rig, front->fd, PROXY);
    front_expect_ended(front);
    assert_true(capture_has(&front->rig->log, "192.0.2.7:5000 broke the FastCGI protocol"));
}

static void test_proxy_before_fastcgi_that_trickles_ends_with_header_timeout(void **state) {
    struct front *front = *state;
    TRUST(front->rig, "192.0.2.7");
    reconnect_front(front);
    rig_text(front->rig, front->fd, "PROXY TCP4 ");
    rig_pass(front->rig, 10000 + RIG_TICK);
    front_expect_ended(front);
    assert_true(capture_has(&front->rig->log, "PROXY header that was not complete within header_timeout"));
    assert_int_equal(capture_lines(&front->rig->log), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trust_knows_networks_to_the_bit),
        cmocka_unit_test(test_trust_of_unix_sockets_is_by_name),
        SERVED(test_trust_refuses_what_is_no_network),
        SERVED(test_trust_refuses_more_entries_than_its_bound),
        SERVED(test_proxy_from_trusted_peer_names_the_client),
        SERVED(test_proxy_byte_by_byte_names_the_client),
        SERVED(test_proxy_version_2_names_client_and_destination),
        SERVED(test_proxy_is_not_needed_from_trusted_peer),
        SERVED(test_proxy_from_untrusted_peer_is_bad_input),
        SERVED(test_proxy_second_header_is_bad_input),
        SERVED(test_proxy_after_the_first_request_is_bad_input),
        SERVED(test_proxy_malformed_closes_with_a_log_line),
        SERVED(test_proxy_that_trickles_ends_with_header_timeout),
        SERVED(test_proxy_without_request_ends_with_header_timeout),
        SERVED(test_proxy_local_keeps_address_and_trust),
        SERVED(test_proxy_unknown_keeps_address_without_trust),
        SERVED(test_forwarded_counts_from_trusted_peer_only),
        SERVED(test_forwarded_is_read_anew_for_each_request),
        SERVED(test_forwarded_behind_proxy_header_needs_a_trusted_client),
        SERVED(test_forwarded_port_completes_the_authority),
        SERVED(test_forwarded_contradiction_counts_for_nothing),
        SERVED(test_forwarded_garbage_is_a_debug_line),
        FRONTED(test_cgi_client_is_what_the_front_server_says),
        FRONTED(test_cgi_forwarded_counts_when_front_and_its_client_are_trusted),
        FRONTED(test_cgi_forwarded_of_untrusted_front_is_nothing),
        FRONTED(test_cgi_port_is_not_put_behind_a_host_that_is_none),
        FRONTED(test_proxy_before_fastcgi_is_taken),
        FRONTED(test_proxy_before_fastcgi_from_untrusted_peer_is_a_protocol_error),
        FRONTED(test_proxy_before_fastcgi_that_trickles_ends_with_header_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
