# SPDX-License-Identifier: MIT
"""Swedish: the indefinite plural of nouns, and the plural of adjectives. General rules first."""

from .inflector import Inflector

__all__ = ["inflection"]


class _Swedish(Inflector):
    def ordinalize(self, number: float | str) -> str:
        """1 to `1:a`, 3 to `3:e`; 11 and 12 are `11:e` and `12:e`."""
        n = int(number)
        is_first_or_second = abs(n) % 10 in (1, 2) and abs(n) % 100 not in (11, 12)
        return f"{n}:{'a' if is_first_or_second else 'e'}"


inflection = _Swedish("sv", "sv_SV")

# A plural and its singular: what is found, what takes its place.
_REGULAR = (
    (r"$", "a", r"a$", ""),  # stor, stora
    (r"a$", "or", r"or$", "a"),  # flicka, flickor
    (r"e$", "ar", r"ar$", ""),
    (r"(st|tt|n)$", r"\1er", r"er$", ""),  # katt, katter
    (r"(ng|il|åt)$", r"\1ar", r"ar$", ""),  # båt, båtar
    (r"(um)$", r"\1ma", r"(um)ma$", r"\1"),  # dum, dumma
    (r"(un)$", r"\1nar", r"(un)nar$", r"\1"),  # mun, munnar
    (r"(ud)$", r"\1en", r"(ud)en$", r"\1"),  # huvud, huvuden
    (r"(ne)$", r"\1n", r"(ne)n$", r"\1"),  # vittne, vittnen
    (r"(iv)en$", r"\1na", r"(iv)na$", r"\1en"),  # given, givna
    (r"(os)$", r"\1or", r"(os)or$", r"\1"),  # ros, rosor
    (r"us$", "öss", r"öss$", "us"),  # mus, möss
    (r"and$", "änder", r"änder$", "and"),  # hand, händer
    (r"(k)el$", r"\1lar", r"(k)lar$", r"\1el"),  # snorkel, snorklar
)

for _rules in _REGULAR:
    inflection.regular(*_rules)

inflection.irregular("man", "män")
inflection.irregular("fader", "fädrar")
inflection.irregular("moder", "mödrar")
inflection.irregular("lust", "lustar")
inflection.irregular("pojke", "pojkar")
inflection.irregular("korn", "korn")
inflection.irregular("liten", "små", False)

inflection.uncountable(
    "folk", "ris", "får", "sex", "lokomotiv", "lok", "rum", "barn", "förtjusande", "brev", "hus", "gift"
)  # fmt: skip
