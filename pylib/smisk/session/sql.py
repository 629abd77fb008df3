# SPDX-License-Identifier: MIT
"""Sessions in a table, by SQLAlchemy 2: any database that it knows, SQLite in a file of its own by default.

Each row has a random version. A change names the version that it was made from, and happens in one statement, so it
needs neither locks nor an isolation level, and is the same on every database.
"""

from __future__ import annotations

import errno
import os
import random
import time
from _thread import allocate_lock
from secrets import randbits

from smisk.core.sessions import InvalidSessionError, SessionStoreError, check_positive

from .codec import seal, unseal
from .folder import make_folder, private_folder
from .ids import ID_LENGTH, check_id
from .swap import SwapStore

try:
    import sqlalchemy as sa
except ImportError as missing:
    raise ImportError("SQLSessionStore needs SQLAlchemy 2: pip install 'smisk[sql]'") from missing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from .codec import Codec

    T = TypeVar("T")

__all__ = ["SQLSessionStore"]

_VERSION_BITS = 62
_ENVELOPE = 64  # bytes at most


class SQLSessionStore(SwapStore):
    """Keeps sessions in a table of a database. Needs `smisk[sql]`.

    `timeout`: seconds to wait for a connection of the pool, and for SQLite's lock. `busy_timeout`: see `SwapStore`.
    `gc_probability`: of a write also removing `sweep_rows` expired sessions at most.
    """

    gc_probability: float = 0.1
    sweep_rows: int = 100

    def __init__(
        self,
        url: str | None = None,
        *,
        engine: sa.Engine | None = None,
        table: str = "smisk_session",
        timeout: float = 5.0,
        busy_timeout: float | None = None,
        ttl: float | None = None,
        name: str | None = None,
        codec: str | Codec | None = None,
        max_size: int | None = None,
    ) -> None:
        """Does not connect yet; makes the table at first use.

        `url`: as SQLAlchemy wants it; `sqlite:///` and a path. `engine`: an engine of yours in place of it.
        """
        super().__init__(ttl=ttl, name=name, codec=codec, max_size=max_size)
        for key, value in (("timeout", timeout), ("busy_timeout", busy_timeout)):
            if value is not None:
                check_positive(key, value)
        if busy_timeout is not None:
            self.busy_timeout = busy_timeout
        self._url = None if url is None else sa.make_url(url)
        self._timeout = timeout
        self._given = engine
        self._engine: sa.Engine | None = None
        self._process = os.getpid()
        self._lock = allocate_lock()
        self._sql = _Statements(table, self.max_size + _ENVELOPE)

    def read(self, sid: str) -> Any:
        """The data. InvalidSessionError: none, too old, or unreadable. SessionStoreError: no database."""
        row = self._row(sid)
        if row is None:
            raise InvalidSessionError("no data")
        return unseal(row[0], self.codec)

    def write(self, sid: str, data: Any) -> None:
        """Stores the data. SessionDataError, SessionStoreError."""
        self.update(sid, lambda _: data)

    def refresh(self, sid: str) -> None:
        """Starts the session's time anew."""
        check_id(sid)
        now = time.time()
        self._count(self._sql.refresh, {"sid": sid, "now": now, "expires": now + self.ttl})

    def destroy(self, sid: str) -> None:
        """Removes the row."""
        check_id(sid)
        self._count(self._sql.destroy, {"sid": sid})

    def close(self) -> None:
        """Closes the connections of the store's own engine."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None and self._given is None:
            engine.dispose()

    def sweep(self, rows: int | None = None) -> int:
        """Removes `rows` expired sessions at most, `sweep_rows` if not given, and returns how many."""
        named = {"now": time.time(), "rows": self.sweep_rows if rows is None else rows}

        def work(connection: sa.Connection) -> int:
            found = connection.execute(self._sql.expired, named).scalars().all()
            if not found:
                return 0
            return connection.execute(self._sql.sweep, {"sids": found, "now": named["now"]}).rowcount

        return self._run(work)

    def _load(self, sid: str) -> tuple[Any, int | None]:
        row = self._row(sid)
        if row is None:
            return None, None
        try:
            return unseal(row[0], self.codec), row[1]
        except InvalidSessionError:
            return None, row[1]

    def _swap(self, sid: str, token: int | None, data: Any) -> bool:
        check_id(sid)
        if data is None:
            return token is None or self._count(self._sql.remove, {"sid": sid, "token": token}) == 1
        values = {
            "data": seal(data, self.codec, self.max_size),
            "version": randbits(_VERSION_BITS),
            "expires": time.time() + self.ttl,
        }
        if token is None:
            done = self._insert(sid, values)
        else:
            done = self._count(self._sql.change, {"sid": sid, "token": token, **values}) == 1
        if done and random.random() < self.gc_probability:
            self.sweep()
        return done

    def _insert(self, sid: str, values: dict[str, Any]) -> bool:
        """Whether the row could be made; what has expired under that id makes room first."""

        def work(connection: sa.Connection) -> bool:
            connection.execute(self._sql.make_room, {"sid": sid, "now": time.time()})
            connection.execute(self._sql.insert, {"id": sid, **values})
            return True

        try:
            return self._run(work)
        except _TakenError:
            return False

    def _row(self, sid: str) -> tuple[bytes, int] | None:
        check_id(sid)
        named = {"sid": sid, "now": time.time()}
        row = self._run(lambda connection: connection.execute(self._sql.read, named).first())
        return None if row is None else (bytes(row[0]), row[1])

    def _count(self, statement: sa.Executable, named: dict[str, Any]) -> int:
        """How many rows a statement has changed, in a transaction of its own."""
        return self._run(lambda connection: connection.execute(statement, named).rowcount)

    def _run(self, work: Callable[[sa.Connection], T]) -> T:
        """The result of `work` in a transaction of its own. SessionStoreError, _TakenError."""
        try:
            with self._connected().begin() as connection:
                return work(connection)
        except sa.exc.IntegrityError as error:
            raise _TakenError from error
        except sa.exc.SQLAlchemyError as error:
            # Not the whole text: it has the statement's parameters, which are somebody's session.
            cause = getattr(error, "orig", None) or error
            raise SessionStoreError(f"the session store at {self._where()} failed: {cause}") from None

    def _connected(self) -> sa.Engine:
        """The engine, its table made."""
        with self._lock:
            if self._engine is None:
                engine = self._given or self._make_engine()
                self._create(engine)
                self._engine = engine
            elif self._process != os.getpid():
                self._engine.dispose(close=False)  # the connections belong to the process that we were forked from
            self._process = os.getpid()
            return self._engine

    def _create(self, engine: sa.Engine) -> None:
        try:
            self._sql.table.metadata.create_all(engine)
        except sa.exc.DBAPIError:
            if not sa.inspect(engine).has_table(self._sql.table.name):  # else another process was faster
                raise

    def _make_engine(self) -> sa.Engine:
        url = self._url or sa.URL.create("sqlite", database=_default_path())
        if url.get_backend_name() != "sqlite":
            return sa.create_engine(url, pool_timeout=self._timeout, pool_pre_ping=True, hide_parameters=True)
        if url.database and url.database != ":memory:" and not url.database.startswith("file:"):
            _make_private(url.database)
        engine = sa.create_engine(url, connect_args={"timeout": self._timeout}, hide_parameters=True)
        sa.event.listen(engine, "connect", _prepare_sqlite)
        return engine

    def _where(self) -> str:
        """The database's address, without a password."""
        url = self._given.url if self._given is not None else self._url
        return "its default place" if url is None else url.render_as_string(hide_password=True)


class _Statements:
    """The table, and everything that is asked of it, put together once."""

    def __init__(self, name: str, size: int) -> None:
        self.table = table = sa.Table(
            name,
            sa.MetaData(),
            sa.Column("id", sa.String(ID_LENGTH), primary_key=True),
            sa.Column("data", sa.LargeBinary(size), nullable=False),
            sa.Column("version", sa.BigInteger, nullable=False),
            sa.Column("expires", sa.Double, nullable=False, index=True),
        )
        column, now = table.c, sa.bindparam("now", type_=sa.Double)
        this = column.id == sa.bindparam("sid")
        unchanged = column.version == sa.bindparam("token")
        self.read = sa.select(column.data, column.version).where(this, column.expires > now)
        self.refresh = sa.update(table).where(this, column.expires > now).values(expires=sa.bindparam("expires"))
        self.change = sa.update(table).where(this, unchanged).values(_named("data", "version", "expires"))
        self.insert = sa.insert(table)
        self.destroy = sa.delete(table).where(this)
        self.remove = sa.delete(table).where(this, unchanged)
        self.make_room = sa.delete(table).where(this, column.expires <= now)
        self.expired = sa.select(column.id).where(column.expires <= now).limit(sa.bindparam("rows"))
        self.sweep = sa.delete(table).where(
            column.id.in_(sa.bindparam("sids", expanding=True)), column.expires <= now
        )


def _named(*names: str) -> dict[str, sa.BindParameter[Any]]:
    return {name: sa.bindparam(name) for name in names}


class _TakenError(Exception):
    """There is a row of that id."""


def _default_path() -> str:
    folder = private_folder()
    os.close(make_folder(folder))
    return os.path.join(folder, "sessions.db")


def _make_private(path: str) -> None:
    """Makes the file, mode 0600, if it is not there; SQLite gives its other files the same mode."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise SessionStoreError(error.errno or errno.EIO, f"session database: {error.strerror}", path) from error


def _prepare_sqlite(connection: Any, _: Any) -> None:
    """Readers and a writer at the same time; after a power failure the last sessions may be missing, nothing else."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
