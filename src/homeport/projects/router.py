"""The projects routes."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import TypeAdapter

from homeport.eventlog import EventLog
from homeport.identity.access import Caller, SignedIn
from homeport.kernel.http.pagination import Paging
from homeport.kernel.http.provide import provided
from homeport.kernel.ids import new_id
from homeport.projects import service
from homeport.projects.access import Owned, Seen
from homeport.projects.at_work import AtWork
from homeport.projects.models import Project
from homeport.projects.places import Places
from homeport.projects.policy import Limits
from homeport.projects.repository import Standing, page_of_projects
from homeport.projects.roles import OWNER
from homeport.projects.schemas import (
    ProjectBody,
    ProjectChanges,
    ProjectDeletedView,
    ProjectPage,
    ProjectView,
)

router = APIRouter(prefix="/v1/projects", tags=["projects"])

Log = Annotated[EventLog, provided(EventLog)]
Where = Annotated[Places, provided(Places)]
Bounds = Annotated[Limits, provided(Limits)]
Working = Annotated[AtWork, provided(AtWork)]
VIEWS = TypeAdapter(list[ProjectView])


@router.post("", status_code=201)
async def create_project(
    body: ProjectBody, caller: SignedIn, log: Log, places: Where, limits: Bounds
) -> ProjectView:
    """Makes a project, in an empty workspace of its own or in a directory of the server."""
    project = await made(body, caller=caller, log=log, places=places, limits=limits)
    return ProjectView.of(Standing(project, OWNER))


async def made(
    body: ProjectBody, *, caller: Caller, log: EventLog, places: Places, limits: Limits
) -> Project:
    """The new project; a workspace made for one that could not be kept is taken back."""
    project_id = new_id()
    settings = await service.checked(body.settings, places=places, limits=limits, caller=caller)
    place, fresh = await service.place_for(
        places, caller=caller, project_id=project_id, path=body.path
    )
    try:
        async with log.unit(service.project_stream(project_id)) as unit:
            return await service.create_project(
                unit,
                caller=caller,
                project_id=project_id,
                place=place,
                body=body,
                settings=settings,
            )
    except BaseException:
        if fresh:
            await asyncio.to_thread(places.discard, place)
        raise


@router.get("", response_model=ProjectPage)
async def read_projects(
    caller: SignedIn,
    paging: Paging,
    log: Log,
    is_active: bool | None = None,  # noqa: FBT001 - a query parameter
    shape: Annotated[Literal["array"] | None, Query(include_in_schema=False)] = None,
) -> ProjectPage | Response:
    """The projects that are open to the caller, the newest first."""
    async with log.database.read() as session:
        page = await page_of_projects(session, caller.user_id, paging, is_active=is_active)
    views = [ProjectView.of(row) for row in page.items]
    if shape == "array":
        return Response(VIEWS.dump_json(views), media_type="application/json")
    return ProjectPage(projects=views, **page.fields())


@router.get("/{project_id}")
async def read_project(seen: Seen) -> ProjectView:
    """One project."""
    return ProjectView.of(seen)


@router.patch("/{project_id}")
async def change_project(
    owned: Owned,
    body: ProjectChanges,
    caller: SignedIn,
    log: Log,
    places: Where,
    limits: Bounds,
) -> ProjectView:
    """Changes a project; a member that is absent or null stays."""
    place = settings = None
    if body.path is not None:
        place = await asyncio.to_thread(places.admit, body.path, caller)
    if body.settings is not None:
        settings = await service.checked(body.settings, places=places, limits=limits, caller=caller)
    async with log.unit(service.project_stream(owned.project.id)) as unit:
        changed = await service.update_project(
            unit,
            caller=caller,
            project_id=owned.project.id,
            changes=body,
            place=place,
            settings=settings,
        )
    return ProjectView.of(Standing(changed, OWNER))


@router.delete("/{project_id}")
async def delete_project(
    owned: Owned, caller: SignedIn, log: Log, at_work: Working
) -> ProjectDeletedView:
    """Takes a project out of every list, and stops what runs in it; its files stay."""
    project_id = owned.project.id
    async with log.unit(service.project_stream(project_id)) as unit:
        await service.delete_project(unit, caller=caller, project_id=project_id)
    await at_work.stop(project_id, actor=caller.actor)
    return ProjectDeletedView(message="The project is deleted; its files are untouched.")
