"""May this caller see this session? The one place that says so."""

from __future__ import annotations

from sqlalchemy import select

from homeport.dispatch.models import RunRow
from homeport.dispatch.queue import run_by_id
from homeport.identity.access import Caller
from homeport.kernel.db import ReadSession, WriteSession
from homeport.kernel.ids import is_id
from homeport.sessions.errors import ApprovalNotFound, RunNotFound, SessionNotFound
from homeport.sessions.models import ApprovalRow, SessionRow


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
    if is_id(session_id):
        query = select(SessionRow).where(
            SessionRow.id == session_id,
            SessionRow.user_id == caller.user_id,
            SessionRow.state != "deleted",
        )
        found = await session.scalar(query.execution_options(populate_existing=True))
        if found is not None:
            return found
    raise SessionNotFound(f"No session {session_id[:64]} among yours.")


async def run_for(
    session: ReadSession | WriteSession, caller: Caller, run_id: str
) -> tuple[RunRow, SessionRow]:
    """The caller's run and its session.

    Raises:
        RunNotFound: Absent, or in somebody else's session.
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
    found = None
    if is_id(approval_id):
        found = await session.get(ApprovalRow, approval_id, populate_existing=True)
    if found is None or found.user_id != caller.user_id:
        raise ApprovalNotFound(f"No approval {approval_id[:64]} among yours.")
    return found
