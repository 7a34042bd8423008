"""What changes a run's row inside a write unit: enqueue, resume, pause, requeue, finish."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import ColumnElement, bindparam, func, insert, literal_column, select, update

from homeport.dispatch.lease import Claim, LeaseLost
from homeport.dispatch.models import RunRow
from homeport.eventlog import Unit
from homeport.eventlog.catalogue.run import RunQueued
from homeport.kernel import clock
from homeport.kernel.db import ReadSession, WriteSession, now_ms, table_of

_runs = table_of(RunRow)
_last_number = select(func.max(_runs.c.run_no)).where(_runs.c.session_id == bindparam("session_id"))
_new = insert(_runs).values(wake_at=now_ms())
IS_UNFINISHED = RunRow.status != literal_column("'finished'")
"""With literals: a bound value would not fit the partial indexes."""
_finish = (
    update(_runs)
    .where(
        _runs.c.id == bindparam("run"),
        _runs.c.epoch == bindparam("mine"),
        _runs.c.status == "running",
    )
    .values(
        status="finished",
        outcome=bindparam("as"),
        lease_until=0,
        node=None,
        finished_seq=bindparam("seq"),
        finished_at=bindparam("now"),
    )
    .returning(_runs.c.id)
)
FIRST = 0
"""The `wake_at` of a run that has begun: its user's place is its own before it is a new run's."""
Outcome = Literal["completed", "failed", "stopped", "interrupted", "budget_exceeded"]


async def enqueue(
    unit: Unit, *, run_id: str, session_id: str, user_id: str, message_id: str, actor: str
) -> None:
    """Adds the run that will answer `message_id` behind the session's others.

    The caller's unit holds the session's stream, so numbers are allotted one at a time.
    """
    last = await unit.session.scalar(_last_number, {"session_id": session_id})
    run_no = (last or 0) + 1
    queued = RunQueued(run_id=run_id, run_no=run_no, message_id=message_id)
    seq = unit.append(f"session:{session_id}", queued, actor=actor)
    row = {
        "id": run_id,
        "session_id": session_id,
        "user_id": user_id,
        "run_no": run_no,
        "status": "queued",
        "epoch": 0,
        "lease_until": 0,
        "stopping": False,
        "queued_seq": seq,
        "finished_seq": 0,
        "created_at": clock.utc_now(),
    }
    await unit.session.execute(_new, row)


async def resume(unit: Unit, run_id: str) -> bool:
    """Queues a run that waited for people; False when it does not wait (any more)."""
    return await _move(
        unit.session,
        RunRow.id == run_id,
        RunRow.status == "waiting",
        status="queued",
        wake_at=FIRST,
    )


async def pause(unit: Unit, claim: Claim) -> None:
    """Gives the lease back until people have answered.

    Raises:
        LeaseLost: It is no longer this node's to give.
    """
    await _held(unit, claim, status="waiting", lease_until=0, node=None)


async def requeue(unit: Unit, claim: Claim) -> None:
    """Gives the lease back for any node to go on at once.

    Raises:
        LeaseLost: It is no longer this node's to give.
    """
    await _held(unit, claim, status="queued", wake_at=FIRST, lease_until=0, node=None)


async def finish(unit: Unit, claim: Claim, outcome: Outcome, *, seq: int) -> None:
    """Ends a run that this node holds; `seq` is that of its `run.finished`.

    Raises:
        LeaseLost: It is no longer this node's to end.
    """
    mine = {"run": claim.run_id, "mine": claim.epoch, "now": clock.utc_now()}
    ended = await unit.session.execute(_finish, mine | {"as": outcome, "seq": seq})
    if ended.first() is None:
        claim.lease.lost = True
        raise LeaseLost


async def unclaimed(unit: Unit, run_id: str) -> RunRow | None:
    """The run if nobody holds it (queued or waiting): then nobody claims it before the commit."""
    free = select(RunRow).where(RunRow.id == run_id, RunRow.status.in_(("queued", "waiting")))
    free = free.with_for_update().execution_options(populate_existing=True)
    return await unit.session.scalar(free)


async def finish_unclaimed(unit: Unit, run_id: str, outcome: Outcome, *, seq: int) -> None:
    """Ends a run that is `unclaimed`; `seq` is that of its `run.finished`."""
    await _move(
        unit.session,
        RunRow.id == run_id,
        status="finished",
        outcome=outcome,
        finished_seq=seq,
        finished_at=clock.utc_now(),
    )


async def ask_to_stop(unit: Unit, run_id: str) -> bool:
    """Marks a running run; its node sees it within a second. False when nobody runs it."""
    return await _move(unit.session, RunRow.id == run_id, RunRow.status == "running", stopping=True)


async def unfinished(session: ReadSession | WriteSession, session_id: str) -> list[RunRow]:
    """The session's runs that are not over, oldest first."""
    query = select(RunRow).where(RunRow.session_id == session_id, IS_UNFINISHED)
    query = query.order_by(RunRow.run_no).execution_options(populate_existing=True)
    return list(await session.scalars(query))


async def run_by_id(session: ReadSession | WriteSession, run_id: str) -> RunRow | None:
    """The run, or None."""
    return await session.get(RunRow, run_id, populate_existing=True)


async def _held(unit: Unit, claim: Claim, **values: object) -> None:
    mine = RunRow.id == claim.run_id, RunRow.epoch == claim.epoch, RunRow.status == "running"
    if not await _move(unit.session, *mine, **values):
        claim.lease.lost = True
        raise LeaseLost


async def _move(session: WriteSession, *where: ColumnElement[bool], **values: object) -> bool:
    moved = update(RunRow).where(*where).values(**values).returning(RunRow.id)
    result = await session.execute(moved.execution_options(synchronize_session=False))
    return result.first() is not None
