# SPDX-License-Identifier: MIT
"""An answer that is made while it is sent: a table of any length in constant memory."""

import csv
import io

HEADERS = {
    "Content-Type": "text/csv; charset=utf-8",
    "Content-Disposition": 'attachment; filename="squares.csv"',
}


def handle(request):
    """GET /?rows=N: a table with N rows."""
    text = request.get.get("rows", "1000")
    if not isinstance(text, str) or not text.isdecimal():
        return "rows must be a number\n", 400
    return table(int(text)), 200, HEADERS


def table(rows):
    """The lines of the table, some thousand bytes at a time. Closed when the client leaves."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["number", "square"])
    for number in range(rows):
        writer.writerow([number, number * number])
        if out.tell() > 16000:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()
