# SPDX-License-Identifier: MIT
"""Hooks of an application's life, told on stderr."""

import os
import sys

answers = 0


def say(text: str) -> None:
    print(f"hook {text} {os.getpid()}", file=sys.stderr, flush=True)


def application_will_start() -> None:
    say("will_start")


def application_did_stop() -> None:
    say(f"did_stop after {answers} in")


def handle(request: object) -> str:
    global answers
    answers += 1
    return str(os.getpid())
