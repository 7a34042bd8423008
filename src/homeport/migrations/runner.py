"""Runs Alembic on our own connection: one transaction, one migrator at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from homeport.kernel.clock import monotonic
from homeport.kernel.db import Database
from homeport.kernel.db.failures import DatabaseBusy, translated
from homeport.migrations.errors import SchemaUnknown

FOLDER = Path(__file__).parent
ADVISORY_LOCK = 0x686F6D65  # "home": any constant that no other user of the database takes
PATIENCE_S = 60.0
RETRY_S = 0.25

Direction = Literal["up", "down"]


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without an .ini file; `env.py` runs on `connection`."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("file_template", "%%(rev)s")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


async def migrate(database: Database, revision: str, *, direction: Direction) -> None:
    """Moves the schema to `revision`; waits up to a minute for another migrator.

    Raises:
        SchemaUnknown: The database carries a revision that is not in this history.
        Unavailable: The database is busy or does not answer; the schema is as it was.
    """
    deadline = monotonic() + PATIENCE_S
    while True:
        try:
            with translated():
                await _migrate_once(database, revision, direction)
        except DatabaseBusy:
            if monotonic() > deadline:
                raise
            await asyncio.sleep(RETRY_S)
        else:
            return


async def _migrate_once(database: Database, revision: str, direction: Direction) -> None:
    async with database.writer.connect() as connection:
        if database.dialect == "sqlite":
            # Rebuilding a table drops it, and a drop cascades. The pragma is silently
            # ignored inside a transaction, so it comes before the first statement.
            await _sqlite_foreign_keys(connection, enabled=False)
        try:
            async with connection.begin():
                if database.dialect == "postgresql":
                    await connection.execute(
                        text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK}
                    )
                else:  # BEGIN IMMEDIATE goes with the first statement; Alembic is not reentrant
                    await connection.execute(text("SELECT 1"))
                await connection.run_sync(_run_alembic, revision, direction)
                if database.dialect == "sqlite":
                    await _refuse_broken_references(connection)
        finally:
            if database.dialect == "sqlite":
                await _sqlite_foreign_keys(connection, enabled=True)


def _run_alembic(connection: Connection, revision: str, direction: Direction) -> None:
    config = alembic_config(connection)
    try:
        if direction == "up":
            command.upgrade(config, revision)
        else:
            command.downgrade(config, revision)
    except CommandError as error:
        raise SchemaUnknown(f"{error}. Run the version of Homeport that wrote it.") from error


async def _sqlite_foreign_keys(connection: AsyncConnection, *, enabled: bool) -> None:
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    if driver is not None:
        await driver.execute(f"PRAGMA foreign_keys={'ON' if enabled else 'OFF'}")


async def _refuse_broken_references(connection: AsyncConnection) -> None:
    broken = (await connection.execute(text("PRAGMA foreign_key_check"))).first()
    if broken is not None:
        message = f"the migration breaks a reference: {broken}"
        raise RuntimeError(message)
