"""Databases for tests: built by the migrations once per run, copied for each test."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
from collections.abc import AsyncGenerator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import asyncpg

from homeport.kernel.db import Database
from homeport.migrations import upgrade
from support.postgres import server_url
from support.run_directory import once, run_directory

TEMPLATE = "homeport_template"
_numbers = itertools.count(1)


def sqlite_template() -> Path:
    """A migrated SQLite file; never open it, copy it."""
    path = run_directory() / "template.db"
    with once("sqlite-template") as first:
        if first:
            _wait_for(_migrate(f"sqlite:///{path}"))
    return path


def postgresql_template() -> str:
    """The name of a migrated PostgreSQL database; never connect to it, copy it."""
    with once("postgresql-template") as first:
        if first:
            _wait_for(_make_postgresql_template())
    return TEMPLATE


@asynccontextmanager
async def sqlite_database(folder: Path, template: Path | None) -> AsyncGenerator[str]:
    """The URL of a new SQLite database in `folder`: a copy of `template`, or an empty one."""
    path = folder / f"homeport-{next(_numbers)}.db"
    if template is not None:
        shutil.copyfile(template, path)
    yield f"sqlite:///{path}"


@asynccontextmanager
async def postgresql_database(template: str | None) -> AsyncGenerator[str]:
    """The URL of a new PostgreSQL database: a copy of `template`, or an empty one."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    await _administer(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'}")
    try:
        yield server_url() + name
    finally:
        await _administer(f"DROP DATABASE {name} WITH (FORCE)")


async def _migrate(url: str) -> None:
    database = Database(url)
    try:
        await upgrade(database)
    finally:
        await database.close()


async def _make_postgresql_template() -> None:
    await _administer(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")
    await _administer(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
    await _migrate(server_url() + TEMPLATE)


async def _administer(statement: str) -> None:
    driver = cast("Any", asyncpg)  # it carries no types
    connection = await driver.connect(f"{server_url()}postgres")
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _wait_for(work: Coroutine[object, object, None]) -> None:
    """Runs `work` to its end in a thread: the caller's thread may own an event loop."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, work).result()
