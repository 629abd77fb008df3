# SPDX-License-Identifier: MIT
"""The setting `listen`: every form of an address, and what cannot be."""

import pytest
from smisk.config import ConfigurationError
from smisk.config.parser import parse
from smisk.host_config.listen import Listener
from smisk.host_config.resolve import Draft, resolve


def listeners(conf: str) -> tuple[list[Listener], list[ConfigurationError]]:
    settings, errors = resolve(Draft(*parse(conf, "smisk.conf", "/srv")))
    found = settings.get("listen", [])
    assert isinstance(found, list)
    return found, errors


ADDRESSES = [
    ("http://127.0.0.1:8080", "http", "127.0.0.1:8080"),
    ("http://127.0.0.1:8080/", "http", "127.0.0.1:8080"),
    ("http://localhost:80", "http", "localhost:80"),
    ("http://a-b.example.org:65535", "http", "a-b.example.org:65535"),
    ("http://:8080", "http", "0.0.0.0:8080"),
    ("http://*:8080", "http", "0.0.0.0:8080"),
    ("http://8080", "http", "0.0.0.0:8080"),
    ("http://127.0.0.1:0", "http", "127.0.0.1:0"),
    ("http://[::1]:8080", "http", "[::1]:8080"),
    ("http://[0:0:0:0:0:0:0:1]:8080", "http", "[::1]:8080"),
    ("http://[::]:8080", "http", "[::]:8080"),
    ("fastcgi://[fe80::1%eth0]:5000", "fastcgi", "[fe80::1%eth0]:5000"),
    ("fastcgi://127.0.0.1:5000", "fastcgi", "127.0.0.1:5000"),
    ("fastcgi+unix:/run/x.sock", "fastcgi", "unix:/run/x.sock"),
    ("fastcgi+unix:///run/x.sock", "fastcgi", "unix:/run/x.sock"),
    ("http+unix:/run/x.sock", "http", "unix:/run/x.sock"),
    ("http+unix:run/x.sock", "http", "unix:/srv/run/x.sock"),
    ("http://unix:/run/x.sock", "http", "unix:/run/x.sock"),
    ("http:///run/x.sock", "http", "unix:/run/x.sock"),
    ("fastcgi://unix:../x.sock", "fastcgi", "unix:/x.sock"),
    ("fastcgi://fd:0", "fastcgi", "fd:0"),
    ("http://fd:03", "http", "fd:3"),
]


@pytest.mark.parametrize(("written", "protocol", "address"), ADDRESSES)
def test_address_in_each_form_is_resolved(written: str, protocol: str, address: str) -> None:
    found, errors = listeners(f"listen: '{written}'")
    assert [str(error) for error in errors] == []
    assert list(found[0].pairs()) == [("protocol", protocol), ("address", address), ("backlog", "1024")]


def test_strings_and_mappings_stand_in_one_list() -> None:
    found, errors = listeners(
        """listen: ["http://:80", {address: "fastcgi+unix:/x", mode: 0660, owner: "root", group: 0, backlog: 9},
           {address: "10.0.0.5:9000", protocol: "fastcgi", allow: "10.0.0.1"}]"""
    )
    assert errors == []
    assert [dict(listener.pairs()) for listener in found] == [
        {"protocol": "http", "address": "0.0.0.0:80", "backlog": "1024"},
        {
            "protocol": "fastcgi",
            "address": "unix:/x",
            "backlog": "9",
            "mode": "0660",
            "owner": "root",
            "group": "0",
        },
        {"protocol": "fastcgi", "address": "10.0.0.5:9000", "backlog": "1024", "allow.0": "10.0.0.1"},
    ]


def test_any_free_port_may_be_asked_for_twice() -> None:
    assert len(listeners("listen: ['http://127.0.0.1:0', 'http://127.0.0.1:0']")[0]) == 2


WRONG = [
    ("[]", "listen must name at least one address"),
    ("5", 'listen must be an address such as "http://127.0.0.1:8080" or a mapping, not 5'),
    ("['http://:1', 5]", 'listen[1] must be an address such as "http://127.0.0.1:8080" or a mapping, not 5'),
    ("''", "listen must not be empty"),
    ("':8080'", "listen does not say which protocol: write http://:8080 or fastcgi://:8080"),
    ("'https://:443'", 'listen has the unknown protocol "https"; TLS belongs to the server in front'),
    ("'scgi://:1'", 'listen has the unknown protocol "scgi"; there are http and fastcgi'),
    ("'http://:65536'", "listen has the port 65536; ports end at 65535"),
    ("'http://a:b'", 'listen has the port "b", which is not a number'),
    ("'http://a:-1'", 'listen has the port "-1", which is not a number'),
    ("'http://localhost'", 'listen must be HOST:PORT, :PORT, [::1]:PORT, unix:/path or fd:N, not "localhost"'),
    ("'http://'", 'listen must be HOST:PORT, :PORT, [::1]:PORT, unix:/path or fd:N, not ""'),
    ("'http://[::1]'", 'listen must be HOST:PORT, :PORT, [::1]:PORT, unix:/path or fd:N, not "[::1]"'),
    ("'http://::1:80'", "listen needs brackets around an IPv6 address: [::1]:80"),
    ("'http://[::g]:80'", 'listen has "[::g]", which is not an IPv6 address'),
    ("'http://256.0.0.1:80'", 'listen has "256.0.0.1", which is not an IPv4 address'),
    ("'http://127.0.1:80'", 'listen has "127.0.1", which is not an IPv4 address'),
    ("'http://127.0.0.01:80'", 'listen has "127.0.0.01", which is not an IPv4 address'),
    ("'http://a b:80'", 'listen has "a b", which is not a host name'),
    ("'http://-a:80'", 'listen has "-a", which is not a host name'),
    ("'http://x:80/path'", 'listen has the port "80/path", which is not a number'),
    ("'http://fd:x'", 'listen must be fd:N with the number of a descriptor, not "fd:x"'),
    ("'http://fd:99999999999'", 'listen must be fd:N with the number of a descriptor, not "fd:99999999999"'),
    ("'http+unix:'", "listen needs the path of a socket behind unix:"),
    ("'http+unix:/run/'", "listen needs the path of a socket behind unix:"),
    (f"'http+unix:/{'x' * 107}'", "listen has a socket path of 108 bytes; the system allows 107"),
    ("['http://:1', 'fastcgi://:1']", 'listen[1] is "0.0.0.0:1" again, as listen[0]'),
    ("['http+unix:/x', 'http+unix:/y/../x']", 'listen[1] is "unix:/x" again, as listen[0]'),
    ("{}", "listen has no address"),
    ("{address: 5}", "listen.address must be a string, not 5"),
    ("{address: ':1'}", 'listen has no protocol; add protocol: "http" or "fastcgi"'),
    ("{address: ':1', protocol: 'scgi'}", 'listen.protocol must be "http" or "fastcgi", not "scgi"'),
    ("{address: 'http://:1', protocol: 'fastcgi'}", 'listen.protocol is "fastcgi", but the address says "http"'),
    ("{adress: ':1'}", 'unknown key "adress" in listen; did you mean "address"?'),
    ("{address: 'http://:1', zzz: 1}", 'unknown key "zzz" in listen'),
    ("{address: 'http+unix:/x', mode: 660}", 'listen.mode must be octal: write 0660, or "0660" in TOML'),
    ("{address: 'http+unix:/x', mode: '0999'}", 'listen.mode must be an octal number from 0 to 0777, not "0999"'),
    ("{address: 'http://:1', mode: 0660}", 'listen.mode is for unix sockets; "0.0.0.0:1" is none'),
    ("[{address: 'http://fd:3', owner: 0}]", 'listen[0].owner is for unix sockets; "fd:3" is none'),
    (
        "{address: 'http://fd:3', backlog: 5}",
        "listen.backlog cannot be set: whoever opened the descriptor has set it",
    ),
    ("{address: 'http://:1', backlog: 0}", "listen.backlog must be at least 1, not 0"),
    (
        "{address: 'http+unix:/x', allow: ['::1']}",
        "listen.allow is for network addresses; a unix socket has mode, owner and group",
    ),
    ("{address: 'http://:1', allow: []}", "listen.allow must be a list of addresses, not a list"),
    ("{address: 'http://:1', allow: ['x']}", 'listen.allow[0] must be an IPv4 or IPv6 address, not "x"'),
    (
        "{address: 'http://:1', allow: ['10.0.0.0/8']}",
        'listen.allow[0] must be an IPv4 or IPv6 address, not "10.0.0.0/8"; networks are not supported,'
        " list the addresses",
    ),
]


@pytest.mark.parametrize(("written", "message"), WRONG)
def test_impossible_listener_is_refused(written: str, message: str) -> None:
    errors = listeners(f"\nlisten: {written}")[1]
    assert [str(error) for error in errors] == ["smisk.conf:2: " + message]


def test_listener_is_told_on_its_own_line() -> None:
    errors = listeners("listen: [\n'http://:1',\n{address: ':2',\nprotocol: 'x'}]")[1]
    assert [str(error) for error in errors] == [
        'smisk.conf:4: listen[1].protocol must be "http" or "fastcgi", not "x"'
    ]
