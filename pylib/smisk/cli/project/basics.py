# SPDX-License-Identifier: MIT
"""What every new project has beside its application: configuration, test settings, README."""

__all__ = ["CONFIGURATION", "IGNORED", "PYTEST", "README", "REQUIREMENTS"]

CONFIGURATION = """
// The configuration of @NAME@, for development. "smisk config" prints what holds; "smiskd -t" checks it.
// In production deploy/@NAME@.service says the rest.

app: "@MODULE@",
pythonpath: ["."],
listen: ["http://127.0.0.1:8080"],

// Settings of the application's own: here, or under names with a dot in them, such as "shop.currency".
application: {},
"""

PYTEST = """
[pytest]
testpaths = tests
pythonpath = .
"""

REQUIREMENTS = {
    "native": "smisk\npytest\n",
    "smisk": "smisk\npytest\n",
    "wsgi": "smisk\npytest\n",
    "asgi": "smisk[websockets]\npytest\n",
}

IGNORED = """
__pycache__/
.pytest_cache/
.venv/
"""

README = """
# @NAME@

    pip install -r requirements.txt
    python -m pytest              # the tests, of which one starts a real server
    smiskd --reload               # serves what smisk.conf says, and restarts when a file changes
    smisk console                 # Python with the application and a client at hand

| file | |
|---|---|
| `@MODULE@.py` | the application |
| `smisk.conf` | how it is served; `smisk config` prints all settings |
| `tests/` | its tests, with the fixtures that Smisk brings along |
| `deploy/` | systemd unit, and configurations for the web server in front; choose one |

## Deploy

On the server, with the project in `/srv/@NAME@`:

    python3 -m venv /srv/@NAME@/.venv
    /srv/@NAME@/.venv/bin/pip install -r /srv/@NAME@/requirements.txt
    cp /srv/@NAME@/deploy/@NAME@.service /etc/systemd/system/
    systemctl enable --now @NAME@

smiskd then listens for FastCGI on `/run/@NAME@/site.sock`, as the user `www-data`. Copy the configuration of your web
server, and set its host name: `deploy/nginx.conf` to `/etc/nginx/conf.d/@NAME@.conf`, `deploy/lighttpd.conf` to
`/etc/lighttpd/conf-enabled/50-@NAME@.conf`, `deploy/apache.conf` to `/etc/apache2/sites-enabled/@NAME@.conf` (after
`a2enmod proxy_fcgi`), or `deploy/Caddyfile` to `/etc/caddy/Caddyfile`. FastCGI carries no WebSockets: an application
that has them listens for HTTP.
"""
