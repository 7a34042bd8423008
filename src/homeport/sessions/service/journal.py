"""A run's facts, each with the row that finds it again: messages, tool calls, approvals."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, insert, update

from homeport.eventlog import Unit
from homeport.eventlog.catalogue.approval import ApprovalRequested
from homeport.eventlog.catalogue.context import CompactionFailed, ContextCompacted
from homeport.eventlog.catalogue.message import (
    MessageCompleted,
    MessageInterrupted,
    MessageStarted,
)
from homeport.eventlog.catalogue.tool import ToolFinished, ToolStarted
from homeport.kernel import clock, ids
from homeport.kernel.db import table_of
from homeport.sessions.access import stream_of
from homeport.sessions.models import ApprovalRow, MessageRow, SessionRow, ToolCallRow

_messages, _tool_calls = table_of(MessageRow), table_of(ToolCallRow)
_new_message, _new_call = insert(_messages), insert(_tool_calls)
# What is set are the columns that the values name.
_closed = update(_messages).where(_messages.c.id == bindparam("message_id"))
_call_ended = update(_tool_calls).where(
    _tool_calls.c.run_id == bindparam("of_run"), _tool_calls.c.call_id == bindparam("of_id")
)


async def begin_message(unit: Unit, row: SessionRow, event: MessageStarted, *, epoch: int) -> int:
    """The model begins to answer; returns the `seq` that opened the message."""
    seq = unit.append(stream_of(row.id), event, actor=f"run:{event.run_id}", epoch=epoch)
    message = {
        "id": event.message_id,
        "session_id": row.id,
        "run_id": event.run_id,
        "role": "assistant",
        "ordinal": row.ordinal,
        "role_ordinal": row.assistant_ordinal,
        "status": "open",
        "seq": 0,
        "tokens": 0,
        "created_at": clock.utc_now(),
    }
    await unit.session.execute(_new_message, message)
    row.ordinal += 1
    row.assistant_ordinal += 1
    return seq


async def close_message(
    unit: Unit, row: SessionRow, event: MessageCompleted | MessageInterrupted
) -> None:
    """The message is over, whole or not; its usage is added to the session's."""
    seq = unit.append(stream_of(row.id), event, actor=f"run:{event.run_id}")
    status = "completed" if isinstance(event, MessageCompleted) else "interrupted"
    values = {"seq": seq, "status": status, "tokens": event.output_tokens}
    await unit.session.execute(_closed, values | {"message_id": event.message_id})
    _add_usage(row, event)


def compact(unit: Unit, row: SessionRow, event: ContextCompacted | CompactionFailed) -> None:
    """A summary takes the place of what was said, or does not; its usage is the session's."""
    unit.append(stream_of(row.id), event, actor=f"run:{event.run_id}")
    _add_usage(row, event)


def _add_usage(
    row: SessionRow,
    event: MessageCompleted | MessageInterrupted | ContextCompacted | CompactionFailed,
) -> None:
    row.input_tokens += event.input_tokens
    row.output_tokens += event.output_tokens
    row.cache_read_tokens += event.cache_read_tokens
    row.cache_write_tokens += event.cache_write_tokens
    row.cost_usd += event.cost_usd
    row.updated_at = clock.utc_now()


async def begin_tool(unit: Unit, row: SessionRow, event: ToolStarted, *, tool_type: str) -> None:
    """A call is about to be made: committed before anything is spawned."""
    seq = unit.append(stream_of(row.id), event, actor=f"run:{event.run_id}")
    call = {
        "id": ids.new_id(),
        "session_id": row.id,
        "run_id": event.run_id,
        "call_id": event.call_id,
        "tool": event.tool,
        "tool_type": tool_type,
        "status": "running",
        "is_error": False,
        "started_seq": seq,
        "finished_seq": 0,
        "created_at": clock.utc_now(),
    }
    await unit.session.execute(_new_call, call)


async def finish_tool(unit: Unit, row: SessionRow, event: ToolFinished, *, began: bool) -> None:
    """A call has its result. `began` is false for one that was never made."""
    seq = unit.append(stream_of(row.id), event, actor=f"run:{event.run_id}")
    now = clock.utc_now()
    values: dict[str, Any] = {
        "status": "failed" if event.is_error else "completed",
        "is_error": event.is_error,
        "finished_seq": seq,
        "duration_ms": event.duration_ms,
        "completed_at": now,
    }
    if began:
        which = {"of_run": event.run_id, "of_id": event.call_id}
        await unit.session.execute(_call_ended, values | which)
        return
    call = {
        "id": ids.new_id(),
        "session_id": row.id,
        "run_id": event.run_id,
        "call_id": event.call_id,
        "tool": event.tool,
        "tool_type": "native",
        "started_seq": 0,
        "created_at": now,
    }
    await unit.session.execute(_new_call, call | values)


async def request_approval(
    unit: Unit,
    row: SessionRow,
    *,
    run_id: str,
    turn: int,
    call_id: str,
    tool: str,
    arguments: dict[str, Any],
    summary: str,
    digest: str,
    network: str | None,
    ttl_s: int,
) -> str:
    """Asks people about a call; returns the approval's id."""
    approval_id, now = ids.new_id(), clock.utc_now()
    expires_at = now + timedelta(seconds=ttl_s)
    event = ApprovalRequested(
        approval_id=approval_id,
        run_id=run_id,
        turn=turn,
        call_id=call_id,
        tool=tool,
        input=arguments,
        summary=summary,
        digest=digest,
        network=network,
        expires_at=clock.rfc3339(expires_at),
    )
    seq = unit.append(stream_of(row.id), event, actor=f"run:{run_id}")
    await unit.session.execute(
        insert(ApprovalRow).values(
            id=approval_id,
            session_id=row.id,
            project_id=row.project_id,
            user_id=row.user_id,
            run_id=run_id,
            call_id=call_id,
            tool=tool,
            digest=digest,
            status="requested",
            requested_seq=seq,
            expires_at=expires_at,
            created_at=now,
        )
    )
    return approval_id
