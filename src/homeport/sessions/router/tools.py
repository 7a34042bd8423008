"""Takes down a tool that ran somewhere else."""

from __future__ import annotations

from fastapi import APIRouter

from homeport.identity.access import SignedIn
from homeport.sessions.access import opened
from homeport.sessions.router.provided import Log
from homeport.sessions.schemas import ToolExecution, ToolReport
from homeport.sessions.service.report import report_tool

router = APIRouter(prefix="/v1/sessions/{session_id}/tools", tags=["sessions"])


@router.post("", status_code=201)
async def record_tool(
    session_id: str, body: ToolReport, caller: SignedIn, log: Log
) -> ToolExecution:
    """Adds a use of a tool outside Homeport to the session's history."""
    async with opened(log, caller, session_id) as (unit, row):
        reported = await report_tool(
            unit,
            row,
            actor=caller.actor,
            call_id=body.id,
            tool=body.tool_name,
            tool_type=body.tool_type,
            status=body.status,
            arguments=body.input_params,
            output=body.output,
            error_message=body.error_message,
            duration_ms=body.execution_time_ms,
        )
    return ToolExecution.of(
        reported,
        input_params=body.input_params,
        output=body.output,
        error_message=body.error_message,
    )
