"""The composition root: one process out of the rooms, opened in order, closed in reverse.

A room adds two or three lines here: a function that takes the house, makes its parts, and provides
them; its name in `ROOMS`; its routers in `ROUTERS`. Nothing below this module reads the settings.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter
from sqlalchemy import text

from homeport import __version__, migrations
from homeport.eventlog import EventLog
from homeport.kernel.data_directory import data_directory_lock, make_data_directory
from homeport.kernel.db import Database
from homeport.kernel.errors import Invalid
from homeport.kernel.http.draining import Draining
from homeport.operations import Check, Finding, Operations, docs
from homeport.operations import router as operations
from homeport.settings import Settings

SHORTEST_SECRET = 32
DRAIN_S = 25.0

log = structlog.stdlib.get_logger(__name__)


class UnsafeSettings(Invalid):
    """Production is asked for with settings that only a developer may use."""

    code = "settings.unsafe"
    title = "These settings are not safe in production"


class House:
    """What one process is made of.

    Attributes:
        services: What routers get by type.
        checks: The components of `/readyz`.
        banner: What the start says, as (name, text); `{address}` stands for the server's address.
        drains: Called, all at once, when the process is about to end.
        active_sessions: Counts the sessions at work.
    """

    def __init__(self, settings: Settings, rooms: AsyncExitStack) -> None:
        self.settings = settings
        self.rooms = rooms
        self.services: dict[type[Any], Any] = {}
        self.checks: dict[str, Check] = {}
        self.banner: list[tuple[str, str]] = []
        self.drains: list[Callable[[], Awaitable[None]]] = []
        self.active_sessions: Callable[[], Awaitable[int]] = _no_sessions
        self.draining = Draining()
        self.provide(self.draining)

    def provide(self, *parts: object) -> None:
        """Hands `parts` to the routers, each by its type."""
        for part in parts:
            self.services[type(part)] = part

    def get(self, kind: type[Any]) -> Any:
        """A part that an earlier room has provided."""
        return self.services[kind]

    def chore(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` beside the requests until the house closes."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(_report)
        self.rooms.push_async_callback(_end, task)

    async def drain(self) -> None:
        """Says that the end is near and waits until what must be handed over is."""
        self.draining.begin()
        try:
            async with asyncio.timeout(DRAIN_S), asyncio.TaskGroup() as group:
                for drain in self.drains:
                    group.create_task(_drained(drain))
        except TimeoutError:
            log.warning("drain.timed-out", seconds=DRAIN_S)


@asynccontextmanager
async def open_house(settings: Settings) -> AsyncGenerator[House]:
    """Opens every room; closes them in reverse when the block ends.

    Raises:
        HomeportError: The process cannot start; the error says why and what to do.
    """
    refuse_unsafe(settings)
    async with AsyncExitStack() as rooms:
        house = House(settings, rooms)
        for room in ROOMS:
            await room(house)
        yield house


def refuse_unsafe(settings: Settings) -> None:
    """Passes settings that may face the world.

    Raises:
        UnsafeSettings: ENVIRONMENT is production, and something is not fit for it.
    """
    if settings.environment != "production":
        return
    faults: list[str] = []
    key = settings.secret_key
    if key is not None and len(key.get_secret_value()) < SHORTEST_SECRET:
        faults.append(f"SECRET_KEY is shorter than {SHORTEST_SECRET} characters")
    if "*" in settings.cors_origins:
        faults.append("CORS_ORIGINS admits every origin")
    if urlsplit(settings.public_url or "").scheme != "https":
        faults.append("PUBLIC_URL is not https:// (put TLS in front)")
    if settings.debug:
        faults.append("DEBUG is on")
    if faults:
        raise UnsafeSettings(f"{'; '.join(faults)}.")


async def _storage(house: House) -> None:
    settings = house.settings
    make_data_directory(settings.data_path)
    database = Database(settings.effective_database_url)
    if database.dialect == "sqlite":
        house.rooms.enter_context(data_directory_lock(settings.data_path))
    house.rooms.push_async_callback(database.close)
    if not await migrations.is_current(database):
        await migrations.upgrade(database)
    house.provide(database)

    async def answers() -> Finding:
        async with database.read() as session:
            await session.execute(text("SELECT 1"))
        return Finding(ok=True, detail={"kind": database.dialect})

    async def is_current() -> Finding:
        current = await migrations.current(database)
        return Finding(ok=current == migrations.HEAD, detail={"revision": current})

    house.checks["database"] = answers
    house.checks["migrations"] = is_current
    house.banner.append(("database", database.url.render_as_string(hide_password=True)))


async def _eventlog(house: House) -> None:
    log_of_events = EventLog(house.get(Database))
    await log_of_events.start()
    house.rooms.push_async_callback(log_of_events.stop)
    house.provide(log_of_events)


async def _operations(house: House) -> None:
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


ROOMS: tuple[Callable[[House], Awaitable[None]], ...] = (_storage, _eventlog, _operations)
"""In the order of opening: a room may use what those before it have provided."""

ROUTERS: tuple[APIRouter, ...] = (operations.router,)
"""Every route that the contract publishes."""

DEVELOPMENT_ROUTERS: tuple[APIRouter, ...] = (docs.router,)
"""Pages that production does not show: there, the contract is a file of the release."""


async def _no_sessions() -> int:
    return 0


async def _drained(drain: Callable[[], Awaitable[None]]) -> None:
    await drain()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("chore.failed", chore=task.get_name(), exc_info=error)
