"""Lets somebody wait for what clients see and do: a kill that is to strike in the middle of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable


class Ears:
    """Whoever listens is told of the next thing of a kind, not of those before."""

    def __init__(self) -> None:
        self._waiting: list[tuple[frozenset[str], asyncio.Future[str]]] = []

    def tell(self, what: str) -> None:
        """Something of this kind has just happened."""
        for kinds, waiting in self._waiting:
            if what in kinds and not waiting.done():
                waiting.set_result(what)
        self._waiting = [(kinds, each) for kinds, each in self._waiting if not each.done()]

    async def next(self, kinds: Iterable[str], *, at_most_s: float) -> str | None:
        """The next of `kinds`; None when none came in time."""
        waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((frozenset(kinds), waiting))
        try:
            async with asyncio.timeout(at_most_s):
                return await waiting
        except TimeoutError:
            return None
