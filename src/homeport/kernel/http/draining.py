"""The word that this process is about to end: streams say good-bye, nothing new is begun."""

from __future__ import annotations

import asyncio


class Draining:
    """Set once, never unset."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    @property
    def begun(self) -> bool:
        """Whether the process is about to end."""
        return self._event.is_set()

    def begin(self) -> None:
        """Says so to everybody who asks or waits."""
        self._event.set()

    async def wait(self) -> None:
        """Returns when the process is about to end."""
        await self._event.wait()
