"""Wake-ups that are carried while a block lasts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from homeport.kernel.wakeups import Carrier, Wakeups

PATIENCE_S = 30.0


@asynccontextmanager
async def carried(carrier: Carrier, *, heartbeat: float = 0.2) -> AsyncGenerator[Wakeups]:
    """One node's wake-ups, which work already."""
    wakeups = Wakeups(carrier, heartbeat=heartbeat)
    running = asyncio.create_task(wakeups.run())
    try:
        await eventually(lambda: wakeups.works)
        yield wakeups
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await carrier.close()


async def eventually(holds: Callable[[], bool]) -> None:
    """Returns when `holds` says so; fails when it never does."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)
