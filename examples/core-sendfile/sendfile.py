#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sends an image: over HTTP the kernel does it, behind lighttpd, Apache and nginx that server."""

from pathlib import Path

from smisk.core import Application

FOLDER = Path(__file__).resolve().parent
PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Send a file</title>
<p>An image that this program names, but does not send itself:</p>
<img src="image.jpg" alt="A disc of colours">
"""


class MyApp(Application):
    def service(self):
        path = self.request.path
        if not path.endswith(".jpg"):
            self.response.headers = ["Content-Type: text/html; charset=utf-8"]
            self.response.write(PAGE)
            return
        # Of what a client sends, only the last part counts, so that it leads out of the folder nowhere.
        file = FOLDER / path.rpartition("/")[2]
        if "\0" in path or not file.is_file():
            self.response.headers = ["Status: 404 Not Found", "Content-Type: text/plain"]
            self.response.write("There is no such image.\n")
            return
        self.response.headers = ["Content-Type: image/jpeg"]
        self.response.send_file(file)


if __name__ == "__main__":
    from smisk.util.main import main

    main(MyApp)
