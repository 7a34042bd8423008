"""The profile, as the legacy clients know it, and the end of an account."""

from __future__ import annotations

import pytest

from homeport.identity.roles import ADMIN
from homeport.identity.service.accounts import set_roles
from identity.door import Door


async def test_profile_then_it_has_what_legacy_clients_read(door: Door) -> None:
    ada = await door.register("ada")
    profile = (await door.call("GET", "/v1/user/profile", token=ada.access)).json
    assert profile["id"] == ada.id
    assert "api_key" not in profile
    assert (profile["session_count"], profile["message_count"]) == (3, 7)
    assert profile["token_usage"] == {"input_tokens": 36}
    assert profile["last_login"].endswith("Z")
    assert "api:write" in profile["permissions"]


async def test_profile_when_changed_by_put_or_post_then_kept(door: Door) -> None:
    ada = await door.register("ada")
    for method, name in (("PUT", "lovelace"), ("POST", "countess")):
        answer = await door.call(
            method, "/v1/user/profile", token=ada.access, json={"username": name}
        )
        assert (answer.status, answer.json["username"]) == (200, name)
    unknown = await door.call("PUT", "/v1/user/profile", token=ada.access, json={"roles": ["x"]})
    assert unknown.status == 422


async def test_profile_when_the_key_is_reset_then_the_old_one_is_dead_at_once(door: Door) -> None:
    ada = await door.register("ada")
    other = await door.call("POST", "/v1/auth/api-keys", token=ada.access, json={"name": "script"})
    answer = await door.call("POST", "/v1/user/profile/reset-api-key", token=ada.access)
    assert answer.status == 200
    assert (await door.me(ada.api_key)).status == 401
    assert (await door.me(answer.json["api_key"])).status == 200
    assert (await door.me(other.json["api_key"])).status == 200


async def test_profile_when_deleted_then_confirmed_first_and_nothing_proves_them_after(
    door: Door,
) -> None:
    ada = await door.register("ada")
    unsure = await door.call("DELETE", "/v1/user/profile", token=ada.access)
    assert (unsure.status, unsure.code) == (400, "account.confirmation-missing")
    answer = await door.call("DELETE", "/v1/user/profile?confirm=true", token=ada.access)
    assert (answer.status, answer.json["email"]) == (200, ada.email)
    for token in (ada.access, ada.api_key):
        assert (await door.me(token)).status == 401
    assert (await door.refresh(ada.refresh)).status == 401
    assert (await door.login("ada")).status == 403
    kinds = await door.kinds(ada.id)
    assert kinds.count("account.deleted") == 1
    assert {"device.revoked", "api_key.revoked"} <= set(kinds)


@pytest.mark.usefixtures("door")
async def test_profile_when_the_last_admin_deletes_theirs_then_refused(door: Door) -> None:
    ada = await door.register("ada")
    async with door.log.unit(f"account:{ada.id}", "system") as unit:
        await set_roles(unit, user_id=ada.id, roles=[ADMIN], actor="operator")
    answer = await door.call("DELETE", "/v1/user/profile?confirm=true", token=ada.access)
    assert (answer.status, answer.code) == (409, "account.last-admin")
    assert (await door.me(ada.access)).status == 200
