"""One session in figures, for the legacy page of them."""

from __future__ import annotations

from sqlalchemy import case, func, select

from homeport.dispatch.models import RunRow
from homeport.eventlog import lookup
from homeport.kernel.db import ReadSession
from homeport.readers.history.schemas import SessionStats
from homeport.sessions.access import stream_of
from homeport.sessions.models import SessionRow, ToolCallRow
from homeport.sessions.repository import Seen

RUNS_AVERAGED = 1_000


async def of(session: ReadSession, shown: Seen) -> SessionStats:
    """The figures of a session."""
    row = shown.row
    uses = await _tools(session, row)
    prompt = row.input_tokens + row.cache_read_tokens + row.cache_write_tokens
    return SessionStats(
        session_id=row.id,
        created_at=row.created_at,
        updated_at=row.updated_at,
        status=shown.status,
        duration_seconds=(row.updated_at - row.created_at).total_seconds(),
        message_count=row.ordinal,
        token_usage={
            "prompt_tokens": prompt,
            "completion_tokens": row.output_tokens,
            "total_tokens": prompt + row.output_tokens,
        },
        model=row.model,
        active_tools=sorted(uses),
        tool_invocations=sum(count for count, _ in uses.values()),
        error_count=sum(failed for _, failed in uses.values()) + await _failed(session, row),
        average_response_time=await _response_time(session, row),
        memory_usage={
            "session_data": await lookup.stored_bytes(session, stream_of(row.id)),
            "metrics_data": 0,  # figures are counted when they are asked for, and kept nowhere
        },
        metadata=row.metadata_,
        cost_estimate=row.cost_usd,
    )


async def _tools(session: ReadSession, row: SessionRow) -> dict[str, tuple[int, int]]:
    """Uses and failures of each tool."""
    failed = func.sum(case((ToolCallRow.is_error, 1), else_=0))
    query = select(ToolCallRow.tool, func.count(), failed).where(ToolCallRow.session_id == row.id)
    rows = await session.execute(query.group_by(ToolCallRow.tool))
    return {tool: (count, int(broken)) for tool, count, broken in rows}


async def _failed(session: ReadSession, row: SessionRow) -> int:
    query = select(func.count()).where(RunRow.session_id == row.id, RunRow.outcome == "failed")
    return await session.scalar(query) or 0


async def _response_time(session: ReadSession, row: SessionRow) -> float:
    query = (
        select(RunRow.created_at, RunRow.finished_at)
        .where(RunRow.session_id == row.id, RunRow.finished_at.is_not(None))
        .order_by(RunRow.run_no.desc())
        .limit(RUNS_AVERAGED)
    )
    took = [(end - begin).total_seconds() for begin, end in await session.execute(query) if end]
    return sum(took) / len(took) if took else 0.0
