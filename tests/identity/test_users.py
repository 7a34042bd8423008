"""Accounts, for those who manage them: listed, changed, switched off, deleted, taken back."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.identity.service.accounts import set_roles
from homeport.identity.service.passwords import create_setup_link
from homeport.kernel.ids import new_id
from identity.door import Door, Person

USERS = "/v1/auth/users"


async def with_roles(door: Door, name: str, *roles: str) -> Person:
    """Somebody whom the operator gave these roles."""
    person = await door.register(name)
    async with door.log.unit(f"account:{person.id}", "system") as unit:
        await set_roles(unit, user_id=person.id, roles=roles, actor="operator")
    door.identity.callers.forget_user(person.id)
    return person


async def test_users_when_listed_then_paged_and_filtered(door: Door) -> None:
    admin = await with_roles(door, "admin", "admin")
    ada, eve = await door.register("ada"), await door.register("eve_1")
    await door.call("DELETE", f"{USERS}/{eve.id}", token=admin.access)
    whole = (await door.call("GET", USERS, token=admin.access)).json
    assert [user["username"] for user in whole["users"]] == ["eve_1", "ada", "admin"]
    assert (whole["total"], whole["next_cursor"]) == (3, None)
    first = (await door.call("GET", f"{USERS}?limit=2", token=admin.access)).json
    for place in (f"cursor={first['next_cursor']}", "skip=2", "offset=2"):
        rest = (await door.call("GET", f"{USERS}?limit=2&{place}", token=admin.access)).json
        assert [user["id"] for user in rest["users"]] == [admin.id], place
    for query, found in (
        ("role=admin", [admin.id]),
        ("role=analyst", []),
        ("search=ADA", [ada.id]),
        ("search=E_1%40EXAMPLE", [eve.id]),
        ("search=%25", []),
        ("status=active", [ada.id, admin.id]),
        ("status=disabled", []),
        ("status=deleted", [eve.id]),
    ):
        page = (await door.call("GET", f"{USERS}?{query}", token=admin.access)).json
        assert [user["id"] for user in page["users"]] == found, query
        assert page["total"] == len(found)
    for query in ("role=king", "status=gone", "skip=10001", "cursor=x"):
        refused = await door.call("GET", f"{USERS}?{query}", token=admin.access)
        assert refused.status == 400, query


@pytest.mark.requirement("25")
async def test_users_when_asked_for_by_others_then_only_a_moderator_may_look(door: Door) -> None:
    ada = await door.register("ada")
    moderator = await with_roles(door, "maud", "moderator")
    for token, looks in ((ada.access, 403), (moderator.access, 200)):
        assert (await door.call("GET", USERS, token=token)).status == looks
        assert (await door.call("GET", f"{USERS}/{ada.id}", token=token)).status == looks
        for method, body in (("PATCH", {"roles": ["admin"]}), ("DELETE", None)):
            refused = await door.call(method, f"{USERS}/{ada.id}", token=token, json=body)
            assert (refused.status, refused.code) == (403, "auth.role-required")
            assert refused.json["needs"] == "users:manage"
    assert (await door.me(ada.access)).json["roles"] == ["user"]
    assert await door.kinds(ada.id) == ["account.created", "api_key.created", "login.succeeded"]


async def test_user_when_changed_by_an_admin_then_it_acts_and_says_who(door: Door) -> None:
    admin, ada = await with_roles(door, "admin", "admin"), await door.register("ada")
    changed = await door.call(
        "PATCH", f"{USERS}/{ada.id}", token=admin.access, json={"roles": ["analyst", "user"]}
    )
    assert changed.json["roles"] == ["analyst", "user"]
    assert (await door.me(ada.access)).json["roles"] == ["analyst", "user"]
    off = await door.call(
        "PATCH", f"{USERS}/{ada.id}", token=admin.access, json={"is_active": False}
    )
    assert off.json["is_active"] is False
    assert (await door.me(ada.access)).status == 401
    assert (await door.me(ada.api_key)).status == 401
    on = await door.call("PATCH", f"{USERS}/{ada.id}", token=admin.access, json={"is_active": True})
    assert on.json["is_active"] is True
    assert (await door.me(ada.access)).status == 401  # a sign-in that ended stays so
    assert (await door.me(ada.api_key)).status == 200
    told = [event for event in await door.events(ada.id) if event.actor == f"user:{admin.id}"]
    assert [event.kind for event in told] == [
        "roles.changed",
        "account.disabled",
        "device.revoked",
        "account.enabled",
    ]


async def test_user_when_deleted_then_an_admin_takes_it_back(door: Door) -> None:
    admin, ada = await with_roles(door, "admin", "admin"), await door.register("ada")
    # Also one that was switched off before can be deleted, and only once.
    await door.call("PATCH", f"{USERS}/{ada.id}", token=admin.access, json={"is_active": False})
    for _ in range(2):
        assert (await door.call("DELETE", f"{USERS}/{ada.id}", token=admin.access)).status == 200
    seen = (await door.call("GET", f"{USERS}/{ada.id}", token=admin.access)).json
    assert seen["deleted_at"] is not None
    for token in (ada.access, ada.api_key):
        assert (await door.me(token)).status == 401
    back = await door.call(
        "PATCH", f"{USERS}/{ada.id}", token=admin.access, json={"is_active": True}
    )
    assert (back.json["is_active"], back.json["deleted_at"]) == (True, None)
    assert (await door.me(ada.api_key)).status == 401  # what proved its owner is gone for good
    assert (await door.login("ada")).status == 200
    kinds = await door.kinds(ada.id)
    assert kinds.count("account.deleted") == kinds.count("account.restored") == 1
    assert kinds.count("account.enabled") == 0


async def test_user_when_deleted_then_nothing_is_changed_but_that(door: Door) -> None:
    admin, ada = await with_roles(door, "admin", "admin"), await door.register("ada")
    async with door.log.unit(f"account:{ada.id}") as unit:
        link, _ = await create_setup_link(unit, user_id=ada.id)
    place = f"{USERS}/{ada.id}"
    await door.call("DELETE", place, token=admin.access)
    before = await door.kinds(ada.id)
    for method, path, body in (
        ("PATCH", place, {"roles": ["admin"]}),
        ("PATCH", place, {"roles": ["admin"], "is_active": False}),
        ("POST", f"{place}/unlock", None),
    ):
        refused = await door.call(method, path, token=admin.access, json=body)
        assert (refused.status, refused.code) == (409, "account.deleted"), (method, path)
    off = await door.call("PATCH", place, token=admin.access, json={"is_active": False})
    assert (off.status, off.json["is_active"]) == (200, False)  # it is
    assert (await door.call("GET", link)).status == 410
    assert await door.kinds(ada.id) == before
    both = {"roles": ["analyst"], "is_active": True}
    back = await door.call("PATCH", place, token=admin.access, json=both)
    assert (back.json["roles"], back.json["deleted_at"]) == (["analyst"], None)


async def test_user_when_the_last_admin_then_nobody_takes_the_role_away(door: Door) -> None:
    admin = await with_roles(door, "admin", "admin")
    place = f"{USERS}/{admin.id}"
    for method, body in (
        ("PATCH", {"roles": ["user"]}),
        ("PATCH", {"is_active": False}),
        ("DELETE", None),
    ):
        refused = await door.call(method, place, token=admin.access, json=body)
        assert (refused.status, refused.code) == (409, "account.last-admin")
    assert (await door.me(admin.access)).json["roles"] == ["admin"]


async def test_user_when_there_is_none_or_the_change_is_wrong_then_nothing_happens(
    door: Door,
) -> None:
    admin, ada = await with_roles(door, "admin", "admin"), await door.register("ada")
    for user_id in (new_id(), "x", "0" * 36):
        for method, body in (("GET", None), ("PATCH", {"is_active": False}), ("DELETE", None)):
            place = f"{USERS}/{user_id}"
            missing = await door.call(method, place, token=admin.access, json=body)
            assert (missing.status, missing.code) == (404, "account.not-found")
    bodies: list[dict[str, Any]] = [
        {"roles": []},
        {"roles": ["king"]},
        {"username": "eve"},
        {"deleted_at": None},
    ]
    for body in bodies:
        refused = await door.call("PATCH", f"{USERS}/{ada.id}", token=admin.access, json=body)
        assert refused.status == 422, body
    assert (await door.me(ada.access)).json["username"] == "ada"


async def test_users_when_a_key_lacks_the_scope_then_its_holders_role_does_not_help(
    door: Door,
) -> None:
    admin = await with_roles(door, "admin", "admin")
    made = await door.call(
        "POST",
        "/v1/auth/api-keys",
        token=admin.access,
        json={"name": "reader", "scopes": ["api:read", "users:read"]},
    )
    key = made.json["api_key"]
    assert (await door.call("GET", USERS, token=key)).status == 200
    refused = await door.call("DELETE", f"{USERS}/{admin.id}", token=key)
    assert (refused.status, refused.code) == (403, "auth.scope-required")


@pytest.mark.requirement("25")
async def test_user_when_managed_by_a_key_then_nobody_gets_or_loses_more_than_the_key_may(
    door: Door,
) -> None:
    admin, other = await with_roles(door, "admin", "admin"), await with_roles(door, "oz", "admin")
    ada, maud = await door.register("ada"), await with_roles(door, "maud", "moderator")
    wish = {"name": "manager", "scopes": ["users:manage"]}
    made = await door.call("POST", "/v1/auth/api-keys", token=admin.access, json=wish)
    key = made.json["api_key"]
    refused = [
        await door.call("PATCH", f"{USERS}/{ada.id}", token=key, json={"roles": ["admin"]}),
        await door.call("PATCH", f"{USERS}/{ada.id}", token=key, json={"roles": ["analyst"]}),
        await door.call("PATCH", f"{USERS}/{maud.id}", token=key, json={"roles": ["user"]}),
        await door.call("PATCH", f"{USERS}/{other.id}", token=key, json={"is_active": False}),
        await door.call("DELETE", f"{USERS}/{admin.id}", token=key),
    ]
    assert {(each.status, each.code) for each in refused} == {(403, "auth.scope-required")}
    for person, roles in ((ada, ["user"]), (maud, ["moderator"]), (other, ["admin"])):
        user = (await door.call("GET", f"{USERS}/{person.id}", token=admin.access)).json
        assert (user["roles"], user["is_active"]) == (roles, True)
    for change in ({"is_active": False}, {"is_active": True}):
        done = await door.call("PATCH", f"{USERS}/{ada.id}", token=key, json=change)
        assert done.status == 200, done.body
    assert (await door.call("DELETE", f"{USERS}/{ada.id}", token=key)).status == 200


async def test_user_when_locked_then_an_admin_unlocks(door: Door) -> None:
    admin, ada = await with_roles(door, "admin", "admin"), await door.register("ada")
    guard = door.identity.guard
    await guard.admit(subject=ada.id, address=None)
    place = f"{USERS}/{ada.id}/unlock"
    for told in ("Unlocked.", "There was nothing to unlock."):
        answer = await door.call("POST", place, token=admin.access)
        assert (answer.status, answer.json["message"]) == (200, told)
    refused = await door.call("POST", place, token=ada.access)
    assert (refused.status, refused.code) == (403, "auth.role-required")
    unlocked = [event for event in await door.events(ada.id) if event.kind == "login.unlocked"]
    assert [event.actor for event in unlocked] == [f"user:{admin.id}"]
