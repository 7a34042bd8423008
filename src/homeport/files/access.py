"""From a project to its files."""

from __future__ import annotations

from pathlib import Path

from homeport.files.workspace import Workspace
from homeport.projects.models import Project


def workspace_of(project: Project) -> Workspace:
    """The workspace of a project; whether somebody may enter it, `projects.access` answers."""
    return Workspace(Path(project.path))
