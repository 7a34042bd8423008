"""Takes down a tool that ran outside Homeport."""

from __future__ import annotations

from typing import Any

from homeport.eventlog import Unit
from homeport.eventlog.catalogue.tool import ToolRecorded
from homeport.kernel import clock, ids
from homeport.sessions.access import stream_of
from homeport.sessions.models import SessionRow, ToolCallRow

OVER = ("completed", "failed")


async def report_tool(
    unit: Unit,
    row: SessionRow,
    *,
    actor: str,
    call_id: str | None,
    tool: str,
    tool_type: str,
    status: str,
    arguments: dict[str, Any],
    output: dict[str, Any] | None,
    error_message: str | None,
    duration_ms: int | None,
) -> ToolCallRow:
    """Adds the use of a tool to the session's history; no run is concerned.

    Args:
        call_id: The reporter's own id of the call; ours when there is none.
        status: `pending`, `running`, `completed`, `failed`.
    """
    row_id, now = ids.new_id(), clock.utc_now()
    recorded = ToolRecorded(
        call_id=call_id or row_id,
        tool=tool,
        tool_type=tool_type,
        status=status,
        input=arguments,
        output=output,
        error_message=error_message,
        duration_ms=duration_ms,
    )
    seq = unit.append(stream_of(row.id), recorded, actor=actor)
    reported = ToolCallRow(
        id=row_id,
        session_id=row.id,
        run_id=None,
        call_id=recorded.call_id,
        tool=tool,
        tool_type=tool_type,
        status=status,
        is_error=status == "failed",
        started_seq=seq,
        finished_seq=seq,
        duration_ms=duration_ms,
        created_at=now,
        completed_at=now if status in OVER else None,
    )
    unit.session.add(reported)
    return reported
