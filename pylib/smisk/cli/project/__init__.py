# SPDX-License-Identifier: MIT
"""What `smisk new` makes: the files of a project, as text with @NAME@ and @MODULE@ in it.

@NAME@ is the project's name, letters, digits, `_` and `-`; so nothing needs quoting anywhere.
"""

from __future__ import annotations

from . import applications, basics, deploy

__all__ = ["KINDS", "files_of"]

KINDS = {
    "native": "a function of one request: def handle(request)",
    "smisk": "a subclass of smisk.core.Application, as in Smisk 1",
    "wsgi": "a WSGI application, which Flask, Django and others are",
    "asgi": "an ASGI application, which FastAPI, Starlette and others are",
}


def files_of(kind: str, name: str, module: str) -> dict[str, str]:
    """The files of a project of one of the KINDS: paths below its folder, and their texts."""
    application, tests = applications.APPLICATIONS[kind], applications.TESTS[kind]
    templates = {
        f"{module}.py": application,
        "smisk.conf": basics.CONFIGURATION,
        f"tests/test_{module}.py": tests + applications.SERVER_TEST,
        "pytest.ini": basics.PYTEST,
        "requirements.txt": basics.REQUIREMENTS[kind],
        ".gitignore": basics.IGNORED,
        "README.md": basics.README,
        **deploy.FILES,
    }
    words = {"@NAME@": name, "@MODULE@": module, "@CLASS@": module.title().replace("_", "")}
    return {_filled(path, words): _filled(text, words) for path, text in templates.items()}


def _filled(text: str, words: dict[str, str]) -> str:
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    return text.lstrip("\n")
