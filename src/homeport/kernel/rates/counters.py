"""What a counter promises, and the one of a single process.

A window begins with the first thing that is counted and lasts one period; within it the count is
exact, also for what comes at once.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from homeport.kernel import clock


class Tally(NamedTuple):
    """How many there were in the present window, this one included, and its seconds left."""

    hits: int
    resets_in: float


class CountersLost(Exception):
    """The counters cannot be reached, or answer what no counter would."""


class Counters(Protocol):
    """Counts under keys, in windows of one length."""

    @abstractmethod
    async def count(self, keys: Sequence[str]) -> list[Tally]:
        """One more under each of `keys`.

        Raises:
            CountersLost: Nobody knows how many there were.
        """


class MemoryCounters(Counters):
    """Counts in this process, in constant time; holds what was counted within one period.

    Args:
        period: Seconds that a window lasts.
    """

    def __init__(self, period: float) -> None:
        self._period = period
        self._windows: OrderedDict[str, tuple[int, float]] = OrderedDict()  # the oldest first

    def __len__(self) -> int:
        """The windows that are held."""
        return len(self._windows)

    async def count(self, keys: Sequence[str]) -> list[Tally]:
        """See `Counters.count`."""
        now = clock.boot_seconds()
        self._sweep(now, most=2 * len(keys))
        return [self._one(key, now) for key in keys]

    def _one(self, key: str, now: float) -> Tally:
        hits, ends = self._windows.get(key, (0, now))
        if ends <= now:
            self._windows.pop(key, None)  # the new window stands behind all others
            hits, ends = 0, now + self._period
        self._windows[key] = (hits + 1, ends)
        return Tally(hits + 1, ends - now)

    def _sweep(self, now: float, *, most: int) -> None:
        """Removes at most as many ended windows: twice as many as can be added meanwhile."""
        for _ in range(most):
            oldest = next(iter(self._windows.values()), None)
            if oldest is None or oldest[1] > now:
                return
            self._windows.popitem(last=False)
