"""Coming in, staying and going, as a client sees it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from identity.conftest import Shift
from identity.door import PASSWORD, Door


async def test_register_when_open_then_tokens_user_and_key_come_once(door: Door) -> None:
    answer = await door.call(
        "POST",
        "/v1/auth/register",
        json={"email": "Ada@Example.com", "username": "Ada", "password": PASSWORD},
    )
    assert answer.status == 201
    told = answer.json
    assert told["token_type"] == "bearer"
    assert told["expires_in"] == 900
    assert told["user"]["email"] == "Ada@example.com"
    assert told["user"]["roles"] == ["user"]
    assert told["user"]["api_key"].startswith("ck_")
    me = await door.me(told["access_token"])
    assert me.status == 200
    assert me.json["api_key"] is None
    assert await door.kinds(told["user"]["id"]) == [
        "account.created",
        "api_key.created",
        "login.succeeded",
    ]


async def test_register_when_only_the_case_differs_then_taken(door: Door) -> None:
    await door.register("ada")
    for email, username, code in (
        ("ADA@EXAMPLE.COM", "other", "account.email-taken"),
        ("other@example.com", "ADA", "account.username-taken"),
        ("other@example.com", "\uff41\uff44\uff41", "account.username-taken"),  # full width
    ):
        body = {"email": email, "username": username, "password": PASSWORD}
        answer = await door.call("POST", "/v1/auth/register", json=body)
        assert (answer.status, answer.code) == (409, code)


async def test_register_when_no_username_is_given_then_one_is_made(door: Door) -> None:
    names: list[str] = []
    for domain in ("example.com", "example.org"):
        answer = await door.call(
            "POST",
            "/v1/auth/register",
            json={"email": f"grace@{domain}", "password": PASSWORD},
        )
        assert answer.status == 201, answer.body
        names.append(answer.json["user"]["username"])
    assert names[0] == "grace"
    assert names[1].startswith("grace-")


async def test_register_when_the_body_does_not_fit_then_422_without_the_password(
    door: Door,
) -> None:
    good = {"email": "bob@example.com", "username": "bob", "password": PASSWORD}
    for change in (
        {"email": "nobody"},
        {"username": "b b"},
        {"username": "bob@example.com"},
        {"username": "b\u0007b"},
        {"password": None},
        {"roles": ["admin"]},
        {"is_active": True},
        {"id": "x"},
    ):
        answer = await door.call("POST", "/v1/auth/register", json=good | change)
        assert answer.status == 422, change
        assert PASSWORD.encode() not in answer.body


async def test_login_when_any_spelling_of_the_name_then_signed_in(door: Door) -> None:
    ada = await door.register("ada")
    for name in ("ada", "ADA", "Ada@EXAMPLE.com"):
        body = {"username": name, "password": PASSWORD}
        form = {"grant_type": "password", "scope": "", **body}
        for answer in (
            await door.call("POST", "/v1/auth/login", json=body),
            await door.call("POST", "/v1/auth/login", form=form),
            await door.call("POST", "/v1/auth/login", json={"email": name, "password": PASSWORD}),
        ):
            assert answer.status == 200, answer.body
            assert answer.json["user"]["id"] == ada.id
            assert answer.json["user"]["api_key"] is None
            assert (await door.me(answer.json["access_token"])).status == 200


async def test_login_when_the_body_does_not_fit_then_refused(door: Door) -> None:
    json, form = "application/json", "application/x-www-form-urlencoded"
    for content_type, data, status in (
        (json, b'{"username": "ada"}', 422),
        (json, b'{"username": "ada", "email": "a@b.c", "password": "x"}', 422),
        (json, b"[]", 422),
        (json, b"{", 400),
        (form, b"username=ada", 422),
        (form, b"username=ada&username=b&password=x", 422),
        (form, b"grant_type=x&username=ada&password=x", 422),
        (form, b"username=%00&password=x", 401),
        (form, b"username=%ff&password=x", 401),
        ("text/plain", b"username=ada&password=x", 415),
    ):
        async with door.http.post(
            f"{door.base_url}/v1/auth/login", data=data, headers={"Content-Type": content_type}
        ) as answer:
            assert answer.status == status, (data, await answer.text())


async def test_login_when_a_scope_is_asked_for_then_the_device_is_narrowed(door: Door) -> None:
    await door.register("ada")
    form = {"username": "ada", "password": PASSWORD, "scope": "api:read"}
    narrow = (await door.call("POST", "/v1/auth/login", form=form)).json
    token = narrow["access_token"]
    assert (await door.me(token)).status == 200
    change = await door.call("PUT", "/v1/auth/me", token=token, json={"username": "lovelace"})
    assert (change.status, change.code) == (403, "auth.scope-required")
    assert change.json["needs"] == "api:write"
    again = (await door.refresh(narrow["refresh_token"])).json
    kept = await door.call(
        "PUT", "/v1/auth/me", token=again["access_token"], json={"username": "lovelace"}
    )
    assert kept.status == 403
    form["scope"] = "everything"
    unknown = await door.call("POST", "/v1/auth/login", form=form)
    assert (unknown.status, unknown.code) == (422, "auth.unknown-scope")


async def test_logout_then_access_and_refresh_of_that_device_are_dead(door: Door) -> None:
    ada = await door.register("ada")
    other = (await door.login("ada")).json
    answer = await door.call(
        "POST", "/v1/auth/logout", token=ada.access, json={"refresh_token": ada.refresh}
    )
    assert answer.status == 200
    assert (await door.me(ada.access)).status == 401
    assert (await door.refresh(ada.refresh)).status == 401
    assert (await door.me(other["access_token"])).status == 200
    assert (await door.refresh(other["refresh_token"])).status == 200
    assert (await door.kinds(ada.id)).count("device.revoked") == 1


async def test_logout_when_another_own_device_is_named_then_both_end(door: Door) -> None:
    await door.register("ada")
    for bare in (False, True):
        own, other = (await door.login("ada")).json, (await door.login("ada")).json
        named = other["refresh_token"]
        body: object = named if bare else {"refresh_token": named}
        answer = await door.call("POST", "/v1/auth/logout", token=own["access_token"], json=body)
        assert answer.status == 200
        assert (await door.me(own["access_token"])).status == 401
        assert (await door.me(other["access_token"])).status == 401


async def test_logout_when_the_refresh_token_is_a_strangers_then_the_stranger_stays(
    door: Door,
) -> None:
    ada, eve = await door.register("ada"), await door.register("eve")
    answer = await door.call(
        "POST", "/v1/auth/logout", token=eve.access, json={"refresh_token": ada.refresh}
    )
    assert answer.status == 200
    assert (await door.me(eve.access)).status == 401
    assert (await door.me(ada.access)).status == 200
    assert (await door.refresh(ada.refresh)).status == 200


async def test_logout_all_then_every_device_ends_and_keys_stay(door: Door) -> None:
    ada = await door.register("ada")
    other = (await door.login("ada")).json
    answer = await door.call("POST", "/v1/auth/logout-all", token=ada.access)
    assert answer.status == 200
    for token in (ada.access, other["access_token"]):
        assert (await door.me(token)).status == 401
    for token in (ada.refresh, other["refresh_token"]):
        assert (await door.refresh(token)).status == 401
    assert (await door.me(ada.api_key)).status == 200


@pytest.mark.requirement("8")
async def test_change_password_then_every_other_device_is_out_at_once(door: Door) -> None:
    ada = await door.register("ada")
    other = (await door.login("ada")).json
    new = "seven-quiet-lanterns-drift"
    answer = await door.call(
        "POST",
        "/v1/auth/change-password",
        token=ada.access,
        json={"current_password": PASSWORD, "new_password": new},
    )
    assert answer.status == 200, answer.body
    assert (await door.me(other["access_token"])).status == 401
    assert (await door.refresh(other["refresh_token"])).status == 401
    assert (await door.me(ada.access)).status == 200
    assert (await door.login("ada")).status == 401
    assert (await door.login("ada", password=new)).status == 200
    assert "password.changed" in await door.kinds(ada.id)


async def test_change_password_when_refused_then_nothing_changes(door: Door) -> None:
    ada = await door.register("ada")
    for current, new, status, code in (
        ("not my password at all", "seven-quiet-lanterns-drift", 401, "auth.wrong-password"),
        (PASSWORD, PASSWORD, 422, "password.unchanged"),
        (PASSWORD, "password1", 422, "password.weak"),
    ):
        answer = await door.call(
            "POST",
            "/v1/auth/change-password",
            token=ada.access,
            json={"current_password": current, "new_password": new},
        )
        assert (answer.status, answer.code) == (status, code)
    assert (await door.login("ada")).status == 200
    assert (await door.refresh(ada.refresh)).status == 200


async def test_me_when_changed_then_name_and_preferences_are_kept(door: Door) -> None:
    ada = await door.register("ada")
    body = {"username": "Lovelace", "preferences": {"theme": "dark", "n": [1, None]}}
    answer = await door.call("PUT", "/v1/auth/me", token=ada.access, json=body)
    assert answer.status == 200
    me = (await door.me(ada.access)).json
    assert (me["username"], me["preferences"]) == ("Lovelace", body["preferences"])
    assert (await door.login("lovelace")).status == 200
    assert (await door.login("ada")).status == 401


async def test_me_when_the_name_is_taken_or_too_much_is_kept_then_refused(door: Door) -> None:
    ada = await door.register("ada")
    await door.register("eve")
    taken = await door.call("PUT", "/v1/auth/me", token=ada.access, json={"username": "EVE"})
    assert (taken.status, taken.code) == (409, "account.username-taken")
    own = await door.call("PUT", "/v1/auth/me", token=ada.access, json={"username": "ADA"})
    assert own.status == 200
    large = await door.call(
        "PUT", "/v1/auth/me", token=ada.access, json={"preferences": {"x": "y" * 16_384}}
    )
    assert (large.status, large.code) == (422, "account.preferences-too-large")
    for member in ("email", "roles", "is_active", "id", "created_at", "password_hash"):
        forbidden = await door.call("PUT", "/v1/auth/me", token=ada.access, json={member: "x"})
        assert forbidden.status == 422


async def test_verify_token_then_only_ones_own_are_called_valid(door: Door) -> None:
    ada, eve = await door.register("ada"), await door.register("eve")

    async def verdict(token: str | None) -> dict[str, object]:
        body = None if token is None else {"token": token}
        answer = await door.call("POST", "/v1/auth/verify-token", token=ada.access, json=body)
        assert answer.status == 200
        return answer.json

    own = await verdict(None)
    assert (own["valid"], own["user_id"], own["email"]) == (True, ada.id, ada.email)
    assert str(own["expires_at"]).endswith("Z")
    assert (await verdict(ada.api_key))["valid"] is True
    assert await verdict(eve.access) == {"valid": False}
    assert await verdict("nonsense") == {"valid": False}
    anonymous = await door.call("POST", "/v1/auth/verify-token")
    assert anonymous.status == 401


async def test_access_token_when_its_time_is_over_then_401_and_refresh_helps(
    door: Door, shift_clock: Shift
) -> None:
    ada = await door.register("ada")
    shift_clock(timedelta(minutes=14, seconds=50))
    assert (await door.me(ada.access)).status == 200
    shift_clock(timedelta(seconds=11))
    late = await door.me(ada.access)
    assert (late.status, late.headers["www-authenticate"]) == (401, 'Bearer realm="homeport"')
    fresh = await door.refresh(ada.refresh)
    assert (await door.me(fresh.json["access_token"])).status == 200
