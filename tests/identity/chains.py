"""What lives of an account's refresh tokens, as the database has it, and races for one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import aiohttp
from sqlalchemy import func, select

from homeport.identity.models import Device, RefreshToken
from identity.door import Door, Person
from support.answer import Answer

PARALLEL = 20


async def living(door: Door, person: Person) -> tuple[int, int]:
    """How many live, unspent tokens the account has, and how many live families."""
    own = (Device.user_id == person.id, Device.revoked_at.is_(None))
    heads = (
        select(func.count())
        .select_from(RefreshToken)
        .join(Device, Device.id == RefreshToken.device_id)
        .where(*own, RefreshToken.used_at.is_(None))
    )
    families = select(func.count()).where(*own)
    async with door.log.database.read() as session:
        return await session.scalar(heads) or 0, await session.scalar(families) or 0


async def race(doors: Sequence[Door], person: Person, *, rounds: int) -> None:
    """Refreshes one token twenty times at once, on all nodes, again and again with its child.

    Every answer is the same child, and exactly one chain lives after each round.
    """
    token = person.refresh
    for _ in range(rounds):
        answers = await asyncio.gather(
            *(_insist(doors[each % len(doors)], token) for each in range(PARALLEL))
        )
        assert {answer.status for answer in answers} == {200}
        children = {answer.json["refresh_token"] for answer in answers}
        assert len(children) == 1
        assert await living(doors[0], person) == (1, 1)
        token = children.pop()
    async with doors[0].log.database.read() as session:
        made = await session.scalar(
            select(func.count())
            .select_from(RefreshToken)
            .join(Device, Device.id == RefreshToken.device_id)
            .where(Device.user_id == person.id)
        )
    assert made == rounds + 1


async def _insist(door: Door, token: str) -> Answer:
    """Refreshes, once more if the connection was cut: a lost answer is what a token survives."""
    try:
        return await door.refresh(token)
    except aiohttp.ClientConnectionError:
        return await door.refresh(token)
