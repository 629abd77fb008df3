# SPDX-License-Identifier: MIT
"""What is wrong, and where: each message as a person sees it."""

import pytest
from smisk.config import ConfigurationError, ConfigurationSyntaxError
from smisk.config.parser import Parser, parse

ERRORS = [
    # structure
    ("a: 1\nb: 2", '1: missing comma before "b"'),
    ('a: "x"\n"b": 2', '1: missing comma before "b"'),
    ('a: "x",\nb: "y"\n\n/* z */ "c": 2', '2: missing comma before "c"'),
    ("a: [1\n 2]", '1: missing comma before "2"'),
    ("a: {\n b: [1]\n c: 2}", '2: missing comma before "c"'),
    ("a: 1 b: 2", '1: missing comma before "b"'),
    ("a: 1,,b: 2", "1: two commas, but no setting between them"),
    ("a: [1,,2]", "1: two commas, but no item between them"),
    ("a: [,]", '1: expected a value, not ","'),
    (",", '1: expected a key, not ","'),
    ("[1, 2]", "1: a configuration is a mapping of keys to values, not a list"),
    ("\n{a: 1", '2: "{" is not closed; "}" is missing'),
    ("{a: 1} b: 2", '1: unexpected "b" after the closing brace'),
    ("a: 1}", '1: expected "," after this setting, not "}"'),
    ("}", '1: expected a key, not "}"'),
    ("a: [1}", '1: expected "," or "]" after this item, not "}"'),
    ("a:\n[1,\n", '2: "[" is not closed; "]" is missing'),
    ("a: (1", '1: "(" is not closed; ")" is missing'),
    ("a: {b: 1]", '1: expected "," or "}" after this setting, not "]"'),
    ("a: {1, 2}", '1: 1 has no value; a setting is written "key: value"'),
    ("workers", '1: expected ":" after "workers", not the end of the file'),
    ("workers,", '1: "workers" has no value; a setting is written "key: value"'),
    ("workers 4", '1: expected ":" after "workers", not "4"'),
    ("workers = 4", '1: unexpected "="; a setting is written "key: value"'),
    ("workers:", '1: expected a value for "workers", not the end of the file'),
    ("workers: ,", '1: expected a value for "workers", not ","'),
    ("workers: 4; b: 2", '1: unexpected ";"; settings are separated by commas'),
    ("a: 1,\nb: 2,\na: 3", '3: duplicate key "a", first given on line 1'),
    ("a: {b: 1,\nb: 2}", '2: duplicate key "b", first given on line 1'),
    ("1: 2", "1: expected a key, not the number 1"),
    ("(a): 2", '1: expected a key, not "("'),
    ("true: 1", '1: true stands for a value; as a key it is written "true"'),
    ("a: " + "[" * 65 + "]" * 65, "1: more than 64 levels of nesting"),
    # words
    ("a: wsgi", '1: unknown word "wsgi"; text stands in quotes'),
    ("a: yes", '1: unknown word "yes"; write true'),
    ("a: Off", '1: unknown word "Off"; write false'),
    ("a: TRUE", '1: unknown word "TRUE"; write true'),
    ("a: nil", '1: unknown word "nil"; write null'),
    ("a: warnin", '1: unknown word "warnin"; did you mean warning? Text stands in quotes'),
    ("a: http://x", '1: unknown word "http"; text stands in quotes'),
    ("a: __import__('os')", '1: unknown word "__import__"; text stands in quotes'),
    # expressions are never evaluated
    ("a: [1+1]", "1: nothing is evaluated here; write the value itself"),
    ("a: 60*60", '1: unexpected "*"; nothing is evaluated here, write the value itself'),
    ("a: - 1", '1: unexpected "-"; nothing is evaluated here, write the value itself'),
    ('a: "x" % 1', '1: unexpected "%"; nothing is evaluated here, write the value itself'),
    ('a: f"x"', '1: strings with the prefix "f" are not part of the dialect'),
    ('a: b"x"', '1: strings with the prefix "b" are not part of the dialect'),
    # strings
    ('a: "x\nb: 2', '1: this string is not closed; " is missing'),
    ("a: 'x", "1: this string is not closed; ' is missing"),
    ('\na: """x\n\n', '2: this string is not closed; """ is missing'),
    ('a: "x\\', '1: this string is not closed; " is missing'),
    ('a: r"x\\"', '1: this string is not closed; " is missing'),
    (r'a: "\x4"', '1: the escape "\\x" needs 2 hexadecimal digits'),
    (r'a: "\u12g4"', '1: the escape "\\u" needs 4 hexadecimal digits'),
    (r'a: "\ud800"', '1: "\\ud800" is not a character'),
    (r'a: "\U00110000"', '1: "\\U00110000" is not a character'),
    (r'a: "\N{NO SUCH THING}"', '1: "\\N" needs the name of a character in braces'),
    # numbers
    ("a: 089", '1: "089" is not a number; text stands in quotes'),
    ("a: 10x", '1: "10x" is not a number; text stands in quotes'),
    ("a: 127.0.0.1", '1: "127.0.0.1" is not a number; text stands in quotes'),
    ("a: 1__0", '1: "1__0" is not a number; text stands in quotes'),
    ("a: 0xg", '1: "0xg" is not a number; text stands in quotes'),
    ("a: 1e999", '1: "1e999" is not a number; text stands in quotes'),
    ("a: " + "1" * 500, "1: this number is too long"),
    # comments and characters
    ("a: 1,\n/* b", '2: this comment is not closed; "*/" is missing'),
    ("a: \u00a01", "1: unexpected character U+00A0"),
    ("a: \0", "1: unexpected character U+0000"),
    ("å: 1", '1: unexpected "å"; text stands in quotes'),
    # directives
    ('@incldue "x"', '1: unknown directive "@incldue"; there are @include and @inherit'),
    ('@ "x"', '1: unknown directive "@"; there are @include and @inherit'),
    ('a: {\n"@include": "x"}', "2: @include works only at the top level of a file"),
    ("@inherit", "1: expected a file name after @inherit, not the end of the file"),
    ('@include "a" b: 1', '1: missing comma before "b"'),
]


@pytest.mark.parametrize(("text", "message"), ERRORS)
def test_mistake_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ConfigurationSyntaxError) as caught:
        parse(text, "smisk.conf")
    assert str(caught.value) == "smisk.conf:" + message


def test_syntax_error_carries_file_and_line_like_pythons_own() -> None:
    with pytest.raises(SyntaxError) as caught:
        parse("a: 1,\nb", "x.conf")
    assert (caught.value.filename, caught.value.lineno) == ("x.conf", 2)
    assert isinstance(caught.value, ConfigurationError)
    assert isinstance(caught.value, ValueError)


def test_long_or_odd_text_stays_one_short_line_in_messages() -> None:
    with pytest.raises(ConfigurationSyntaxError) as caught:
        parse('a: 1 "' + "x\\n" * 1000 + '"')
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_value_alone_is_read_whole() -> None:
    assert Parser("[1, {a: 2}]").value() == [1, {"a": 2}]
    with pytest.raises(ConfigurationSyntaxError, match="after the value"):
        Parser("1, 2").value()


def test_name_of_a_character_with_undecodable_bytes_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="needs the name of a character"):
        parse('app: "\\N{\udcff}"', "--set")
