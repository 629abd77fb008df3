# SPDX-License-Identifier: MIT
"""Whose word counts: PROXY headers, Forwarded and X-Forwarded-* from trusted peers and from everybody else.

Clients come from 127.0.0.2 where they must be told from the proxies, which connect from 127.0.0.1.
"""

import json
import ssl
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lib.daemon import Address, Smiskd, run_smiskd
from lib.fcgi import FastCGI, request
from lib.http import RawHTTP, get
from lib.servers import Front

Start = Callable[..., Smiskd]
CLIENT = "127.0.0.2"
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V2 = SIGNATURE + struct.pack(">BBH4s4sHH", 0x21, 0x11, 12, b"\xc0\0\2\7", b"\xc63d\1", 5000, 443)
SPOOFED = (
    "X-Forwarded-For: 192.0.2.66",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Port: 666",
)


HTTP = ("--http", "127.0.0.1:0")


def trusting(smiskd: Start, *peers: str, listen: tuple[str, ...] = HTTP, app: str = "origin") -> Smiskd:
    """A smiskd with one worker that trusts these peers."""
    return smiskd("--workers", "1", *listen, "--set", f"trusted_proxies={json.dumps(list(peers))}", app)


def ask(address: Address, *fields: str, before: bytes = b"", source: str | None = None) -> dict[str, Any]:
    """What the application says about one request, whose client connects from `source`."""
    with RawHTTP(address, source=source) as raw:
        answer = raw.request_after(before, get("/", *fields))
        assert answer.status == 200, answer
        found: dict[str, Any] = json.loads(answer.body)
        return found


# --- nobody is trusted ---


def test_fields_of_untrusted_peer_have_no_effect(smiskd: Start) -> None:
    daemon = smiskd("--workers", "1", "--http", "127.0.0.1:0", "origin")
    plain = ask(daemon.http)
    spoofed = ask(daemon.http, *SPOOFED, "Forwarded: for=192.0.2.66;proto=https;host=evil.example")
    assert spoofed["env"].pop("HTTP_X_FORWARDED_FOR") == "192.0.2.66"  # is left where it is
    assert spoofed["env"].pop("REMOTE_PORT") and plain["env"].pop("REMOTE_PORT")
    assert spoofed == plain
    assert (plain["remote_addr"], plain["url"]) == ("127.0.0.1", ["http", "test.example", 0])
    assert "HTTPS" not in plain["env"]


def test_fields_of_peer_outside_the_networks_have_no_effect(smiskd: Start) -> None:
    daemon = trusting(smiskd, "10.0.0.0/8", "127.0.0.2", "::1", "unix")
    spoofed = ask(daemon.http, *SPOOFED)
    assert (spoofed["remote_addr"], spoofed["url"]) == ("127.0.0.1", ["http", "test.example", 0])


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
def test_proxy_header_of_untrusted_peer_is_bad_input(smiskd: Start, header: bytes) -> None:
    daemon = trusting(smiskd, "10.0.0.0/8")
    with RawHTTP(daemon.http) as raw:
        raw.send(header + get())
        assert raw.read_answer().status == 400
        raw.assert_closed()
    daemon.wait_log(r"127\.0\.0\.1:\d+ .*answered 400")


def test_proxy_header_of_untrusted_peer_before_fastcgi_closes(smiskd: Start) -> None:
    daemon = trusting(smiskd, "10.0.0.0/8", listen=("--fastcgi", "127.0.0.1:0"))
    with FastCGI(daemon.fastcgi) as front:
        front.send(V1)
        front.assert_closed()
    daemon.wait_log(r"127\.0\.0\.1:\d+ broke the FastCGI protocol")


# --- PROXY headers ---


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
def test_proxy_header_of_trusted_peer_names_client(smiskd: Start, header: bytes) -> None:
    daemon = trusting(smiskd, "127.0.0.1")
    said = ask(daemon.http, *SPOOFED, before=header)
    assert (said["remote_addr"], said["url"]) == ("192.0.2.7", ["http", "test.example", 0])
    expected = {"REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": "5000", "SERVER_PORT": "443", "REQUEST_SCHEME": "http"}
    assert {key: said["env"][key] for key in expected} == expected


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
def test_proxy_header_cut_anywhere_names_client(smiskd: Start, tmp_path: Path, header: bytes) -> None:
    daemon = trusting(smiskd, "unix", listen=("--http", f"unix:{tmp_path}/http.sock"))
    data = header + get()
    for cut in range(1, len(header) + 2):
        with RawHTTP(daemon.http) as raw:
            raw.send_pieces(data, cut)
            assert json.loads(raw.read_answer().body)["remote_addr"] == "192.0.2.7"


@pytest.mark.parametrize(
    "header",
    [b"PROXY TCP4 192.0.2.7\r\n", b"PROXY / HTTP/1.1\r\n", SIGNATURE + b"\x31\x11\0\x0c" + b"\0" * 12],
    ids=["v1", "http", "v2"],
)
@pytest.mark.parametrize("protocol", ["http", "fastcgi"])
def test_proxy_header_malformed_closes_with_a_log_line(smiskd: Start, protocol: str, header: bytes) -> None:
    daemon = trusting(smiskd, "127.0.0.0/8", listen=(f"--{protocol}", "127.0.0.1:0"))
    with RawHTTP(daemon.address(protocol)) as raw:
        raw.send(header)
        raw.assert_closed()
    daemon.wait_log(r"127\.0\.0\.1:\d+ sent a malformed PROXY header: .*; connection closed")


def test_proxy_header_that_does_not_come_whole_ends_with_header_timeout(smiskd: Start) -> None:
    daemon = smiskd(
        "--http", "127.0.0.1:0", "--set", "trusted_proxies='127.0.0.1'", "--set", "header_timeout=200ms", "origin"
    )
    with RawHTTP(daemon.http) as raw:
        raw.send(V1[:20])
        raw.assert_closed()
    daemon.wait_log("PROXY header that was not complete within header_timeout")


def test_refusal_behind_proxy_header_names_both_addresses(smiskd: Start) -> None:
    daemon = trusting(smiskd, "127.0.0.1")
    with RawHTTP(daemon.http) as raw:
        raw.send(V1 + b"GET / HTTP/1.1\r\n\r\n")
        assert raw.read_answer().status == 400
    daemon.wait_log(r"192\.0\.2\.7:5000 by 127\.0\.0\.1:\d+ \"GET /\" answered 400")


def test_proxy_header_before_fastcgi_is_taken(smiskd: Start) -> None:
    daemon = trusting(smiskd, "127.0.0.1", "10.0.0.0/8", listen=("--fastcgi", "127.0.0.1:0"))
    env = {"REMOTE_ADDR": "10.0.0.5", "HTTP_X_FORWARDED_FOR": "192.0.2.7"}
    header = b"PROXY TCP4 10.0.0.9 10.0.0.1 5000 9000\r\n"
    with FastCGI(daemon.fastcgi) as front:
        front.send(header + request(env=env))
        assert json.loads(front.reply().body)["remote_addr"] == "192.0.2.7"
    with FastCGI(daemon.fastcgi) as front:
        front.send(V1 + request(env=env))
        assert json.loads(front.reply().body)["remote_addr"] == "10.0.0.5"


# --- fields over HTTP ---


def test_x_forwarded_of_trusted_peer_counts_everywhere(smiskd: Start) -> None:
    daemon = trusting(smiskd, "127.0.0.1")
    fields = ("X-Forwarded-For: 192.0.2.66, 192.0.2.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example")
    said = ask(daemon.http, *fields, "X-Forwarded-Port: 8443")
    assert said == {
        "remote_addr": "192.0.2.7",
        "url": ["https", "shop.example", 8443],
        "host_field": "test.example",
        "env": {
            "REMOTE_ADDR": "192.0.2.7",
            "REQUEST_SCHEME": "https",
            "HTTPS": "on",
            "HTTP_HOST": "shop.example:8443",
            "SERVER_NAME": "shop.example",
            "SERVER_PORT": "8443",
            "HTTP_X_FORWARDED_FOR": "192.0.2.66, 192.0.2.7",
        },
    }


def test_x_forwarded_proto_alone_keeps_address_and_host(smiskd: Start) -> None:
    daemon = trusting(smiskd, "127.0.0.1")
    said = ask(daemon.http, "X-Forwarded-Proto: https")
    assert (said["remote_addr"], said["url"]) == ("127.0.0.1", ["https", "test.example", 0])
    assert (said["env"]["HTTP_HOST"], said["env"]["SERVER_PORT"]) == ("test.example", "443")


def test_forwarded_over_trusted_hops_finds_the_client(smiskd: Start) -> None:
    daemon = trusting(smiskd, "127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48")
    said = ask(
        daemon.http,
        "Forwarded: for=10.0.0.1;proto=http;host=evil.example",
        'Forwarded: for="[2001:db8::7]:4711";proto=https;host="shop.example:8443", for=10.0.0.2;proto=http',
        'Forwarded: for="[2001:db8:1::1]";proto=http',
    )
    assert (said["remote_addr"], said["url"]) == ("2001:db8::7", ["https", "shop.example", 8443])
    assert said["env"]["REMOTE_PORT"] == "4711"


@pytest.mark.parametrize("node", ["unknown", "_hidden"])
def test_forwarded_for_a_hidden_client_has_no_address(smiskd: Start, node: str) -> None:
    daemon = trusting(smiskd, "127.0.0.1")
    said = ask(daemon.http, f"Forwarded: for=127.0.0.1, for={node};proto=https")
    assert (said["remote_addr"], said["env"]["REMOTE_ADDR"], said["url"][0]) == ("", "", "https")
    assert "REMOTE_PORT" not in said["env"]


def test_forwarded_of_the_client_beside_x_forwarded_of_the_proxy_is_not_obeyed(smiskd: Start) -> None:
    daemon = trusting(smiskd, "127.0.0.1")
    said = ask(daemon.http, "Forwarded: for=127.0.0.1;proto=https", "X-Forwarded-For: 192.0.2.7")
    assert (said["remote_addr"], said["url"]) == ("127.0.0.1", ["http", "test.example", 0])
    daemon.wait_log(r"127\.0\.0\.1:\d+: Forwarded and X-Forwarded-\* contradict each other")


@pytest.mark.parametrize(
    "field",
    [
        "X-Forwarded-Host: evil.example/path",
        "X-Forwarded-Host: user@evil.example",
        'X-Forwarded-Host: "evil.example"',
        "X-Forwarded-Host: evil.example:99999",
        "X-Forwarded-Host: " + "a" * 300,
        "X-Forwarded-Proto: javascript",
        "X-Forwarded-For: <script>",
        "X-Forwarded-Port: -1",
        "Forwarded: for",
        'Forwarded: for="192.0.2.7',
        "Forwarded: host=evil.example;host=evil.example",
    ],
)
def test_malformed_field_of_trusted_peer_is_ignored(smiskd: Start, field: str) -> None:
    daemon = smiskd(
        "--http", "127.0.0.1:0", "--set", "trusted_proxies='127.0.0.1'", "--set", "log_level=debug", "origin"
    )
    said = ask(daemon.http, field)
    assert (said["remote_addr"], said["url"]) == ("127.0.0.1", ["http", "test.example", 0])
    daemon.wait_log(r"127\.0\.0\.1:\d+: forwarded fields: ignored ")


def test_fields_over_trusted_unix_socket_count(smiskd: Start, tmp_path: Path) -> None:
    listen = ("--http", f"unix:{tmp_path}/http.sock")
    said = ask(trusting(smiskd, "unix", listen=listen).http, "X-Forwarded-For: 192.0.2.7")
    assert said["remote_addr"] == "192.0.2.7"


def test_fields_over_unix_socket_that_is_not_named_have_no_effect(smiskd: Start, tmp_path: Path) -> None:
    listen = ("--http", f"unix:{tmp_path}/http.sock")
    said = ask(trusting(smiskd, "0.0.0.0/0", "::/0", listen=listen).http, *SPOOFED)
    assert (said["remote_addr"], said["url"]) == ("", ["http", "test.example", 0])


def test_fields_over_ipv6_from_trusted_peer_count(smiskd: Start) -> None:
    daemon = trusting(smiskd, "::1", listen=("--http", "[::1]:0"))
    assert ask(daemon.http, "X-Forwarded-For: 192.0.2.7")["remote_addr"] == "192.0.2.7"


def test_kept_request_remembers_its_origin(smiskd: Start) -> None:
    daemon = trusting(smiskd, "127.0.0.1")
    with RawHTTP(daemon.http) as raw:
        fields = ("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example")
        assert raw.request(get("/keep", *fields)).body == b"kept"
        said = json.loads(raw.request(get("/kept")).body)
    assert (said["remote_addr"], said["url"]) == ("192.0.2.7", ["https", "shop.example", 0])
    assert (said["env"]["HTTPS"], said["env"]["HTTP_HOST"]) == ("on", "shop.example")


# --- fields over FastCGI ---


FIELDS = {
    "HTTP_HOST": "inner.example:8080",
    "HTTP_X_FORWARDED_FOR": "192.0.2.66, 192.0.2.7",
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_FORWARDED_HOST": "shop.example",
}


def ask_fcgi(address: Address, **env: str) -> dict[str, Any]:
    with FastCGI(address) as front:
        found: dict[str, Any] = json.loads(front.ask("/", env=env).body)
        return found


def test_cgi_fields_count_when_front_and_its_client_are_trusted(smiskd: Start, tmp_path: Path) -> None:
    daemon = trusting(smiskd, "unix", "10.0.0.0/8", listen=("--fastcgi", f"unix:{tmp_path}/s"))
    said = ask_fcgi(daemon.fastcgi, REMOTE_ADDR="10.0.0.5", REMOTE_PORT="77", **FIELDS)
    assert said == {
        "remote_addr": "192.0.2.7",
        "url": ["https", "shop.example", 0],
        "host_field": "inner.example:8080",
        "env": {
            "REMOTE_ADDR": "192.0.2.7",
            "REQUEST_SCHEME": "https",
            "HTTPS": "on",
            "HTTP_HOST": "shop.example",
            "SERVER_NAME": "shop.example",
            "SERVER_PORT": "443",
            "HTTP_X_FORWARDED_FOR": "192.0.2.66, 192.0.2.7",
        },
    }


@pytest.mark.parametrize(
    ("peers", "client"),
    [(("unix", "10.0.0.0/8"), "192.0.2.1"), (("10.0.0.0/8",), "10.0.0.5"), ((), "10.0.0.5"), (("unix",), "unix:")],
    ids=["client", "front", "nobody", "unix"],
)
def test_cgi_fields_have_no_effect_when_one_is_not_trusted(
    smiskd: Start, tmp_path: Path, peers: tuple[str, ...], client: str
) -> None:
    daemon = trusting(smiskd, *peers, listen=("--fastcgi", f"unix:{tmp_path}/s"))
    said = ask_fcgi(daemon.fastcgi, REMOTE_ADDR=client, REMOTE_PORT="77", **FIELDS)
    assert (said["remote_addr"], said["url"]) == (client, ["http", "inner.example", 8080])
    assert (said["env"]["REMOTE_PORT"], said["env"]["HTTP_HOST"]) == ("77", "inner.example:8080")
    assert "HTTPS" not in said["env"]


def test_cgi_https_of_trusted_front_is_overruled_by_what_the_client_used(smiskd: Start, tmp_path: Path) -> None:
    daemon = trusting(smiskd, "unix", "10.0.0.0/8", listen=("--fastcgi", f"unix:{tmp_path}/s"))
    said = ask_fcgi(
        daemon.fastcgi, REMOTE_ADDR="10.0.0.5", HTTPS="on", HTTP_HOST="a.example", HTTP_FORWARDED="proto=http"
    )
    assert (said["url"], said["env"]["SERVER_PORT"]) == (["http", "a.example", 0], "80")
    assert "HTTPS" not in said["env"]


# --- ASGI ---


def test_asgi_scope_has_what_a_trusted_peer_says(smiskd: Start) -> None:
    daemon = trusting(smiskd, "127.0.0.1", app="origin_asgi")
    fields = ("X-Forwarded-For: 192.0.2.7:5000", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example")
    expected = {"client": ["192.0.2.7", 5000], "scheme": "https", "host": ["shop.example"]}
    assert ask(daemon.http, *fields) == expected


def test_asgi_scope_of_untrusted_peer_is_as_it_came(smiskd: Start) -> None:
    said = ask(trusting(smiskd, "127.0.0.2", app="origin_asgi").http, *SPOOFED)
    assert (said["client"][0], said["scheme"], said["host"]) == ("127.0.0.1", "http", ["test.example"])


def test_asgi_scope_over_fastcgi_has_what_a_trusted_front_passes_on(smiskd: Start, tmp_path: Path) -> None:
    listen = ("--fastcgi", f"unix:{tmp_path}/s")
    daemon = trusting(smiskd, "unix", "10.0.0.0/8", listen=listen, app="origin_asgi")
    trusted = ask_fcgi(daemon.fastcgi, REMOTE_ADDR="10.0.0.5", REMOTE_PORT="77", **FIELDS)
    assert trusted == {"client": ["192.0.2.7", 0], "scheme": "https", "host": ["shop.example"]}
    spoofed = ask_fcgi(daemon.fastcgi, REMOTE_ADDR="192.0.2.1", REMOTE_PORT="77", **FIELDS)
    assert spoofed == {"client": ["192.0.2.1", 77], "scheme": "http", "host": ["inner.example:8080"]}


# --- real proxies ---


@pytest.mark.parametrize("kind", ["haproxy-send-proxy", "haproxy-send-proxy-v2"])
def test_haproxy_send_proxy_names_the_client(smiskd: Start, front: Callable[..., Front], kind: str) -> None:
    daemon = trusting(smiskd, "127.0.0.1")
    said = ask(front(kind, daemon.http).address, *SPOOFED, source=CLIENT)
    assert (said["remote_addr"], said["url"]) == (CLIENT, ["http", "test.example", 0])


@pytest.mark.parametrize("app", ["origin", "origin_asgi", "wsgi_echo:application"])
def test_haproxy_that_ends_tls_says_so(smiskd: Start, front: Callable[..., Front], app: str) -> None:
    daemon = trusting(smiskd, "127.0.0.1", app=app)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    server = front("haproxy-tls", daemon.http)
    with RawHTTP(server.address, source=CLIENT) as raw:
        raw.sock = context.wrap_socket(raw.sock)
        for _ in range(2):  # each request of the connection
            said = json.loads(raw.request(get("/environ", *SPOOFED)).body)
            if app == "origin":
                assert (said["remote_addr"], said["url"]) == (CLIENT, ["https", "test.example", 0])
                assert (said["env"]["REQUEST_SCHEME"], said["env"]["HTTPS"]) == ("https", "on")
            elif app == "origin_asgi":
                assert (said["client"][0], said["scheme"]) == (CLIENT, "https")
            else:
                assert (said["REMOTE_ADDR"], said["HTTPS"], said["REQUEST_SCHEME"]) == (CLIENT, "on", "https")
                assert said["wsgi.url_scheme"] == "https"


def test_haproxy_forwarded_names_client_scheme_and_host(smiskd: Start, front: Callable[..., Front]) -> None:
    daemon = trusting(smiskd, "127.0.0.1")
    said = ask(front("haproxy-forwarded", daemon.http).address, *SPOOFED, "Forwarded: for=192.0.2.66", source=CLIENT)
    assert (said["remote_addr"], said["url"]) == (CLIENT, ["https", "test.example", 0])


def test_nginx_x_forwarded_names_the_client(smiskd: Start, front: Callable[..., Front]) -> None:
    daemon = trusting(smiskd, "127.0.0.1")
    said = ask(
        front("nginx-proxy", daemon.http).address, *SPOOFED, "Forwarded: for=192.0.2.66;proto=https", source=CLIENT
    )
    assert (said["remote_addr"], said["url"]) == (CLIENT, ["http", "test.example", 0])


def test_nginx_fastcgi_passes_on_what_a_trusted_proxy_said(
    smiskd: Start, front: Callable[..., Front], tmp_path: Path
) -> None:
    daemon = trusting(smiskd, "unix", "127.0.0.1", listen=("--fastcgi", f"unix:{tmp_path}/s"))
    server = front("nginx-keep", daemon.fastcgi)
    fields = ("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https")
    trusted = ask(server.address, *fields)
    assert (trusted["remote_addr"], trusted["url"]) == ("192.0.2.7", ["https", "test.example", 0])
    spoofed = ask(server.address, *fields, source=CLIENT)
    assert (spoofed["remote_addr"], spoofed["url"][0]) == (CLIENT, "http")


# --- the setting ---


@pytest.mark.parametrize("value", ['"localhost"', '["10.0.0.1/8"]', "7"])
def test_setting_that_is_no_network_is_an_error(value: str) -> None:
    done = run_smiskd("-t", "--set", f"trusted_proxies={value}", "origin")
    assert done.returncode == 2
    assert "trusted_proxies" in done.stderr
