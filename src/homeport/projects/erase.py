"""Blanks what the rows of projects keep, when a project's or a person's stream is erased."""

from __future__ import annotations

from sqlalchemy import delete

from homeport.eventlog import Erased, Unit
from homeport.eventlog.catalogue.project import ProjectDeleted
from homeport.kernel import clock
from homeport.projects.models import Project, ProjectMember


async def blank(unit: Unit, erased: Erased) -> None:
    """Takes name, description, path and labels out of the row; the files are not touched.

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


async def leave(unit: Unit, erased: Erased) -> None:
    """Takes a person whose account is erased out of everybody's projects."""
    if erased.whole:
        shared = delete(ProjectMember).where(ProjectMember.user_id == erased.subject)
        await unit.session.execute(shared)
