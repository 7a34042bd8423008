from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy.exc import IntegrityError

from homeport.eventlog.catalogue import decode
from homeport.eventlog.catalogue.project import ProjectCreated
from homeport.kernel.http.pagination import encode_cursor
from homeport.kernel.ids import new_id
from homeport.projects.places import Places
from homeport.projects.policy import Limits
from homeport.projects.router import made
from homeport.projects.schemas import ProjectBody
from projects.door import Door


def nested(depth: int) -> object:
    return [nested(depth - 1)] if depth else 1


BAD_BODIES: list[dict[str, Any]] = [
    {},
    {"name": ""},
    {"name": "   "},
    {"name": "x" * 201},
    {"name": None},
    {"name": 5},
    {"name": "a\x00b"},
    {"name": "\ud800"},
    {"name": "x", "description": "x" * 10_001},
    {"name": "x", "path": ""},
    {"name": "x", "path": "/a\x00b"},
    {"name": "x", "metadata": []},
    {"name": "x", "metadata": {"a": "\x00"}},
    {"name": "x", "metadata": {"\ud800": 1}},
    {"name": "x", "metadata": {"a": "x" * 20_000}},
    {"name": "x", "metadata": {"a": nested(40)}},
    {"name": "x", "settings": {"sandbox": {"network": "allow-list"}}},
    {"name": "x", "settings": {"sandbox": {"write": ["/"]}}},
    {"name": "x", "settings": {"permission_mode": "yolo"}},
    {"name": "x", "settings": {"sandbox": {"read": ["/"] * 33}}},
]
SETTINGS: list[tuple[str, dict[str, Any], int]] = [
    ("ada", {"sandbox": {"network": "full"}}, 403),
    ("root", {"sandbox": {"network": "full"}}, 201),
    ("ada", {"permission_mode": "bypass"}, 403),
    ("root", {"permission_mode": "bypass"}, 403),
    ("ada", {"permission_mode": "accept_edits"}, 201),
    ("ada", {"sandbox": {"read": ["{disk}/code/lib"]}}, 201),
    ("ada", {"sandbox": {"read": ["{disk}/data"]}}, 403),
    ("ada", {"sandbox": {"read": ["{disk}/elsewhere"]}}, 403),
    ("root", {"sandbox": {"read": ["{disk}/data/x"]}}, 403),
    ("root", {"sandbox": {"read": ["{disk}/elsewhere"]}}, 201),
    ("ada", {"sandbox": {"read": ["{disk}/code/missing"]}}, 422),
]
FORBIDDEN = {
    "id": "0198b5a0-0000-7000-8000-000000000000",
    "user_id": "0198b5a0-0000-7000-8000-000000000000",
    "owner_id": "x",
    "role": "admin",
    "is_admin": True,
    "is_personal": True,
    "tenant_id": "x",
    "credits": 1,
    "created_at": "2020-01-01T00:00:00Z",
    "updated_at": "2020-01-01T00:00:00Z",
    "deleted_at": None,
    "git_url": "https://example.org/x.git",
}


async def test_create_when_no_path_is_given_then_an_empty_workspace_is_made(
    door: Door, disk: Path
) -> None:
    answer = await door.call("ada", "POST", json={"name": "  Harbour  "})

    assert answer.status == 201
    project = answer.json
    ada = door.names.people["ada"].user_id
    assert project["name"] == "Harbour"
    assert project["description"] == ""
    assert project["user_id"] == ada
    assert project["path"] == str(disk / "data/workspaces" / ada / project["id"])
    assert list(Path(project["path"]).iterdir()) == []
    assert project["is_active"] is True
    assert project["metadata"] == {}
    assert project["settings"] == {
        "sandbox": {"read": [], "network": "none"},
        "permission_mode": None,
    }
    assert project["createdAt"] == project["created_at"]
    assert project["created_at"].endswith("Z")
    [record] = await door.events(project["id"])
    event = decode(record.kind, record.version, record.payload)
    assert isinstance(event, ProjectCreated)
    assert (event.name, event.path, event.user_id) == ("Harbour", project["path"], ada)
    assert record.actor == f"user:{ada}"


async def test_create_when_path_lies_under_a_root_then_it_is_opened_resolved(
    door: Door, disk: Path
) -> None:
    (disk / "code/alias").symlink_to("app")

    project = await door.create("ada", path=str(disk / "code/lib/../alias/"))

    assert project["path"] == str(disk / "code/app")


async def test_create_when_body_does_not_fit_then_422_and_nothing_is_made(
    door: Door, disk: Path
) -> None:
    for body in BAD_BODIES:
        answer = await door.call("ada", "POST", json=body)
        assert (answer.status, answer.code) == (422, "request.unprocessable"), body
    assert list((disk / "data/workspaces").rglob("*")) == []


@pytest.mark.requirement("27")
async def test_create_and_change_when_a_member_is_not_theirs_to_set_then_422_and_no_change(
    door: Door,
) -> None:
    project = await door.create("ada")

    for member in FORBIDDEN.items():
        body = dict((("name", "x"), member))
        first = await door.call("ada", "POST", json=body)
        changed = await door.call("ada", "PATCH", f"/{project['id']}", json=body)
        assert (first.status, changed.status) == (422, 422), member
    assert (await door.call("ada", "GET", f"/{project['id']}")).json == project
    assert (await door.call("ada", "GET")).json["total"] == 1


@pytest.mark.requirement("26")
async def test_every_route_when_the_project_is_somebody_elses_then_404_and_no_trace(
    door: Door,
) -> None:
    project = await door.create("ada")
    here = f"/{project['id']}"

    for stranger in ("bob", "root"):
        for method, json in (("GET", None), ("PATCH", {"name": "stolen"}), ("DELETE", None)):
            answer = await door.call(stranger, method, here, json=json)
            assert (answer.status, answer.code) == (404, "project.not-found")
        assert (await door.call(stranger, "GET")).json["projects"] == []
        assert (await door.call(stranger, "GET", "?shape=array")).json == []
    assert (await door.call("ada", "GET", here)).json == project
    assert len(await door.events(project["id"])) == 1


@pytest.mark.requirement("26")
async def test_every_route_when_nobody_is_signed_in_then_401(door: Door) -> None:
    for method, path in (
        ("GET", ""),
        ("POST", ""),
        ("GET", "/x"),
        ("PATCH", "/x"),
        ("DELETE", "/x"),
    ):
        answer = await door.call(None, method, path, json={"name": "x"})
        assert answer.status == 401


async def test_every_route_when_the_id_is_none_then_404(door: Door) -> None:
    for project_id in (new_id(), "x", "%00", "a%0Ab", "..%2f..", "'; DROP TABLE projects; --"):
        for method, json in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
            answer = await door.call("ada", method, f"/{project_id}", json=json)
            assert answer.status == 404


async def test_list_when_paged_then_cursor_and_offset_visit_each_once(door: Door) -> None:
    ids = [(await door.create("ada", name=f"P{number}"))["id"] for number in range(5)]
    await door.create("bob")

    first = (await door.call("ada", "GET", "?limit=2")).json
    second = (await door.call("ada", "GET", f"?limit=2&cursor={first['next_cursor']}")).json
    third = (await door.call("ada", "GET", f"?limit=2&cursor={second['next_cursor']}")).json
    by_offset = (await door.call("ada", "GET", "?limit=3&offset=2")).json

    pages = [first, second, third]
    assert [row["id"] for page in pages for row in page["projects"]] == ids[::-1]
    assert third["next_cursor"] is None
    assert first["total"] == 5
    assert (first["limit"], first["offset"]) == (2, 0)
    assert [row["id"] for row in by_offset["projects"]] == ids[::-1][2:]
    for cursor in ("nonsense", encode_cursor("\0"), encode_cursor(ids[0], 1)):
        refused = await door.call("ada", "GET", f"?cursor={cursor}")
        assert (refused.status, refused.code) == (400, "page.bad-cursor")


async def test_list_when_shape_is_array_then_it_is_bare_and_in_both_spellings(door: Door) -> None:
    project = await door.create("ada")

    rows = (await door.call("ada", "GET", "?shape=array")).json

    assert rows == [project]
    assert {"createdAt", "updatedAt", "userId", "isActive"} <= rows[0].keys()
    schema = str(door.app.openapi())
    assert "createdAt" not in schema
    assert "'shape'" not in schema
    assert "created_at" in schema


async def test_list_when_filtered_by_activity_then_only_those_are_shown(door: Door) -> None:
    idle = await door.create("ada")
    await door.create("ada")
    await door.call("ada", "PATCH", f"/{idle['id']}", json={"is_active": False})

    inactive = (await door.call("ada", "GET", "?is_active=false")).json

    assert [row["id"] for row in inactive["projects"]] == [idle["id"]]
    assert inactive["total"] == 1
    assert (await door.call("ada", "GET", "?is_active=true")).json["total"] == 1
    assert (await door.call("ada", "GET")).json["total"] == 2


async def test_change_when_members_differ_then_they_change_and_the_event_names_them(
    door: Door, disk: Path
) -> None:
    project = await door.create("ada", description="old", metadata={"a": 1})
    here = f"/{project['id']}"
    changes = {
        "name": "Pier",
        "description": "",
        "path": str(disk / "code/lib"),
        "metadata": {"b": [1, None, {"c": "ü"}]},
        "settings": {"permission_mode": "plan", "sandbox": {"read": [str(disk / "code/app")]}},
    }

    answer = await door.call("ada", "PATCH", here, json=changes)
    again = await door.call("ada", "PATCH", here, json=changes)

    assert answer.status == 200
    for name in ("name", "description", "path", "metadata"):
        assert answer.json[name] == changes[name]
    assert answer.json["settings"]["permission_mode"] == "plan"
    assert answer.json["settings"]["sandbox"]["read"] == [str(disk / "code/app")]
    assert answer.json["updated_at"] > project["updated_at"]
    assert (await door.call("ada", "GET", here)).json == answer.json
    assert again.json == answer.json
    kinds = [record.kind for record in await door.events(project["id"])]
    assert kinds == ["project.created", "project.updated"]


async def test_change_when_members_are_null_or_absent_then_they_stay(door: Door) -> None:
    project = await door.create("ada", description="kept", metadata={"a": 1})
    nothing = dict.fromkeys(("name", "description", "path", "metadata", "settings", "is_active"))

    for body in ({}, nothing):
        answer = await door.call("ada", "PATCH", f"/{project['id']}", json=body)
        assert answer.json == project


async def test_change_when_many_change_at_once_then_each_is_recorded(door: Door) -> None:
    project = await door.create("ada")

    answers = await asyncio.gather(
        *(
            door.call("ada", "PATCH", f"/{project['id']}", json={"name": f"N{number}"})
            for number in range(10)
        )
    )

    assert {answer.status for answer in answers} == {200}
    events = await door.events(project["id"])
    assert [event.seq for event in events] == list(range(1, 12))


async def test_delete_when_done_then_it_is_gone_and_its_files_stay(door: Door) -> None:
    project = await door.create("ada")
    work = Path(project["path"], "work.txt")
    work.write_text("kept", encoding="utf-8")
    here = f"/{project['id']}"

    answer = await door.call("ada", "DELETE", here)

    assert answer.status == 200
    assert answer.json["message"]
    assert work.read_text(encoding="utf-8") == "kept"
    for method, json in (("GET", None), ("PATCH", {"is_active": True}), ("DELETE", None)):
        assert (await door.call("ada", method, here, json=json)).status == 404
    assert (await door.call("ada", "GET")).json["projects"] == []
    assert (await door.call("ada", "GET", "?is_active=false")).json["total"] == 0
    assert [e.kind for e in await door.events(project["id"])] == [
        "project.created",
        "project.deleted",
    ]


async def test_create_when_the_database_refuses_then_no_workspace_stays_behind(
    door: Door, disk: Path, places: Places
) -> None:
    ghost = replace(door.names.people["ada"], user_id=new_id())

    with pytest.raises(IntegrityError):
        await made(
            ProjectBody(name="x"), caller=ghost, log=door.log, places=places, limits=Limits()
        )

    assert list((disk / "data/workspaces" / ghost.user_id).iterdir()) == []


async def test_settings_when_they_go_too_far_then_they_are_refused(door: Door, disk: Path) -> None:
    projects = {who: (await door.create(who))["id"] for who in ("ada", "root")}

    for who, given, status in SETTINGS:
        settings = orjson.loads(orjson.dumps(given).replace(b"{disk}", bytes(disk)))
        first = await door.call(who, "POST", json={"name": "x", "settings": settings})
        changed = await door.call(who, "PATCH", f"/{projects[who]}", json={"settings": settings})
        assert first.status == status, given
        assert changed.status == (200 if status == 201 else status), given
