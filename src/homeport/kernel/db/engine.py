"""Opens the database and hands out the two kinds of unit: a read, which cannot write, and a write.

SQLite (embedded): WAL, `synchronous=FULL`, one writing connection, `BEGIN IMMEDIATE`; readers have
connections of their own with `query_only`, so a read never waits for a write.
PostgreSQL: one pool; a read is a read-only snapshot (REPEATABLE READ).
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from sqlalchemy import event, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from homeport.kernel.db.failures import DatabaseBusy, DatabaseUnreachable, translated
from homeport.kernel.db.sqlite_connection import SQLiteConnection, connect
from homeport.kernel.errors import Invalid
from homeport.kernel.private_file import close_to_others, make_private

SQLITE_READERS = 8
SQLITE_BUSY_MS = 5_000
SQLITE_QUEUE_S = 30.0
"""Seconds to stand in line for a connection: with one file a full line is load, not an outage."""
MOST_READS = 10_000
"""Under way or in line; whoever comes then is told to come back."""
POSTGRES_POOL = 10
SILENCE_S = 60.0
"""Seconds after which PostgreSQL is taken for gone in the middle of a statement."""
POOL_TIMEOUT_S = 5.0
# As long as on SQLite, then it is busy. A node that stands still in a transaction (suspended, gone
# without a word) must not hold its rows for ever: the server ends it.
POSTGRES_SERVER_SETTINGS = {
    "lock_timeout": f"{SQLITE_BUSY_MS}ms",
    "idle_in_transaction_session_timeout": "30s",
}
NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "afs", "ceph"})


S = TypeVar("S", bound=AsyncSession)
_SNAPSHOT = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


class UnusableURL(Invalid):
    """No database can be opened by this URL."""

    code = "storage.url-unusable"
    title = "DATABASE_URL is not usable"


class DriverMissing(Invalid):
    """DATABASE_URL is of PostgreSQL, and nothing here speaks to one."""

    code = "storage.driver-missing"
    title = "The asyncpg package is not installed"


class NetworkFileSystem(Invalid):
    """SQLite's locks do not hold on a network file system."""

    code = "storage.network-file-system"
    title = "SQLite cannot live on a network file system"


class ReadSession(AsyncSession):
    """A snapshot that cannot write."""


class WriteSession(AsyncSession):
    """An open write unit; the edge that opened it commits it, nobody else."""


class Database:
    """Both databases behind one door.

    Args:
        url: `sqlite:///path`, `postgresql://...`; drivers are chosen here.

    Raises:
        DriverMissing: It is PostgreSQL's, and nothing here speaks to one.
        UnusableURL: It is neither; its password is not told.
    """

    def __init__(self, url: str) -> None:
        parsed = _parsed(url)
        self.dialect = parsed.get_backend_name()
        if self.dialect == "sqlite":
            self._writer, self._reader = _sqlite_engines(parsed)
        elif self.dialect == "postgresql":
            self._writer = self._reader = _postgresql_engine(parsed)
        else:
            message = f"It names {self.dialect!r}; sqlite and postgresql are supported."
            raise UnusableURL(message)
        self.url = parsed
        self._reads = 0

    @property
    def writer(self) -> AsyncEngine:
        """The engine that writes: for hot statements that need no session."""
        return self._writer

    @property
    def reader(self) -> AsyncEngine:
        """The engine that reads: for hot statements that need no session."""
        return self._reader

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[ReadSession, None]:
        """A snapshot: everything read inside is of one moment.

        Raises:
            Unavailable: The database is busy or does not answer.
        """
        if self._reads >= MOST_READS:
            raise DatabaseBusy(retry_after=1)
        self._reads += 1
        try:
            with translated():
                async with closing(ReadSession(self._reader, expire_on_commit=False)) as session:
                    if self.dialect == "postgresql":
                        await session.connection(execution_options=_SNAPSHOT)
                    yield session
        finally:
            self._reads -= 1

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[WriteSession, None]:
        """A write unit: commits when the block ends, rolls back when it raises.

        Open it after hashing, network, file and process work; inside, await the database only.

        Raises:
            Unavailable: The database is busy, full or does not answer; nothing was kept.
        """
        with translated():
            async with closing(WriteSession(self._writer, expire_on_commit=False)) as session:
                yield session
                await session.commit()

    async def write_statement(self, statement: str, parameters: Mapping[str, Any]) -> None:
        """One statement, committed by itself: for what is written many times a second.

        Costs a third of a `write` unit: one hand-over to SQLite's thread instead of eight, one
        round trip to PostgreSQL instead of three.

        Raises:
            Unavailable: The database is busy, full or does not answer; nothing was kept, unless
                only the answer was lost.
        """
        with translated():
            async with self._writer.connect() as connection:
                if self.dialect == "postgresql":
                    await connection.execution_options(isolation_level="AUTOCOMMIT")
                    await connection.execute(text(statement), parameters)
                    return
                driver = (await connection.get_raw_connection()).driver_connection
                if driver is None:
                    raise DatabaseUnreachable(retry_after=1)
                await driver.execute(statement, parameters)  # without BEGIN, a unit of its own

    async def forget(self) -> bool:
        """Lets go of old copies of rows that were deleted, as far as the database has any of them.

        SQLite's write-ahead log holds pages as they were; it is emptied when no reader needs it.
        PostgreSQL's VACUUM does this by itself.

        Returns:
            Whether it is done; else a reader is in the way: try again.

        Raises:
            Unavailable: The database does not answer.
        """
        if self.dialect == "postgresql":
            return True
        with translated():
            async with self._writer.connect() as connection:
                driver = (await connection.get_raw_connection()).driver_connection
                if driver is None:
                    raise DatabaseUnreachable(retry_after=1)
                await driver.execute("PRAGMA busy_timeout=0")  # others write meanwhile
                try:
                    outcome = await driver.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
                finally:
                    await driver.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_MS}")
        return not next(iter(outcome))[0]

    async def close(self) -> None:
        """Closes every connection."""
        await self._writer.dispose()
        if self._reader is not self._writer:
            await self._reader.dispose()


class closing(Generic[S]):  # noqa: N801 - reads as the context that it is
    """Closes a session at the end of its block.

    The session's own way shields a task that closes it, because a connection that is lost on the
    way never comes back to its pool. Nothing waits on the way when SQLite's is closed.
    """

    def __init__(self, session: S) -> None:
        self._session = session

    async def __aenter__(self) -> S:
        return self._session

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None and self._session.get_bind().dialect.name == "sqlite":
            await self._session.close()
        else:
            await self._session.__aexit__(kind, error, trace)


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):  # the latter of a port that is no number
        raise UnusableURL(
            "It is not of the form postgresql://user:password@host[:port]/name or sqlite:///path."
        ) from None


def _postgresql_engine(url: URL) -> AsyncEngine:
    try:
        return create_async_engine(
            url.set(drivername="postgresql+asyncpg"),
            pool_size=POSTGRES_POOL,
            max_overflow=POSTGRES_POOL,
            pool_timeout=POOL_TIMEOUT_S,
            pool_pre_ping=False,
            connect_args={
                "timeout": POOL_TIMEOUT_S,
                "command_timeout": SILENCE_S,
                "server_settings": POSTGRES_SERVER_SETTINGS,
            },
        )
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise DriverMissing("PostgreSQL needs it. In the checkout run: make postgres") from error


def _sqlite_engines(url: URL) -> tuple[AsyncEngine, AsyncEngine]:
    if not url.database or url.database == ":memory:":
        raise UnusableURL("Homeport's log must outlive the process: give SQLite a file.")
    path = Path(url.database).expanduser()
    _make_sqlite_file(path)
    url = url.set(drivername="sqlite+aiosqlite", database=str(path))
    common = (f"busy_timeout={SQLITE_BUSY_MS}", "foreign_keys=ON")
    writer = create_async_engine(
        url,
        async_creator=partial(
            connect,
            path,
            (
                *common,
                "journal_mode=WAL",
                "synchronous=FULL",
                "cache_size=-16000",
                "secure_delete=ON",  # what is erased is overwritten, not only unlinked
            ),
        ),
        pool_size=1,
        max_overflow=0,
        pool_timeout=SQLITE_QUEUE_S,
        pool_reset_on_return=None,
    )
    reader = create_async_engine(
        url,
        async_creator=partial(connect, path, (*common, "query_only=ON", "cache_size=-8000")),
        pool_size=SQLITE_READERS,
        max_overflow=0,
        pool_timeout=SQLITE_QUEUE_S,
        pool_reset_on_return=None,
        pool_use_lifo=True,  # what is quiet then needs few of them, with warm caches
    )
    event.listen(writer.sync_engine, "begin", partial(_begin_sqlite, "BEGIN IMMEDIATE"))
    event.listen(reader.sync_engine, "begin", partial(_begin_sqlite, "BEGIN"))
    for engine in (writer, reader):
        event.listen(engine.sync_engine, "reset", _reset_sqlite)
    return writer, reader


def _make_sqlite_file(path: Path) -> None:
    """Makes the file before SQLite does, for its owner alone; SQLite's others take its mode."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _refuse_network_file_system(path.parent)
        make_private(path)
        for beside in ("-wal", "-shm"):
            close_to_others(path.with_name(path.name + beside))
    except OSError as error:
        raise UnusableURL(f"{path}: {error.strerror}.") from error


def _reset_sqlite(connection: Any, _record: object, _state: object) -> None:
    """Rolls back what was left open; a blind ROLLBACK would cost a hand-over to the thread."""
    if connection.driver_connection.unfinished:
        connection.rollback()


def _begin_sqlite(statement: str, connection: Connection) -> None:
    driver: SQLiteConnection = connection.connection.driver_connection  # pyright: ignore[reportAssignmentType] - ours, by async_creator
    driver.begin(statement)


def _refuse_network_file_system(folder: Path) -> None:
    """Raises `NetworkFileSystem` when `folder` is mounted from elsewhere (Linux: /proc/mounts)."""
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return
    target, best, kind = os.path.realpath(folder), "", ""
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.split()
        point = fields[1].encode().decode("unicode_escape")
        inside = target == point or target.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    if kind in NETWORK_FILE_SYSTEMS:
        message = f"{folder} lies on {kind}, where SQLite's locks do not hold; set DATA_DIR"
        raise NetworkFileSystem(message)
