"""What goes wrong with projects.

NotFound       ProjectNotFound, MemberNotFound
Conflict       ProjectClosed, FounderStays, PersonalStays
Forbidden      PathRefused, SettingRefused
Unprocessable  PathMissing
"""

from __future__ import annotations

from homeport.kernel.errors import Conflict, Forbidden, NotFound, Unprocessable


class ProjectNotFound(NotFound):
    """Absent, deleted, or not open to the caller: the three are told alike."""

    code = "project.not-found"
    title = "Project not found"


class MemberNotFound(NotFound):
    """This person is no member of the project."""

    code = "member.not-found"
    title = "Member not found"


class ProjectClosed(Conflict):
    """What is at work in it must end: it is deleted, or not open to that person any more."""

    code = "project.closed"
    title = "The project is deleted or no longer open to you"


class FounderStays(Conflict):
    """Whoever made a project owns it for as long as it is there."""

    code = "member.is-founder"
    title = "Whoever made the project stays its owner"


class PersonalStays(Conflict):
    """The project that a person has without asking for it is theirs alone."""

    code = "project.personal"
    title = "A personal workspace is not shared"


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
