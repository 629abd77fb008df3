# SPDX-License-Identifier: MIT
"""What this release of Smisk is: version, authors, licence.

`version`, `version_info` and `__build__`, a URN that names the sources, need `_smisk`, which knows what it was built from.
`email` is empty: the project has no address of its own, questions go where its code is kept.
"""

__all__ = ["__build__", "author", "copyright", "email", "license", "version", "version_info"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _smisk import __build__
    from _smisk import __version__ as version

    version_info: tuple[int, ...]

author = "The Smisk authors"
email = ""
copyright = "Copyright (c) 2026 The Smisk authors"
license = """\
MIT License

Copyright (c) 2026 The Smisk authors

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation
the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to
permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of
the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def __getattr__(name: str) -> object:
    """Takes what only `_smisk` knows from there when it is asked for. ImportError where there is no `_smisk`."""
    value: object
    if name == "__build__":
        from _smisk import __build__ as value
    elif name == "version":
        from _smisk import __version__ as value
    elif name == "version_info":
        from _smisk import __version__

        value = _numbers(__version__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def _numbers(text: str) -> tuple[int, ...]:
    """The numbers that `text` begins with: `2.0.0.dev0` → (2, 0, 0)."""
    numbers: list[int] = []
    for part in text.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
