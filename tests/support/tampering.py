"""Hands on the log's rows, as somebody has them who holds the database."""

from __future__ import annotations

from sqlalchemy import text

from homeport.kernel.db import WriteSession

GUARDED = ("events", "event_payloads", "seals", "seal_heads")


async def unguard(session: WriteSession) -> None:
    """Takes away the triggers, in this transaction."""
    connection = await session.connection()
    if connection.dialect.name == "postgresql":
        for table in GUARDED:
            await session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        return
    names = await session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
    for name in names.all():
        await session.execute(text(f"DROP TRIGGER {name}"))
