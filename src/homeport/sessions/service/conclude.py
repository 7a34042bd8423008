"""Ends a run's record: nothing is left open, every call has a result, every question an end."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import select, update

from homeport.dispatch.queue import Outcome
from homeport.eventlog import Unit, read
from homeport.eventlog.catalogue.approval import ApprovalExpired
from homeport.eventlog.catalogue.message import MessageInterrupted
from homeport.eventlog.catalogue.run import RunFinished
from homeport.eventlog.catalogue.tool import ToolFinished
from homeport.eventlog.text import Block
from homeport.kernel import clock
from homeport.kernel.db import ReadSession, WriteSession
from homeport.providers.port import Usage
from homeport.sessions.access import stream_of
from homeport.sessions.models import ApprovalRow, SessionRow
from homeport.sessions.runstate import RunState, ToolCall
from homeport.sessions.service import journal
from homeport.sessions.state import SessionState
from homeport.tools import grants

CANCELLED = "The run was stopped before this call was made."
KILLED = "The run was stopped while this call was being made; it was killed."
UNKNOWN = (
    "Homeport was interrupted while this call was being made. Whether it took effect is unknown; "
    "it was not repeated. Look before you go on."
)

Interruption = Literal["crashed", "stopped", "provider", "length", "draining"]


async def fold(session: ReadSession | WriteSession, row: SessionRow) -> SessionState:
    """The session as its events tell it, from where its memory begins."""
    state = SessionState(after=row.begins_after)
    await catch_up(session, row, state)
    return state


async def catch_up(
    session: ReadSession | WriteSession, row: SessionRow, state: SessionState
) -> None:
    """Takes in what has happened since `state` was folded."""
    while records := await read.records_after(session, stream_of(row.id), state.seq):
        state.apply(records)


async def interrupt_message(
    unit: Unit,
    row: SessionRow,
    state: RunState,
    *,
    reason: Interruption,
    blocks: list[dict[str, Any]] | None = None,
    detail: str | None = None,
    usage: Usage | None = None,
    cost_usd: float = 0.0,
) -> None:
    """Closes the run's open message, if there is one, with what was kept of it.

    Args:
        blocks: What the writer has in memory; None to take what the store has.
    """
    opened = state.open_message
    if opened is None:
        return
    if blocks is None:
        stored: list[Block] = []
        await read.stored_blocks(unit.session, stream_of(row.id), stored)
        blocks = [block.stored() for block in stored]
    used = usage or Usage()
    event = MessageInterrupted(
        message_id=opened.message_id,
        run_id=opened.run_id,
        turn=opened.turn,
        blocks=blocks,
        reason=reason,
        detail=detail,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cache_read_tokens=used.cache_read_tokens,
        cache_write_tokens=used.cache_write_tokens,
        cost_usd=cost_usd,
    )
    await journal.close_message(unit, row, event)


async def settle_calls(
    unit: Unit, row: SessionRow, state: RunState, *, calls: list[ToolCall], killed: bool
) -> None:
    """Gives `calls` the result that they were not made, killed, or of unknown effect."""
    for call in calls:
        status: Literal["cancelled", "unknown"] = "cancelled"
        content = KILLED if call.started else CANCELLED
        if call.started and not killed:
            status, content = "unknown", UNKNOWN
        event = ToolFinished(
            run_id=state.run_id,
            turn=state.turn,
            call_id=call.call_id,
            tool=call.tool,
            status=status,
            content=content,
            is_error=True,
        )
        await journal.finish_tool(unit, row, event, began=call.started)


async def end_record(
    unit: Unit,
    row: SessionRow,
    state: RunState,
    *,
    actor: str,
    status: Outcome,
    reason: str | None = None,
    detail: str | None = None,
) -> int:
    """Writes the end of a run whose message is closed: calls, questions, `run.finished`.

    The run's row is the caller's to finish, in the same unit; the `seq` that it needs is returned.
    """
    await settle_calls(unit, row, state, calls=state.pending, killed=True)
    # Two statements less for an answer about which nobody was asked.
    if any(call.approval is not None for turn in state.turns for call in turn.calls):
        await _expire_questions(unit, row, state.run_id, actor=actor)
        await grants.end_run(unit.session, run_id=state.run_id)
    finished = RunFinished(
        run_id=state.run_id,
        status=status,
        reason=reason,
        detail=detail,
        turns=state.turn,
        input_tokens=state.usage.input_tokens,
        output_tokens=state.usage.output_tokens,
        cache_read_tokens=state.usage.cache_read_tokens,
        cache_write_tokens=state.usage.cache_write_tokens,
        cost_usd=state.cost_usd,
    )
    row.updated_at = clock.utc_now()
    return unit.append(stream_of(row.id), finished, actor=actor)


async def _expire_questions(unit: Unit, row: SessionRow, run_id: str, *, actor: str) -> None:
    asked = await unit.session.scalars(
        select(ApprovalRow).where(ApprovalRow.run_id == run_id, ApprovalRow.status == "requested")
    )
    for question in asked.all():
        await unit.session.execute(
            update(ApprovalRow)
            .where(ApprovalRow.id == question.id, ApprovalRow.status == "requested")
            .values(status="expired", decided_at=clock.utc_now())
        )
        expired = ApprovalExpired(
            approval_id=question.id, run_id=run_id, call_id=question.call_id, reason="run_ended"
        )
        unit.append(stream_of(row.id), expired, actor=actor)
