"""Facts of projects. They stand on `project:<id>`."""

from __future__ import annotations

from typing import Any

from homeport.eventlog.catalogue.base import Event


class ProjectCreated(Event):
    """A project was made; `personal` is the one that a person has without asking for it."""

    kind = "project.created"

    project_id: str
    user_id: str
    name: str
    path: str
    personal: bool = False
    settings: dict[str, Any]


class ProjectUpdated(Event):
    """Its owner changed it: `changed` names the members; new values of those that steer follow."""

    kind = "project.updated"

    project_id: str
    changed: list[str]
    name: str | None = None
    path: str | None = None
    is_active: bool | None = None
    settings: dict[str, Any] | None = None


class ProjectDeleted(Event):
    """Its owner deleted it, and its files stay; or was erased, and what was made for it goes."""

    kind = "project.deleted"

    project_id: str
