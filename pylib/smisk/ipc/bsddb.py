# SPDX-License-Identifier: MIT
"""The call of Smisk 1.1 that made a Berkeley DB shelf. The dict is in LMDB now, and can do more."""

from __future__ import annotations

import os

from . import lmdb as _lmdb
from .lmdb import DEFAULT_FILE, LMDBDict
from .names import app_shared_key, default_folder

__all__ = ["DB_BTREE", "DB_CREATE", "DB_HASH", "DBDict", "shared_dict"]

DB_CREATE = 1
DB_BTREE = 1
DB_HASH = 2
DBDict = LMDBDict


def shared_dict(
    filename: str | None = None,
    homedir: str | None = None,
    name: str | None = None,
    mode: int = 0o600,
    dbenv: None = None,
    type: int = DB_HASH,
    flags: int = DB_CREATE,
    persistent: bool = False,
    *,
    codec: str = "json",
) -> LMDBDict:
    """The dict in the file `filename` below `homedir`, which is the default folder of `name` if it is not given.

    `type` and `flags` belonged to Berkeley DB and have no meaning any more; `dbenv` must be None, else TypeError.
    Values are JSON, no longer pickled: `codec="pickle"` does that. Everything else as `smisk.ipc.lmdb.shared_dict()`.
    """
    if dbenv is not None:
        raise TypeError("dbenv must be None: there is no Berkeley DB below any more")
    name = app_shared_key() if name is None else name
    path = os.path.join(homedir or "", filename or DEFAULT_FILE)
    folder: str | None = os.path.dirname(path)
    if not homedir and not os.path.isabs(path):
        folder = os.path.join(default_folder(name), folder) if folder else None
    file = os.path.basename(path)
    return _lmdb.shared_dict(name, codec=codec, persistent=persistent, folder=folder, file=file, mode=mode)
