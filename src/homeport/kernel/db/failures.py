"""What can go wrong with the database: drivers' words and states as kinds that the tree knows.

Unavailable ── DatabaseBusy, DatabaseUnreachable, StorageFull (`homeport.kernel.errors`)
"""

from __future__ import annotations

import errno
import socket
import sqlite3

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from homeport.kernel.errors import HomeportError, StorageFull, Unavailable

DISK_FULL = "53100"
BUSY_STATES = frozenset({"55P03", "40P01", "40001", "53300"})
"""Lock not available in time; a deadlock; a serialisation failure; too many connections."""
GONE_STATES = frozenset({"57P01", "57P02", "57P03", "25P03"})
"""The server shuts down, has crashed, starts; it has ended a transaction that stood still."""
UNREACHABLE = (ConnectionError, TimeoutError, socket.gaierror)
UNREACHABLE_ERRORS = frozenset(
    {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EMFILE, errno.ENFILE}
)


class DatabaseBusy(Unavailable):
    """The database is held by somebody else; nothing was written."""

    code = "storage.busy"
    title = "The database is busy"


class DatabaseUnreachable(Unavailable):
    """The database does not answer; nothing was acknowledged."""

    code = "storage.unreachable"
    title = "The database does not answer"


class translated:  # noqa: N801 - reads as the context that it is
    """Turns what drivers raise into kinds that the rest of the tree knows."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Raises the kind that fits, or lets the error pass."""
        if error is None or isinstance(error, HomeportError):
            return
        kind = _kind_of(error)
        if kind is not None:
            raise kind from error


def _kind_of(error: BaseException) -> HomeportError | None:
    if isinstance(error, PoolTimeoutError):
        return DatabaseBusy(retry_after=1)
    if isinstance(error, OSError):
        if error.errno == errno.ENOSPC:
            return StorageFull("The disk is full; nothing was kept.")
        if isinstance(error, UNREACHABLE) or error.errno in UNREACHABLE_ERRORS:
            return DatabaseUnreachable(retry_after=1)
    if isinstance(error, DBAPIError):
        state: str = getattr(error.orig, "sqlstate", None) or ""
        return _kind_of_state(state) or _kind_of_driver(
            str(error.orig), invalidated=error.connection_invalidated
        )
    return _kind_of_driver(str(error)) if isinstance(error, sqlite3.Error) else None


def _kind_of_state(state: str) -> HomeportError | None:
    """By PostgreSQL's SQLSTATE: its words are in the language of the server."""
    if state == DISK_FULL:
        return StorageFull("The disk is full; nothing was kept.")
    if state in BUSY_STATES:
        return DatabaseBusy(retry_after=1)
    return DatabaseUnreachable(retry_after=1) if state in GONE_STATES else None


def _kind_of_driver(words: str, *, invalidated: bool = False) -> HomeportError | None:
    if "database or disk is full" in words or "No space left" in words:
        return StorageFull("The disk is full; nothing was kept.")
    if "database is locked" in words or "database table is locked" in words:
        return DatabaseBusy(retry_after=1)
    if invalidated or "connection is closed" in words or "unable to open database" in words:
        return DatabaseUnreachable(retry_after=1)
    if "disk I/O error" in words:
        return DatabaseUnreachable("The disk under the database failed.", retry_after=5)
    return None
