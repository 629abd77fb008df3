# SPDX-License-Identifier: MIT
"""The header fields of a request, looked up without regard to case (RFC 9110, section 5.1).

`_smisk` makes one from the lines as they came; the index is built when a handler first looks something up.
"""

from collections.abc import Iterator, Mapping

__all__ = ["Headers"]


class Headers(Mapping[str, str]):
    """A read-only mapping of field names to values. Repeated fields are joined with ", " (Cookie with "; ").

    Names keep the spelling and the order in which they first came; `pairs` has every line.
    """

    __slots__ = ("_index", "pairs")

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = pairs
        self._index: dict[str, list[str]] | None = None

    def __getitem__(self, name: str) -> str:
        values = self._indexed().get(_fold(name))
        if values is None:
            raise KeyError(name)
        if len(values) == 1:
            return values[0]
        return ("; " if _fold(name) == "cookie" else ", ").join(values)

    def __contains__(self, name: object) -> bool:
        return _fold(name) in self._indexed()

    def __iter__(self) -> Iterator[str]:
        seen = set()
        for name, _ in self.pairs:
            folded = _fold(name)
            if folded not in seen:
                seen.add(folded)
                yield name

    def __len__(self) -> int:
        return len(self._indexed())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Headers):
            return self._indexed() == other._indexed()
        if isinstance(other, Mapping):
            return self._folded() == {_fold(name): value for name, value in other.items()}
        return NotImplemented

    def __repr__(self) -> str:
        return f"Headers({self.pairs!r})"

    def getlist(self, name: str) -> list[str]:
        """Returns the values of all fields of that name, in order; an empty list if there is none."""
        return list(self._indexed().get(_fold(name), ()))

    def _indexed(self) -> dict[str, list[str]]:
        if self._index is None:
            index: dict[str, list[str]] = {}
            for name, value in self.pairs:
                index.setdefault(_fold(name), []).append(value)
            self._index = index
        return self._index

    def _folded(self) -> dict[str, str]:
        return {name: self[name] for name in self._indexed()}


def _fold(name: object) -> str:
    # A name that is not text is never there; "" is no field name, so it stands for that.
    return name.lower() if isinstance(name, str) else ""
