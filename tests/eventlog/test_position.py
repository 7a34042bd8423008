"""`position`: who tails all streams by it misses nothing and sees nothing out of order."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from homeport.eventlog import EventLog, Unit, append
from homeport.kernel.db import Database, WriteSession
from support import facts

_behind = text("SELECT position FROM events WHERE position > :position ORDER BY position")
_waiting = text("SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
NO_LOCK = text("SELECT CAST(:key AS BIGINT)")


# SQLite has one writer; only PostgreSQL commits in another order than it numbers.
on_postgresql = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)


async def behind(database: Database, position: int) -> list[int]:
    async with database.read() as session:
        return list((await session.scalars(_behind, {"position": position})).all())


async def begin_first(session: WriteSession) -> Unit:
    """A unit that has its position and is not committed."""
    unit = await Unit.begin(session, ("session:first",))
    unit.append("session:first", facts.fact(), actor=facts.ACTOR)
    await unit.flush()
    return unit


async def test_position_when_many_write_then_a_tail_sees_each_in_order(log: EventLog) -> None:
    writers, each = 12, 8
    seen: list[int] = []

    async def write(number: int) -> None:
        for count in range(each):
            async with log.unit(f"session:{number}", "system") as unit:
                unit.append(f"session:{number}", facts.fact(str(count)), actor=facts.ACTOR)
                await asyncio.sleep(0)
                unit.append("system", facts.fact(str(count)), actor=facts.ACTOR)

    async def write_alone(number: int) -> None:
        for count in range(each):
            await facts.append(log, f"session:alone-{number}", facts.fact(str(count)))

    async def tail() -> None:
        while len(seen) < writers * each * 3:
            seen.extend(await behind(log.database, seen[-1] if seen else 0))

    async with asyncio.TaskGroup() as group:
        group.create_task(tail())
        for number in range(writers):
            group.create_task(write(number))
            group.create_task(write_alone(number))
    assert seen == await behind(log.database, 0)
    assert seen == sorted(set(seen))


@on_postgresql
async def test_position_when_the_first_is_uncommitted_then_the_second_waits(log: EventLog) -> None:
    database = log.database
    async with database.write() as session:
        await begin_first(session)
        second = asyncio.create_task(facts.append(log, "session:second", facts.fact()))
        async with database.read() as watcher:
            while not await watcher.scalar(_waiting):
                assert not second.done()
        assert await behind(database, 0) == []
    await second
    assert await behind(database, 0) == [1, 2]


@on_postgresql
async def test_position_when_nobody_waits_then_a_tail_misses_one(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The control: without the lock the race is there, so the test above can fail.
    monkeypatch.setattr(append, "lock_positions", NO_LOCK)
    database = log.database
    async with database.write() as session:
        await begin_first(session)
        await facts.append(log, "session:second", facts.fact())
        seen = await behind(database, 0)
        assert seen == [2]
    assert await behind(database, 0) == [1, 2]
    assert await behind(database, seen[-1]) == []
