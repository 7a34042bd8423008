"""Who shares a project: seen, opened to somebody, changed, closed, left."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import update

from homeport.identity.models import User
from homeport.kernel.ids import new_id
from projects.door import Door


@pytest.fixture
async def shared(door: Door) -> str:
    """A project of ada's, with one member of each kind: vera, dev and olga. bob is a stranger."""
    project_id: str = (await door.create("ada"))["id"]
    for name, role in (("vera", "viewer"), ("dev", "developer"), ("olga", "owner")):
        await door.person(name)
        answer = await put(door, project_id, username=name, role=role)
        assert answer["role"] == role
    return project_id


async def put(door: Door, project_id: str, *, by: str = "ada", **members: str) -> dict[str, Any]:
    answer = await door.call(by, "PUT", f"/{project_id}/members", members)
    assert answer.status == 200, answer.json
    return answer.json


async def test_members_when_listed_then_everybody_in_it_sees_them(door: Door, shared: str) -> None:
    people = door.names.people
    for name in ("ada", "vera", "dev", "olga"):
        page = (await door.call(name, "GET", f"/{shared}/members")).json
        assert {each["username"]: each["role"] for each in page["members"]} == {
            "ada": "owner",
            "vera": "viewer",
            "dev": "developer",
            "olga": "owner",
        }
        assert page["total"] == 4
    first = (await door.call("vera", "GET", f"/{shared}/members?limit=3")).json
    rest = f"/{shared}/members?limit=3&cursor={first['next_cursor']}"
    last = (await door.call("vera", "GET", rest)).json
    found = [each["user_id"] for each in (*first["members"], *last["members"])]
    in_order = sorted(people[name].user_id for name in ("ada", "vera", "dev", "olga"))
    assert found == in_order


async def test_project_when_shared_then_it_is_listed_with_the_role(door: Door, shared: str) -> None:
    own = (await door.create("dev"))["id"]
    page = (await door.call("dev", "GET")).json
    assert {each["id"]: each["role"] for each in page["projects"]} == {
        shared: "developer",
        own: "owner",
    }
    assert page["total"] == 2
    assert (await door.call("bob", "GET")).json["projects"] == []
    assert (await door.call("olga", "GET", f"/{shared}")).json["role"] == "owner"


@pytest.mark.requirement("25")
async def test_project_when_a_role_allows_less_then_403_and_strangers_see_nothing(
    door: Door, shared: str
) -> None:
    member = f"/{shared}/members/{door.names.people['vera'].user_id}"
    body = {"username": "bob", "role": "viewer"}
    for method, path, sent in (
        ("PATCH", f"/{shared}", {"name": "Mine"}),
        ("DELETE", f"/{shared}", None),
        ("PUT", f"/{shared}/members", body),
        ("DELETE", member, None),
    ):
        for name in ("vera", "dev"):
            refused = await door.call(name, method, path, sent)
            assert (refused.status, refused.code) == (403, "auth.role-required"), (name, method)
            assert refused.json["needs"] == "project:owner"
        missing = await door.call("bob", method, path, sent)
        assert (missing.status, missing.code) == (404, "project.not-found")
    kinds = [event.kind for event in await door.events(shared)]
    assert kinds == ["project.created", *["member.added"] * 3]
    assert (await door.call("olga", "PATCH", f"/{shared}", {"name": "Ours"})).status == 200


async def test_member_when_changed_and_removed_then_it_is_told_and_their_work_stops(
    door: Door, shared: str
) -> None:
    dev = door.names.people["dev"].user_id
    await put(door, shared, by="olga", user_id=dev, role="developer")  # as it is: nothing happens
    await put(door, shared, by="olga", email="dev@example.org", role="owner")
    assert door.stops.asked == []
    await put(door, shared, by="olga", username="DEV", role="viewer")
    assert door.stops.asked == [(shared, dev)]
    gone = await door.call("ada", "DELETE", f"/{shared}/members/{dev}")
    assert gone.status == 204
    assert door.stops.asked == [(shared, dev)] * 2
    assert (await door.call("dev", "GET", f"/{shared}")).status == 404
    olga = door.names.people["olga"].actor
    told = (await door.events(shared))[4:]
    assert [(event.kind, event.actor) for event in told] == [
        ("member.role_changed", olga),
        ("member.role_changed", olga),
        ("member.removed", door.names.people["ada"].actor),
    ]
    for user_id in (dev, new_id(), "x"):
        missing = await door.call("ada", "DELETE", f"/{shared}/members/{user_id}")
        assert (missing.status, missing.code) == (404, "member.not-found")


async def test_member_when_leaving_then_only_they_are_out(door: Door, shared: str) -> None:
    vera = door.names.people["vera"].user_id
    assert (await door.call("vera", "POST", f"/{shared}/leave")).status == 204
    assert (await door.call("vera", "POST", f"/{shared}/leave")).status == 404
    assert door.stops.asked == [(shared, vera)]
    assert (await door.call("ada", "GET", f"/{shared}/members")).json["total"] == 3
    assert (await door.events(shared))[-1].event().model_dump()["reason"] == "left"


async def test_founder_when_removed_changed_or_leaving_then_refused(
    door: Door, shared: str
) -> None:
    ada = door.names.people["ada"].user_id
    for name, method, path, body in (
        ("olga", "DELETE", f"/{shared}/members/{ada}", None),
        ("olga", "PUT", f"/{shared}/members", {"user_id": ada, "role": "viewer"}),
        ("ada", "POST", f"/{shared}/leave", None),
    ):
        refused = await door.call(name, method, path, body)
        assert (refused.status, refused.code) == (409, "member.is-founder")


async def test_member_when_the_body_is_wrong_or_names_nobody_then_nothing_happens(
    door: Door, shared: str
) -> None:
    bob = door.names.people["bob"].user_id
    for body, status in (
        ({"username": "bob"}, 422),
        ({"username": "bob", "role": "king"}, 422),
        ({"role": "viewer"}, 422),
        ({"username": "bob", "user_id": bob, "role": "viewer"}, 422),
        ({"username": "bob", "role": "viewer", "project_id": shared}, 422),
        ({"username": "nobody", "role": "viewer"}, 404),
        ({"user_id": new_id(), "role": "viewer"}, 404),
        ({"user_id": "x", "role": "viewer"}, 404),
    ):
        answer = await door.call("ada", "PUT", f"/{shared}/members", body)
        assert answer.status == status, body
    assert (await door.call("ada", "GET", f"/{shared}/members")).json["total"] == 4


async def test_project_when_deleted_then_everybodys_work_in_it_stops(
    door: Door, shared: str
) -> None:
    assert (await door.call("olga", "DELETE", f"/{shared}")).status == 200
    assert door.stops.asked == [(shared, None)]
    for name in ("ada", "vera", "dev", "olga"):
        assert (await door.call(name, "GET", f"/{shared}")).status == 404
        assert (await door.call(name, "GET")).json["total"] == 0


async def test_member_when_their_account_is_closed_meanwhile_then_not_added(
    door: Door, shared: str
) -> None:
    bob = door.names.people["bob"].user_id
    async with door.log.unit(f"project:{shared}") as unit:
        adding = asyncio.create_task(
            door.call("ada", "PUT", f"/{shared}/members", {"user_id": bob, "role": "viewer"})
        )
        await asyncio.sleep(0.3)  # it waits for the unit
        await unit.session.execute(update(User).where(User.id == bob).values(is_active=False))
    assert (await adding).status == 404
