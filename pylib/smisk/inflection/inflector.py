# SPDX-License-Identifier: MIT
"""An inflector: the rules of one language, and what is done to words by them.

Rules are regular expressions with a replacement. The newest is tried first and the first that matches wins, so general
rules come before special ones.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    Rule = str | re.Pattern[str]

__all__ = ["Inflector", "inflections"]

# By locale.
inflections: dict[str, Inflector] = {}

_HUMP = re.compile(r"(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z0-9])(?=[A-Z])")


class Inflector:
    """The inflector of the given locales, such as `sv` and `sv_SV` (RFC 5646), under which it is registered."""

    def __init__(self, *locales: str) -> None:
        self.locales = locales
        self.plurals: list[tuple[re.Pattern[str], str]] = []
        self.singulars: list[tuple[re.Pattern[str], str]] = []
        self.uncountables: list[str] = []
        inflections.update(dict.fromkeys(locales, self))

    # --- rules ---

    def plural(self, rule: Rule, replacement: str) -> None:
        """Adds a rule that makes plurals: a regular expression (text: case does not matter) and its replacement."""
        self.plurals.insert(0, (_compiled(rule), replacement))

    def singular(self, rule: Rule, replacement: str) -> None:
        """Adds a rule that makes singulars."""
        self.singulars.insert(0, (_compiled(rule), replacement))

    def regular(self, plural_find: str, plural_replace: str, singular_find: str, singular_replace: str = "") -> None:
        """Adds a rule for each way."""
        self.plural(plural_find, plural_replace)
        self.singular(singular_find, singular_replace)

    def irregular(self, singular: str, plural: str, first_letter_is_the_same: bool = True) -> None:
        """Adds a pair, for words and for ends of words, both ways. The case of the first letter is kept."""
        if first_letter_is_the_same:
            self.plural(f"({re.escape(singular[0])}){re.escape(singular[1:])}$", _after_letter(plural))
            self.singular(f"({re.escape(plural[0])}){re.escape(plural[1:])}$", _after_letter(singular))
            return
        for one, many in ((singular, plural), (singular.capitalize(), plural.capitalize())):
            self.plural(re.compile(f"{re.escape(one)}$"), _literal(many))
            self.singular(re.compile(f"{re.escape(many)}$"), _literal(one))

    def uncountable(self, *words: str) -> None:
        """Adds words that have no other form; whole words, case does not matter."""
        self.uncountables[0:0] = [word.lower() for word in words]

    def clear(self) -> None:
        """Forgets every rule."""
        self.plurals = []
        self.singulars = []
        self.uncountables = []

    # --- numbers ---

    def pluralize(self, word: object) -> str:
        """`post` to `posts`; the last word of several."""
        return self._inflect(str(word), self.plurals)

    def singularize(self, word: object) -> str:
        """`posts` to `post`; a singular stays one where the rules know it."""
        return self._inflect(str(word), self.singulars)

    def ordinalize(self, number: float | str) -> str:
        """1 to `1st`. The number is cut down to a whole one; ValueError for text that is none."""
        n = int(number)
        is_teen = abs(n) % 100 in (11, 12, 13)
        suffix = "th" if is_teen else {1: "st", 2: "nd", 3: "rd"}.get(abs(n) % 10, "th")
        return f"{n}{suffix}"

    # --- names ---

    def camelize(self, lower_case_and_underscored_word: str, first_letter_uppercase: bool = True) -> str:
        """`active_record/errors` to `ActiveRecord.Errors`, or to `activeRecord.Errors`."""
        word = re.sub(r"/(.?)", lambda match: f".{match[1].upper()}", lower_case_and_underscored_word)
        word = re.sub(r"(^|_)(.)", lambda match: str(match[2]).upper(), word)
        return word if first_letter_uppercase else word[:1].lower() + word[1:]

    def underscore(self, camel_cased_word: str) -> str:
        """`ActiveRecord.Errors` to `active_record/errors`."""
        return _HUMP.sub("_", camel_cased_word.replace(".", "/")).replace("-", "_").lower()

    def humanize(self, lower_case_and_underscored_word: str) -> str:
        """`employee_salary` to `Employee salary`, `author_id` to `Author`."""
        return lower_case_and_underscored_word.removesuffix("_id").replace("_", " ").capitalize()

    def demodulize(self, class_name_in_module: str) -> str:
        """`A.B.C` to `C`."""
        return class_name_in_module.rpartition(".")[2]

    def tableize(self, class_name: str) -> str:
        """`RawScaledScorer` to `raw_scaled_scorers`: the table of a class."""
        return self.pluralize(self.underscore(class_name))

    def classify(self, table_name: str) -> str:
        """`egg_and_hams` to `EggAndHam`: the class of a table."""
        return self.camelize(self.singularize(self.demodulize(table_name)))

    def foreignKey(self, class_name: str, underscore: bool = True) -> str:
        """`admin.Post` to `post_id`, or `postid`: the column that refers to a class."""
        return self.underscore(self.demodulize(class_name)) + ("_id" if underscore else "id")

    def _inflect(self, word: str, rules: list[tuple[re.Pattern[str], str]]) -> str:
        if word.lower() in self.uncountables:
            return word
        for rule, replacement in rules:
            inflected, count = rule.subn(replacement, word)
            if count:
                return inflected
        return word


def _compiled(rule: Rule) -> re.Pattern[str]:
    return re.compile(rule, re.IGNORECASE) if isinstance(rule, str) else rule


def _literal(text: str) -> str:
    return text.replace("\\", r"\\")


def _after_letter(word: str) -> str:
    return rf"\g<1>{_literal(word[1:])}"
