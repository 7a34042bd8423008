"""The verbs of projects. Directories are made and checked before the unit opens (`places`)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from homeport.eventlog import EventLog, Unit
from homeport.eventlog.catalogue.project import ProjectCreated, ProjectDeleted, ProjectUpdated
from homeport.identity.access import Caller
from homeport.kernel import clock
from homeport.kernel.ids import new_id
from homeport.projects.access import project_for
from homeport.projects.models import Project
from homeport.projects.places import PERSONAL, Places
from homeport.projects.policy import Limits, ProjectSettings
from homeport.projects.repository import find_personal
from homeport.projects.schemas import ProjectBody, ProjectChanges

PERSONAL_NAME = "Personal workspace"


def project_stream(project_id: str) -> str:
    """The stream that a project's facts stand on."""
    return f"project:{project_id}"


def settings_of(project: Project) -> ProjectSettings:
    """A project's settings."""
    return ProjectSettings.model_validate(project.settings)


async def place_for(
    places: Places, *, caller: Caller, project_id: str, path: str | None
) -> tuple[Path, bool]:
    """The directory of a new project, and whether it was made for it.

    Raises:
        PathRefused: `path` may not be opened by the caller.
        PathMissing: `path` is no directory.
    """
    if path is None:
        return await asyncio.to_thread(places.make, caller.user_id, project_id), True
    return await asyncio.to_thread(places.admit, path, caller), False


async def checked(
    settings: ProjectSettings, *, places: Places, limits: Limits, caller: Caller
) -> ProjectSettings:
    """Settings as they may be kept: within the operator's limits, directories resolved.

    Raises:
        SettingRefused: They go further than the operator allows.
        PathRefused: A directory to read may not be opened by the caller.
        PathMissing: A directory to read is none.
    """
    limits.check(settings, caller)
    read = [
        str(await asyncio.to_thread(places.admit, path, caller, param="settings.sandbox.read"))
        for path in settings.sandbox.read
    ]
    sandbox = settings.sandbox.model_copy(update={"read": tuple(read)})
    return settings.model_copy(update={"sandbox": sandbox})


async def create_project(
    unit: Unit,
    *,
    caller: Caller,
    project_id: str,
    place: Path,
    body: ProjectBody,
    settings: ProjectSettings,
    personal: bool = False,
) -> Project:
    """Makes a project of the caller's; the unit holds `project_stream(project_id)`.

    Args:
        unit: An open write unit.
        caller: Who it will belong to.
        project_id: A fresh id.
        place: Its directory, from `place_for`.
        body: What was asked for.
        settings: From `checked`.
        personal: It is the one that the caller has without asking for it.
    """
    now = clock.utc_now()
    project = Project(
        id=project_id,
        user_id=caller.user_id,
        name=body.name,
        description=body.description or "",
        path=str(place),
        is_personal=personal,
        is_active=True,
        labels=body.metadata or {},
        settings=settings.model_dump(mode="json"),
        created_at=now,
        updated_at=now,
        deleted_at=None,
    )
    unit.session.add(project)
    created = ProjectCreated(
        project_id=project_id,
        user_id=caller.user_id,
        name=project.name,
        path=project.path,
        personal=personal,
        settings=project.settings,
    )
    unit.append(project_stream(project_id), created, actor=caller.actor)
    await unit.session.flush()
    return project


async def update_project(
    unit: Unit,
    *,
    caller: Caller,
    project_id: str,
    changes: ProjectChanges,
    place: Path | None,
    settings: ProjectSettings | None,
) -> Project:
    """Changes what differs; nothing that differs, nothing recorded.

    Args:
        unit: Holds `project_stream(project_id)`.
        caller: Who changes it.
        project_id: Which.
        changes: What was asked for.
        place: From `Places.admit`, when the path changes.
        settings: From `checked`, when they change.

    Raises:
        ProjectNotFound, RoleRequired: It is not the caller's.
    """
    project = await project_for(unit.session, caller, project_id, "own")
    wanted: dict[str, Any] = {
        "name": changes.name,
        "description": changes.description,
        "labels": changes.metadata,
        "is_active": changes.is_active,
        "path": None if place is None else str(place),
        "settings": None if settings is None else settings.model_dump(mode="json"),
    }
    changed = {
        name: value
        for name, value in wanted.items()
        if value is not None and value != getattr(project, name)
    }
    if not changed:
        return project
    for name, value in changed.items():
        setattr(project, name, value)
    project.updated_at = clock.utc_now()
    steering = ("name", "path", "is_active", "settings")
    updated = ProjectUpdated(
        project_id=project_id,
        changed=["metadata" if name == "labels" else name for name in changed],
        **{name: changed[name] for name in steering if name in changed},
    )
    unit.append(project_stream(project_id), updated, actor=caller.actor)
    return project


async def delete_project(unit: Unit, *, caller: Caller, project_id: str) -> None:
    """Takes a project out of every list; its files stay.

    Raises:
        ProjectNotFound, RoleRequired: It is not the caller's.
    """
    project = await project_for(unit.session, caller, project_id, "own")
    project.is_active = False
    project.deleted_at = project.updated_at = clock.utc_now()
    deleted = ProjectDeleted(project_id=project_id)
    unit.append(project_stream(project_id), deleted, actor=caller.actor)


async def personal_project(log: EventLog, places: Places, *, caller: Caller) -> Project:
    """The project that the caller has without asking for it, made when it is first needed.

    It opens a unit of its own: call it before yours. The account's stream is held meanwhile, so
    that two first calls make one.

    Raises:
        Unavailable: The database is busy or does not answer.
    """
    async with log.database.read() as session:
        found = await find_personal(session, caller.user_id)
    if found is not None:
        return found
    place = await asyncio.to_thread(places.make, caller.user_id, PERSONAL)
    project_id = new_id()
    async with log.unit(f"account:{caller.user_id}", project_stream(project_id)) as unit:
        found = await find_personal(unit.session, caller.user_id)
        if found is not None:
            return found
        return await create_project(
            unit,
            caller=caller,
            project_id=project_id,
            place=place,
            body=ProjectBody(name=PERSONAL_NAME),
            settings=ProjectSettings(),
            personal=True,
        )
