# SPDX-License-Identifier: MIT
"""Multipart bodies: names, files, limits, and what is refused."""

import gc
import io
import os

import pytest
from smisk.core.forms import FormError, parse_form

TYPE = b"multipart/form-data; boundary=XX"


def part(disposition, data=b"", *headers):
    lines = [b"--XX", b"Content-Disposition: " + disposition, *headers, b"", data]
    return b"\r\n".join(lines) + b"\r\n"


def field(name, data=b""):
    return part(b'form-data; name="%b"' % name, data)


def upload(name, filename, data=b"", *headers):
    return part(b'form-data; name="%b"; filename="%b"' % (name, filename), data, *headers)


def parse(*parts, end=b"--XX--\r\n", content_type=TYPE, length=None, memory=100_000, max_fields=10, max_parts=10):
    body = b"".join(parts) + end
    limits = {"memory": memory, "max_fields": max_fields, "max_parts": max_parts}
    return parse_form(content_type, io.BytesIO(body), len(body) if length is None else length, **limits)


def refused(*parts, **options):
    with pytest.raises(FormError) as caught:
        parse(*parts, **options)
    return caught.value.status, str(caught.value)


def test_multipart_fields_keep_order_repeats_and_empty_values():
    fields, files = parse(field(b"b", b"1"), field(b"a", b"x\r\n\r\ny"), field(b"b", b"2"), field(b"e"))
    assert fields == {"b": ["1", "2"], "a": "x\r\n\r\ny", "e": ""}
    assert list(fields) == ["b", "a", "e"]
    assert files == {}


def test_multipart_text_is_utf8_or_latin1():
    fields, _ = parse(field(b"n\xc3\xa5", b"\xc3\xb6"), field(b"n\xe5", b"\xe5"))
    assert fields == {"nå": ["ö", "å"]}


def test_multipart_values_are_not_percent_decoded():
    assert parse(field(b"a%20b+c", b"1%202+3"))[0] == {"a%20b+c": "1%202+3"}


def test_multipart_charset_field_is_an_ordinary_field():
    assert parse(field(b"_charset_", b"iso-8859-1"), field(b"a", b"\xc3\xa5"))[0] == {
        "_charset_": "iso-8859-1",
        "a": "å",
    }


def test_multipart_file_has_the_attributes_and_keys_of_smisk_1():
    _, files = parse(upload(b"f", rb"C:\x\my file.txt", b"DATA\r\n", b"Content-Type: text/plain; charset=x"))
    file = files["f"]
    assert (file.filename, file.content_type, file.size) == (r"C:\x\my file.txt", "text/plain; charset=x", 6)
    assert file.read() == b"DATA\r\n"
    assert file["filename"] == r"C:\x\my file.txt"
    assert (file["content_type"], file["size"]) == ("text/plain; charset=x", 6)
    with open(file["path"], "rb") as copy:
        assert copy.read() == b"DATA\r\n"


def test_multipart_file_without_type_has_empty_type():
    assert parse(upload(b"f", b"a.txt", b"x"))[1]["f"].content_type == ""


def test_multipart_repeated_files_give_a_list():
    _, files = parse(upload(b"f", b"a", b"1"), upload(b"f", b"b", b"2"), upload(b"g", b"c", b"3"))
    assert [file.filename for file in files["f"]] == ["a", "b"]
    assert files["g"].read() == b"3"


def test_multipart_file_input_left_empty_is_dropped():
    assert parse(upload(b"f", b"", b"", b"Content-Type: application/octet-stream")) == ({}, {})


def test_multipart_empty_file_and_nameless_file_are_kept():
    _, files = parse(upload(b"a", b"empty.txt"), upload(b"b", b"", b"data"))
    assert (files["a"].filename, files["a"].size, files["a"].read()) == ("empty.txt", 0, b"")
    assert (files["b"].filename, files["b"].read()) == ("", b"data")


@pytest.mark.parametrize(
    ("disposition", "name", "filename"),
    [
        (rb'form-data; name="n"; filename="a%22b%0D%0A.txt"', "n", 'a"b\r\n.txt'),
        (rb'form-data; name="n"; filename="100%.txt"', "n", "100%.txt"),
        (rb'form-data; name="n"; filename="a\"b\\c.txt"', "n", 'a"b\\c.txt'),
        (rb'form-data; name="n"; filename="dir\"', "n", "dir\\"),
        (rb'form-data; name="n\"; filename="x"', "n\\", "x"),
        (rb'form-data; name="n"; filename="a;b=c.txt"', "n", "a;b=c.txt"),
        (rb"form-data; name=n; filename=a.txt", "n", "a.txt"),
        (b"form-data; name=n\xe5; filename=\xc3\xa5.txt", "nå", "å.txt"),
        (b'form-data;NAME="n";\tFileName = "a"', "n", "a"),
        (rb'form-data; filename="a"; name="n"; size=3', "n", "a"),
        (rb"""form-data; name="n"; filename="a"; filename*=UTF-8''b""", "n", "a"),
        (rb'Form-Data; name="n"; filename="../../etc/passwd"; ', "n", "../../etc/passwd"),
    ],
)
def test_multipart_disposition_gives_name_and_filename(disposition, name, filename):
    _, files = parse(part(disposition, b"x"))
    assert files[name].filename == filename


def test_multipart_filename_star_alone_makes_no_file():
    assert parse(part(b"form-data; name=n; filename*=UTF-8''b", b"x")) == ({"n": "x"}, {})


@pytest.mark.parametrize(
    ("disposition", "message"),
    [
        (b"form-data", "no name"),
        (b'form-data; filename="a"', "no name"),
        (b'attachment; name="a"', "Content-Disposition"),
        (b'form-data; name="a"; name="b"', "two parameters"),
        (b'form-data; name="a"; filename="b"; FILENAME="c"', "two parameters"),
        (b'form-data; name="a', "malformed Content-Disposition"),
        (b'form-data; name="a"b', "malformed Content-Disposition"),
        (b"form-data; name", "malformed Content-Disposition"),
        (b'form-data; name="a\0"', "control character"),
        (b'form-data; name="a\r"', "control character"),
        (b'form-data; name="a\x7f"', "control character"),
    ],
)
def test_multipart_malformed_disposition_is_refused(disposition, message):
    status, text = refused(part(disposition, b"x"))
    assert status == 400
    assert message in text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"nothing here",
        b"--XY\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--XY--\r\n",
        b"--XX",
        b"--XX\r\n",
        b"--XXContent-Disposition: form-data; name=a\r\n\r\nx\r\n--XX--\r\n",
        b"--XX\nContent-Disposition: form-data; name=a\n\nx\n--XX--\n",
        b"--XX\r\nContent-Disposition: form-data; name=a\n\r\nx\r\n--XX--\r\n",
        b"--XX\r\n\r\nx\r\n--XX--\r\n",
        b"--XX\r\nnonsense\r\n\r\nx\r\n--XX--\r\n",
        b"--XX\r\nContent-Type: text/plain\r\n\r\nx\r\n--XX--\r\n",
        b"--XX\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data\r\n\r\nx\r\n--XX--",
        b"--XX\r\nContent-Disposition: form-data; name=a\r\nContent-Length: 5\r\n\r\nx\r\n--XX--\r\n",
        b"--XX\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--XXzz\r\n",
        b"--XX\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--XX",
        b"--XX\r\nContent-Disposition: form-data; name=a\r\n\r\nx",
        b"--XX\r\nContent-Disposition: form-data; name=a; filename=f\r\nContent-Type: a\0b\r\n\r\nx\r\n--XX--\r\n",
    ],
)
def test_multipart_broken_body_is_malformed(body):
    status, text = refused(end=body)
    assert status == 400
    assert text


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (b"", "without a boundary"),
        (b"; boundary=", "without a boundary"),
        (b'; boundary=""', "without a boundary"),
        (b"; boundary=" + b"x" * 71, "longer than 70"),
        (b"; boundary=\xe5", "not allowed"),
        (b'; boundary="XX "', "not allowed"),
        (b"; boundary=XX; boundary=YY", "two parameters"),
        (b"; boundary=XX\r\nX-Evil: 1", "malformed Content-Type"),
        (b'; boundary="X\r\nX"', "not allowed"),
        (b'; boundary="X\0X"', "not allowed"),
        (b'; boundary="XX', "malformed Content-Type"),
        (b"; boundary=XX; charset", "malformed Content-Type"),
    ],
)
def test_multipart_bad_boundary_is_malformed(parameters, message):
    status, text = refused(field(b"a"), content_type=b"multipart/form-data" + parameters)
    assert status == 400
    assert message in text


@pytest.mark.parametrize(
    "parameters", [b'; boundary="XX"', b";boundary=XX", b"; charset=utf-8; Boundary=XX", b"; boundary=XX;"]
)
def test_multipart_boundary_is_found(parameters):
    assert parse(field(b"a", b"1"), content_type=b"Multipart/Form-Data" + parameters)[0] == {"a": "1"}


def test_multipart_boundary_may_be_any_printable_ascii():
    for boundary in (b"===============123==", b"ThIs_Is_tHe_bouNdaRY_$", b"a/b:c?d", b"x" * 70):
        body = field(b"a", b"1").replace(b"--XX", b"--" + boundary)
        content_type = b"multipart/form-data; boundary=" + boundary
        assert parse(body, end=b"--" + boundary + b"--\r\n", content_type=content_type)[0] == {"a": "1"}


def test_multipart_without_parts_is_empty():
    assert parse(end=b"--XX--\r\n") == ({}, {})


def test_multipart_leading_line_break_and_any_epilogue_are_ignored():
    assert parse(b"\r\n", field(b"a", b"1"), end=b"--XX--\r\nbye\r\n--XX\r\n" + b"z" * 200_000)[0] == {"a": "1"}


@pytest.mark.parametrize("preamble", [b"x", b"\n", b"\r\n\r\n", b"hello\r\n", b"x" * 100_000 + b"\r\n"])
def test_multipart_preamble_is_malformed(preamble):
    status, text = refused(preamble, field(b"a"))
    assert status == 400
    assert "does not begin with its boundary" in text


def test_multipart_end_split_between_reads_is_understood():
    for spare in range(-6, 7):
        data = b"x" * (64 * 1024 - len(field(b"a")) - len(b"--XX--\r\n") + spare)
        assert parse(field(b"a", data))[0] == {"a": data.decode()}


def test_multipart_body_cut_anywhere_is_malformed():
    body = field(b"a", b"1") + upload(b"f", b"f", b"22") + b"--XX--"
    for length in range(len(body)):
        with pytest.raises(FormError) as caught:
            parse_form(TYPE, io.BytesIO(body[:length]), length, memory=99, max_fields=9, max_parts=9)
        assert caught.value.status == 400
        with pytest.raises(FormError, match=f"ends after {length} of") as caught:
            parse_form(TYPE, io.BytesIO(body[:length]), len(body) + 1, memory=99, max_fields=9, max_parts=9)
        assert caught.value.status == 400


def test_multipart_read_byte_by_byte_gives_the_same():
    class Trickle(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 1))

    body = field(b"a", b"\r\n--X\r\n-") + upload(b"f", b"f", b"\r\r\n--X") + b"--XX--\r\n"
    fields, files = parse_form(TYPE, Trickle(body), len(body), memory=99, max_fields=9, max_parts=9)
    assert fields == {"a": "\r\n--X\r\n-"}
    assert files["f"].read() == b"\r\r\n--X"


def test_multipart_reads_no_more_than_its_length():
    body = field(b"a", b"1") + b"--XX--\r\n"
    stream = io.BytesIO(body + b"next request")
    assert parse_form(TYPE, stream, len(body), memory=99, max_fields=9, max_parts=9)[0] == {"a": "1"}
    assert stream.read() == b"next request"


def test_multipart_of_unknown_length_is_read_to_its_end():
    assert parse(field(b"a", b"1"), length=-1)[0] == {"a": "1"}


def test_multipart_too_many_fields_are_too_large():
    assert len(parse(*[field(b"a%d" % n) for n in range(10)])[0]) == 10
    assert refused(*[field(b"a")] * 11, max_parts=20) == (413, "more than 10 fields")


def test_multipart_too_many_parts_are_too_large():
    assert len(parse(*[upload(b"f%d" % n, b"f") for n in range(10)])[1]) == 10
    assert refused(*[upload(b"f", b"f")] * 11) == (413, "more than 10 parts")


@pytest.mark.parametrize("headers", [[b"X-A: " + b"x" * 5000], [b"X-%d: 1" % n for n in range(20)], [b"X" * 200_000]])
def test_multipart_too_large_part_headers_are_too_large(headers):
    assert refused(part(b"form-data; name=a", b"x", *headers))[0] == 413


def test_multipart_fields_larger_than_memory_are_too_large():
    assert parse(field(b"a", b"x" * 60), field(b"b", b"x" * 40), memory=100)[0]["b"] == "x" * 40
    status, text = refused(field(b"a", b"x" * 60), field(b"b", b"x" * 41), memory=100)
    assert status == 413
    assert "100 bytes" in text


def test_multipart_files_past_memory_are_spooled_to_one_descriptor(tmp_path):
    data = [bytes([n]) * (40_000 * (n % 3) + 10) for n in range(60)]
    body = b"".join(upload(b"f", b"f", piece) for piece in data) + b"--XX--\r\n"
    before = len(os.listdir("/proc/self/fd"))
    _, files = parse_form(
        TYPE, io.BytesIO(body), len(body), memory=50_000, max_fields=9, max_parts=60, temp_dir=str(tmp_path)
    )
    assert len(os.listdir("/proc/self/fd")) == before + 1
    assert os.listdir(tmp_path) == []
    assert [file.size for file in files["f"]] == [len(piece) for piece in data]
    assert [file.read() for file in reversed(files["f"])] == data[::-1]
    del files
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_multipart_failure_leaves_no_descriptor(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    body = upload(b"f", b"f", b"x" * 1000)
    with pytest.raises(FormError):
        parse_form(TYPE, io.BytesIO(body), len(body), memory=9, max_fields=9, max_parts=9, temp_dir=str(tmp_path))
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before
    assert os.listdir(tmp_path) == []


def test_multipart_spooling_to_a_missing_folder_is_an_error_of_ours(tmp_path):
    body = upload(b"f", b"f", b"x" * 1000) + b"--XX--\r\n"
    missing = str(tmp_path / "missing")
    with pytest.raises(FileNotFoundError):
        parse_form(TYPE, io.BytesIO(body), len(body), memory=9, max_fields=9, max_parts=9, temp_dir=missing)


def test_multipart_large_file_is_parsed_in_bounded_memory(tmp_path):
    """The body never comes whole into memory: reads are bounded, and so is what one read may allocate."""

    class Endless(io.RawIOBase):
        def __init__(self, size):
            self.head = io.BytesIO(upload(b"f", b"big")[:-2])
            self.left = size
            self.tail = io.BytesIO(b"\r\n--XX--\r\n")
            self.largest = 0

        def read(self, size=-1):
            self.largest = max(self.largest, size)
            data = self.head.read(size)
            if not data and self.left:
                data = bytes(min(size, self.left))
                self.left -= len(data)
            return data or self.tail.read(size)

    size = 20_000_000
    length = len(upload(b"f", b"big")) - 2 + size + len(b"\r\n--XX--\r\n")
    body = Endless(size)
    _, files = parse_form(TYPE, body, length, memory=1000, max_fields=9, max_parts=9, temp_dir=str(tmp_path))
    assert files["f"].size == size
    assert body.largest <= 64 * 1024


def test_multipart_text_in_another_charset_is_decoded():
    body = field(b"n\x82\xa0", b"\x82\xa2") + upload(b"f", b"\x82\xa4.txt", b"x") + b"--XX--\r\n"
    limits = {"memory": 999, "max_fields": 9, "max_parts": 9}
    fields, files = parse_form(TYPE, io.BytesIO(body), len(body), charset="shift_jis", **limits)
    assert fields == {"nあ": "い"}
    assert files["f"].filename == "う.txt"
    fields, _ = parse_form(TYPE, io.BytesIO(body), len(body), charset=None, **limits)
    assert fields == {"n\x82\xa0": b"\x82\xa2"}
    with pytest.raises(UnicodeDecodeError):
        parse_form(TYPE, io.BytesIO(body), len(body), tolerant=False, **limits)


def test_multipart_limits_of_an_application_come_first():
    body = field(b"a", b"x" * 60) + b"--XX--\r\n"
    limits = {"memory": 50, "max_fields": 9, "max_parts": 9}

    def fields(**sizes):
        return parse_form(TYPE, io.BytesIO(body), len(body), **limits, **sizes)[0]

    assert fields(max_formdata_size=60) == fields(max_formdata_size=-1) == {"a": "x" * 60}
    assert fields(max_formdata_size=60, max_multipart_size=len(body)) == {"a": "x" * 60}
    assert fields(max_multipart_size=0) == {}
    for sizes in ({}, {"max_formdata_size": 59}, {"max_formdata_size": 60, "max_multipart_size": len(body) - 1}):
        with pytest.raises(FormError) as caught:
            fields(**sizes)
        assert caught.value.status == 413
