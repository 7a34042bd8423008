"""What is left of a person's projects when their account is erased: closed one by one, for good."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import exists, select
from sqlalchemy.orm import aliased

from homeport.eventlog import EventLog
from homeport.eventlog.catalogue.project import ProjectDeleted
from homeport.kernel import clock
from homeport.kernel.db import ReadSession
from homeport.projects.models import Project, ProjectMember
from homeport.projects.places import PERSONAL
from homeport.projects.roles import OWNER
from homeport.projects.service import project_stream


@dataclass(frozen=True, slots=True)
class Leaving:
    """A project of somebody who goes.

    Attributes:
        name: Of its directory, if the server made that.
        path: Of its workspace, wherever that is.
        owned: Somebody else owns it too.
        shared: A project of somebody else's has the same workspace.
    """

    id: str
    name: str
    path: str
    owned: bool
    shared: bool


async def leaving_projects(session: ReadSession, user_id: str) -> list[Leaving]:
    """All projects that this person ever made, but those that are erased already."""
    other = aliased(Project)
    owned = exists().where(ProjectMember.project_id == Project.id, ProjectMember.role == OWNER)
    shared = exists().where(other.path == Project.path, other.user_id != Project.user_id)
    query = select(Project.id, Project.is_personal, Project.path, owned, shared)
    own = (Project.user_id == user_id, Project.path != "")
    rows = await session.execute(query.where(*own).order_by(Project.id))
    return [
        Leaving(project_id, PERSONAL if is_personal else project_id, path, owned, shared)
        for project_id, is_personal, path, owned, shared in rows
    ]


async def close_project(log: EventLog, project_id: str, *, actor: str) -> None:
    """Takes a project out of every list, and says so; once.

    Raises:
        Unavailable: The database is busy or does not answer; call again.
    """
    stream = project_stream(project_id)
    async with log.unit(stream) as unit:
        project = await unit.session.get_one(Project, project_id)
        if project.deleted_at is None:
            project.is_active = False
            project.deleted_at = project.updated_at = clock.utc_now()
            unit.append(stream, ProjectDeleted(project_id=project_id), actor=actor)
