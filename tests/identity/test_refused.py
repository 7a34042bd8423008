"""What is refused of somebody who is known, or of a credential that was theirs, is in the trail."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from typing import Any

import orjson
import pytest

from homeport.identity.refresh_cookie import NAME
from homeport.identity.service.accounts import disable_account
from identity.app import begin, confirm, guarded, halfway, verify
from identity.conftest import Shift
from identity.door import PASSWORD, Door, Person
from identity.passkeys.test_passkeys import holder as passkey_holder
from identity.passkeys.test_passkeys import login as passkey_login
from identity.passkeys.test_passkeys import options as passkey_options
from identity.signatures.signer import Signer
from identity.signatures.test_enforcement import bearer, enrol, send
from support.answer import Answer
from support.sockets import refusal

pytestmark = pytest.mark.requirement("60")
on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
JUNK_SIGNATURE = {
    "Signature-Input": 'sig=("@method");created=1;expires=2;nonce="n";keyid="k";tag="homeport-v1"',
    "Signature": "sig=:AAAA:",
}


async def denied(door: Door, person: Person) -> list[dict[str, Any]]:
    """The payloads of the refusals in the person's trail, each with its actor."""
    await door.identity.denials.write()
    records = [each for each in await door.events(person.id) if each.kind == "access.denied"]
    return [{"actor": each.actor, **orjson.loads(each.payload)} for each in records]


def refused(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.code) == (status, code), answer.body


async def new_key(door: Door, person: Person, **members: Any) -> dict[str, Any]:
    body = {"name": "phone", **members}
    made = await door.call("POST", "/v1/auth/api-keys", token=person.access, json=body)
    assert made.status == 201, made.body
    return made.json


async def test_key_when_it_is_shown_though_revoked_then_its_account_is_told_from_where(
    door: Door,
) -> None:
    ada, bob = await door.register("ada"), await door.register("bob")
    made = await new_key(door, ada)
    key_id, key = made["id"], made["api_key"]
    ended = await door.call("DELETE", f"/v1/auth/api-keys/{key_id}", token=ada.access)
    assert ended.status == 204
    for headers in (bearer(key), bearer(key), {"X-API-Key": key}):
        answer = await door.call("GET", "/v1/auth/me", headers=headers)
        refused(answer, 401, "auth.invalid-credential")
    socket = await refusal(door.base_url, "/v1/probe", bearer(key))
    assert (socket.status, socket.code) == (401, "auth.invalid-credential")
    both = {**bearer(bob.api_key), "X-API-Key": key}
    answer = await door.call("GET", "/v1/auth/me", headers=both)
    refused(answer, 401, "auth.ambiguous-credential")
    event = {"actor": "system", "api_key_id": key_id, "address": "127.0.0.1"}
    told = await denied(door, ada)
    assert sorted(told, key=lambda each: (each["route"], each["code"])) == [
        event | {"route": "GET /v1/auth/me", "code": "auth.ambiguous-credential", "count": 1},
        event | {"route": "GET /v1/auth/me", "code": "auth.invalid-credential", "count": 3},
        event | {"route": "WS /v1/probe", "code": "auth.invalid-credential", "count": 1},
    ]
    assert [each["code"] for each in await denied(door, bob)] == ["auth.ambiguous-credential"]
    assert key not in str(told)


@on_sqlite
async def test_credential_when_it_is_shown_in_the_place_of_another_then_it_is_told(
    door: Door,
) -> None:
    ada = await door.register("ada")
    refused(await door.me(ada.refresh), 401, "auth.invalid-credential")
    refused(await door.refresh(ada.access), 401, "auth.refresh-refused")
    for pair in (f"ada:{ada.api_key}", f"{ada.api_key}:"):
        basic = {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
        assert (await door.call("GET", "/v1/auth/me", headers=basic)).status == 401
    told = await denied(door, ada)
    assert sum(each["count"] for each in told) == 4
    assert {each["actor"] for each in told} == {"system"}
    assert {each["route"] for each in told} == {"GET /v1/auth/me", "POST /v1/auth/refresh"}


async def test_credential_when_nobody_ever_had_it_then_nobody_is_told(door: Door) -> None:
    ada = await door.register("ada")
    made = await new_key(door, ada)
    almost = made["api_key"][:-1] + ("0" if made["api_key"][-1] != "0" else "1")
    for token in ("x", "ck_x", almost, f"{ada.access}x", ada.access[:-8]):
        refused(await door.me(token), 401, "auth.invalid-credential")
    refused(await door.call("GET", "/v1/auth/me"), 401, "auth.required")
    assert await denied(door, ada) == []


async def test_tokens_when_expired_or_their_owner_is_disabled_then_it_is_told(
    door: Door, shift_clock: Shift
) -> None:
    ada, bob = await door.register("ada"), await door.register("bob")
    async with door.log.unit(f"account:{bob.id}", "system") as unit:
        await disable_account(unit, user_id=bob.id, actor="operator")
    door.identity.callers.forget_user(bob.id)
    refused(await door.me(bob.access), 401, "auth.invalid-credential")
    refused(await door.me(bob.api_key), 401, "auth.invalid-credential")
    refused(await door.refresh(bob.refresh), 401, "auth.refresh-refused")
    told = await denied(door, bob)
    assert sorted(each["code"] for each in told) == [
        "auth.invalid-credential",
        "auth.invalid-credential",
        "auth.refresh-refused",
    ]
    assert {each["actor"] for each in told} == {"system"}
    shift_clock(timedelta(minutes=16))
    refused(await door.me(ada.access), 401, "auth.invalid-credential")
    (expired,) = await denied(door, ada)
    assert expired["device_id"]
    assert ada.access not in str(expired)


async def test_refresh_token_when_spent_or_its_cookie_comes_from_elsewhere_then_it_is_told(
    door: Door,
) -> None:
    ada = await door.register("ada")
    cookie = {"Cookie": f"{NAME}={ada.refresh}"}
    for page in ({}, {"Origin": "http://evil.example"}, {"Origin": door.base_url}):
        answer = await door.call("POST", "/v1/auth/refresh", headers=cookie | page)
        refused(answer, 403, "auth.csrf-refused")
    signed_out = await door.call("POST", "/v1/auth/logout", token=ada.access)
    assert signed_out.status == 200
    refused(await door.refresh(ada.refresh), 401, "auth.refresh-refused")
    told = await denied(door, ada)
    assert {(each["code"], each["actor"], each["count"]) for each in told} == {
        ("auth.csrf-refused", "system", 3),
        ("auth.refresh-refused", "system", 1),
    }
    assert {each["route"] for each in told} == {"POST /v1/auth/refresh"}


@on_sqlite
async def test_password_when_it_is_asked_again_and_wrong_then_it_is_told(door: Door) -> None:
    ada = await door.register("ada")
    body = {"current_password": "not that one", "new_password": "a Walrus tunes 7 harps"}
    answer = await door.call("POST", "/v1/auth/change-password", token=ada.access, json=body)
    refused(answer, 401, "auth.wrong-password")
    (told,) = await denied(door, ada)
    assert (told["route"], told["code"]) == ("POST /v1/auth/change-password", "auth.wrong-password")
    assert told["actor"] == f"user:{ada.id}"
    assert "not that one" not in str(told)


@on_sqlite
async def test_request_when_it_should_be_signed_then_each_way_not_to_is_told(door: Door) -> None:
    ada, signer = await door.register("ada"), Signer()
    assert (await enrol(door, ada.access, signer)).status == 201
    made = await new_key(door, ada, signed_only=True)
    proof, path = bearer(made["api_key"]), "/v1/auth/me"
    refused(await send(door, "GET", path, proof), 401, "auth.signature-required")
    refused(await send(door, "GET", path, proof | JUNK_SIGNATURE), 401, "auth.signature-refused")
    signed = signer.sign("GET", path, proof)
    assert (await send(door, "GET", path, signed)).status == 200
    refused(await send(door, "GET", path, signed), 401, "auth.signature-refused")  # its nonce
    told = await denied(door, ada)
    assert {(each["code"], each["count"]) for each in told} == {
        ("auth.signature-required", 1),
        ("auth.signature-refused", 2),
    }
    assert {each["api_key_id"] for each in told} == {made["id"]}


@on_sqlite
async def test_second_factor_when_refused_then_one_event_tells_it(door: Door) -> None:
    ada = await guarded(door, "ada")
    token = await halfway(door, "ada")
    refused(await verify(door, token, ada.app.wrong()), 401, "auth.code-refused")
    bob = await door.register("bob")
    app = await begin(door, bob.access)
    refused(await confirm(door, bob.access, app.wrong()), 401, "auth.code-refused")
    for person in (ada.person, bob):
        assert (await door.kinds(person.id)).count("second_factor.refused") == 1
        assert await denied(door, person) == []


@on_sqlite
async def test_passkey_when_it_does_not_prove_its_owner_then_they_are_told(door: Door) -> None:
    ada, phone = await passkey_holder(door, "ada")
    wrong = phone.get(await passkey_options(door, "login"), origin="http://evil.example")
    refused(await passkey_login(door, wrong), 401, "passkey.refused")
    async with door.log.unit(f"account:{ada.id}", "system") as unit:
        await disable_account(unit, user_id=ada.id, actor="operator")
    right = phone.get(await passkey_options(door, "login"))
    refused(await passkey_login(door, right), 403, "auth.account-disabled")
    told = await denied(door, ada)
    assert {(each["code"], each["actor"]) for each in told} == {
        ("passkey.refused", "system"),
        ("auth.account-disabled", "system"),
    }


@on_sqlite
async def test_sign_in_when_its_password_is_wrong_then_one_event_tells_it(door: Door) -> None:
    ada = await door.register("ada")
    refused(await door.login("ada", password=f"{PASSWORD}!"), 401, "auth.sign-in-refused")
    assert (await door.kinds(ada.id)).count("login.failed") == 1
    assert await denied(door, ada) == []
