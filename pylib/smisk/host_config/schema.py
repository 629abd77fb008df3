# SPDX-License-Identifier: MIT
"""The one table of the host's settings: name, kind, default, meaning.

Everything else comes from it: validation, what the host gets, the nearest valid key, the list for people. Defaults
are written as in a configuration file and go through the same check.
"""

from __future__ import annotations

from .kinds import (
    Choice,
    Duration,
    File,
    Flag,
    Folder,
    Folders,
    Kind,
    Level,
    Mapping,
    Module,
    Name,
    Octal,
    Paths,
    Peers,
    Prefix,
    Size,
    Whole,
)
from .listen import Listeners

__all__ = ["LATER", "SETTINGS", "Setting"]


class Setting:
    """One setting. `default` None: absent unless given. `sent` False: checked here, not handed to the host."""

    __slots__ = ("default", "key", "kind", "meaning", "sent")

    def __init__(self, key: str, kind: Kind, default: object, meaning: str, sent: bool = True) -> None:
        self.key = key
        self.kind = kind
        self.default = default
        self.meaning = meaning
        self.sent = sent


_TABLE = (
    # What to call
    Setting("app", Module(), None, "the application"),
    Setting("interface", Choice(("auto", "native", "smisk", "wsgi", "asgi")), "auto", "how it is called"),
    Setting("root_path", Prefix(), None, "path below which the application is mounted (SCRIPT_NAME)"),
    Setting("loop", Choice(("engine", "uvloop", "asyncio")), "engine", "event loop of asynchronous applications"),
    Setting("lifespan", Choice(("auto", "on", "off")), "auto", "ASGI lifespan; auto: tolerate its absence"),
    Setting("chdir", Folder(), None, "the folder to work in"),
    Setting("venv", Folder(), None, "virtual environment; default: VIRTUAL_ENV, or where smiskd is"),
    Setting("pythonpath", Folders(), None, "folders to import from, before all others"),
    Setting("show_traceback", Flag(), False, "show errors in the browser; for development"),
    # Development
    Setting("autoreload", Flag(), False, "restart the workers when files change; for development"),
    Setting("autoreload_paths", Paths(), None, "what else to watch, beside modules, configuration and templates"),
    Setting("autoreload_timeout", Duration("1ms", "1d"), "100ms",
            "with autoreload, the longest shutdown_timeout: old code does not stay for open streams", sent=False),
    Setting("application", Mapping(), None, "the application's own settings", sent=False),
    # Where to listen
    Setting("listen", Listeners(), ["http://127.0.0.1:8080"], "where to listen, and for which protocol"),
    Setting("trusted_proxies", Peers(), [], "whose PROXY headers, Forwarded and X-Forwarded-* count"),
    # How much at once
    Setting("workers", Whole(1, 1024, ("auto",)), "auto", "processes; auto: one for each usable CPU"),
    Setting("threads", Whole(1, 1024), 8, "handlers in parallel in each worker; reserved, no effect yet"),
    Setting("handoff_after", Duration("1ms", "1m"), "1ms",
            "how long a handler may hold the loop while work waits; reserved, no effect yet"),
    Setting("max_connections", Whole(1, 1_000_000), 10_000, "connections of each worker at once"),
    Setting("max_multiplexed", Whole(1, 65535), 64, "FastCGI requests at once on one connection"),
    # Requests and answers
    Setting("max_header_size", Size("1k", "16m"), "64k", "request line and headers together, or FastCGI parameters"),
    Setting("max_headers", Whole(1, 10_000), 100, "header fields of a request"),
    Setting("max_body_size", Size("1", "1024t"), "1g", "body of a request; what WSGI's write() may hold"),
    Setting("request_body_memory", Size("1k", "1g"), "1m", "body kept in memory; a larger one goes to a file"),
    Setting("max_form_fields", Whole(1, 1_000_000), 1000, "fields of a query or form"),
    Setting("max_form_parts", Whole(1, 1_000_000), 1000, "parts of a multipart form"),
    Setting("write_buffer", Size("4k", "1g"), "256k", "answer waiting for a slow client, before the handler waits"),
    Setting("temp_dir", Folder(), None, "folder of temporary files; default: TMPDIR, or /tmp"),
    # WebSockets
    Setting("ws_max_size", Size("1", "1g"), "16m", "a WebSocket message"),
    Setting("ws_ping_interval", Duration("0", "1d"), "20s", "time between pings to a WebSocket client; 0: none"),
    Setting("ws_ping_timeout", Duration("0", "1d"), "20s", "wait for the answer to a ping; 0: for ever"),
    Setting("ws_compression", Flag(), True, "permessage-deflate for clients that offer it"),
    # Deadlines, each between progress
    Setting("header_timeout", Duration("1ms", "1d"), "10s", "for a whole head, from its first byte"),
    Setting("body_timeout", Duration("1ms", "1d"), "30s", "wait for more of a request's body"),
    Setting("write_timeout", Duration("1ms", "1d"), "30s", "wait for a client to take more of its answer"),
    Setting("keepalive_timeout", Duration("1ms", "1d"), "75s", "wait for the next request on a connection"),
    Setting("linger_timeout", Duration("1ms", "1d"), "30s", "wait for the end of a body that nobody reads any more"),
    Setting("shutdown_timeout", Duration("1ms", "1d"), "30s", "wait for running requests when stopping"),
    Setting("startup_timeout", Duration("0", "1d"), "0", "wait for a worker to be ready; 0: for ever"),
    Setting("drain_delay", Duration("0", "1h"), "0", "serve on after TERM, while load balancers learn of it; INT does not"),
    Setting("drain_idle_timeout", Duration("0", "1m"), "1s",
            "wait for a last request on idle connections of a worker that is replaced"),
    # Recycling: the new worker is ready before the old one leaves
    Setting("max_requests", Whole(0, 4_000_000_000), 0, "replace a worker after as many requests; 0: never"),
    Setting("max_requests_jitter", Whole(0, 1_000_000_000), 0, "up to as many more, by chance, for each worker"),
    Setting("max_memory", Size("0", "1024t"), 0, "replace a worker with more resident memory; 0: never"),
    # The process
    Setting("user", Name("user"), None, "user of the workers, when started as root"),
    Setting("group", Name("group"), None, "group of the workers; default: that of the user"),
    Setting("umask", Octal(), None, "permissions that new files do not get"),
    Setting("pidfile", File(), None, "file for the master's process id"),
    Setting("daemonize", Flag(), False, "go to the background"),
    # The log
    Setting("error_log", File("stderr"), "stderr", "where the log goes"),
    Setting("log_level", Level(), "info", "the least important level that is logged"),
    Setting("logging", Mapping(), None, "settings of Python's logging, for the application", sent=False),
)  # fmt: skip
SETTINGS = {setting.key: setting for setting in _TABLE}

# Settings of the design that a later version brings.
LATER = (
    "access_format", "access_log", "control", "request_timeout",
)  # fmt: skip
