"""Blanks what the rows of a conversation keep of its events, when those are erased."""

from __future__ import annotations

from sqlalchemy import select, update

from homeport.dispatch.models import RunRow
from homeport.eventlog import Erased, Eraser, EventLog, Unit
from homeport.kernel.db import idempotency
from homeport.sessions.access import stream_of
from homeport.sessions.models import ApprovalRow, MessageRow, SessionRow

AT_ONCE = 500
"""Rows that one statement names; SQLite takes 32,766 parameters."""
SWEPT = 100


async def blank(unit: Unit, erased: Erased) -> None:
    """Takes out of the rows what was copied from the erased events.

    The counts, the order and how things ended stay. Of a session that lives on, its present name
    and instructions stay too.
    """
    session, session_id = unit.session, erased.subject
    for start in range(0, len(erased.seqs), AT_ONCE):
        seqs = erased.seqs[start : start + AT_ONCE]
        gone = {"status": "erased", "client_message_id": None, "client_digest": None}
        messages = update(MessageRow).where(MessageRow.session_id == session_id)
        await session.execute(messages.where(MessageRow.seq.in_(seqs)).values(gone))
        asked = update(ApprovalRow).where(ApprovalRow.session_id == session_id)
        asked = asked.where(ApprovalRow.requested_seq.in_(seqs))
        await session.execute(asked.values(note=None, digest=""))
    if not erased.whole or erased.reason == "session-cleared":
        return
    row = await session.get(SessionRow, session_id)
    if row is None:
        return
    row.name, row.system_prompt, row.metadata_ = "", None, {}
    made = [session_id]
    for ids in (
        select(MessageRow.id).where(MessageRow.session_id == session_id),
        select(RunRow.id).where(RunRow.session_id == session_id),
    ):
        made += await session.scalars(ids)
    for start in range(0, len(made), AT_ONCE):
        some = made[start : start + AT_ONCE]
        await idempotency.forget(session, user_id=row.user_id, thing_ids=some)


async def sweep(log: EventLog, eraser: Eraser) -> int:
    """Erases what deleted sessions still say, at most 100 of them; returns how many it found.

    Versions that did not erase have left them.

    Raises:
        Unavailable: The database is busy or does not answer; the rest waits for the next pass.
    """
    async with log.database.read() as session:
        left = await session.scalars(
            select(SessionRow.id)
            .where(SessionRow.state == "deleted", SessionRow.name != "")
            .limit(SWEPT)
        )
        found = left.all()
    for session_id in found:
        async with log.unit(stream_of(session_id)) as unit:
            await eraser.erase(
                unit, stream_of(session_id), reason="session-deleted", actor="system"
            )
    return len(found)
