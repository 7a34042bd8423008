"""Answers a question of the agent: the first answer wins, on every device."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import func, literal_column, select, update

from homeport.dispatch import queue
from homeport.eventlog import Record, Unit
from homeport.eventlog.catalogue.approval import (
    ApprovalApproved,
    ApprovalDenied,
    ApprovalExpired,
    ApprovalRequested,
)
from homeport.kernel import clock
from homeport.kernel.db import ReadSession
from homeport.sessions.access import stream_of
from homeport.sessions.errors import ApprovalDecided
from homeport.sessions.models import ApprovalRow
from homeport.tools.errors import ScopeNotAllowed
from homeport.tools.grants import grant
from homeport.tools.port import ToolSpec

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
        raise _decided(question, now)
    about = {
        "approval_id": question.id,
        "run_id": question.run_id,
        "call_id": question.call_id,
        "note": note,
    }
    event = ApprovalApproved(scope=scope, **about) if approve else ApprovalDenied(**about)  # pyright: ignore[reportArgumentType]
    unit.append(stream_of(question.session_id), event, actor=f"user:{user_id}")
    await _go_on(unit, question.run_id)


async def keep(
    unit: Unit,
    question: ApprovalRow,
    asked: Record,
    *,
    scope: Literal["run", "always"],
    spec: ToolSpec | None,
) -> None:
    """Keeps an approval for later calls, in the unit of the answer.

    Args:
        asked: The event at `question.requested_seq`.
        spec: The tool; None when the server has it no longer.

    Raises:
        ScopeNotAllowed: This call may be approved once only, or only for its run.
    """
    event = asked.event()
    if spec is None or not isinstance(event, ApprovalRequested):
        raise ScopeNotAllowed(f"There is no tool {question.tool} any more.", param="scope")
    await grant(
        unit,
        scope=scope,
        project_id=question.project_id,
        user_id=question.user_id,
        run_id=question.run_id,
        spec=spec,
        digest=question.digest,
        arguments=event.input,
    )


async def overdue(session: ReadSession, *, limit: int = 100) -> list[ApprovalRow]:
    """Questions that nobody answered in time."""
    query = select(ApprovalRow).where(
        # A literal, so that the partial index of open questions fits.
        ApprovalRow.status == literal_column("'requested'"),
        ApprovalRow.expires_at <= clock.utc_now(),
    )
    return list(await session.scalars(query.order_by(ApprovalRow.expires_at).limit(limit)))


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


def _decided(question: ApprovalRow, now: datetime) -> ApprovalDecided:
    """The refusal of a second answer, with the first one in it."""
    # One whose time is over is expired, also before somebody has come by to say so.
    over = question.status == "requested" and question.expires_at <= now
    decided_at = question.expires_at if over else question.decided_at
    return ApprovalDecided(
        decision="expired" if over else question.status,
        scope=question.scope,
        note=question.note,
        decided_by=question.decided_by,
        decided_at=clock.rfc3339(decided_at) if decided_at is not None else None,
    )


async def _go_on(unit: Unit, run_id: str) -> None:
    left = await unit.session.scalar(
        select(func.count()).where(ApprovalRow.run_id == run_id, ApprovalRow.status == "requested")
    )
    if not left:
        await queue.resume(unit, run_id)
