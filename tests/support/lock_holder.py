"""Holds a database's locks as another process would; run as a program for SQLite.

python tests/support/lock_holder.py FILE     takes the write lock, says so, holds it until EOF
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool


@asynccontextmanager
async def write_lock(url: str, *, mode: str = "EXCLUSIVE") -> AsyncGenerator[None]:
    """Nobody else writes until the block ends; with `ACCESS EXCLUSIVE` nobody reads PostgreSQL."""
    if url.startswith("sqlite"):
        async with _other_process(str(make_url(url).database)):
            yield
        return
    postgresql = make_url(url).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(postgresql, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text(f"LOCK TABLE streams, events, runs IN {mode} MODE"))
        yield
    await engine.dispose()


@asynccontextmanager
async def _other_process(file: str) -> AsyncGenerator[None]:
    pipe = asyncio.subprocess.PIPE
    holder = await asyncio.create_subprocess_exec(
        sys.executable, __file__, file, stdin=pipe, stdout=pipe
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert await holder.stdout.readline() == b"held\n"
        yield
    finally:
        holder.stdin.close()
        await holder.wait()


def _hold(file: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        print("held", flush=True)
        sys.stdin.read()
        connection.execute("ROLLBACK")


if __name__ == "__main__":
    _hold(sys.argv[1])
