"""Passkeys: both factors at once, for one server, one account and one challenge only."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from homeport.identity.passkeys.ceremony import (
    MOST_OF_A_NETWORK,
    MOST_OF_AN_ACCOUNT,
    RelyingParty,
    login_challenge,
)
from homeport.identity.passkeys.errors import TooManyChallenges
from identity.app import begin, confirm, guarded
from identity.conftest import Shift
from identity.door import PASSWORD, Door, Person
from support.answer import Answer
from support.authenticator import PRESENT, Authenticator, raw, text

on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
"""What is the same on both databases: the writes that differ have tests beside these."""


PASSKEYS = "/v1/auth/passkeys"


def page_of(door: Door) -> str:
    """Where the browser is: the loopback name, as WebAuthn knows no addresses."""
    return f"http://localhost:{urlsplit(door.base_url).port}"


async def options(door: Door, way: str, token: str | None = None) -> dict[str, Any]:
    answer = await door.call("POST", f"{PASSKEYS}/{way}/options", token=token)
    assert answer.status == 200, answer.body
    return answer.json["publicKey"]


async def register(door: Door, token: str, **wrong: Any) -> tuple[Answer, Authenticator]:
    made = Authenticator(page_of(door))
    credential = made.create(await options(door, "register", token), **wrong)
    body = {"credential": credential, "name": "phone"}
    return await door.call("POST", f"{PASSKEYS}/register/verify", token=token, json=body), made


async def login(door: Door, credential: dict[str, Any]) -> Answer:
    body = {"credential": credential}
    return await door.call("POST", f"{PASSKEYS}/login/verify", json=body)


async def holder(door: Door, name: str) -> tuple[Person, Authenticator]:
    person = await door.register(name)
    answer, made = await register(door, person.access)
    assert answer.status == 201, answer.body
    return person, made


async def test_passkey_when_registered_then_it_signs_in_alone_and_the_password_does_not(
    door: Door,
) -> None:
    ada = await door.register("ada")
    answer, phone = await register(door, ada.access)
    assert answer.status == 201, answer.body
    assert (answer.json["name"], len(answer.json["recovery_codes"])) == ("phone", 10)
    refused = await door.login("ada")
    assert (refused.code, refused.json["methods"]) == ("auth.mfa-required", ["passkey", "recovery"])
    signed_in = await login(door, phone.get(await options(door, "login")))
    assert signed_in.status == 200, signed_in.body
    access = signed_in.json["access_token"]
    assert (await door.me(access)).json["id"] == ada.id
    key = await door.call("POST", "/v1/auth/api-keys", token=access, json={"name": "k"})
    assert key.status == 201  # it counts as a second factor that was shown just now
    listed = (await door.call("GET", PASSKEYS, token=access)).json
    assert (listed["total"], listed["passkeys"][0]["name"]) == (1, "phone")
    assert listed["passkeys"][0]["last_used_at"] is not None
    assert {"passkey.added", "recovery_codes.created"} <= set(await door.kinds(ada.id))


@pytest.mark.requirement("13")
@on_sqlite
async def test_options_when_given_then_as_web_authn_wants_them(door: Door) -> None:
    ada, phone = await holder(door, "ada")
    create, get = await options(door, "register", ada.access), await options(door, "login")
    assert create["rp"]["id"] == get["rpId"] == "localhost"
    assert create["authenticatorSelection"]["userVerification"] == "required"
    assert get["userVerification"] == "required"
    assert create["excludeCredentials"][0]["id"] == text(phone.credential_id)
    assert not get["allowCredentials"]  # nobody learns from it who has passkeys
    challenges = {create["challenge"], get["challenge"]}
    assert len(challenges) == 2
    assert all(len(raw(challenge)) >= 16 for challenge in challenges)


WRONG: dict[str, dict[str, Any]] = {
    "origin": {"origin": "http://evil.example"},
    "port": {"origin": "http://localhost:1"},
    "party": {"rp_id": "evil.example"},
    "ceremony": {"kind": "webauthn.create"},
    "challenge": {"challenge": text(bytes(32))},
    "unverified": {"flags": PRESENT},
    "absent": {"flags": 0},
    "handle": {"user_handle": bytes(16)},
}


@pytest.mark.requirement("13")
@on_sqlite
async def test_login_when_anything_is_wrong_then_refused_and_when_nothing_is_then_not(
    door: Door,
) -> None:
    _, phone = await holder(door, "ada")
    _, others = await holder(door, "bob")
    for name, wrong in WRONG.items():
        answer = await login(door, phone.get(await options(door, "login"), **wrong))
        assert (answer.status, answer.code) == (401, "passkey.refused"), name
    swapped = phone.get(
        await options(door, "login"),
        credential_id=others.credential_id,
        user_handle=others.user_handle,
    )
    assert (await login(door, swapped)).code == "passkey.refused"
    flipped = phone.get(await options(door, "login"), flags=PRESENT)
    data = bytearray(raw(flipped["response"]["authenticatorData"]))
    data[32] |= 0x04  # says that the owner was verified, after the signature
    flipped["response"]["authenticatorData"] = text(bytes(data))
    assert (await login(door, flipped)).code == "passkey.refused"
    assert (await login(door, phone.get(await options(door, "login")))).status == 200


@pytest.mark.requirement("13")
async def test_challenge_when_answered_again_or_late_then_refused(
    door: Door, shift_clock: Shift
) -> None:
    ada, phone = await holder(door, "ada")
    answered = phone.get(await options(door, "login"))
    answers = await asyncio.gather(*(login(door, answered) for _ in range(20)))
    assert sorted({answer.status for answer in answers}) == [200, 401]
    assert [answer.status for answer in answers].count(200) == 1
    assert (await door.kinds(ada.id)).count("login.succeeded") == 2
    failed = await options(door, "login")
    assert (await login(door, phone.get(failed, origin="http://evil.example"))).status == 401
    assert (await login(door, phone.get(failed))).status == 401  # one try, right or wrong
    late = await options(door, "login")
    shift_clock(timedelta(minutes=5))
    assert (await login(door, phone.get(late))).status == 401


@pytest.mark.requirement("13")
async def test_counter_when_it_does_not_move_on_then_refused_and_recorded(door: Door) -> None:
    ada, phone = await holder(door, "ada")
    assert (await login(door, phone.get(await options(door, "login"), count=7))).status == 200
    for count in (7, 6, 0):
        answer = await login(door, phone.get(await options(door, "login"), count=count))
        assert (answer.status, answer.code) == (401, "passkey.refused")
    assert (await door.kinds(ada.id)).count("passkey.mistrusted") == 3
    assert (await login(door, phone.get(await options(door, "login"), count=8))).status == 200


@on_sqlite
async def test_counter_when_the_authenticator_does_not_count_then_it_signs_in_again_and_again(
    door: Door,
) -> None:
    ada = await door.register("ada")
    answer, phone = await register(door, ada.access, count=0)
    assert answer.status == 201
    for _ in range(2):
        got = await login(door, phone.get(await options(door, "login"), count=0))
        assert got.status == 200


@pytest.mark.requirement("13")
@on_sqlite
async def test_registration_when_anything_is_wrong_then_nothing_is_added(door: Door) -> None:
    ada, bob = await door.register("ada"), await door.register("bob")
    for name, wrong in WRONG.items():
        if name in {"ceremony", "handle"}:
            continue
        answer, _ = await register(door, ada.access, **wrong)
        assert (answer.status, answer.code) == (422, "passkey.unfit"), name
    foreign = Authenticator(page_of(door)).create(await options(door, "register", bob.access))
    body = {"credential": foreign}
    path = f"{PASSKEYS}/register/verify"
    stolen = await door.call("POST", path, token=ada.access, json=body)
    assert stolen.code == "passkey.unfit"  # the challenge was bob's
    assert (await door.login("ada")).status == 200
    assert (await door.call("POST", path, token=ada.api_key, json=body)).code == (
        "auth.device-required"
    )


@on_sqlite
async def test_registration_when_the_credential_is_somebodys_then_it_stays_theirs(
    door: Door,
) -> None:
    _, phone = await holder(door, "ada")
    bob = await door.register("bob")
    credential = phone.create(await options(door, "register", bob.access))
    path = f"{PASSKEYS}/register/verify"
    answer = await door.call("POST", path, token=bob.access, json={"credential": credential})
    assert (answer.status, answer.code) == (409, "passkey.known")


@on_sqlite
async def test_credential_when_it_is_none_at_all_then_refused_without_a_mistake_of_ours(
    door: Door,
) -> None:
    _, phone = await holder(door, "ada")
    good = phone.get(await options(door, "login"))
    for part in ("clientDataJSON", "authenticatorData", "signature", "userHandle"):
        for junk in (None, 7, "", "!!!", "A", text(b"{}"), text(b"[1]"), text(bytes(300))):
            fresh = phone.get(await options(door, "login"))
            bad = {**fresh, "response": {**fresh["response"], part: junk}}
            if part == "userHandle" and not junk:
                continue  # an authenticator may leave it out
            assert (await login(door, bad)).status == 401, (part, junk)
    for bad in ({}, {"response": None}, {**good, "rawId": 7}, {**good, "type": "x"}):
        assert (await login(door, bad)).status == 401


@on_sqlite
async def test_step_up_when_the_passkey_is_shown_then_critical_actions_are_open(
    door: Door, shift_clock: Shift
) -> None:
    ada, phone = await holder(door, "ada")
    _, others = await holder(door, "bob")
    shift_clock(timedelta(minutes=5))
    refused = await door.call("POST", "/v1/auth/api-keys", token=ada.access, json={"name": "k"})
    assert refused.json["methods"] == ["passkey", "recovery"]
    path = "/v1/auth/mfa/step-up"
    for shown, status in ((others, 401), (phone, 200)):
        body = {"method": "passkey", "credential": shown.get(await options(door, "login"))}
        assert (await door.call("POST", path, token=ada.access, json=body)).status == status
    made = await door.call("POST", "/v1/auth/api-keys", token=ada.access, json={"name": "k"})
    assert made.status == 201


@on_sqlite
async def test_passkey_when_removed_then_it_signs_in_no_more(door: Door) -> None:
    ada, phone = await holder(door, "ada")
    passkey = (await door.call("GET", PASSKEYS, token=ada.access)).json["passkeys"][0]["id"]
    path = f"{PASSKEYS}/{passkey}"
    bob = await door.register("bob")
    assert (await door.call("DELETE", path, token=bob.access)).status == 404
    assert (await door.call("DELETE", path, token=ada.access)).status == 204
    assert (await login(door, phone.get(await options(door, "login")))).status == 401
    assert (await door.login("ada")).status == 200


@on_sqlite
async def test_passkey_when_added_to_an_app_then_both_are_ways_and_the_codes_stay(
    door: Door,
) -> None:
    ada = await guarded(door, "ada")
    answer, _ = await register(door, ada.person.access)
    assert (answer.status, answer.json["recovery_codes"]) == (201, None)
    state = (await door.call("GET", "/v1/auth/mfa", token=ada.person.access)).json
    assert state["methods"] == ["totp", "passkey", "recovery"]


@on_sqlite
async def test_app_when_added_to_a_passkey_then_the_codes_stay_and_nobody_is_signed_out(
    door: Door,
) -> None:
    ada, phone = await holder(door, "ada")
    other = (await login(door, phone.get(await options(door, "login")))).json["access_token"]
    answer = await confirm(door, ada.access, (await begin(door, ada.access)).code())
    assert (answer.status, answer.json["recovery_codes"]) == (200, None)
    assert (await door.me(other)).status == 200
    state = (await door.call("GET", "/v1/auth/mfa", token=ada.access)).json
    assert (state["methods"], state["recovery_codes_left"]) == (["totp", "passkey", "recovery"], 10)
    assert (await door.kinds(ada.id)).count("recovery_codes.created") == 1


def test_party_when_there_is_a_public_url_then_its_origin_and_no_other() -> None:
    party = RelyingParty("https://ship.example:8443/base", ("http://localhost:3000",))
    assert (party.id, party.origins(8000)) == ("ship.example", ["https://ship.example:8443"])
    near = RelyingParty(None, ("http://localhost:3000", "https://evil.example", "app://localhost"))
    assert near.origins(8000) == [
        "http://localhost:8000",
        "http://localhost:3000",
        "app://localhost",
    ]


async def test_challenges_when_a_network_has_its_share_then_another_still_gets_one(
    door: Door,
) -> None:
    async with door.log.database.write() as session:
        for _ in range(MOST_OF_A_NETWORK):
            await login_challenge(session, network="127.0.0.1")
        await login_challenge(session, network="192.0.2.1")
    refused = await door.call("POST", f"{PASSKEYS}/login/options")
    assert (refused.status, refused.code) == (503, TooManyChallenges.code)
    ada, bob = await door.register("ada"), await door.register("bob")
    for _ in range(MOST_OF_AN_ACCOUNT):
        await options(door, "register", ada.access)
    refused = await door.call("POST", f"{PASSKEYS}/register/options", token=ada.access)
    assert (refused.status, refused.code) == (503, TooManyChallenges.code)
    await options(door, "register", bob.access)


async def test_registration_when_the_sign_in_is_narrowed_then_it_opens_no_more_than_that(
    door: Door,
) -> None:
    await door.register("ada")
    form = {"username": "ada", "password": PASSWORD, "scope": "api:read api:write account:manage"}
    narrow = (await door.call("POST", "/v1/auth/login", form=form)).json["access_token"]
    for path in ("passkeys/register/options", "mfa/totp"):
        refused = await door.call("POST", f"/v1/auth/{path}", token=narrow)
        assert (refused.status, refused.code) == (403, "auth.scope-required"), path
