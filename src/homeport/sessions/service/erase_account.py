"""Erases what a person has said and done here: conversations, projects, files, the account's trail.

Wiring runs it for accounts that were deleted long enough ago.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy import select

from homeport.eventlog import Eraser, EventLog
from homeport.files.removing import remove_tree
from homeport.files.shadow import Shadow
from homeport.identity.service.accounts import account_stream
from homeport.kernel.db import ReadSession
from homeport.projects.at_work import AtWork
from homeport.projects.closing import Leaving, close_project, leaving_projects
from homeport.projects.erase import leave_projects
from homeport.projects.places import Places
from homeport.projects.service import project_stream
from homeport.sessions.models import SessionRow
from homeport.sessions.service.delete import Deletion

REASON = "account-deleted"


class AccountErasure:
    """Erases accounts. Wiring provides the one instance.

    Args:
        places: Where workspaces were made, which go; others are their owner's, and stay.
        checkpoints: Where copies of files lie, by workspace.
    """

    def __init__(
        self,
        log: EventLog,
        eraser: Eraser,
        deletion: Deletion,
        *,
        at_work: AtWork,
        places: Places,
        checkpoints: Path,
    ) -> None:
        self._log = log
        self._eraser = eraser
        self._deletion = deletion
        self._at_work = at_work
        self._places = places
        self._checkpoints = checkpoints

    async def erase(self, user_id: str, *, actor: str = "system") -> None:
        """Erases everything of a deleted account; called again, it goes on where it stopped.

        In as many units as there are streams, the account's own last: what fails in the middle is
        done by the next call.

        Raises:
            SessionBusy: A run of it has not ended yet; call again.
            OSError: Files cannot be removed; call again.
            Unavailable: The database is busy or does not answer; call again.
        """
        async with self._log.database.read() as session:
            living = await _living(session, user_id)
            projects = await leaving_projects(session, user_id)
        for session_id in living:
            await self._deletion.delete(session_id, user_id=user_id, actor=actor, reason=REASON)
        # The account is closed, so nobody can add it again; and a row of it is there until the end.
        await leave_projects(self._log, user_id, actor=actor)
        for project in projects:
            # First the log says that it is gone, then its files go, and last what says whose.
            await close_project(self._log, project.id, actor=actor)
            await self._at_work.stop(project.id, actor=actor)
            await self._remove_files(user_id, project)
            await self._erase(project_stream(project.id), actor)
        await asyncio.to_thread(self._places.discard, self._places.workspace_dir / user_id)
        await self._erase(account_stream(user_id), actor)

    async def _remove_files(self, user_id: str, project: Leaving) -> None:
        """Removes the workspace that was made for a project, and copies of files in checkpoints.

        Where the row says that the workspace lies is not asked: it may be a folder of somebody's.
        """
        if project.owned:
            return
        if not project.shared:
            shadow = Shadow(self._checkpoints, Path(project.path))
            await asyncio.to_thread(remove_tree, shadow.path)
        await asyncio.to_thread(remove_tree, self._places.made(user_id, project.name))

    async def _erase(self, stream: str, actor: str) -> None:
        async with self._log.unit(stream) as unit:
            await self._eraser.erase(unit, stream, reason=REASON, actor=actor)


async def _living(session: ReadSession, user_id: str) -> list[str]:
    query = select(SessionRow.id).where(
        SessionRow.user_id == user_id, SessionRow.state != "deleted"
    )
    return list(await session.scalars(query))
