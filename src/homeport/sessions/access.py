"""May this caller see this session? The one place that says so."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy import bindparam, select

from homeport.dispatch.models import RunRow
from homeport.dispatch.queue import run_by_id
from homeport.eventlog import EventLog, Unit
from homeport.identity.access import Caller
from homeport.kernel.db import ReadSession, WriteSession
from homeport.kernel.ids import is_id
from homeport.sessions.errors import ApprovalNotFound, RunNotFound, SessionNotFound
from homeport.sessions.models import ApprovalRow, SessionRow

# Every request about a session begins with this one, so it is built and compiled once.
_session = (
    select(SessionRow)
    .where(
        SessionRow.id == bindparam("session_id"),
        SessionRow.user_id == bindparam("user_id"),
        SessionRow.state != "deleted",
    )
    .execution_options(populate_existing=True)
)


def stream_of(session_id: str) -> str:
    """The stream of a session."""
    return f"session:{session_id}"


async def session_for(
    session: ReadSession | WriteSession, caller: Caller, session_id: str
) -> SessionRow:
    """The caller's session.

    Raises:
        SessionNotFound: Absent, deleted, or somebody else's.
    """
    return await session_of(session, caller.user_id, session_id)


async def session_of(
    session: ReadSession | WriteSession, user_id: str, session_id: str
) -> SessionRow:
    """The user's session.

    Raises:
        SessionNotFound: Absent, deleted, or somebody else's.
    """
    if is_id(session_id):
        values = {"session_id": session_id, "user_id": user_id}
        found = await session.scalar(_session, values)
        if found is not None:
            return found
    raise SessionNotFound(f"No session {session_id[:64]} among yours.")


async def run_for(
    session: ReadSession | WriteSession, caller: Caller, run_id: str
) -> tuple[RunRow, SessionRow]:
    """The caller's run and its session.

    Raises:
        RunNotFound: Absent, or in somebody else's session.
        SessionNotFound: Its session was deleted.
    """
    run = await run_by_id(session, run_id) if is_id(run_id) else None
    if run is None or run.user_id != caller.user_id:
        raise RunNotFound(f"No run {run_id[:64]} among yours.")
    return run, await session_for(session, caller, run.session_id)


async def approval_for(
    session: ReadSession | WriteSession, caller: Caller, approval_id: str
) -> ApprovalRow:
    """The caller's approval.

    Raises:
        ApprovalNotFound: Absent, or somebody else's.
    """
    if is_id(approval_id):
        query = (
            select(ApprovalRow)
            .join(SessionRow, SessionRow.id == ApprovalRow.session_id)
            .where(
                ApprovalRow.id == approval_id,
                ApprovalRow.user_id == caller.user_id,
                SessionRow.state != "deleted",
            )
        )
        found = await session.scalar(query.execution_options(populate_existing=True))
        if found is not None:
            return found
    raise ApprovalNotFound(f"No approval {approval_id[:64]} among yours.")


@asynccontextmanager
async def opened(
    log: EventLog, caller: Caller, session_id: str, *streams: str
) -> AsyncGenerator[tuple[Unit, SessionRow], None]:
    """A write unit over the caller's session and `streams`, with the session's row in it.

    Raises:
        SessionNotFound: Absent, deleted, or somebody else's.
        Unavailable: The database is busy or does not answer; nothing was kept.
    """
    if not is_id(session_id):
        raise SessionNotFound(f"No session {session_id[:64]} among yours.")
    async with log.unit(stream_of(session_id), *streams) as unit:
        yield unit, await session_for(unit.session, caller, session_id)
