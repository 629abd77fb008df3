#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A WSGI application: a greeting and its environment, at every URL."""


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    lines = ["Hello, World!\n\n"]
    lines += [f"{name}: {value}\n" for name, value in sorted(environ.items())]
    return [line.encode("utf-8", "replace") for line in lines]


if __name__ == "__main__":
    from smisk.wsgi import main

    main(application)
