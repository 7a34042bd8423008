"""SQLite off the event loop: one hand-over to the connection's thread per statement.

aiosqlite hands over each step of a statement (the cursor, the execution, the rows, the close), and
SQLAlchemy's BEGIN is one more statement. A hand-over costs two switches of threads, more than most
statements here do, so a statement goes over once: with the BEGIN before it and the rows after it.
A ROLLBACK goes over without anybody who waits for it: every reading unit ends with one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import aiosqlite
import structlog

Run = Callable[[sqlite3.Connection, str, Sequence[Any]], sqlite3.Cursor]

ITERATION_ROWS = 64  # of aiosqlite's own iteration, which nothing here uses
_logger = structlog.get_logger(__name__)


class Outcome(NamedTuple):
    """What a statement has left behind."""

    description: Any
    rows: list[Any]
    rowcount: int
    lastrowid: int | None


_NOTHING = Outcome(None, [], -1, None)


class Trip:
    """A cursor in the form that SQLAlchemy's adapter takes; only `execute` leaves the loop."""

    __slots__ = ("_connection", "_outcome", "arraysize")

    def __init__(self, connection: SQLiteConnection) -> None:
        self._connection = connection
        self._outcome = _NOTHING
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    @property
    def description(self) -> Any:
        """The columns (PEP 249), None for a statement without rows."""
        return self._outcome.description

    @property
    def rowcount(self) -> int:
        """Rows that were changed; -1 when that makes no sense."""
        return self._outcome.rowcount

    @property
    def lastrowid(self) -> int | None:
        """The rowid of the last INSERT."""
        return self._outcome.lastrowid

    async def execute(self, operation: str, parameters: Sequence[Any] = ()) -> None:
        """Runs one statement and brings its rows.

        Raises:
            sqlite3.Error: SQLite refuses it.
        """
        run = sqlite3.Connection.execute
        self._outcome = await self._connection.take(run, operation, parameters)

    async def executemany(self, operation: str, parameters: Sequence[Sequence[Any]]) -> None:
        """Runs one statement with each of `parameters`.

        Raises:
            sqlite3.Error: SQLite refuses it.
        """
        run = sqlite3.Connection.executemany
        self._outcome = await self._connection.take(run, operation, parameters)

    async def fetchall(self) -> list[Any]:
        """The rows, which are here already."""
        return self._outcome.rows

    async def close(self) -> None:
        """Nothing: the cursor behind it was closed in the same trip."""


class _Transaction:
    """A BEGIN and what became of it; the thread alone writes `begun`."""

    __slots__ = ("begin", "begun")

    def __init__(self, begin: str) -> None:
        self.begin = begin
        self.begun = False


class SQLiteConnection(aiosqlite.Connection):
    """A connection with its thread. What `begin` says goes before the next statement."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, ITERATION_ROWS)
        self._thread.daemon = True
        self._transaction: _Transaction | None = None

    @property
    def unfinished(self) -> bool:
        """Whether a transaction was begun that neither COMMIT nor ROLLBACK has ended."""
        return self._transaction is not None

    def begin(self, statement: str) -> None:
        """Begins a transaction with the next statement; its errors are that statement's."""
        self._transaction = _Transaction(statement)

    def cursor(self) -> Trip:  # pyright: ignore[reportIncompatibleMethodOverride] - nothing to await
        """A new cursor; SQLite hears of it with the first statement."""
        return Trip(self)

    async def take(self, run: Run, operation: str, parameters: Sequence[Any]) -> Outcome:
        """Takes a statement to the thread and brings back what it left."""
        return await self._execute(self._ran, self._transaction, run, operation, parameters)

    async def commit(self) -> None:
        """Commits what was begun.

        Raises:
            sqlite3.Error: SQLite refuses it; the transaction is still there to be rolled back.
        """
        await self._execute(self._committed)
        self._transaction = None

    async def rollback(self) -> None:
        """Rolls back what was begun; whatever this connection is told next comes after it."""
        if self.unfinished:
            self._transaction = None
            self._tx.put_nowait((None, partial(_roll_back, self._conn)))

    def _ran(
        self, transaction: _Transaction | None, run: Run, operation: str, parameters: Sequence[Any]
    ) -> Outcome:
        if transaction is not None and not transaction.begun:
            self._conn.execute(transaction.begin)
            transaction.begun = True  # after it: a BEGIN that failed stands before the next try
        cursor = run(self._conn, operation, parameters)
        rows: list[Any] = cursor.fetchall() if cursor.description else []
        outcome = Outcome(cursor.description, rows, cursor.rowcount, cursor.lastrowid)
        cursor.close()
        return outcome

    def _committed(self) -> None:
        self._conn.commit()


def _roll_back(connection: sqlite3.Connection) -> None:
    try:
        connection.rollback()
    except sqlite3.Error as error:
        # Nobody waits. The next BEGIN of this connection is refused, and says so to whoever asks.
        _logger.warning("sqlite.rollback-failed", error=repr(error))


async def connect(path: Path, pragmas: Sequence[str]) -> SQLiteConnection:
    """Opens the file and sets its pragmas.

    Raises:
        sqlite3.Error: It is no database, or cannot be opened.
    """

    def open_file() -> sqlite3.Connection:
        # BEGIN is ours: the driver's own comes too late to be immediate. Other threads may look
        # whether a transaction is open, and collect what was never closed.
        opened = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        for pragma in pragmas:
            opened.execute(f"PRAGMA {pragma}").close()
        return opened

    connection = SQLiteConnection(open_file)
    await connection
    return connection
