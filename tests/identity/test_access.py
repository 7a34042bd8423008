"""Who calls: every way to say it, and no way to be nobody in particular."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import aiohttp
import pytest
from sqlalchemy import select

from homeport.identity.access import Caller, needs
from homeport.identity.authenticator import Authenticator
from homeport.identity.errors import CredentialRefused, LastAdmin, RoleRequired, ScopeRequired
from homeport.identity.models import ApiKey, Device, User
from homeport.identity.opaque import new_api_key
from homeport.identity.roles import (
    ACCOUNT_MANAGE,
    ADMIN,
    API_READ,
    PERMISSIONS,
    ROLES,
    USERS_MANAGE,
    permissions_of,
)
from homeport.identity.service.accounts import disable_account, set_roles
from identity.conftest import Shift
from identity.door import Door


async def test_me_when_every_kind_of_credential_then_the_same_caller(door: Door) -> None:
    ada = await door.register("ada")
    for headers in (
        {"Authorization": f"Bearer {ada.access}"},
        {"Authorization": f"bearer {ada.access}"},
        {"Authorization": f"Bearer {ada.api_key}"},
        {"X-API-Key": ada.api_key},
        {"X-API-Key": ada.api_key, "Authorization": f"Bearer {ada.api_key}"},
    ):
        answer = await door.call("GET", "/v1/auth/me", headers=headers)
        assert answer.status == 200, headers
        assert answer.json["id"] == ada.id


async def test_me_when_the_credential_is_absent_malformed_or_foreign_then_401(door: Door) -> None:
    ada = await door.register("ada")
    for headers in (
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": ada.access},
        {"Authorization": f"Basic {ada.access}"},
        {"Authorization": f"Bearer {ada.access} x"},
        {"Authorization": f"Bearer\t{ada.access}"},
        {"Authorization": f'Bearer "{ada.access}"'},
        {"Authorization": f"Bearer {ada.refresh}"},
        {"Authorization": f"Bearer {new_api_key()}"},
        {"X-API-Key": ""},
        {"X-API-Key": ada.access},
        {"X-API-Key": ada.refresh},
        {"X-API-Key": ada.api_key + "x"},
        {"X-API-Key": new_api_key()},
        {"X-API-Key": ada.api_key, "Authorization": f"Bearer {ada.access}"},
        {"X-API-Key": ada.api_key, "Authorization": "Bearer nonsense"},
        {"X-API-Key": "nonsense", "Authorization": f"Bearer {ada.access}"},
        {"Cookie": f"access_token={ada.access}; session={ada.refresh}"},
    ):
        answer = await door.call("GET", "/v1/auth/me", headers=headers)
        assert answer.status == 401, headers
        assert "www-authenticate" in answer.headers
        assert answer.headers["content-type"] == "application/problem+json"


async def test_me_when_a_header_comes_twice_then_401(door: Door) -> None:
    ada = await door.register("ada")
    for name, value in (("Authorization", f"Bearer {ada.access}"), ("X-API-Key", ada.api_key)):
        async with door.http.get(
            f"{door.base_url}/v1/auth/me", headers=[(name, value), (name, value)]
        ) as answer:
            assert answer.status == 401


async def test_websocket_when_signed_in_then_accepted_and_refused_before_otherwise(
    door: Door,
) -> None:
    ada = await door.register("ada")
    url = f"{door.base_url}/v1/probe"
    async with door.http.ws_connect(url, headers={"X-API-Key": ada.api_key}) as socket:
        assert await socket.receive_str() == ada.id
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await door.http.ws_connect(url)
    assert refused.value.status in {401, 403}


@pytest.mark.requirement("22")
async def test_access_token_when_another_node_changes_things_then_over_within_five_seconds(
    door: Door, shift_clock: Shift
) -> None:
    ada, eve = await door.register("ada"), await door.register("eve")
    for token in (ada.access, eve.access, eve.api_key):
        assert (await door.me(token)).status == 200
    async with door.log.unit(f"account:{eve.id}", "system") as unit:
        await disable_account(unit, user_id=eve.id, actor="operator")
    async with door.log.unit(f"account:{ada.id}", "system") as unit:
        await set_roles(unit, user_id=ada.id, roles=["developer"], actor="operator")
    shift_clock(timedelta(seconds=5))
    assert (await door.me(eve.access)).status == 401
    assert (await door.me(eve.api_key)).status == 401
    assert (await door.refresh(eve.refresh)).status == 401
    assert (await door.me(ada.access)).json["roles"] == ["developer"]
    refused = await door.login("eve")
    assert (refused.status, refused.code) == (403, "auth.account-disabled")


async def test_identify_when_seen_a_moment_ago_then_the_database_is_not_asked(door: Door) -> None:
    ada = await door.register("ada")
    callers = door.identity.callers
    first = await callers.identify(ada.access, keys_only=False)
    await door.log.database.close()
    door.log.database.read = _refuse  # pyright: ignore[reportAttributeAccessIssue]
    again = await callers.identify(ada.access, keys_only=False)
    assert first == again
    assert await callers.still_valid(again)


def _refuse() -> None:
    pytest.fail("the database was asked")


async def test_still_valid_when_the_proof_ends_then_false(door: Door, shift_clock: Shift) -> None:
    ada = await door.register("ada")
    callers = door.identity.callers
    by_token = await callers.identify(ada.access, keys_only=False)
    by_key = await callers.identify(ada.api_key, keys_only=True)
    assert await callers.still_valid(by_token)
    assert await callers.still_valid(by_key)
    assert by_token.expires_at is not None
    assert by_key.expires_at is None
    await door.call("POST", "/v1/auth/logout", token=ada.access)
    assert not await callers.still_valid(by_token)
    assert await callers.still_valid(by_key)
    async with door.log.unit(f"account:{ada.id}", "system") as unit:
        await set_roles(unit, user_id=ada.id, roles=["analyst"], actor="operator")
    shift_clock(timedelta(seconds=5))
    assert not await callers.still_valid(by_key)  # what it may do has changed
    renewed = await callers.identify(ada.api_key, keys_only=True)
    keys = await door.call("GET", "/v1/auth/api-keys", token=ada.api_key)
    gone = keys.json["api_keys"][0]["id"]
    await door.call("DELETE", f"/v1/auth/api-keys/{gone}", token=ada.api_key)
    assert not await callers.still_valid(renewed)


async def test_still_valid_when_the_token_expires_then_false(
    door: Door, shift_clock: Shift
) -> None:
    ada = await door.register("ada")
    caller = await door.identity.callers.identify(ada.access, keys_only=False)
    shift_clock(timedelta(minutes=15))
    assert not await door.identity.callers.still_valid(caller)


async def test_identify_when_revoked_while_the_database_is_read_then_not_believed(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await door.register("ada")
    callers = Authenticator(door.log.database, door.identity.tokens)
    asked, ask = asyncio.Event(), callers._ask  # pyright: ignore[reportPrivateUsage] - slowed

    async def slow(subject: object) -> object:
        standing = await ask(subject)  # pyright: ignore[reportArgumentType]
        asked.set()
        await asyncio.sleep(0.05)
        return standing

    monkeypatch.setattr(callers, "_ask", slow)
    racing = asyncio.create_task(callers.identify(ada.access, keys_only=False))
    await asked.wait()
    await door.call("POST", "/v1/auth/logout", token=ada.access)
    callers.forget_user(ada.id)
    await racing  # it was asked before the sign-out was committed
    with pytest.raises(CredentialRefused):
        await callers.identify(ada.access, keys_only=False)


async def test_upkeep_then_devices_and_keys_show_when_they_were_used(
    door: Door, shift_clock: Shift
) -> None:
    ada = await door.register("ada")
    shift_clock(timedelta(minutes=5))
    for token in (ada.access, ada.api_key):
        assert (await door.me(token)).status == 200
    await door.identity.upkeep()
    async with door.log.database.read() as session:
        device = (await session.scalars(select(Device).where(Device.user_id == ada.id))).one()
        key = (await session.scalars(select(ApiKey).where(ApiKey.user_id == ada.id))).one()
    assert device.last_seen_at - device.created_at >= timedelta(minutes=5)
    assert key.last_used_at is not None
    assert key.last_used_at - key.created_at >= timedelta(minutes=5)


async def test_two_people_never_see_each_others_devices_and_keys(door: Door) -> None:
    ada, eve = await door.register("ada"), await door.register("eve")
    for path, plural in (("devices", "devices"), ("api-keys", "api_keys")):
        mine = (await door.call("GET", f"/v1/auth/{path}", token=ada.access)).json
        theirs = (await door.call("GET", f"/v1/auth/{path}", token=eve.access)).json
        assert mine["total"] == theirs["total"] == 1
        assert mine[plural][0]["id"] != theirs[plural][0]["id"]
        for wrong in (
            mine[plural][0]["id"],
            "nonsense",
            "%00",
            "01a20692-6d7b-7141-8323-1ad66097cb6e",
        ):
            answer = await door.call("DELETE", f"/v1/auth/{path}/{wrong}", token=eve.access)
            assert answer.status == 404
    assert (await door.me(ada.access)).status == 200
    assert (await door.me(ada.api_key)).status == 200


async def test_devices_when_one_is_revoked_then_its_tokens_die_at_once(door: Door) -> None:
    ada = await door.register("ada")
    other = (await door.login("ada")).json
    listed = (await door.call("GET", "/v1/auth/devices", token=ada.access)).json
    assert [device["current"] for device in listed["devices"]] == [False, True]
    gone = listed["devices"][0]["id"]
    path = f"/v1/auth/devices/{gone}"
    assert (await door.call("DELETE", path, token=ada.access)).status == 204
    assert (await door.me(other["access_token"])).status == 401
    assert (await door.refresh(other["refresh_token"])).status == 401
    assert (await door.call("DELETE", path, token=ada.access)).status == 404
    assert (await door.call("GET", "/v1/auth/devices", token=ada.access)).json["total"] == 1


async def test_devices_when_paged_then_each_comes_once(door: Door) -> None:
    ada = await door.register("ada")
    for _ in range(4):
        await door.login("ada")
    seen: list[str] = []
    cursor = ""
    while True:
        path = f"/v1/auth/devices?limit=2{cursor}"
        page = (await door.call("GET", path, token=ada.access)).json
        seen += [device["id"] for device in page["devices"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen)) == page["total"] == 5
    bad = await door.call("GET", "/v1/auth/devices?cursor=WyJ4Il0", token=ada.access)
    assert (bad.status, bad.code) == (400, "page.bad-cursor")


async def test_roles_when_the_last_admin_would_go_then_refused(door: Door) -> None:
    ada, eve = await door.register("ada"), await door.register("eve")
    for user_id in (ada.id, eve.id):
        async with door.log.unit(f"account:{user_id}", "system") as unit:
            await set_roles(unit, user_id=user_id, roles=[ADMIN], actor="operator")

    async def resign(user_id: str) -> bool:
        try:
            async with door.log.unit(f"account:{user_id}", "system") as unit:
                await disable_account(unit, user_id=user_id, actor="operator")
        except LastAdmin:
            return False
        return True

    assert sorted(await asyncio.gather(resign(ada.id), resign(eve.id))) == [False, True]
    async with door.log.database.read() as session:
        active = [user for user in await session.scalars(select(User)) if user.is_active]
    assert len(active) == 1


def test_roles_then_admin_holds_everything_and_everybody_their_own_account() -> None:
    assert ROLES[ADMIN] == PERMISSIONS
    assert [role for role in ROLES if USERS_MANAGE in ROLES[role]] == [ADMIN]
    for role in ROLES:
        assert {API_READ, ACCOUNT_MANAGE} <= permissions_of([role])
    assert permissions_of(["retired-role"]) == frozenset()


def test_require_when_it_is_not_held_then_the_error_names_what_is_needed() -> None:
    roles, held = frozenset({"user"}), permissions_of(["user"])
    user = Caller("u", "ada", roles, held)
    with pytest.raises(RoleRequired) as refused:
        user.require(USERS_MANAGE)
    assert refused.value.members == {"needs": USERS_MANAGE, "roles": [ADMIN]}
    key = Caller("u", "ada", roles, held & {API_READ}, scopes=frozenset({API_READ}))
    with pytest.raises(ScopeRequired):
        key.require(ACCOUNT_MANAGE)
    with pytest.raises(RoleRequired):
        key.require(USERS_MANAGE)
    with pytest.raises(ValueError, match="no permission"):
        needs("users:manege")
