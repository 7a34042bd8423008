"""Nodes for tests: dispatchers over one database, whose runs do nothing but what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

from sqlalchemy import insert, select, update

from homeport.dispatch import Claim, queue
from homeport.dispatch.dispatcher import Dispatcher, Drive
from homeport.dispatch.lease import fenced
from homeport.dispatch.models import RunRow
from homeport.eventlog import EventLog
from homeport.kernel import clock
from homeport.kernel.db import Database
from homeport.kernel.ids import new_id
from homeport.kernel.wakeups import Wakeups

PATIENCE_S = 30.0


async def queued(
    database: Database, user_id: str, sessions: Iterable[str], *, runs: int = 1
) -> list[str]:
    """Runs that are due, `runs` of them in each session; their ids."""
    now, rows = clock.utc_now(), list[dict[str, object]]()
    for session_id in sessions:
        rows.extend(
            {
                "id": new_id(),
                "session_id": session_id,
                "user_id": user_id,
                "run_no": number + 1,
                "status": "queued",
                "epoch": 0,
                "wake_at": 0,
                "lease_until": 0,
                "stopping": False,
                "queued_seq": 0,
                "finished_seq": 0,
                "created_at": now,
            }
            for number in range(runs)
        )
    async with database.write() as session:
        await session.execute(insert(RunRow), rows)
    return [str(row["id"]) for row in rows]


async def row_of(database: Database, run_id: str) -> RunRow:
    """A run's row, as it is now."""
    async with database.read() as session:
        return await session.get_one(RunRow, run_id)


async def statuses(database: Database) -> dict[str, str]:
    """The status of every run."""
    async with database.read() as session:
        rows = await session.execute(select(RunRow.id, RunRow.status))
        return {run_id: status for run_id, status in rows}  # noqa: C416 - typed rows


async def change(database: Database, run_id: str, **values: object) -> None:
    """Sets what a run's row says, as somebody else would."""
    async with database.write() as session:
        await session.execute(update(RunRow).where(RunRow.id == run_id).values(**values))


def finishing(log: EventLog, taken: list[Claim]) -> Drive:
    """Drives a run to its end at once, and notes that it did."""

    async def drive(claim: Claim) -> None:
        taken.append(claim)
        async with fenced(log, claim) as unit:
            await queue.finish(unit, claim, "completed", seq=1)

    return drive


def holding(taken: list[Claim], ended: list[Claim] | None = None) -> Drive:
    """Holds every run until it is cancelled, and notes both."""

    async def drive(claim: Claim) -> None:
        taken.append(claim)
        try:
            await asyncio.Event().wait()
        finally:
            if ended is not None:
                ended.append(claim)

    return drive


@asynccontextmanager
async def node(
    database: Database,
    drive: Drive,
    *,
    name: str = "n1:a",
    ttl: float = 12.0,
    per_user: int = 1000,
    wakeups: Wakeups | None = None,
) -> AsyncGenerator[Dispatcher]:
    """A node at work until the block ends."""
    dispatcher = Dispatcher(
        database, node=name, ttl=ttl, per_user=per_user, drive=drive, wakeups=wakeups
    )
    await dispatcher.start()
    try:
        yield dispatcher
    finally:
        await dispatcher.drain(0)


async def eventually(holds: Callable[[], Awaitable[bool] | bool]) -> None:
    """Returns when `holds` says so; fails when it never does."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = holds()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.01)
