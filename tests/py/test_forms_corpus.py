# SPDX-License-Identifier: MIT
"""Replays tests/corpus/forms: a line with the content type, then the body. Valid ones parse, invalid ones are refused.

Each is read whole, byte by byte, and cut in two at every place; the outcome is the same.
"""

import io
from pathlib import Path

import pytest
from smisk.core.forms import FormError, parse_form

CORPUS = Path(__file__).parent.parent / "corpus" / "forms"
VALID = sorted((CORPUS / "valid").iterdir())
INVALID = sorted((CORPUS / "invalid").iterdir())


class Cut(io.BytesIO):
    """A body whose reads end at the places given."""

    def __init__(self, data, places):
        super().__init__(data)
        self.places = sorted({*places, len(data)})

    def read(self, size=-1):
        at = self.tell()
        end = next((place for place in self.places if place > at), at)
        return super().read(min(size, end - at))


def parse(path, cut=lambda size: ()):
    content_type, _, body = path.read_bytes().partition(b"\n")
    stream = Cut(body, cut(len(body)))
    fields, files = parse_form(content_type, stream, len(body), memory=4096, max_fields=24, max_parts=32)
    files = {
        name: [(one.filename, one.content_type, one.read()) for one in (value if type(value) is list else [value])]
        for name, value in files.items()
    }
    return fields, files


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.name)
def test_valid_form_parses_however_it_arrives(path):
    whole = parse(path)
    assert parse(path, range) == whole
    for place in range(1, path.stat().st_size):
        assert parse(path, lambda size, place=place: (place,)) == whole


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.name)
def test_invalid_form_is_refused_however_it_arrives(path):
    places = range(0, path.stat().st_size, 1 + path.stat().st_size // 200)
    for cut in (lambda size: (), range, *[lambda size, place=place: (place,) for place in places]):
        with pytest.raises(FormError) as caught:
            parse(path, cut)
        assert caught.value.status == (413 if "-too-" in path.name else 400)
