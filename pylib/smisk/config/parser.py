# SPDX-License-Identifier: MIT
"""From tokens to values: the dialect's grammar.

    document  = "{" entries "}" | entries
    entries   = [ entry { "," entry } [ "," ] ]
    entry     = key ":" value | ( "@include" | "@inherit" ) [ ":" ] value
    key       = string | word | number
    value     = string { string } | number | quantity | name | list | "(" … ")" | "{" entries "}"

A recursive descent that builds dicts, lists, tuples and scalars. A name stands for a value of one given table; nothing
is called or evaluated. The comma after a directive written without colon may be left out at the end of its line.
"""

from __future__ import annotations

from .error import ConfigurationSyntaxError, quoted
from .position import Path, Position
from .scanner import Scanner, Token

__all__ = ["DIRECTIVES", "LEVELS", "MAX_DEPTH", "NAMES", "Parser", "parse"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DEPTH = 64
DIRECTIVES = ("@include", "@inherit")

# The values of the standard logging levels, without importing logging.
LEVELS = {
    "NOTSET": 0, "DEBUG": 10, "INFO": 20, "WARN": 30, "WARNING": 30, "ERROR": 40, "FATAL": 50, "CRITICAL": 50,
}  # fmt: skip
NAMES: dict[str, object] = {
    "true": True, "True": True, "false": False, "False": False, "null": None, "None": None,
    **LEVELS, **{name.lower(): level for name, level in LEVELS.items()},
}  # fmt: skip
SAYS_TRUE = ("yes", "on", "enable", "enabled")
SAYS_FALSE = ("no", "off", "disable", "disabled")


def parse(
    text: str, origin: str = "", folder: str = "", names: Mapping[str, object] = NAMES
) -> tuple[dict[str, object], dict[Path, Position]]:
    """Reads `text` and returns its mapping, with the position of each value.

    `origin` is the file's name for messages, `folder` what its relative paths are relative to, `names` the words that
    stand for values. A directive's values are collected in a list under its name. Raises ConfigurationSyntaxError.
    """
    parser = Parser(text.replace("\r\n", "\n").replace("\r", "\n"), origin, folder, names)
    return parser.document(), parser.positions


class Parser:
    """Reads one text; `positions` fills as the values are read."""

    def __init__(self, text: str, origin: str = "", folder: str = "", names: Mapping[str, object] = NAMES) -> None:
        self._origin = origin
        self._folder = folder
        self._names = names
        self._scanner = Scanner(text, origin)
        self._token = self._scanner.next()
        self._end = 1  # the line where the last token taken ended
        self._depth = 0
        self.positions: dict[Path, Position] = {}

    def document(self) -> dict[str, object]:
        """Reads everything; keys are strings."""
        first = self._token
        if self._is("["):
            raise self._error("a configuration is a mapping of keys to values, not a list")
        braces = self._take("{")
        values = self._entries((), "}" if braces else "")
        if braces:
            self._close("}", first)
        if self._token.kind != "end":
            raise self._error(f"unexpected {self._token.shown()} after the closing brace")
        return values  # type: ignore[return-value]  # _key refuses other keys at the top level

    def value(self) -> object:
        """Reads everything as one value. Raises ConfigurationSyntaxError when more follows."""
        value = self._value((), "a value")
        if self._token.kind != "end":
            raise self._error(f"unexpected {self._token.shown()} after the value")
        return value

    # Tokens

    def _error(self, message: str, line: int = 0) -> ConfigurationSyntaxError:
        return ConfigurationSyntaxError(message, self._origin, line or self._token.line)

    def _advance(self) -> Token:
        token = self._token
        self._end = token.end
        self._token = self._scanner.next()
        return token

    def _is(self, mark: str) -> bool:
        """Whether `mark` comes next; the empty mark is the end of the text."""
        return self._token.kind == ("mark" if mark else "end") and self._token.value == mark

    def _take(self, mark: str) -> bool:
        if not self._is(mark):
            return False
        self._advance()
        return True

    def _close(self, mark: str, opening: Token) -> None:
        if not self._take(mark):
            raise self._error(f'"{opening.text}" is not closed; "{mark}" is missing', opening.line)

    def _mark(self, path: Path, token: Token) -> None:
        self.positions[path] = Position(self._origin, token.line, self._folder)

    # Mappings

    def _entries(self, path: Path, closing: str) -> dict[object, object]:
        values: dict[object, object] = {}
        while not self._is(closing) and self._token.kind != "end":
            loose = self._token.kind == "directive"
            if loose or (self._token.kind == "string" and self._token.value in DIRECTIVES):
                loose = self._directive(path, values) and loose
            else:
                self._entry(path, values)
            self._separator(closing, "setting", loose)
        return values

    def _entry(self, path: Path, values: dict[object, object]) -> None:
        token = self._token
        key = self._key(path)
        shown = quoted(key)
        place = (*path, key)
        if key in values:
            first = self.positions[place].line
            raise self._error(f"duplicate key {shown}, first given on line {first}", token.line)
        self._mark(place, token)
        if not self._take(":"):
            if self._token.kind == "mark" and self._token.text in ",}":
                raise self._error(f'{shown} has no value; a setting is written "key: value"', token.line)
            raise self._error(f'expected ":" after {shown}, not {self._token.shown()}')
        values[key] = self._value(place, f"a value for {shown}")

    def _key(self, path: Path) -> object:
        token = self._token
        if token.kind == "word" and str(token.value) in self._names:
            raise self._error(f'{token.value} stands for a value; as a key it is written "{token.value}"')
        if token.kind not in ("string", "word", "number"):
            raise self._error(f"expected a key, not {token.shown()}")
        if not path and token.kind == "number":
            raise self._error(f"expected a key, not the number {token.text}")
        return self._advance().value

    def _directive(self, path: Path, values: dict[object, object]) -> bool:
        """Reads `@include …` into a list under its name. Returns whether it was written without a colon."""
        token = self._advance()
        name = str(token.value)
        if name not in DIRECTIVES:
            raise self._error(f"unknown directive {quoted(name)}; there are @include and @inherit", token.line)
        if path:
            raise self._error(f"{name} works only at the top level of a file", token.line)
        bare = not self._take(":")
        collected = values.setdefault(name, [])
        assert isinstance(collected, list)
        place = (name, len(collected))
        self._mark(place, token)
        collected.append(self._value(place, f"a file name after {name}", one_line=bare))
        return bare

    # Values

    def _value(self, path: Path, expected: str, one_line: bool = False) -> object:
        token = self._token
        self.positions.setdefault(path, Position(self._origin, token.line, self._folder))
        if token.kind == "string":
            return self._string(one_line)
        if token.kind in ("number", "quantity"):
            self.positions[path].text = token.text
            return self._advance().value
        if token.kind == "word":
            return self._name()
        if token.kind == "mark" and token.value in ("[", "(", "{"):
            return self._nested(path)
        raise self._error(f"expected {expected}, not {token.shown()}")

    def _string(self, one_line: bool) -> str:
        """Reads adjacent strings as one."""
        parts = [self._advance()]
        while self._token.kind == "string" and not (one_line and self._token.line > self._end):
            parts.append(self._advance())
        if self._is(":") and len(parts) > 1:
            raise self._error(f"missing comma before {parts[-1].shown()}", parts[-2].end)
        return "".join(str(part.value) for part in parts)

    def _name(self) -> object:
        token = self._token
        word = str(token.value)
        if word not in self._names:
            raise self._error(self._unknown_word(word))
        self._advance()
        return self._names[word]

    def _unknown_word(self, word: str) -> str:
        if word.lower() in (*SAYS_TRUE, "true"):
            return f'unknown word "{word}"; write true'
        if word.lower() in (*SAYS_FALSE, "false"):
            return f'unknown word "{word}"; write false'
        if word.lower() in ("nil", "none", "null"):
            return f'unknown word "{word}"; write null'
        from difflib import get_close_matches

        near = get_close_matches(word, self._names, 1, 0.75)
        hint = f"did you mean {near[0]}? Text" if near else "text"
        return f"unknown word {quoted(word)}; {hint} stands in quotes"

    def _nested(self, path: Path) -> object:
        opening = self._advance()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"more than {MAX_DEPTH} levels of nesting", opening.line)
        value: object
        if opening.value == "{":
            value = self._entries(path, "}")
            self._close("}", opening)
        elif opening.value == "[":
            value = self._items(path, "]")[0]
            self._close("]", opening)
        else:
            items, comma = self._items(path, ")")
            self._close(")", opening)
            value = items[0] if len(items) == 1 and not comma else tuple(items)
        self._depth -= 1
        return value

    def _items(self, path: Path, closing: str) -> tuple[list[object], bool]:
        """Reads up to `closing`. Returns the items and whether a comma stood behind the last one."""
        items: list[object] = []
        comma = False
        while not self._is(closing) and self._token.kind != "end":
            items.append(self._value((*path, len(items)), "a value"))
            comma = self._separator(closing, "item")
        return items, comma

    def _separator(self, closing: str, noun: str, loose: bool = False) -> bool:
        """Takes the comma behind a setting or an item and returns whether there was one.

        It may be missing before `closing`, and when `loose` also at the end of a line.
        """
        if self._take(","):
            if self._is(","):
                raise self._error(f"two commas, but no {noun} between them")
            return True
        if self._is(closing) or self._token.kind == "end" or (loose and self._token.line > self._end):
            return False
        raise self._missing_comma(closing, noun)

    def _missing_comma(self, closing: str, noun: str) -> ConfigurationSyntaxError:
        token = self._token
        if token.kind == "mark" and token.text in ")]}:":
            place = f'"," or "{closing}"' if closing else '","'
            return self._error(f"expected {place} after this {noun}, not {token.shown()}")
        if token.kind == "number" and token.text[0] in "+-":
            return self._error("nothing is evaluated here; write the value itself")
        return self._error(f"missing comma before {token.shown()}", self._end)
