"""`homeport audit export`: the log as a file that can be verified without a database."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from homeport.cli.database import SchemaBehind, existing
from homeport.cli.exits import FAILED
from homeport.cli.inert import inert
from homeport.cli.settings import read_settings
from homeport.eventlog.export import export
from homeport.kernel.db import Database
from homeport.kernel.errors import HomeportError
from homeport.migrations import is_current

PRIVATE = 0o600


def export_log(
    stream: Annotated[
        str | None, typer.Option(help="Only this stream, for example account:<id>.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="From this moment on: 2026-11-23 or 2026-11-23T04:05:06Z.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The file; without it, standard output.")
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="SQLite file or PostgreSQL URL (DATABASE_URL).")
    ] = None,
) -> None:
    """Write the log as JSON Lines, conversations included; `verify --file` checks them."""
    moment = None if since is None else _milliseconds(since)
    settings = read_settings()
    try:
        url = existing(settings.effective_database_url if database is None else database)
        with _opened(output) as file:
            asyncio.run(_export(url, stream, moment, file, shows=output is not None))
    except (HomeportError, OSError) as error:
        print(f"homeport: it cannot be exported: {inert(str(error))}", file=sys.stderr)
        raise typer.Exit(FAILED) from None


def _milliseconds(since: str) -> int:
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        raise typer.BadParameter(
            f"{since} is not a moment, as 2026-11-23T04:05:06Z is one."
        ) from None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1000)


@contextlib.contextmanager
def _opened(output: Path | None) -> Generator[BinaryIO]:
    """The file, which has its name only when all of it is there, and is for its owner alone."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    partial = output.with_name(f".{output.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)


async def _export(
    url: str, stream: str | None, since: int | None, file: BinaryIO, *, shows: bool
) -> None:
    shows = shows and sys.stderr.isatty()
    opened = Database(url)
    try:
        if not await is_current(opened):
            raise SchemaBehind("Start the server once, or run: homeport migrate")
        async with opened.read() as session:
            progress = _show if shows else None
            async for lines in export(session, stream=stream, since=since, progress=progress):
                file.write(lines)
    finally:
        await opened.close()
        if shows:
            print("\r\x1b[K", end="", file=sys.stderr)


def _show(done: int, total: int) -> None:
    print(f"\r{done:,} of {total:,} events", end="", file=sys.stderr, flush=True)
