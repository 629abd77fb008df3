# SPDX-License-Identifier: MIT
"""What a request and a response are made of: forms, uploads, cookies, header fields, URLs, the error page.

The modules below are pure Python, do not know the host, and are imported when a request first asks for them.
"""

__all__: list[str] = []
