"""What a server leaves behind: its files, its log, every row of its database, and a copy of it."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final, cast

import asyncpg
from sqlalchemy import make_url

from support.postgres import binaries

KEY_FILE: Final = "secret.key"
"""The one file that is there to hold a secret."""
PIECE: Final = 1 << 26
OVERLAP: Final = 1 << 13
"""Bytes: no form of a secret is longer."""
BYTEA = re.compile(rb"\\\\x((?:[0-9a-f]{2}){8,})")
"""How PostgreSQL writes bytes in a row: within quotes, its backslash doubled."""
_KEYS: Final = "SELECT id, private_sealed FROM signing_keys"
_ROWS: Final = """
    SELECT string_agg(format('SELECT t::text FROM %I.%I t', schemaname, tablename), ' UNION ALL ')
    FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""


def files_in(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below `folder` but that of the server's secret, with its name there.

    A large one comes in pieces, each with the end of the one before. What a process that a killed
    server has left takes away meanwhile is not there.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file() or path == folder / KEY_FILE:
            continue
        with suppress(FileNotFoundError), path.open("rb") as file:
            end = b""
            while piece := file.read(PIECE):
                yield str(path.relative_to(folder)), end + piece
                end = piece[-OVERLAP:]


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite database; None when it is another one."""
    address = make_url(url)
    return Path(address.database or "") if address.drivername.startswith("sqlite") else None


def sqlite_copy(database: Path, folder: Path) -> Path:
    """A copy of the database by SQLite's own backup."""
    copy = folder / f"{database.name}.copy"
    with (
        closing(_opened(database)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    return copy


def sqlite_rows(database: Path) -> bytes:
    """Every value of every row, one a line; bytes as they are."""
    with closing(sqlite3.connect(database)) as connection:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        tables = [name for (name,) in names]
        return b"\n".join(
            _raw(value)
            for table in tables
            for row in connection.execute(f'SELECT * FROM "{table}"')
            for value in row
            if isinstance(value, str | bytes)
        )


def sqlite_keys(database: Path) -> dict[str, bytes]:
    """The sealed keys of access tokens, by their id."""
    with closing(_opened(database)) as connection:
        return dict(connection.execute(_KEYS))


async def postgresql_keys(url: str) -> dict[str, bytes]:
    """As `sqlite_keys`."""
    connection: Any = await cast("Any", asyncpg).connect(url)
    try:
        return dict(await connection.fetch(_KEYS))
    finally:
        await connection.close()


async def postgresql_rows(url: str) -> bytes:
    """Every row of every table as text, one a line; at the end its bytes as they are."""
    connection: Any = await cast("Any", asyncpg).connect(url)
    try:
        query: str | None = await connection.fetchval(_ROWS)
        rows: list[tuple[str]] = [] if query is None else await connection.fetch(query)
    finally:
        await connection.close()
    text = b"\n".join(row[0].encode() for row in rows)
    found = (bytes.fromhex(digits.decode()) for digits in BYTEA.findall(text))
    return b"\n".join([text, *found])


def postgresql_dump(url: str) -> bytes:
    """A backup of the database by pg_dump."""
    folder = binaries()
    assert folder is not None, "there is a PostgreSQL, so there are its programs"
    command = [folder / "pg_dump", "--dbname", url, "--no-sync"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def _opened(database: Path) -> sqlite3.Connection:
    """For reading only: else its write-ahead log would be gone at the end."""
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)


def _raw(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
