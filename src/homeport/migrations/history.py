"""Where the schema stands, and how it is moved.

Alembic is imported inside `upgrade` and `downgrade`: it costs a fifth of a second, which a start on
a current database must not pay.
"""

from __future__ import annotations

from sqlalchemy import text

from homeport.kernel.db import Database

HEAD = "0021_lookalike_names"
"""The newest revision; a test compares it with the scripts."""


async def current(database: Database) -> str | None:
    """The revision that the database carries, or None when it has none yet.

    Raises:
        Unavailable: The database is busy or does not answer.
    """
    async with database.read() as session:
        if not await session.scalar(text(_TABLE_EXISTS[database.dialect])):
            return None
        return await session.scalar(text("SELECT version_num FROM alembic_version"))


async def is_current(database: Database) -> bool:
    """Whether the schema is the one that this code was written for."""
    return await current(database) == HEAD


async def upgrade(database: Database, revision: str = "head") -> None:
    """Moves the schema up to `revision` in one transaction; a second caller waits for the first.

    Raises:
        SchemaUnknown: The database carries a revision that is not in this history.
        Unavailable: The database is busy or does not answer; the schema is as it was.
    """
    from homeport.migrations.runner import migrate  # late: see the module's docstring

    await migrate(database, revision, direction="up")


async def downgrade(database: Database, revision: str) -> None:
    """Moves the schema down to `revision` (`base` empties it) in one transaction.

    Raises:
        SchemaUnknown: The database carries a revision that is not in this history.
        Unavailable: The database is busy or does not answer; the schema is as it was.
    """
    from homeport.migrations.runner import migrate  # late: see the module's docstring

    await migrate(database, revision, direction="down")


_TABLE_EXISTS = {
    "sqlite": "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'",
    "postgresql": "SELECT to_regclass('alembic_version') IS NOT NULL",
}
