# SPDX-License-Identifier: MIT
"""From text to tokens.

The lowest part of the reader: comments, strings, numbers, words, punctuation. It knows no grammar and evaluates
nothing. Written without `re`, because the host starts a fresh Python to read its configuration and pays for every
import.
"""

from __future__ import annotations

from .error import ConfigurationSyntaxError, quoted

__all__ = ["Scanner", "Token"]

BLANKS = " \t\f\v\n"
DIGITS = "0123456789"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
WORD_CHARACTERS = LETTERS + DIGITS + ".-"
NUMBER_CHARACTERS = LETTERS + DIGITS + "."
STRING_PREFIXES = ("r", "u", "ur", "ru")
OTHER_PREFIXES = ("b", "br", "rb", "f", "fr", "rf", "t", "tr", "rt")
ESCAPES = {
    "\n": "", "\\": "\\", "'": "'", '"': '"', "a": "\a", "b": "\b",
    "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
}  # fmt: skip
HEX_ESCAPES = {"x": 2, "u": 4, "U": 8}
SUFFIXES = ("ms", "s", "m", "h", "d", "k", "g", "t")
MAX_NUMBER = 400


class Token:
    """One token: its `kind`, its `value`, the lines where it begins and ends, and how it was written.

    Kinds: `string`, `number`, `quantity` (a number with a unit, as `10s`; its value is the text), `word`,
    `directive` (`@include`), `mark` (punctuation; its value is the character), `end`.
    """

    __slots__ = ("end", "kind", "line", "text", "value")

    def __init__(self, kind: str, value: object, line: int, end: int, text: str) -> None:
        self.kind = kind
        self.value = value
        self.line = line
        self.end = end
        self.text = text

    def shown(self) -> str:
        """How a message names this token."""
        if self.kind == "end":
            return "the end of the file"
        return quoted(self.value if self.kind == "string" else self.text)


class Scanner:
    """Gives the tokens of one text, one at a time. The text's lines end with `\\n`."""

    def __init__(self, text: str, origin: str = "") -> None:
        self._text = text
        self._origin = origin
        self._at = 0
        self._line = 1

    def next(self) -> Token:
        """Returns the next token; after the last one, `end` tokens for ever. Raises ConfigurationSyntaxError."""
        self._skip_blanks()
        text, at = self._text, self._at
        if at >= len(text):
            return Token("end", "", self._line, self._line, "")
        c = text[at]
        if c in "\"'":
            return self._string(raw=False)
        if c in DIGITS or (c in "+-." and text[at + 1 : at + 2] in tuple(DIGITS + ".")):
            return self._number()
        if c in LETTERS:
            return self._word()
        if c == "@":
            return self._directive()
        if c in ",:{}[]()":
            self._at += 1
            return Token("mark", c, self._line, self._line, c)
        raise self._error(self._unexpected(c))

    def _error(self, message: str, line: int = 0) -> ConfigurationSyntaxError:
        return ConfigurationSyntaxError(message, self._origin, line or self._line)

    @staticmethod
    def _unexpected(c: str) -> str:
        if c == "=":
            return 'unexpected "="; a setting is written "key: value"'
        if c in "+-*/%&|^~<>!":
            return f'unexpected "{c}"; nothing is evaluated here, write the value itself'
        if c == ";":
            return 'unexpected ";"; settings are separated by commas'
        if c.isprintable():
            return f'unexpected "{c}"; text stands in quotes'
        return f"unexpected character U+{ord(c):04X}"

    def _skip_blanks(self) -> None:
        text = self._text
        while self._at < len(text):
            c = text[self._at]
            if c in BLANKS:
                self._line += c == "\n"
                self._at += 1
            elif c == "#" or text.startswith("//", self._at):
                newline = text.find("\n", self._at)
                self._at = len(text) if newline < 0 else newline
            elif text.startswith("/*", self._at):
                self._skip_comment()
            else:
                return

    def _skip_comment(self) -> None:
        end = self._text.find("*/", self._at + 2)
        if end < 0:
            raise self._error('this comment is not closed; "*/" is missing')
        self._line += self._text.count("\n", self._at, end)
        self._at = end + 2

    def _run(self, characters: str) -> str:
        """Takes the longest run of `characters` from here; may be empty."""
        text, start = self._text, self._at
        at = start
        while at < len(text) and text[at] in characters:
            at += 1
        self._at = at
        return text[start:at]

    def _word(self) -> Token:
        word = self._run(WORD_CHARACTERS)
        if self._text[self._at : self._at + 1] in ('"', "'"):
            if word.lower() in STRING_PREFIXES:
                return self._string(raw="r" in word.lower())
            if word.lower() in OTHER_PREFIXES:
                raise self._error(f'strings with the prefix "{word}" are not part of the dialect')
        return Token("word", word, self._line, self._line, word)

    def _directive(self) -> Token:
        self._at += 1
        name = "@" + self._run(WORD_CHARACTERS)
        return Token("directive", name, self._line, self._line, name)

    # Strings

    def _string(self, raw: bool) -> Token:
        text, first = self._text, self._line
        quote = text[self._at]
        closing = quote * 3 if text.startswith(quote * 3, self._at) else quote
        self._at += len(closing)
        parts: list[str] = []
        start = self._at
        while not text.startswith(closing, self._at):
            c = text[self._at : self._at + 1]
            if not c or (c == "\n" and len(closing) == 1):
                raise self._error(f"this string is not closed; {closing} is missing", first)
            if c == "\\" and not raw:
                parts.append(text[start : self._at])
                parts.append(self._escape())
                start = self._at
                continue
            taken = text[self._at : self._at + (2 if c == "\\" else 1)]
            self._line += taken.count("\n")
            self._at += len(taken)
        parts.append(text[start : self._at])
        self._at += len(closing)
        return Token("string", "".join(parts), first, self._line, "")

    def _escape(self) -> str:
        """Takes one escape sequence; Python's meanings, and an unknown one stands for itself."""
        c = self._text[self._at + 1 : self._at + 2]
        if c and c in ESCAPES:
            self._at += 2
            self._line += c == "\n"
            return ESCAPES[c]
        if c in HEX_ESCAPES:
            digits = self._text[self._at + 2 : self._at + 2 + HEX_ESCAPES[c]]
            return self._character(c + digits, digits, 16, HEX_ESCAPES[c])
        if c and c in "01234567":
            digits = c
            while len(digits) < 3 and self._text[self._at + 1 + len(digits) :][:1] in tuple("01234567"):
                digits += self._text[self._at + 1 + len(digits)]
            return self._character(digits, digits, 8, 1)
        if c == "N":
            return self._named_character()
        self._at += 1 + len(c)
        return "\\" + c

    def _character(self, written: str, digits: str, base: int, width: int) -> str:
        if len(digits) < width or any(d not in "0123456789abcdefABCDEF" for d in digits):
            raise self._error(f'the escape "\\{written[0]}" needs {width} hexadecimal digits')
        code = int(digits, base)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise self._error(f'"\\{written}" is not a character')
        self._at += 1 + len(written)
        return chr(code)

    def _named_character(self) -> str:
        import unicodedata

        end = self._text.find("}", self._at, self._at + 100)
        name = self._text[self._at + 3 : end] if self._text.startswith("\\N{", self._at) else ""
        try:
            character = unicodedata.lookup(name if end > 0 else "")
        except (KeyError, UnicodeEncodeError):
            raise self._error('"\\N" needs the name of a character in braces') from None
        self._at = end + 1
        return character

    # Numbers

    def _number(self) -> Token:
        text, start = self._text, self._at
        if text[start] in "+-":
            self._at += 1
        body = self._run(NUMBER_CHARACTERS)
        if body[-1:] in ("e", "E") and body[:2].lower() != "0x" and text[self._at : self._at + 1] in ("+", "-"):
            self._at += 1
            body += text[self._at - 1] + self._run(NUMBER_CHARACTERS)
        written = text[start : self._at]
        if len(written) > MAX_NUMBER:
            raise self._error("this number is too long")
        if _is_quantity(body):
            return Token("quantity", written, self._line, self._line, written)
        try:
            number = _value(body)
        except (ValueError, OverflowError):
            raise self._error(f"{quoted(written)} is not a number; text stands in quotes") from None
        return Token("number", -number if written[0] == "-" else number, self._line, self._line, written)


def _is_quantity(body: str) -> bool:
    digits = body.rstrip(LETTERS)
    return body[len(digits) :].lower() in SUFFIXES and digits.replace(".", "", 1).isdigit()


def _value(body: str) -> int | float:
    """The number that `body` spells, without sign. Raises ValueError, OverflowError."""
    plain = body.replace("_", "")
    if body[:2].lower() in ("0x", "0o", "0b"):
        return int(body, 0)
    if plain.isdigit():
        # As Python 2 had it, for which the dialect was made: a leading zero means octal.
        return int(body, 8) if plain[0] == "0" else int(body)
    value = float(body)
    if value in (float("inf"), float("-inf")):
        raise OverflowError(body)
    return value
