"""Blanks what the row of a project keeps, when its stream is erased."""

from __future__ import annotations

from homeport.eventlog import Erased, Unit
from homeport.projects.models import Project


async def blank(unit: Unit, erased: Erased) -> None:
    """Takes name, description, path and labels out of the row; the files are not touched."""
    project = await unit.session.get(Project, erased.subject)
    if project is not None and erased.whole:
        project.name, project.description, project.path = "", "", ""
        project.labels, project.settings, project.is_active = {}, {}, False
