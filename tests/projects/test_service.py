from __future__ import annotations

import asyncio

import pytest

from homeport.files.access import workspace_of
from homeport.kernel.ids import new_id
from homeport.projects.access import project_at_work, project_for
from homeport.projects.errors import ProjectClosed, ProjectNotFound
from homeport.projects.places import Places
from homeport.projects.service import (
    delete_project,
    personal_project,
    project_stream,
    settings_of,
)
from projects.door import Door


async def test_personal_project_when_asked_for_many_times_at_once_then_there_is_one(
    door: Door, places: Places
) -> None:
    ada = door.names.people["ada"]

    made = await asyncio.gather(*(personal_project(door.log, places, caller=ada) for _ in range(8)))

    assert len({project.id for project in made}) == 1
    assert made[0].is_personal
    assert made[0].path.endswith(f"/{ada.user_id}/personal")
    assert [e.kind for e in await door.events(made[0].id)] == ["project.created"]
    assert (await door.call("ada", "GET")).json["projects"][0]["is_personal"] is True


async def test_personal_project_when_deleted_then_a_new_one_has_the_same_files(
    door: Door, places: Places
) -> None:
    ada = door.names.people["ada"]
    first = await personal_project(door.log, places, caller=ada)
    workspace_of(first).write("a.txt", b"kept")
    async with door.log.unit(project_stream(first.id)) as unit:
        await delete_project(unit, caller=ada, project_id=first.id)

    second = await personal_project(door.log, places, caller=ada)

    assert second.id != first.id
    assert workspace_of(second).read("a.txt") == b"kept"


async def test_project_for_when_asked_by_owner_stranger_and_server_then_only_two_see_it(
    door: Door,
) -> None:
    ada, bob = door.names.people["ada"], door.names.people["bob"]
    project_id = (await door.create("ada"))["id"]

    async with door.log.database.read() as session:
        for level in ("read", "write", "own"):
            assert (await project_for(session, ada, project_id, level)).id == project_id
            with pytest.raises(ProjectNotFound):
                await project_for(session, bob, project_id, level)
        for unknown in (new_id(), "", "\x00", "x" * 10_000):
            with pytest.raises(ProjectNotFound):
                await project_for(session, ada, unknown)
        found = await project_at_work(session, project_id=project_id, user_id=ada.user_id)
        for unknown, user_id in ((new_id(), ada.user_id), (project_id, bob.user_id)):
            with pytest.raises(ProjectClosed):
                await project_at_work(session, project_id=unknown, user_id=user_id)
    assert settings_of(found).sandbox.network == "none"


async def test_events_when_a_unit_fails_then_neither_row_nor_event_is_kept(door: Door) -> None:
    ada = door.names.people["ada"]
    project_id = (await door.create("ada"))["id"]

    async def crash() -> None:
        async with door.log.unit(project_stream(project_id)) as unit:
            await delete_project(unit, caller=ada, project_id=project_id)
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError, match="crash"):
        await crash()

    assert (await door.call("ada", "GET", f"/{project_id}")).status == 200
    assert len(await door.events(project_id)) == 1
