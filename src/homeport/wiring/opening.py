"""Opens the house, room by room."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from homeport.settings import Settings
from homeport.wiring import agent, audit, ground, limits, nodes, people
from homeport.wiring.house import House, refuse_unsafe

ROOMS: tuple[Callable[[House], Awaitable[None]], ...] = (
    ground.storage,
    nodes.wakeups,
    limits.limits,
    ground.eventlog,
    people.identity,
    audit.audit,
    people.projects,
    agent.models,
    agent.sandbox,
    agent.runs,
    ground.operations,
)
"""In the order of opening: a room may use what those before it have provided."""


@asynccontextmanager
async def open_house(settings: Settings) -> AsyncGenerator[House, None]:
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
