# SPDX-License-Identifier: MIT
"""The table of encodings: the names of Smisk 1.1 that this Python has, each with what is true of it."""

import codecs

import pytest
from smisk.charsets import charsets

CP = (
    "037", 424, 437, 500, 737, 775, 850, 852, 855, 856, 857, *range(860, 867), 869, 874, 875, 932, 949, 950, 1006, 1026,
    1140, *range(1250, 1259),
)  # fmt: skip
NAMES = {
    "ascii", "big5", "big5hkscs", *(f"cp{number}" for number in CP),
    "euc_jp", "euc_jis_2004", "euc_jisx0213", "euc_kr", "gb2312", "gbk", "gb18030", "hz",
    "iso2022_jp", "iso2022_jp_1", "iso2022_jp_2", "iso2022_jp_2004", "iso2022_jp_3", "iso2022_jp_ext", "iso2022_kr",
    "latin_1", *(f"iso8859_{number}" for number in (2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15)),
    "johab", "koi8_r", "koi8_u", "mac_cyrillic", "mac_greek", "mac_iceland", "mac_latin2", "mac_roman", "mac_turkish",
    "ptcp154", "shift_jis", "shift_jis_2004", "shift_jisx0213",
    "utf_16", "utf_16_be", "utf_16_le", "utf_7", "utf_8", "utf_8_sig",
}  # fmt: skip
SPECIALS = {"idna", "palmos", "punycode", "raw_unicode_escape", "rot_13", "unicode_escape", "unicode_internal"}


def is_known(name: str) -> bool:
    try:
        codecs.lookup(name)
    except LookupError:
        return False
    return True


def test_names_are_the_93_of_1_1_that_python_still_has() -> None:
    assert len(NAMES | SPECIALS) == 93
    assert set(charsets) == {name for name in NAMES | SPECIALS if is_known(name)}


def test_entries_of_the_reference_are_right() -> None:
    assert charsets["latin_1"] == {
        "alias": "iso-8859-1, iso8859-1, 8859, cp819, latin, latin1, L1",
        "language": "West Europe",
    }
    assert charsets["koi8_r"] == {"language": "Russian"}
    assert set(charsets["idna"]) == {"description"}


@pytest.mark.parametrize("name", sorted(charsets))
def test_aliases_are_names_of_the_same_codec(name: str) -> None:
    entry = charsets[name]
    aliases = entry["alias"].split(", ") if "alias" in entry else []
    assert {codecs.lookup(alias).name for alias in aliases} <= {codecs.lookup(name).name}
    assert entry.keys() - {"alias"} == ({"description"} if name in SPECIALS else {"language"})
