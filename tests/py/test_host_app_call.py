# SPDX-License-Identifier: MIT
"""The arguments of a factory: literals are taken, everything else is refused with the reason, nothing is evaluated."""

import pytest
from smisk.host_app.call import CallError, read_arguments

RIGHT = [
    ("()", (), {}),
    ("( )", (), {}),
    ('("prod")', ("prod",), {}),
    ('("prod", debug=True)', ("prod",), {"debug": True}),
    ("(1, -2.5, None, b'x',)", (1, -2.5, None, b"x"), {}),
    ("([1, (2, 3)], {'a': {4}})", ([1, (2, 3)], {"a": {4}}), {}),
    ('("a:b(c).py", url="x)(y")', ("a:b(c).py",), {"url": "x)(y"}),
]


@pytest.mark.parametrize(("text", "positional", "named"), RIGHT)
def test_literals_are_taken(text: str, positional: tuple[object, ...], named: dict[str, object]) -> None:
    assert read_arguments(text) == (positional, named)


WRONG = [
    ("(os)", "argument 1 is not a literal"),
    ("(1, os.getpid())", "argument 2 is not a literal"),
    ("(debug=not True)", '"debug" is not a literal'),
    ("(f'{1}')", "argument 1 is not a literal"),
    ("(x for x in ())", "argument 1 is not a literal"),
    ("(*(1, 2))", "argument 1 is not a literal"),
    ("(**{'a': 1})", "** is not possible here"),
    ("(a=1, a=2)", "cannot be read as Python|given twice"),
    ("({[]: 1})", "argument 1 is not a literal"),
    ("('" + "9" * 10 + ")", "cannot be read as Python"),
    ("(", "cannot be read as Python"),
    ("(1 2)", "cannot be read as Python"),
    ("()()", "one pair of parentheses"),
    ("().app", "one pair of parentheses"),
    ("() or x()", "one pair of parentheses"),
    ("(" * 2000 + ")" * 2000, "cannot be read as Python|one pair|not a literal"),
]


@pytest.mark.parametrize(("text", "reason"), WRONG)
def test_anything_else_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(CallError, match=reason.replace("**", r"\*\*")):
        read_arguments(text)
