"""Counts for all nodes as long as that works, and in this process when it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from homeport.kernel import clock
from homeport.kernel.rates.counters import Counters, CountersLost, Tally

ANSWER_S: Final = 0.25
PAUSE_S: Final = 5.0
"""Between two attempts while the shared counters are lost: one request tries, the others go on."""

_logger = structlog.stdlib.get_logger(__name__)


class SharedCounters(Counters):
    """A breaker between the two.

    Args:
        shared: What all nodes count in.
        local: What is counted in while `shared` is lost.
    """

    def __init__(self, shared: Counters, local: Counters) -> None:
        self._shared = shared
        self._local = local
        self._open_until = 0.0
        self.works = True

    async def count(self, keys: Sequence[str]) -> list[Tally]:
        """See `Counters.count`; never raises `CountersLost`."""
        now = clock.boot_seconds()
        if now < self._open_until:
            return await self._local.count(keys)
        if not self.works:
            self._open_until = now + PAUSE_S
        try:
            async with asyncio.timeout(ANSWER_S):
                tallies = await self._shared.count(keys)
        except (CountersLost, TimeoutError) as error:
            self._lost(error)
            return await self._local.count(keys)
        self._found()
        return tallies

    def _lost(self, error: Exception) -> None:
        self._open_until = clock.boot_seconds() + PAUSE_S
        if self.works:
            _logger.warning("rates.counted-alone", error=repr(error))
        self.works = False

    def _found(self) -> None:
        self._open_until = 0.0
        if not self.works:
            _logger.info("rates.counted-together")
        self.works = True
