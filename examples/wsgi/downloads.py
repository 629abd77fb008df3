# SPDX-License-Identifier: MIT
"""A WSGI application without a framework: the files of a folder, to look at and to download."""

import mimetypes
import os
from html import escape
from pathlib import Path
from urllib.parse import quote
from wsgiref.util import FileWrapper

FOLDER = Path(os.environ.get("DOWNLOAD_FOLDER") or Path(__file__).parent)
PAGE = '<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>Downloads</title>\n<h1>Downloads</h1>\n<ul>{}</ul>\n'


def application(environ, start_response):
    """GET /: the list. GET /NAME: the file."""
    files = {path.name: path for path in sorted(FOLDER.iterdir()) if path.is_file()}
    # Text of a request is Latin-1 (PEP 3333); what the browser sent is UTF-8.
    name = environ["PATH_INFO"].removeprefix("/").encode("latin-1").decode("utf-8", "replace")
    if not name:
        body = page(quote(environ["SCRIPT_NAME"].encode("latin-1")), files).encode()
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [body]
    if name not in files:  # a name of the list, never a path that a client made up
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"There is no such file.\n"]
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    start_response("200 OK", [("Content-Type", kind), ("Content-Disposition", "attachment")])
    # The server's own wrapper has the kernel send the file, and says how long it is.
    return environ.get("wsgi.file_wrapper", FileWrapper)(files[name].open("rb"))


def page(root, names):
    """The list. Its links hold wherever the application is mounted."""
    links = (f'<li><a href="{root}/{quote(name)}">{escape(name)}</a>' for name in names)
    return PAGE.format("\n".join(links))
