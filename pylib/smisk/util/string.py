# SPDX-License-Identifier: MIT
"""Text of requests taken apart: header fields with weights, paths, and URLs completed from another."""

from __future__ import annotations

import re
from urllib.parse import urljoin

from ..core.url import URL

TYPE_CHECKING = False
if TYPE_CHECKING:
    Weighted = tuple[list[list[str | int]], list[str], list[str], bool]

__all__ = ["normalize_url", "parse_qvalue_header", "strip_filename_extension", "tokenize_path"]

# RFC 9110, section 12.4.2; a missing zero before the point and more digits are let pass.
_QVALUE = re.compile(r"([01]?)(?:\.([0-9]*))?")
_WEIGHT = re.compile(r";[ \t]*q[ \t]*=([^;]*)", re.IGNORECASE)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


def parse_qvalue_header(
    s: str,
    accept_any_equals: str = "*/*",
    partial_endswith: str | None = "/*",
    return_true_if_accepts_charset: str | None = None,
) -> Weighted | tuple[bool, bool, bool, bool]:
    """Parses Accept and its kin: (entries, names with q=1, major types of `type/*`, whether anything is accepted).

    Entries are [name, q in hundredths], by falling q, else as they came. Without a weight `*/*` counts 0 and `type/*`
    50, so that they come behind what is named; with one they count what it says. A q of 0 refuses: it is an entry, but
    neither a major type nor "anything". ValueError for a weight that is none.

    With `return_true_if_accepts_charset`, the answer is four times True as soon as that name is accepted.
    """
    entries: list[list[str | int]] = []
    full: list[str] = []
    majors: list[str] = []
    accepts_any = False
    wanted = return_true_if_accepts_charset and return_true_if_accepts_charset.lower()
    for piece in s.split(","):
        name, weight = _weigh(piece.strip(" \t"))
        if not name:
            continue
        if wanted and name.lower() == wanted and weight != 0:
            return True, True, True, True
        major = name[: -len(partial_endswith)] if partial_endswith and name.endswith(partial_endswith) else ""
        if name == accept_any_equals:
            accepts_any = accepts_any or weight != 0
            entries.append([name, weight or 0])
        elif major:
            majors += [major] if weight != 0 else []
            entries.append([name, 50 if weight is None else weight])
        else:
            entries.append([name, 100 if weight is None else weight])
        if entries[-1][1] == 100:
            full.append(name)
    entries.sort(key=lambda entry: entry[1], reverse=True)
    return entries, full, majors, accepts_any


def tokenize_path(path: str) -> list[str]:
    """The parts of a path, percent-decoded, without the extension and without empty ones.

    UnicodeDecodeError for what is not UTF-8.
    """
    tokens = (URL.decode(token) for token in strip_filename_extension(path).split("/"))
    return [token for token in tokens if token]


def strip_filename_extension(fn: str) -> str:
    """The name up to the last dot of its last part; as it is if there is none."""
    stem, dot, extension = fn.rpartition(".")
    return stem if dot and "/" not in extension else fn


def normalize_url(url: str | URL, ref_base_url: str | URL | None = None) -> URL:
    """Completes an absolute or relative URL from a base (RFC 3986, section 5), by default the current request's URL.

    User and password of the base go along to no other host. Nothing at all leads to the base without its query. A
    path alone, where there is no base, begins at the root. ValueError for control characters and for what is no URL.
    """
    text = url.to_s(port80=True) if isinstance(url, URL) else str(url)
    if _CONTROLS.search(text):
        raise ValueError(f"control characters in a URL: {text!r}")
    base = URL(ref_base_url) if ref_base_url else _request_url()
    if base.scheme and base.host:
        joined = urljoin(base.to_s(port80=True, query=bool(text), fragment=False), text)
    else:
        joined = urljoin(base.path or "/", text)
    out = URL(joined)
    if out.scheme is None:
        for name in ("scheme",) if out.host else ("scheme", "user", "password", "host", "port"):
            setattr(out, name, getattr(base, name))
    return out


def _request_url() -> URL:
    """The URL of the request that is being answered; an empty one outside of requests."""
    from .. import core

    request = getattr(core, "request", None)
    return request.url if request else URL()


def _weigh(piece: str) -> tuple[str, int | None]:
    """(name, hundredths or None); a name with a weight loses its other parameters, one without keeps them."""
    match = _WEIGHT.search(piece)
    if not match:
        return piece, None
    value = _QVALUE.fullmatch(match[1].strip(" \t"))
    if not value or not (value[1] or value[2]):
        raise ValueError(f"no weight: {piece!r}")
    hundredths = int(value[1] or 0) * 100 + int((value[2] or "")[:2].ljust(2, "0"))
    if hundredths > 100:
        raise ValueError(f"a weight is at most 1: {piece!r}")
    return piece.partition(";")[0].rstrip(" \t"), hundredths
