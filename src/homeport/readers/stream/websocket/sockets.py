"""The WebSockets of this process: so many per user, and waited for when the process ends."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from homeport.identity.access import Caller
from homeport.readers.stream.websocket.errors import TooManySockets

LAST_WORD_S = 5.0
"""How long a client may take to be told why its socket ends."""


class Sockets:
    """Counts them.

    Args:
        per_user: Open at once, per user.
        subscriptions: Sessions that one socket follows at once.
    """

    def __init__(self, *, per_user: int, subscriptions: int) -> None:
        self.subscriptions = subscriptions
        self._per_user = per_user
        self._open: Counter[str] = Counter()
        self._none_open = asyncio.Event()
        self._none_open.set()

    def __len__(self) -> int:
        """How many are open."""
        return self._open.total()

    @contextmanager
    def seat(self, caller: Caller) -> Generator[None]:
        """A place for one more socket, while the block lasts.

        Raises:
            TooManySockets: The caller has as many as one may.
        """
        if self._open[caller.user_id] >= self._per_user:
            raise TooManySockets(f"One user has {self._per_user} open at most.")
        self._open[caller.user_id] += 1
        self._none_open.clear()
        try:
            yield
        finally:
            self._open[caller.user_id] -= 1
            if not self._open[caller.user_id]:
                del self._open[caller.user_id]
            if not self._open:
                self._none_open.set()

    async def ended(self) -> None:
        """Returns when none is open, or when those that are do not listen; for the drain."""
        try:
            async with asyncio.timeout(2 * LAST_WORD_S):
                await self._none_open.wait()
        except TimeoutError:
            return
