# SPDX-License-Identifier: MIT
"""A Django site, over WSGI (django_site.wsgi) and ASGI (django_site.asgi): the ORM on SQLite, the admin behind a login with
CSRF, forms, uploads, cookies and database sessions, JSON, streams, FileResponse, class-based views, async views, middleware,
included URLs, static files, error pages, conditional GET."""
