"""A reader of a session on one node, which checks every frame that it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp

from support.server import Server
from support.sse import heard
from support.stream_client import StreamClient

BUSY = 503
RETRY_S = 0.05
PATIENCE_S = 60.0
FOR_EVER = aiohttp.ClientTimeout(total=None)


class Watcher:
    """What somebody sees on one node.

    Attributes:
        client: What they know.
    """

    def __init__(self, client: StreamClient) -> None:
        self.client = client
        self._changed = asyncio.Event()

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The stored events of a kind, so far."""
        return [event for event in self.client.events if event["kind"] == kind]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Returns once `holds` does."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def until_kind(self, kind: str, *, count: int = 1) -> dict[str, Any]:
        """The event of a kind, once there are `count` of them."""
        await self.until(lambda: len(self.events(kind)) >= count)
        return self.events(kind)[count - 1]

    async def until_text(self, characters: int = 1) -> None:
        """Returns once so much of the last message is shown."""
        await self.until(lambda: self.shown >= characters)

    @property
    def shown(self) -> int:
        """Characters of the last message, so far."""
        texts = list(self.client.texts.values())
        return sum(map(len, texts[-1])) if texts else 0

    async def watch(self, http: aiohttp.ClientSession, node: Server, session_id: str) -> None:
        """Reads until the task is cancelled; comes back with its cursor when the line is cut."""
        while True:
            with suppress(aiohttp.ClientError):
                await self._read(http, node, session_id)
            await asyncio.sleep(RETRY_S)

    async def _read(self, http: aiohttp.ClientSession, node: Server, session_id: str) -> None:
        url = f"{node.base_url}/v1/sessions/{session_id}/stream"
        headers = {**node.admin, "Last-Event-ID": self.client.cursor}
        async with http.get(url, headers=headers, timeout=FOR_EVER) as answer:
            if answer.status == BUSY:
                return
            assert answer.status == 200, await answer.text()
            async for frame in heard(answer):
                self.client.apply(frame.data)
                self._changed.set()


@asynccontextmanager
async def watching(
    http: aiohttp.ClientSession,
    node: Server,
    session_id: str,
    *,
    client: StreamClient | None = None,
) -> AsyncGenerator[Watcher]:
    """Somebody who watches the session on `node`, from the beginning or from where `client` is."""
    watcher = Watcher(client or StreamClient())
    task = asyncio.create_task(watcher.watch(http, node, session_id))
    try:
        yield watcher
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
