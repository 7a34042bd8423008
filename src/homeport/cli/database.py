"""What commands share that work on the database themselves, beside a running server or alone."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import typer

from homeport.cli.exits import FAILED
from homeport.eventlog import EventLog
from homeport.kernel.db import Database
from homeport.kernel.errors import HomeportError, Unavailable
from homeport.migrations import is_current
from homeport.settings import Settings

ACTOR: Final = "operator"
_SQLITE = "sqlite:///"
T = TypeVar("T")


class SchemaBehind(Unavailable):
    """The database is not of this version."""

    code = "storage.schema-behind"
    title = "The database is not of this version"


class NoDatabase(Unavailable):
    """The database is a file, and there is none."""

    code = "storage.no-database"
    title = "There is no database"


def existing(database: str) -> str:
    """The URL of a database, which may be given as the file of one.

    Raises:
        NoDatabase: It is a file, and there is none; opening it would make it.
    """
    file = database.removeprefix(_SQLITE)
    if "://" in file:
        return database
    path = Path(file).expanduser()
    if not path.is_file():
        message = f"There is no database yet at {path}: start the server once, or homeport migrate."
        raise NoDatabase(message)
    return f"{_SQLITE}{path.resolve()}"


@asynccontextmanager
async def opened_log(settings: Settings) -> AsyncGenerator[EventLog]:
    """The log on the database of `settings`.

    Raises:
        NoDatabase: There is none.
        SchemaBehind: The database is of another version.
        Unavailable: It does not answer.
    """
    database = Database(existing(settings.effective_database_url))
    try:
        if not await is_current(database):
            raise SchemaBehind("Start the server once, or run: homeport migrate")
        yield EventLog(database)
    finally:
        await database.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives; a refusal is said on stderr and ends the command with 1."""
    try:
        return asyncio.run(work)
    except HomeportError as error:
        print(f"homeport: {error.title}. {error.detail} ({error.code})", file=sys.stderr)
        raise typer.Exit(FAILED) from None
