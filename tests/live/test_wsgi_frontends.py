# SPDX-License-Identifier: MIT
"""A WSGI application behind every front server, configured as examples/deploy say, and as the servers' own defaults are.

Two smiskd: one at the root of the site, one with a root_path. The path that the application sees must be the client's.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from lib.daemon import Smiskd
from lib.servers import Front, start_front

KINDS = [
    "nginx-keep",
    "nginx-proxy",
    "nginx-stock",
    "nginx-both",
    "lighttpd",
    "lighttpd-stock",
    "apache-keep",
    "apache-stock",
    "caddy",
    "caddy-stock",
    "haproxy",
    "haproxy-stock",
]
TIMEOUT = 30
TARGETS = {
    "/": "/",
    "/one": "/one",
    "/one/": "/one/",
    "/a/b/c": "/a/b/c",
    "/a/a": "/a/a",
    "/caf%C3%A9/x%20y": "/caf\xc3\xa9/x y",
}


@pytest.fixture(scope="module")
def behind(module_smiskd: Callable[..., Smiskd], tmp_path_factory: pytest.TempPathFactory) -> Smiskd:
    """The smiskd behind all front servers."""
    listeners = ("--fastcgi", "127.0.0.1:0", "--http", "127.0.0.1:0")
    return module_smiskd("--workers", "1", *listeners, "wsgi_echo:application")


@pytest.fixture(scope="module")
def mounted_behind(module_smiskd: Callable[..., Smiskd]) -> Smiskd:
    """The same below /shop."""
    listeners = ("--fastcgi", "127.0.0.1:0", "--http", "127.0.0.1:0")
    return module_smiskd("--workers", "1", *listeners, "--set", "root_path=/shop", "wsgi_echo:application")


def start(kind: str, daemon: Smiskd, tmp_path_factory: pytest.TempPathFactory) -> Front:
    upstream = daemon.http if kind == "nginx-proxy" else daemon.fastcgi
    return start_front(kind, tmp_path_factory.mktemp(kind), upstream)


@pytest.fixture(scope="module", params=KINDS)
def site(request: pytest.FixtureRequest, behind: Smiskd, tmp_path_factory: Any) -> Iterator[Front]:
    started = start(request.param, behind, tmp_path_factory)
    yield started
    started.stop()
    print(started.everything())
    behind.check()


@pytest.fixture(scope="module", params=KINDS)
def shop(request: pytest.FixtureRequest, mounted_behind: Smiskd, tmp_path_factory: Any) -> Iterator[Front]:
    started = start(request.param, mounted_behind, tmp_path_factory)
    yield started
    started.stop()
    print(started.everything())
    mounted_behind.check()


def ask(front: Front, path: str, **more: Any) -> dict[str, Any]:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request("POST" if "data" in more else "GET", front.url(path), timeout=TIMEOUT, **more)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.mark.parametrize("target", TARGETS)
def test_application_sees_the_clients_path(site: Front, target: str) -> None:
    environ = ask(site, f"{target}?q=%20")
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("", TARGETS[target])
    assert (environ["QUERY_STRING"], environ["REQUEST_METHOD"]) == ("q=%20", "GET")
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["SERVER_NAME"] != "" and environ["SERVER_PORT"].isdigit()
    assert environ["HTTP_HOST"].startswith("127.0.0.1")


def test_application_gets_the_body_and_its_length(site: Front) -> None:
    environ = ask(site, "/form", data=b"a=1&b=2", headers={"Content-Type": "text/x", "X-Own": "yes"})
    assert (environ["CONTENT_LENGTH"], environ["CONTENT_TYPE"], environ["HTTP_X_OWN"]) == ("7", "text/x", "yes")
    assert environ["REMOTE_ADDR"] == "127.0.0.1"


@pytest.mark.parametrize("target", TARGETS)
def test_application_below_root_path_sees_its_part(shop: Front, target: str) -> None:
    environ = ask(shop, f"/shop{target}")
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/shop", TARGETS[target])


def test_application_below_root_path_sees_its_mount_point(shop: Front) -> None:
    environ = ask(shop, "/shop")
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/shop", "")
    environ = ask(shop, "/shopping")
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/shop", "/shopping")
