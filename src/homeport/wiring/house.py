"""What one process is made of, while it is put together and when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import structlog
from sqlalchemy.exc import SQLAlchemyError

from homeport.kernel.errors import HomeportError, Invalid
from homeport.kernel.http.draining import Draining
from homeport.operations import Check
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
        banner: What the start says, as (name, text); `{address}` stands for the server's address,
            `{homeport}` for the command that was called.
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


async def every(seconds: float, step: Callable[[], Awaitable[object]]) -> None:
    """Takes `step` now and then, for ever; one that fails is told and tried again."""
    while True:
        try:
            await step()
        except (HomeportError, SQLAlchemyError, OSError) as error:
            # Whatever the database has, the next round may find it well again.
            log.warning("chore.step-failed", step=step.__qualname__, error=repr(error))
        await asyncio.sleep(seconds)


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
