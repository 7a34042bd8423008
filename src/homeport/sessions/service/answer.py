"""Answers a question of the agent: the first answer wins, on every device."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import func, select, update

from homeport.dispatch import queue
from homeport.eventlog import Unit
from homeport.eventlog.catalogue.approval import (
    ApprovalApproved,
    ApprovalDenied,
    ApprovalExpired,
)
from homeport.kernel import clock
from homeport.kernel.db import ReadSession
from homeport.sessions.access import stream_of
from homeport.sessions.errors import ApprovalDecided
from homeport.sessions.models import ApprovalRow

Scope = Literal["once", "run", "always"]


async def answer(
    unit: Unit,
    question: ApprovalRow,
    *,
    user_id: str,
    approve: bool,
    scope: Scope = "once",
    note: str | None = None,
) -> None:
    """Records the answer; the run goes on when its last question has one.

    Raises:
        ApprovalDecided: Somebody was first, or the time was over; the answer is told.
    """
    now = clock.utc_now()
    won = await unit.session.execute(
        update(ApprovalRow)
        .where(
            ApprovalRow.id == question.id,
            ApprovalRow.status == "requested",
            ApprovalRow.expires_at > now,
        )
        .values(
            status="approved" if approve else "denied",
            scope=scope if approve else None,
            note=note,
            decided_by=user_id,
            decided_at=now,
        )
        .returning(ApprovalRow.id)
        .execution_options(synchronize_session=False)
    )
    if won.first() is None:
        await unit.session.refresh(question)
        raise ApprovalDecided(decision=question.status, decided_by=question.decided_by)
    about = {
        "approval_id": question.id,
        "run_id": question.run_id,
        "call_id": question.call_id,
        "note": note,
    }
    event = ApprovalApproved(scope=scope, **about) if approve else ApprovalDenied(**about)  # pyright: ignore[reportArgumentType]
    unit.append(stream_of(question.session_id), event, actor=f"user:{user_id}")
    await _go_on(unit, question.run_id)


async def overdue(session: ReadSession, *, limit: int = 100) -> list[ApprovalRow]:
    """Questions that nobody answered in time."""
    query = select(ApprovalRow).where(
        ApprovalRow.status == "requested", ApprovalRow.expires_at <= clock.utc_now()
    )
    return list(await session.scalars(query.limit(limit)))


async def expire(unit: Unit, question: ApprovalRow) -> None:
    """Ends a question whose time is over, unless somebody was faster."""
    ended = await unit.session.execute(
        update(ApprovalRow)
        .where(ApprovalRow.id == question.id, ApprovalRow.status == "requested")
        .values(status="expired", decided_at=clock.utc_now())
        .returning(ApprovalRow.id)
        .execution_options(synchronize_session=False)
    )
    if ended.first() is None:
        return
    event = ApprovalExpired(
        approval_id=question.id,
        run_id=question.run_id,
        call_id=question.call_id,
        reason="timeout",
    )
    unit.append(stream_of(question.session_id), event, actor="system")
    await _go_on(unit, question.run_id)


async def _go_on(unit: Unit, run_id: str) -> None:
    left = await unit.session.scalar(
        select(func.count()).where(ApprovalRow.run_id == run_id, ApprovalRow.status == "requested")
    )
    if not left:
        await queue.resume(unit, run_id)
