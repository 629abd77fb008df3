# SPDX-License-Identifier: MIT
"""What a setting's value can be, and how it is checked.

Each kind turns a value as it was read into the value that the host gets, or raises the ConfigurationError that says
what would be right. `about` is the range in words, for the list of settings. `textual` kinds take a command-line
value as it is.
"""

from __future__ import annotations

import os

from smisk.config.error import ConfigurationError, quoted
from smisk.config.parser import LEVELS

from .spot import Spot

__all__ = [
    "Choice", "Duration", "File", "Flag", "Folder", "Folders", "Kind", "Level", "Mapping", "Module", "Name", "Octal",
    "Paths", "Peers", "Prefix", "Size", "Whole", "text",
]  # fmt: skip

TIME_UNITS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
SIZE_UNITS = {"t": 1 << 40, "g": 1 << 30, "m": 1 << 20, "k": 1 << 10}
LEVEL_NAMES = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}


def text(value: object, spot: Spot) -> str:
    """Returns `value` if it is a string that is not empty and has no control characters."""
    if not isinstance(value, str):
        raise spot.error(f"must be a string, not {quoted(value)}")
    if not value:
        raise spot.error("must not be empty")
    if any(c < " " or c == "\x7f" for c in value):
        raise spot.error("must not contain control characters")
    return value


def absolute(value: str, spot: Spot) -> str:
    """Returns the absolute path of `value`, relative to the file (or folder) where it was written."""
    if value == "~" or value.startswith("~/"):
        value = os.path.expanduser(value)
    return os.path.normpath(os.path.join(spot.position.folder or os.getcwd(), value))


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class _Range:
    """The smallest and the largest value that a setting takes, and how people write them."""

    def __init__(self, low: int, high: int, shown_low: str, shown_high: str) -> None:
        self._low, self._high = low, high
        self._shown_low, self._shown_high = shown_low, shown_high

    def check(self, value: int, given: str, spot: Spot) -> int:
        """Returns `value`, which was `given`, if it lies in the range."""
        if value < self._low:
            raise spot.error(f"must be at least {self._shown_low}, not {given}")
        if value > self._high:
            raise spot.error(f"must be at most {self._shown_high}, not {given}")
        return value


def _quantity(written: str, units: dict[str, int]) -> int | None:
    """The value of a number with unit, in the smallest unit; None when it is not one, or not a whole number."""
    digits = written.strip().rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    unit = units.get(written.strip()[len(digits) :].lower())
    whole, point, fraction = digits.partition(".")
    if unit is None or len(digits) > 30 or not (whole + fraction).isdecimal() or not (whole and digits.isascii()):
        return None
    if point and not fraction:
        return None
    value, rest = divmod(int(whole + fraction) * unit, 10 ** len(fraction))
    return None if rest else value


class Kind:
    """The base of all kinds."""

    about = ""
    textual = False

    def check(self, value: object, spot: Spot) -> object:
        """Returns the resolved value. Raises ConfigurationError."""
        raise NotImplementedError


class Whole(Kind):
    """A whole number, or one of a few `words` that stand for themselves."""

    def __init__(self, low: int, high: int, words: tuple[str, ...] = ()) -> None:
        self._range = _Range(low, high, str(low), str(high))
        self._words = words
        also = "".join(f', or "{word}"' for word in words)
        self.about = f"whole number, {low} to {high}{also}"

    def check(self, value: object, spot: Spot) -> int | str:
        if isinstance(value, str) and value in self._words:
            return value
        if not isinstance(value, int) or isinstance(value, bool):
            also = "".join(f' or "{word}"' for word in self._words)
            raise spot.error(f"must be a whole number{also}, not {quoted(value)}")
        return self._range.check(value, quoted(value), spot)


class Duration(Kind):
    """A time; resolved to milliseconds. A bare number says nothing about its unit, so only 0 may stand alone."""

    def __init__(self, low: str, high: str) -> None:
        self._range = _Range(_quantity(low, TIME_UNITS) or 0, _quantity(high, TIME_UNITS) or 0, low, high)
        self.about = f"duration, {low} to {high}"

    def check(self, value: object, spot: Spot) -> int:
        if _number(value):
            if value != 0:
                given = quoted(value)
                raise spot.error(f"needs a unit: {given}ms, {given}s, {given}m or {given}h")
            value = "0s"
        time = _quantity("0s" if value == "0" else value, TIME_UNITS) if isinstance(value, str) else None
        if time is None:
            raise spot.error(f"must be a duration such as 250ms, 10s, 5m or 1h, not {quoted(value)}")
        return self._range.check(time, str(value), spot)


class Size(Kind):
    """An amount of memory; resolved to bytes."""

    def __init__(self, low: str, high: str) -> None:
        self._range = _Range(self._bytes(low) or 0, self._bytes(high) or 0, low, high)
        self.about = f"size, {low} to {high}"

    @staticmethod
    def _bytes(value: object) -> int | None:
        if isinstance(value, str):
            return int(value) if value.isascii() and value.isdigit() else _quantity(value, SIZE_UNITS)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def check(self, value: object, spot: Spot) -> int:
        size = self._bytes(value)
        if size is None:
            raise spot.error(f"must be a size such as 64k, 1m or 1g, or a number of bytes, not {quoted(value)}")
        return self._range.check(size, str(value), spot)


class Flag(Kind):
    """true or false."""

    about = "true or false"

    def check(self, value: object, spot: Spot) -> bool:
        if not isinstance(value, bool):
            raise spot.error(f"must be true or false, not {quoted(value)}")
        return value


class Choice(Kind):
    """One of a few names; those in `later` exist but come with a later version."""

    textual = True

    def __init__(self, names: tuple[str, ...], later: tuple[str, ...] = ()) -> None:
        self._names, self._later = names, later
        self.about = " or ".join(f'"{name}"' for name in names)

    def check(self, value: object, spot: Spot) -> str:
        if isinstance(value, str) and value in self._names:
            return value
        if isinstance(value, str) and value in self._later:
            raise spot.error(f'"{value}" is not available in this version')
        raise spot.error(f"must be {self.about}, not {quoted(value)}")


class Level(Kind):
    """A log level: its name as word or string, or its number as in `logging`. Resolved to the name."""

    about = "log level: debug, info, warning, error or critical"
    textual = True

    def check(self, value: object, spot: Spot) -> str:
        number = LEVELS.get(value.upper()) if isinstance(value, str) else value
        if not isinstance(number, int) or isinstance(number, bool) or number not in LEVEL_NAMES:
            raise spot.error(f"must be debug, info, warning, error or critical, not {quoted(value)}")
        return LEVEL_NAMES[number]


class Octal(Kind):
    """Permission bits. Written in octal, since 660 and 0660 are easily confused; resolved to octal digits."""

    about = "octal number, 0 to 0777"
    textual = True

    def check(self, value: object, spot: Spot) -> str:
        written = value if isinstance(value, str) else ""
        if isinstance(value, int) and not isinstance(value, bool):
            written = spot.position.text or str(value)
            if written[0] in "1234567" and _is_octal(written):
                raise spot.error(f'must be octal: write 0{written}, or "0{written}" in TOML')
        digits = written.lower().removeprefix("0o").lstrip("0")
        if not written or len(digits) > 3 or not _is_octal(digits):
            raise spot.error(f"must be an octal number from 0 to 0777, not {quoted(written or value)}")
        return "0" + digits


def _is_octal(digits: str) -> bool:
    return all(d in "01234567" for d in digits)


class Module(Kind):
    """What to call: `module` or `module:attribute`, both dotted names, or a file that ends in .py for the module.

    Literals in parentheses after the attribute are the arguments of a factory. A file's path is resolved to an
    absolute one.
    """

    about = "module, module:attribute or module:factory(…); or a file that ends in .py"
    textual = True

    def check(self, value: object, spot: Spot) -> str:
        name = text(value, spot)
        path, colon, attribute = name.partition(":")
        if path.endswith(".py"):
            path = absolute(path, spot)
            if not os.path.isfile(path):
                raise spot.error(f"names {quoted(path)}, which is not a file")
        elif not _is_dotted(path):
            raise self._wrong(name, spot)
        if colon:
            self._check_attribute(attribute, name, spot)
        return path + colon + attribute

    def _check_attribute(self, attribute: str, name: str, spot: Spot) -> None:
        attribute, call, arguments = attribute.partition("(")
        if not _is_dotted(attribute):
            raise self._wrong(name, spot)
        if call:
            from smisk.host_app.call import CallError, read_arguments

            try:
                read_arguments(call + arguments)
            except CallError as error:
                raise spot.error(f"gives arguments that cannot be used: {error}") from None

    @staticmethod
    def _wrong(name: str, spot: Spot) -> ConfigurationError:
        form = "module:attribute or module:factory(…)" if "(" in name else "module:attribute"
        return spot.error(f"must be a module{',' if '(' in name else ' or'} {form}, not {quoted(name)}")


def _is_dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


class Prefix(Kind):
    """The beginning of URL paths, percent-decoded; resolved without a slash at its end."""

    about = "path that begins with /"
    textual = True

    def check(self, value: object, spot: Spot) -> str:
        path = text(value, spot)
        if not path.startswith("/") or "//" in path or "?" in path or "#" in path:
            raise spot.error(f"must be a path such as /shop, not {quoted(value)}")
        return path.rstrip("/")


class File(Kind):
    """A file's path; resolved to an absolute one. `words` stand for themselves."""

    about = "file"
    textual = True

    def __init__(self, *words: str) -> None:
        self._words = words
        self.about = " or ".join(["file", *(f'"{word}"' for word in words)])

    def check(self, value: object, spot: Spot) -> str:
        path = text(value, spot)
        return path if path in self._words else absolute(path, spot)


class Folder(Kind):
    """A folder that exists; resolved to an absolute path."""

    about = "folder"
    textual = True

    def check(self, value: object, spot: Spot) -> str:
        path = absolute(text(value, spot), spot)
        if not os.path.isdir(path):
            reason = "is not a folder" if os.path.exists(path) else "does not exist"
            raise spot.error(f"names {quoted(path)}, which {reason}")
        return path


class Folders(Kind):
    """Folders, as a list or a single string; they need not exist. Resolved to a list of absolute paths."""

    noun = "folders"
    about = "list of folders"

    def check(self, value: object, spot: Spot) -> list[str]:
        if isinstance(value, str):
            return [absolute(text(value, spot), spot)]
        if not isinstance(value, (list, tuple)):
            raise spot.error(f"must be a list of {self.noun}, not {quoted(value)}")
        spots = [spot.item(index) for index in range(len(value))]
        return [absolute(text(item, at), at) for item, at in zip(value, spots, strict=True)]


class Paths(Folders):
    """Files, folders and patterns such as `data/**/*.json`, like Folders."""

    noun = "files, folders or patterns"
    about = "list of files, folders or patterns"


class Peers(Kind):
    """Addresses and networks, and the word unix, as a list or a single string. Resolved to a list of their usual
    spellings; IPv4 written as IPv6 becomes IPv4.
    """

    about = 'list of addresses, networks, or "unix"'
    MOST = 1024

    def check(self, value: object, spot: Spot) -> list[str]:
        if isinstance(value, str):
            return [self._peer(value, spot)]
        if not isinstance(value, (list, tuple)):
            raise spot.error(f"must be a list of addresses and networks, not {quoted(value)}")
        if len(value) > self.MOST:
            raise spot.error(f"must have at most {self.MOST} entries, not {len(value)}")
        return [self._peer(item, spot.item(index)) for index, item in enumerate(value)]

    @staticmethod
    def _peer(value: object, spot: Spot) -> str:
        from ipaddress import ip_network

        written = text(value, spot)
        if written == "unix":
            return written
        wrong = f'must be an address, a network such as 10.0.0.0/8, or "unix", not {quoted(written)}'
        address, slash, bits = written.partition("/")
        if slash and not (bits.isascii() and bits.isdigit()):
            raise spot.error(wrong)
        try:
            network = ip_network(written, strict=False)
        except ValueError:
            raise spot.error(wrong) from None
        if "%" in written:
            raise spot.error(wrong)
        if slash and str(network.network_address) != str(ip_network(address).network_address):
            raise spot.error(f"has {quoted(written)}, whose address is within the network: write {network}")
        return _plain(str(network.network_address), network.prefixlen)


def _plain(address: str, bits: int) -> str:
    """A network in the form that the host reads, without its bits where all of them count."""
    from ipaddress import IPv6Address

    if ":" in address and bits >= 96 and (mapped := IPv6Address(address).ipv4_mapped) is not None:
        address, bits = str(mapped), bits - 96
    return address if bits == (128 if ":" in address else 32) else f"{address}/{bits}"


class Name(Kind):
    """A user or group of this system, by name or number. `database` is `user` or `group`."""

    textual = True

    def __init__(self, database: str) -> None:
        self._database = database
        self.about = f"{database} name or number"

    def check(self, value: object, spot: Spot) -> str:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            value = str(value)
        name = text(value, spot)
        if name.isascii() and name.isdigit():
            if int(name) >= 2**32 - 1:
                raise spot.error(f"must be a {self.about}, not {quoted(name)}")
        elif not self._exists(name):
            raise spot.error(f"names the {self._database} {quoted(name)}, which does not exist")
        return name

    def _exists(self, name: str) -> bool:
        try:
            if self._database == "user":
                import pwd

                pwd.getpwnam(name)
            else:
                import grp

                grp.getgrnam(name)
        except (KeyError, ValueError):
            return False
        return True


class Mapping(Kind):
    """A mapping whose content is somebody else's business."""

    about = "mapping"

    def check(self, value: object, spot: Spot) -> dict[object, object]:
        if not isinstance(value, dict):
            raise spot.error(f"must be a mapping, not {quoted(value)}")
        return value
