"""Blanks what the rows of projects keep, when a project's or a person's stream is erased."""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import delete, select

from homeport.eventlog import Erased, EventLog, Unit
from homeport.eventlog.catalogue.project import ProjectDeleted
from homeport.kernel import clock
from homeport.projects.errors import MemberNotFound
from homeport.projects.members.service import remove_member
from homeport.projects.models import Project, ProjectMember
from homeport.projects.service import project_stream


async def blank(unit: Unit, erased: Erased) -> None:
    """Takes name, description, path and labels out of the row.

    Without them it is no project any more, to nobody who shared it either.
    """
    project = await unit.session.get(Project, erased.subject)
    if project is None or not erased.whole:
        return
    project.name, project.description, project.path = "", "", ""
    project.labels, project.settings, project.is_active = {}, {}, False
    shared = delete(ProjectMember).where(ProjectMember.project_id == project.id)
    await unit.session.execute(shared)
    if project.deleted_at is None:
        project.deleted_at = clock.utc_now()
        unit.append(erased.stream, ProjectDeleted(project_id=project.id), actor="system")


async def leave_projects(log: EventLog, user_id: str, *, actor: str) -> None:
    """Takes a person whose account is about to be erased out of everybody's projects.

    Raises:
        Unavailable: The database is busy or does not answer; call again.
    """
    async with log.database.read() as session:
        shared = select(ProjectMember.project_id).where(ProjectMember.user_id == user_id)
        found = (await session.scalars(shared)).all()
    for project_id in found:
        with suppress(MemberNotFound):  # taken out meanwhile
            async with log.unit(project_stream(project_id)) as unit:
                project = await unit.session.get_one(Project, project_id)
                await remove_member(unit, project, user_id, reason="erased", actor=actor)
