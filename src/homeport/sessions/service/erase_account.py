"""Erases what a person has said and done here: conversations, projects, and the account's trail."""

from __future__ import annotations

from sqlalchemy import select

from homeport.eventlog import Eraser, EventLog
from homeport.identity.service.accounts import account_stream
from homeport.kernel.db import ReadSession
from homeport.projects.erase import leave_projects
from homeport.projects.models import Project
from homeport.projects.service import project_stream
from homeport.sessions.models import SessionRow
from homeport.sessions.service.delete import Deletion

REASON = "account-deleted"


async def erase_account(
    log: EventLog, eraser: Eraser, deletion: Deletion, *, user_id: str, actor: str = "system"
) -> None:
    """Erases everything of an account that was deleted; called again, it goes on where it stopped.

    In as many units as there are streams: what fails in the middle is done by the next call. Files
    in workspaces are not touched.

    Raises:
        SessionBusy: A run of it has not ended yet; call again.
        Unavailable: The database is busy or does not answer; call again.
    """
    async with log.database.read() as session:
        living = await _living(session, user_id)
        projects = (
            await session.scalars(select(Project.id).where(Project.user_id == user_id))
        ).all()
    for session_id in living:
        await deletion.delete(session_id, user_id=user_id, actor=actor, reason=REASON)
    # The account is closed, so nobody can add it again; and a row of it is there until the end.
    await leave_projects(log, user_id, actor=actor)
    for stream in (*map(project_stream, projects), account_stream(user_id)):
        async with log.unit(stream) as unit:
            await eraser.erase(unit, stream, reason=REASON, actor=actor)


async def _living(session: ReadSession, user_id: str) -> list[str]:
    query = select(SessionRow.id).where(
        SessionRow.user_id == user_id, SessionRow.state != "deleted"
    )
    return list(await session.scalars(query))
