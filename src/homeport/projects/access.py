"""May they? The one place that answers who may enter a project."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from homeport.eventlog import EventLog
from homeport.identity.access import Caller, SignedIn
from homeport.kernel.http.provide import services_of
from homeport.kernel.ids import is_id
from homeport.projects.errors import ProjectNotFound
from homeport.projects.models import Project
from homeport.projects.repository import find_owned

Level = Literal["read", "write", "own"]


async def project_for(
    session: AsyncSession, caller: Caller, project_id: str, level: Level = "read"
) -> Project:
    """The project, if the caller may do that much with it.

    So far a project has an owner, who may do everything, and nobody else sees it.

    Args:
        session: Read or write.
        caller: Who asks.
        project_id: As the client sent it.
        level: `read` looks, `write` changes files and runs the agent, `own` changes the project.

    Raises:
        ProjectNotFound: Absent, deleted, or not visible to the caller.
    """
    del level  # members, whose roles tell the levels apart, come with their own table
    found = await find_owned(session, project_id, caller.user_id) if is_id(project_id) else None
    if found is None:
        raise ProjectNotFound(f"No project {project_id[:64]!r} is yours.", param="project_id")
    return found


class Entering:
    """Lets the caller into the project of a route's path; the matrix of routes reads `level`.

    A route that writes asks `project_for` again inside its unit: this one looks before it.
    """

    def __init__(self, level: Level) -> None:
        self.level: Level = level

    async def __call__(
        self, connection: HTTPConnection, project_id: str, caller: SignedIn
    ) -> Project:
        """The project.

        Raises:
            ProjectNotFound: Absent, deleted, or not visible to the caller.
        """
        log: EventLog = services_of(connection).get(EventLog)
        async with log.database.read() as session:
            return await project_for(session, caller, project_id, self.level)


Seen = Annotated[Project, Depends(Entering("read"))]
"""The project of the path, which the caller may look at."""
Owned = Annotated[Project, Depends(Entering("own"))]
"""The project of the path, which the caller may change, share and delete."""
