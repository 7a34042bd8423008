"""May they? The one place that answers who may enter a project."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from homeport.eventlog import EventLog
from homeport.identity.access import Caller, SignedIn
from homeport.identity.errors import RoleRequired
from homeport.kernel.http.provide import services_of
from homeport.kernel.ids import is_id
from homeport.projects.errors import ProjectClosed, ProjectNotFound
from homeport.projects.models import Project
from homeport.projects.repository import Standing, find_standing
from homeport.projects.roles import ALLOWED, Level


async def project_for(
    session: AsyncSession, caller: Caller, project_id: str, level: Level = "read"
) -> Project:
    """The project, if the caller may do that much with it.

    Args:
        session: Read or write.
        caller: Who asks.
        project_id: As the client sent it.
        level: See `roles.Level`.

    Raises:
        ProjectNotFound: Absent, deleted, or not visible to the caller.
        RoleRequired: Visible, and the caller's role in it allows less.
    """
    return (await standing_for(session, caller, project_id, level)).project


async def standing_for(
    session: AsyncSession, caller: Caller, project_id: str, level: Level = "read"
) -> Standing:
    """As `project_for`, with the caller's role in it."""
    found = None
    if is_id(project_id):
        found = await find_standing(session, project_id, caller.user_id)
    if found is None:
        raise ProjectNotFound(f"No project {project_id[:64]!r} is open to you.", param="project_id")
    return _allowed(found, level)


async def project_at_work(session: AsyncSession, *, project_id: str, user_id: str) -> Project:
    """The project in which the agent works for this person: they may, at this moment.

    Raises:
        ProjectClosed: It is deleted, or closed to them, or their account is.
        RoleRequired: They may only look at it.
    """
    found = await find_standing(session, project_id, user_id, only_active=True)
    if found is None:
        raise ProjectClosed(project_id=project_id)
    return _allowed(found, "write").project


def _allowed(found: Standing, level: Level) -> Standing:
    """What is allowed on that level.

    Raises:
        RoleRequired: The role allows less.
    """
    allowed = ALLOWED[level]
    if found.role not in allowed:
        raise RoleRequired(
            f"You are {found.role} in this project; this takes: {', '.join(allowed)}.",
            needs=f"project:{allowed[0]}",
            roles=list(allowed),
        )
    return found


class Entering:
    """Lets the caller into the project of a route's path; the matrix of routes reads `level`.

    A route that writes asks again inside its unit: this one looks before it.
    """

    def __init__(self, level: Level) -> None:
        self.level: Level = level

    async def __call__(
        self, connection: HTTPConnection, project_id: str, caller: SignedIn
    ) -> Standing:
        """The project, and the caller's role in it.

        Raises:
            ProjectNotFound: Absent, deleted, or not visible to the caller.
            RoleRequired: Visible, and the caller's role in it allows less.
        """
        log: EventLog = services_of(connection).get(EventLog)
        async with log.database.read() as session:
            return await standing_for(session, caller, project_id, self.level)


Seen = Annotated[Standing, Depends(Entering("read"))]
"""The project of the path, which the caller may look at."""
Worked = Annotated[Standing, Depends(Entering("write"))]
"""The project of the path, in which the caller may change files and run the agent."""
Owned = Annotated[Standing, Depends(Entering("own"))]
"""The project of the path, which the caller may change, share and delete."""
