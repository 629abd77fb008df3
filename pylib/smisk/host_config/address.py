# SPDX-License-Identifier: MIT
"""Addresses to listen on, as people write them, and what the host gets.

In: `HOST:PORT`, `:PORT`, `PORT`, `[::1]:PORT`, `unix:/path`, `/path`, `fd:N`, with `http://` or `fastcgi://` before,
or `http+unix:/path`. Out: the protocol, and `host:port`, `[v6]:port`, `unix:/path` or `fd:N`; paths are absolute, and a
missing host is `0.0.0.0`, all of IPv4. Names are not looked up here.
"""

from __future__ import annotations

from smisk.config.error import quoted

from .kinds import absolute, text
from .spot import Spot

__all__ = ["PROTOCOLS", "peer", "resolve", "split_protocol"]

PROTOCOLS = ("http", "fastcgi")
MAX_UNIX_PATH = 107  # sizeof sockaddr_un.sun_path, less the NUL
MAX_HOST = 253
FORMS = "HOST:PORT, :PORT, [::1]:PORT, unix:/path or fd:N"


def split_protocol(written: str, spot: Spot) -> tuple[str | None, str]:
    """Cuts `http://rest`, `http+unix:rest` into the protocol and the rest; None when there is no protocol."""
    scheme, mark, rest = written.partition("://")
    if not mark:
        scheme, mark, path = written.partition("+unix:")
        if not mark:
            return None, written
        rest = "unix:" + path
    elif scheme.endswith("+unix"):
        scheme, rest = scheme.removesuffix("+unix"), "unix:" + rest
    if scheme not in PROTOCOLS:
        hint = "TLS belongs to the server in front" if scheme == "https" else "there are http and fastcgi"
        raise spot.error(f"has the unknown protocol {quoted(scheme)}; {hint}")
    return scheme, rest


def resolve(written: str, spot: Spot) -> str:
    """Returns the address without protocol in the form that the host reads. Raises ConfigurationError."""
    if written.startswith("/"):
        return _unix(written, spot)
    if written.startswith("unix:"):
        return _unix(written.removeprefix("unix:"), spot)
    if written.startswith("fd:"):
        digits = written.removeprefix("fd:")
        if not _is_number(digits) or int(digits) > 2**31 - 1:
            raise spot.error(f"must be fd:N with the number of a descriptor, not {quoted(written)}")
        return f"fd:{int(digits)}"
    return _inet(written.removesuffix("/"), spot)


def peer(written: object, spot: Spot) -> str:
    """Returns the peer address `written` in its usual spelling. Raises ConfigurationError."""
    from ipaddress import ip_address

    address = text(written, spot)
    try:
        return str(ip_address(address))
    except ValueError:
        hint = "; networks are not supported, list the addresses" if "/" in address else ""
        raise spot.error(f"must be an IPv4 or IPv6 address, not {quoted(address)}{hint}") from None


def _unix(path: str, spot: Spot) -> str:
    if not path or path.endswith("/"):
        raise spot.error("needs the path of a socket behind unix:")
    if path.startswith("//"):
        path = "/" + path.lstrip("/")
    full = absolute(path, spot)
    length = len(full.encode("utf-8", "surrogateescape"))
    if length > MAX_UNIX_PATH:
        raise spot.error(f"has a socket path of {length} bytes; the system allows {MAX_UNIX_PATH}")
    return "unix:" + full


def _inet(written: str, spot: Spot) -> str:
    host, _, port = written.rpartition(":")
    if not _is_number(port):
        if host and not written.startswith("["):
            raise spot.error(f"has the port {quoted(port)}, which is not a number")
        raise spot.error(f"must be {FORMS}, not {quoted(written)}")
    if int(port) > 65535:
        raise spot.error(f"has the port {int(port)}; ports end at 65535")
    return f"{_host(host, written, spot)}:{int(port)}"


def _host(host: str, written: str, spot: Spot) -> str:
    if host in ("", "*"):
        return "0.0.0.0"
    if host.startswith("[") and host.endswith("]"):
        from ipaddress import IPv6Address

        try:
            return f"[{IPv6Address(host[1:-1])}]"
        except ValueError:
            raise spot.error(f"has {quoted(host)}, which is not an IPv6 address") from None
    if ":" in host:
        raise spot.error(f"needs brackets around an IPv6 address: [{host}]:{written.rpartition(':')[2]}")
    labels = host.split(".")
    if all(_is_number(label) for label in labels):
        if len(labels) != 4 or any(int(label) > 255 or label != str(int(label)) for label in labels):
            raise spot.error(f"has {quoted(host)}, which is not an IPv4 address")
    elif len(host) > MAX_HOST or not all(_is_label(label) for label in labels):
        raise spot.error(f"has {quoted(host)}, which is not a host name")
    return host


def _is_label(label: str) -> bool:
    plain = label.replace("-", "").replace("_", "")
    return plain.isascii() and plain.isalnum() and not label.startswith("-") and not label.endswith("-")


def _is_number(digits: str) -> bool:
    return 0 < len(digits) < 12 and digits.isascii() and digits.isdigit()
