"""What everything stands on: storage, the log, and the eyes of whoever operates it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import structlog
from sqlalchemy import text

from homeport import __version__, migrations
from homeport.eventlog import Eraser, EventLog
from homeport.kernel.data_directory import (
    data_directory_lock,
    make_data_directory,
    tighten_data_directory,
)
from homeport.kernel.db import Database, idempotency
from homeport.kernel.wakeups import Wakeups
from homeport.operations import Finding, Operations
from homeport.wiring.house import House, every

PURGE_S = 3_600.0
LEAST_FREE = 16 << 20
"""Bytes on the data directory's or the database's disk below which no work should be sent here."""

log = structlog.stdlib.get_logger(__name__)


async def storage(house: House) -> None:
    """The database, migrated; on SQLite the data directory is this process's alone."""
    settings = house.settings
    make_data_directory(settings.data_path)
    if (had := tighten_data_directory(settings.data_path)) is not None:
        log.warning("data-directory.tightened", path=str(settings.data_path), mode=f"{had:04o}")
    database = Database(settings.effective_database_url)
    if database.dialect == "sqlite":
        house.rooms.enter_context(data_directory_lock(settings.data_path))
    house.rooms.push_async_callback(database.close)
    if not await migrations.is_current(database):
        await migrations.upgrade(database)
    house.provide(database)

    disks = {settings.data_path}
    if database.dialect == "sqlite":
        disks.add(Path(database.url.database or "").parent)

    async def answers() -> Finding:
        # By the way that writes take: somebody else's lock on the file is found here, too.
        async with database.write() as session:
            await session.execute(text("SELECT 1"))
        return Finding(ok=True, detail={"kind": database.dialect})

    async def has_room() -> Finding:
        free = min([(await asyncio.to_thread(shutil.disk_usage, each)).free for each in disks])
        return Finding(ok=free >= LEAST_FREE, detail={"free_mb": free >> 20})

    async def is_current() -> Finding:
        current = await migrations.current(database)
        return Finding(ok=current == migrations.HEAD, detail={"revision": current})

    async def forget_old_keys() -> None:
        removed = idempotency.PURGE_ROWS
        while removed == idempotency.PURGE_ROWS:
            async with database.write() as session:
                removed = await idempotency.purge(session)

    house.chore("idempotency.purge", every(PURGE_S, forget_old_keys))
    house.checks["database"] = answers
    house.checks["disk"] = has_room
    house.checks["migrations"] = is_current
    house.banner.append(("database", database.url.render_as_string(hide_password=True)))


async def eventlog(house: House) -> None:
    """The log and its chores."""
    log_of_events = EventLog(house.get(Database), house.get(Wakeups))
    await log_of_events.start()
    house.rooms.push_async_callback(log_of_events.stop)
    house.provide(log_of_events, Eraser())


async def operations(house: House) -> None:
    """Health and readiness; last, because it shows what the others have added."""
    house.provide(
        Operations(
            version=__version__,
            checks=house.checks,
            active_sessions=house.active_sessions,
            draining=house.draining,
            reveal=house.settings.environment != "production",
        )
    )
    if house.settings.environment != "production":
        house.banner.append(("docs", "{address}/docs"))
