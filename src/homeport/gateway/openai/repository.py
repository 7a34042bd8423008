"""Finds the run that a client of this wire follows."""

from __future__ import annotations

from sqlalchemy import or_, select

from homeport.dispatch.models import RunRow
from homeport.kernel.db import ReadSession
from homeport.sessions.errors import RunNotFound
from homeport.sessions.models import ApprovalRow


async def run_at(session: ReadSession, session_id: str, seq: int) -> RunRow:
    """The run that a client was following when the last event it was sent was `seq`.

    That is the oldest one that was not over before. A run of this wire begins where no other is
    unfinished, so that none stands before it; those that are queued behind it are younger.

    Raises:
        RunNotFound: There was none.
    """
    query = (
        select(RunRow)
        .where(
            RunRow.session_id == session_id,
            RunRow.queued_seq <= seq,
            or_(RunRow.finished_seq >= seq, RunRow.finished_seq == 0),
        )
        .order_by(RunRow.run_no)
        .limit(1)
    )
    found = await session.scalar(query)
    if found is None:
        raise RunNotFound("No run was under way at this Last-Event-ID.")
    return found


async def find_question(session: ReadSession, run_id: str) -> str | None:
    """The oldest question of a run that waits for people; None when none does."""
    query = select(ApprovalRow.id).where(
        ApprovalRow.run_id == run_id, ApprovalRow.status == "requested"
    )
    return await session.scalar(query.order_by(ApprovalRow.id).limit(1))
