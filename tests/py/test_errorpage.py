# SPDX-License-Identifier: MIT
"""The error page: says what it should, escapes everything, and is there whatever the exception does."""

import html.parser
import sys

import pytest
from smisk.core.errorpage import render

EVIL = "<script>alert('x')</script>&\"\0\x1b[31m"


class Reader(html.parser.HTMLParser):
    """Collects tags and text, and fails on an end tag that closes something else."""

    VOID = frozenset(("meta", "br"))

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def raised(make):
    try:
        make()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def fail(error, *causes):
    if not causes:
        raise error
    try:
        fail(*causes)
    except BaseException as cause:
        raise error from cause


def page(error, show_traceback=True, method="GET", url="/path", request_id="3f2a-00001c"):
    text = render(error, method=method, url=url, request_id=request_id, show_traceback=show_traceback)
    assert text.startswith("<!DOCTYPE html>")
    assert text.encode("utf-8").decode("utf-8") == text
    return Reader(text)


def test_page_with_traceback_shows_error_frames_and_request():
    shown = page(raised(lambda: fail(ValueError("what went wrong"))), method="POST", url="/a?b=c").text
    assert "ValueError" in shown
    assert "what went wrong" in shown
    assert __file__ in shown
    assert "raise error" in shown
    assert "POST /a?b=c" in shown
    assert "3f2a-00001c" in shown


def test_page_without_traceback_shows_nothing_but_the_id():
    shown = page(raised(lambda: fail(ValueError("secret-text"))), False, url="/secret-path").text
    assert "3f2a-00001c" in shown
    for hidden in ("secret", "ValueError", __file__):
        assert hidden not in shown


@pytest.mark.parametrize("show_traceback", [True, False])
def test_page_escapes_everything(show_traceback):
    shown = page(raised(lambda: fail(ValueError(EVIL))), show_traceback, method=EVIL, url=EVIL, request_id=EVIL)
    assert "script" not in shown.tags
    assert "\0" not in shown.text
    assert "\x1b" not in shown.text
    assert "<script>alert('x')</script>&\"" in shown.text


def test_page_escapes_names_of_files_functions_and_source():
    code = compile("def f():\n    raise KeyError('<b>')\nf()\n", "<i>file</i>.py", "exec")
    shown = page(raised(lambda: exec(code, {})))
    assert "<i>file</i>.py" in shown.text
    assert shown.tags.count("i") == page(raised(lambda: exec(compile("1/0", "x.py", "exec"), {}))).tags.count("i")


def test_page_loads_nothing():
    text = render(ValueError("x"), method="GET", url="/", request_id="1", show_traceback=True)
    for word in ("http:", "https:", "url(", "@import", "<link", "<img", "src="):
        assert word not in text
    assert "prefers-color-scheme:dark" in text


def test_page_shows_causes_and_contexts_once():
    shown = page(raised(lambda: fail(ValueError("first"), KeyError("second"), OSError("third"))))
    assert shown.text.index("first") < shown.text.index("second") < shown.text.index("third")
    assert shown.tags.count("h1") == 1
    assert shown.tags.count("h2") == 2

    def context():
        try:
            fail(KeyError("inner"))
        except KeyError:
            fail(ValueError("outer"))

    assert "KeyError was being handled" in page(raised(context)).text


def test_page_leaves_out_a_suppressed_context():
    def suppressed():
        try:
            fail(KeyError("inner"))
        except KeyError:
            raise ValueError("outer") from None

    assert "h2" not in page(raised(suppressed)).tags


def test_page_of_a_cycle_of_causes_ends():
    first, second = ValueError("first"), KeyError("second")
    first.__cause__, second.__cause__ = second, first
    shown = page(first).text
    assert shown.count("was the direct cause") == 1


def test_page_of_a_long_chain_is_bounded():
    assert page(raised(lambda: fail(*[ValueError(f"number {n}") for n in range(100)]))).text.count("number ") < 20


def test_page_of_deep_recursion_is_bounded():
    def down():
        return down()

    text = render(raised(down), method="GET", url="/", request_id="1", show_traceback=True)
    assert "more frames" in text
    assert len(text) < 200_000


def test_page_of_a_huge_message_is_bounded():
    assert (
        len(render(ValueError("x" * 10**7), method="y" * 10**7, url="z" * 10**7, request_id="1", show_traceback=True))
        < 50_000
    )


def test_page_of_a_syntax_error_shows_the_line(tmp_path):
    path = tmp_path / "app.py"
    path.write_text("a = 1\nb = (\nc = 'broken line'\n")
    shown = page(raised(lambda: compile(path.read_text(), str(path), "exec"))).text
    assert str(path) in shown
    assert "b = (" in shown


def test_page_shows_the_source_as_it_is_now(tmp_path):
    path = tmp_path / "app.py"
    for text in ("raise ValueError('one') # old\n", "raise ValueError('three') # newer\n"):
        path.write_text(text)
        assert text.strip() in page(raised(lambda: exec(compile(path.read_text(), str(path), "exec"), {}))).text


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes and groups came with Python 3.11")
def test_page_shows_notes_and_members_of_groups():
    group = ExceptionGroup("several", [ValueError("one"), KeyError("two")])  # noqa: F821
    group.add_note("a note <b>")
    shown = page(group).text
    for word in ("several", "a note <b>", "ValueError was in the group", "KeyError was in the group"):
        assert word in shown


def test_page_names_the_class_with_its_module():
    class Local(Exception):
        pass

    assert "Local" in page(Local("x")).text
    assert "json.decoder.JSONDecodeError" in page(raised(lambda: __import__("json").loads("{"))).text


class Meta(type):
    def __getattribute__(cls, name):
        raise RuntimeError(name)


def hostile_meta(text):
    """Makes the class out of pytest's sight, which looks at every name of a module."""

    class HostileMeta(Exception, metaclass=Meta):
        pass

    return HostileMeta(text)


class HostileStr(Exception):
    def __str__(self):
        raise SystemExit("from __str__")

    __repr__ = __str__


class HostileAttributes(Exception):
    def __getattribute__(self, name):
        raise KeyboardInterrupt(name)


class HostileSlots(Exception):
    __cause__ = property(lambda self: 1 / 0)
    __context__ = 5
    __traceback__ = "text"
    __suppress_context__ = property(lambda self: 1 / 0)
    __notes__ = property(lambda self: 1 / 0)
    exceptions = (1, "two", None)


class HostileText(str):
    __slots__ = ()

    def __str__(self):
        raise ValueError

    def __len__(self):
        return 10**9

    translate = encode = __getitem__ = __format__ = __str__


class ReturnsHostileText(Exception):
    def __str__(self):
        return HostileText("the text")


class ReturnsNoText(Exception):
    def __str__(self):
        return 5


class RecursiveStr(Exception):
    def __str__(self):
        return str(self)


@pytest.mark.parametrize(
    "kind",
    [hostile_meta, HostileStr, HostileAttributes, HostileSlots, ReturnsHostileText, ReturnsNoText, RecursiveStr],
)
@pytest.mark.parametrize("show_traceback", [True, False])
def test_page_of_a_hostile_exception_is_whole(kind, show_traceback):
    shown = page(raised(lambda: fail(kind("x"))), show_traceback)
    assert ("raise error" in shown.text) == show_traceback
    assert "3f2a-00001c" in shown.text


def test_page_with_surrogates_encodes():
    shown = page(raised(lambda: fail(ValueError("\udce5\ud800"))), url="/\udcff").text
    assert "??" in shown


def test_page_of_missing_source_has_the_frame():
    shown = page(raised(lambda: exec(compile("1/0", "/no/such/file.py", "exec"), {}))).text
    assert "/no/such/file.py:1" in shown


def test_page_of_an_exception_never_raised_has_no_frames():
    assert "KeyError" in page(KeyError()).text


def test_page_is_there_even_when_it_cannot_be_made():
    text = render(ValueError("x"), method=None, url=None, request_id=None, show_traceback=True)
    assert "500 Internal Server Error" in text
