"""What goes wrong with projects.

NotFound       ProjectNotFound
Forbidden      PathRefused, SettingRefused
Unprocessable  PathMissing
"""

from __future__ import annotations

from homeport.kernel.errors import Forbidden, NotFound, Unprocessable


class ProjectNotFound(NotFound):
    """Absent, deleted, or somebody else's: the three are told alike."""

    code = "project.not-found"
    title = "Project not found"


class PathRefused(Forbidden):
    """The directory is not one that this server opens as a project for this caller."""

    code = "project.path-not-allowed"
    title = "This directory cannot be opened as a project"


class SettingRefused(Forbidden):
    """The operator does not allow this setting."""

    code = "project.setting-not-allowed"
    title = "The operator does not allow this setting"


class PathMissing(Unprocessable):
    """There is no such directory."""

    code = "project.path-missing"
    title = "There is no such directory"
