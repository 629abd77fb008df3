# SPDX-License-Identifier: MIT
"""The setting `listen`: strings or mappings, one or several, turned into listeners."""

from __future__ import annotations

from smisk.config.error import quoted

from . import address
from .kinds import Kind, Name, Octal, Whole, text
from .spot import Spot

__all__ = ["DEFAULT_BACKLOG", "Listener", "Listeners"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_BACKLOG = 1024
PARTS: dict[str, Kind] = {
    "mode": Octal(),
    "owner": Name("user"),
    "group": Name("group"),
    "backlog": Whole(1, 65535),
}
KEYS = ("address", "protocol", *PARTS, "allow")


class Listener:
    """One listener: `protocol`, `address`, and the `parts` that were given, each resolved to text."""

    __slots__ = ("address", "allow", "parts", "protocol")

    def __init__(self, protocol: str, where: str) -> None:
        self.protocol = protocol
        self.address = where
        self.parts: dict[str, str] = {"backlog": str(DEFAULT_BACKLOG)}
        self.allow: list[str] = []

    def pairs(self) -> Iterator[tuple[str, str]]:
        """What the host gets, as keys and values."""
        yield "protocol", self.protocol
        yield "address", self.address
        yield from self.parts.items()
        for index, peer in enumerate(self.allow):
            yield f"allow.{index}", peer


class Listeners(Kind):
    """An address as a string, a mapping, or a list of those."""

    about = "address, mapping, or list of those"

    def check(self, value: object, spot: Spot) -> list[Listener]:
        if isinstance(value, (list, tuple)):
            entries = [(item, spot.item(index)) for index, item in enumerate(value)]
        else:
            entries = [(value, spot)]
        if not entries:
            raise spot.error("must name at least one address")
        listeners: list[Listener] = []
        seen: dict[str, str] = {}
        for entry, at in entries:
            listener = self._listener(entry, at)
            if listener.address in seen and not listener.address.endswith(":0"):
                raise at.error(f"is {quoted(listener.address)} again, as {seen[listener.address]}")
            seen.setdefault(listener.address, at.name)
            listeners.append(listener)
        return listeners

    def _listener(self, value: object, spot: Spot) -> Listener:
        if isinstance(value, str):
            protocol, where = address.split_protocol(text(value, spot), spot)
            if protocol is None:
                raise spot.error(f"does not say which protocol: write http://{value} or fastcgi://{value}")
            return Listener(protocol, address.resolve(where, spot))
        if isinstance(value, dict):
            return self._from_mapping(value, spot)
        raise spot.error(f'must be an address such as "http://127.0.0.1:8080" or a mapping, not {quoted(value)}')

    def _from_mapping(self, value: dict[object, object], spot: Spot) -> Listener:
        for key in value:
            if key not in KEYS:
                raise spot.item(key).position.error(f"unknown key {quoted(key)} in listen{near(key)}")
        if "address" not in value:
            raise spot.error("has no address")
        at = spot.item("address")
        protocol, where = address.split_protocol(text(value["address"], at), at)
        listener = Listener(self._protocol(value, protocol, spot), address.resolve(where, at))
        for key, kind in PARTS.items():
            if value.get(key) is not None:
                self._refuse_misplaced(key, listener.address, spot.item(key))
                listener.parts[key] = str(kind.check(value[key], spot.item(key)))
        if value.get("allow") is not None:
            self._refuse_misplaced("allow", listener.address, spot.item("allow"))
            listener.allow = self._allow(value["allow"], spot.item("allow"))
        return listener

    @staticmethod
    def _protocol(value: dict[object, object], from_address: str | None, spot: Spot) -> str:
        protocol = value.get("protocol")
        if protocol is None and from_address is None:
            raise spot.error('has no protocol; add protocol: "http" or "fastcgi"')
        if protocol is not None and protocol not in address.PROTOCOLS:
            raise spot.item("protocol").error(f'must be "http" or "fastcgi", not {quoted(protocol)}')
        if protocol is not None and from_address not in (None, protocol):
            raise spot.item("protocol").error(f'is "{protocol}", but the address says "{from_address}"')
        return str(protocol or from_address)

    @staticmethod
    def _refuse_misplaced(key: str, where: str, spot: Spot) -> None:
        unix = where.startswith("unix:")
        if key in ("mode", "owner", "group") and not unix:
            raise spot.error(f"is for unix sockets; {quoted(where)} is none")
        if key == "backlog" and where.startswith("fd:"):
            raise spot.error("cannot be set: whoever opened the descriptor has set it")
        if key == "allow" and unix:
            raise spot.error("is for network addresses; a unix socket has mode, owner and group")

    @staticmethod
    def _allow(value: object, spot: Spot) -> list[str]:
        if isinstance(value, str):
            return [address.peer(value, spot)]
        if not isinstance(value, (list, tuple)) or not value:
            raise spot.error(f"must be a list of addresses, not {quoted(value)}")
        return [address.peer(item, spot.item(index)) for index, item in enumerate(value)]


def near(key: object) -> str:
    """The end of a message about an unknown key: the nearest one that exists, if any."""
    from difflib import get_close_matches

    found = get_close_matches(str(key), KEYS, 1)
    return f'; did you mean "{found[0]}"?' if found else ""
