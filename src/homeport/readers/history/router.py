"""The pages of history: messages, tools, runs, figures."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from homeport.eventlog import EventLog
from homeport.identity.access import SignedIn
from homeport.kernel import clock
from homeport.kernel.http.choice import chosen
from homeport.kernel.http.pagination import (
    DEFAULT_LIMIT,
    LONGEST_CURSOR,
    MAX_LIMIT,
    PageRequest,
    Paging,
)
from homeport.kernel.http.provide import provided
from homeport.readers.history import messages, runs, stats, tools
from homeport.readers.history.schemas import (
    MessagePage,
    RunPage,
    RunView,
    SessionStats,
    ToolPage,
)
from homeport.sessions.access import run_for, session_for
from homeport.sessions.policy import SessionPolicy
from homeport.sessions.repository import seen

router = APIRouter(tags=["history"])

Log = Annotated[EventLog, provided(EventLog)]
Policy = Annotated[SessionPolicy, provided(SessionPolicy)]

ROLES = ("user", "assistant", "system")
TOOL_TYPES = ("mcp", "native", "custom")
TOOL_STATUSES = ("pending", "running", "completed", "failed")
LARGEST_OFFSET = 2**31 - 1  # of a message's ordinal


@router.get("/v1/sessions/{session_id}/messages", response_model=MessagePage)
async def read_messages(
    *,
    session_id: str,
    caller: SignedIn,
    log: Log,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    offset: Annotated[int, Query(ge=0, le=LARGEST_OFFSET)] = 0,
    cursor: Annotated[str | None, Query(max_length=LONGEST_CURSOR)] = None,
    role: Annotated[str | None, Query(json_schema_extra={"enum": list(ROLES)})] = None,
) -> Response:
    """What was said, the oldest first; the message that is being written comes as far as it is.

    Each message keeps its place. A question that waits for an earlier run stands where it was
    asked, maybe amid that run's answers: messages of one `run_id` belong together.
    """
    wanted = chosen(role, ROLES, param="role")
    paging = PageRequest(limit, offset, cursor)
    async with log.database.read() as session:
        row = await session_for(session, caller, session_id)
        page = await messages.page(session, row, paging, role=wanted)
    return Response(page, media_type="application/json")


@router.get("/v1/sessions/{session_id}/tools")
async def read_tools(
    *,
    session_id: str,
    caller: SignedIn,
    log: Log,
    paging: Paging,
    tool_type: Annotated[str | None, Query(json_schema_extra={"enum": list(TOOL_TYPES)})] = None,
    status: Annotated[str | None, Query(json_schema_extra={"enum": list(TOOL_STATUSES)})] = None,
) -> ToolPage:
    """The tools that were used, the newest first, and how they did."""
    choice = tools.Choice(
        chosen(tool_type, TOOL_TYPES, param="tool_type"),
        chosen(status, TOOL_STATUSES, param="status"),
    )
    async with log.database.read() as session:
        row = await session_for(session, caller, session_id)
        return await tools.page(session, row, paging, choice)


@router.get("/v1/sessions/{session_id}/stats")
async def read_stats(session_id: str, caller: SignedIn, log: Log, policy: Policy) -> SessionStats:
    """One conversation in figures."""
    since = clock.utc_now() - policy.idle_after
    async with log.database.read() as session:
        row = await session_for(session, caller, session_id)
        return await stats.of(session, await seen(session, row.id, active_since=since))


@router.get("/v1/sessions/{session_id}/runs")
async def read_runs(session_id: str, caller: SignedIn, log: Log, paging: Paging) -> RunPage:
    """The runs of a conversation, the newest first."""
    async with log.database.read() as session:
        row = await session_for(session, caller, session_id)
        return await runs.page(session, row, paging)


@router.get("/v1/runs/{run_id}")
async def read_run(run_id: str, caller: SignedIn, log: Log) -> RunView:
    """One run: how it stands, what it took."""
    async with log.database.read() as session:
        run, row = await run_for(session, caller, run_id)
        return (await runs.views(session, row, [run]))[0]
