# SPDX-License-Identifier: MIT
"""Development: restarting when files change. Called by the host with `autoreload`, in one of its workers.

`watch` says what is watched and what has changed, `places` where an application's files are, `watcher` is the thread
that looks, `page` what the browser shows while the newest code does not run.
"""

from .page import page
from .watcher import Watcher, start

__all__ = ["Watcher", "page", "start"]
