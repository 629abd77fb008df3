# SPDX-License-Identifier: MIT
"""English. General rules first: the later ones are tried before them."""

from .inflector import Inflector

__all__ = ["inflection"]

inflection = Inflector("en", "en_EN", "eng")

_PLURALS = (
    (r"$", "s"),
    (r"s$", "s"),
    (r"(bus|alias|status|x|ch|ss|sh)$", r"\1es"),
    (r"(buffal|tomat)o$", r"\1oes"),
    (r"([^aeiouy]|qu)y$", r"\1ies"),
    # Words in -fe and -f, by name: safes, golfs, leafs.
    (r"(wi|kni|li)fe$", r"\1ves"),
    (r"(wol|hal|cal|shel|el|sel|scar|dwar|whar)f$", r"\1ves"),
    (r"(octop|vir)us$", r"\1i"),
    (r"([ti])um$", r"\1a"),
    (r"sis$", "ses"),
    (r"(test|(?<!t)ax)is$", r"\1es"),
    (r"(matr|vert|ind)(?:ix|ex)$", r"\1ices"),
    (r"((?<!b)[ml])ouse$", r"\1ice"),
    (r"^(ox)$", r"\1en"),
    (r"(quiz)$", r"\1zes"),
    (r"news$", "news"),
)

_SINGULARS = (
    (r"s$", ""),
    (r"(bus|alias|status|x|ch|ss|sh)es$", r"\1"),
    (r"(o)es$", r"\1"),
    (r"(shoe)s$", r"\1"),
    (r"([^aeiouy]|qu)ies$", r"\1y"),
    (r"(movie)s$", r"\1"),
    (r"(wi|kni|li)ves$", r"\1fe"),
    (r"(wol|hal|cal|shel|el|sel|scar|dwar|whar|lea|loa|thie|shea)ves$", r"\1f"),
    (r"(octop|vir)i$", r"\1us"),
    (r"([ti])a$", r"\1um"),
    (r"(analy|diagno|progno|synop|cri|the|^ba)ses$", r"\1sis"),
    (r"(test|(?<![t])ax)es$", r"\1is"),
    (r"(vert|ind)ices$", r"\1ex"),
    (r"(matr)ices$", r"\1ix"),
    (r"([ml])ice$", r"\1ouse"),
    (r"^(ox)en$", r"\1"),
    (r"(quiz)zes$", r"\1"),
    # Singulars that look like plurals.
    (r"(ss|sis|bus|alias|status|octopus|virus|news|series|testis|(?<!t)axis)$", r"\1"),
)

for _rule, _replacement in _PLURALS:
    inflection.plural(_rule, _replacement)
for _rule, _replacement in _SINGULARS:
    inflection.singular(_rule, _replacement)

inflection.irregular("person", "people")
inflection.irregular("man", "men")
# They end in -man, and none of them is one.
inflection.plural(r"(hu|ger|^ro|nor|sha|talis|otto|cai)man$", r"\1mans")
inflection.irregular("child", "children")
inflection.irregular("sex", "sexes")
inflection.irregular("move", "moves")

inflection.uncountable(
    "equipment", "information", "rice", "money", "species", "series", "fish", "sheep", "commotion"
)  # fmt: skip
