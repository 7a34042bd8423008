"""What a node holds when it runs something, and how it knows that it still does.

Two fences: every append of a run checks `(id, epoch)` under the row's lock, and nothing is shown
live once the lease, judged by a clock that counts the machine's sleep, is close to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import bindparam, select

from homeport.dispatch.models import RunRow
from homeport.eventlog import EventLog, Unit
from homeport.kernel import clock
from homeport.kernel.db import table_of
from homeport.kernel.errors import Conflict

MARGIN = 0.25
"""The part of the TTL before its end from which on nothing more is shown."""


Ending = Literal["stop", "drain"]
"""Why a driver is cancelled: somebody stopped the run, or the node goes away."""


class LeaseLost(Conflict):
    """Another epoch exists, or may: this one writes nothing more."""

    code = "run.lease-lost"
    title = "Another node has taken the run over"


class Lease:
    """The time that a claim is good for.

    Args:
        ttl: Seconds that a beat is good for.
        begun: `clock.boot_seconds()` from before the statement that claimed or renewed it.

    Attributes:
        lost: The database said so: whatever is written from here on is refused.
        ending: Set before the driver is cancelled, to tell it why.
    """

    __slots__ = ("_fresh_until", "_renewed", "_ttl", "ending", "lost")

    def __init__(self, *, ttl: float, begun: float) -> None:
        self.lost = False
        self.ending: Ending | None = None
        self._ttl = ttl
        self._renewed = asyncio.Event()
        self._fresh_until = 0.0
        self.renew(begun)

    def renew(self, begun: float) -> None:
        """Takes a beat in that the database has confirmed."""
        self._fresh_until = begun + self._ttl * (1 - MARGIN)
        self._renewed.set()

    async def certain(self) -> None:
        """Waits until something may be shown again: for the next beat that is confirmed.

        Who holds a lease that turns out to be lost is cancelled instead.
        """
        while not self.fresh():
            self._renewed.clear()
            await self._renewed.wait()

    def fresh(self) -> bool:
        """Whether something may be shown: surely still ours."""
        return not self.lost and clock.boot_seconds() < self._fresh_until


_runs = table_of(RunRow)
_held = (
    select(_runs.c.id)
    .where(
        _runs.c.id == bindparam("run"),
        _runs.c.epoch == bindparam("mine"),
        _runs.c.status == "running",
    )
    # Held to the commit: a claimer skips the locked row instead of slipping in between.
    .with_for_update(read=True)
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A run in this node's hands."""

    run_id: str
    session_id: str
    user_id: str
    run_no: int
    epoch: int
    lease: Lease

    @property
    def stream(self) -> str:
        """The stream of the run's session."""
        return f"session:{self.session_id}"

    @property
    def actor(self) -> str:
        """The run's name in the log."""
        return f"run:{self.run_id}"


@asynccontextmanager
async def fenced(log: EventLog, claim: Claim, *streams: str) -> AsyncGenerator[Unit, None]:
    """A write unit of a run, over its session's stream and `streams`.

    Raises:
        LeaseLost: Somebody else has claimed the run; nothing was written.
    """
    async with log.unit(claim.stream, *streams) as unit:
        mine = {"run": claim.run_id, "mine": claim.epoch}
        if await unit.session.scalar(_held, mine) is None:
            claim.lease.lost = True
            raise LeaseLost
        yield unit
