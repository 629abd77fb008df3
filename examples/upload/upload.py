# SPDX-License-Identifier: MIT
"""Takes files from a browser and keeps them under names of its own."""

import os
import secrets
import tempfile
from html import escape
from pathlib import Path

FOLDER = Path(os.environ.get("UPLOAD_FOLDER") or tempfile.mkdtemp(prefix="uploads-"))
PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Upload</title>
<form method="post" enctype="multipart/form-data"><input name="file" type="file" multiple> <button>Send</button></form>
"""


def handle(request):
    """GET: the form. POST: keeps the files and says which they were."""
    files = request.files.get("file", [])
    lines = [keep(upload) for upload in (files if isinstance(files, list) else [files])]
    return PAGE + "".join(f"<p>{escape(line)}\n" for line in lines)


def keep(upload):
    """Saves one upload. Its own name is for people to read, never a path."""
    name = secrets.token_hex(8)
    upload.save(FOLDER / name)
    return f"{upload.filename}: {upload.size} bytes, kept as {name}"
