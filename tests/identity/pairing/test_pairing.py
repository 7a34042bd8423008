"""Pairing: a device shows a code, its owner says yes, and it fetches its tokens once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner

from homeport.cli.main import app as commands
from homeport.identity.guard import unlock
from homeport.identity.pairing.codes import read_user_code
from homeport.identity.pairing.errors import TooManyPairings
from homeport.identity.pairing.models import Pairing
from homeport.identity.pairing.service import MOST_OF_A_NETWORK, get_waiting
from homeport.identity.pairing.service import ask as wait_in_line
from homeport.identity.visit import Visit
from homeport.kernel.crypto import KeyRing
from identity.app import guarded, step_up
from identity.conftest import SECRET, Shift
from identity.door import Door
from support.answer import Answer

on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
"""What is the same on both databases: the writes that differ have tests beside these."""


PHONE = {"User-Agent": "Homeport/1.0 (iPhone)"}
POLL = timedelta(seconds=5)
GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(frozen=True, slots=True)
class Phone:
    """A device that waits to be let in."""

    device_code: str
    user_code: str


async def ask(door: Door, **body: object) -> Phone:
    path = "/v1/auth/device/authorize"
    answer = await door.call("POST", path, json=body, headers=PHONE)
    assert answer.status == 200, answer.body
    return Phone(answer.json["device_code"], answer.json["user_code"])


async def fetch(door: Door, phone: Phone) -> Answer:
    body = {"device_code": phone.device_code}
    return await door.call("POST", "/v1/auth/device/token", json=body, headers=PHONE)


async def decide(door: Door, token: str, user_code: str, *, decision: str = "approve") -> Answer:
    body = {"user_code": user_code, "decision": decision}
    return await door.call("POST", "/v1/auth/device/approve", token=token, json=body)


@on_sqlite
async def test_phone_when_its_code_is_approved_then_it_is_signed_in_without_a_password(
    door: Door,
) -> None:
    ada, phone = await door.register("ada"), await ask(door)
    typed = phone.user_code.lower().replace("-", " ")
    looked = await door.call(
        "POST", "/v1/auth/device/lookup", token=ada.access, json={"user_code": typed}
    )
    assert looked.json["device_name"] == PHONE["User-Agent"]
    assert looked.json["address"] == "127.0.0.1"
    assert (await decide(door, ada.access, typed)).status == 200
    tokens = await fetch(door, phone)
    assert tokens.status == 200, tokens.body
    assert (await door.me(tokens.json["access_token"])).json["username"] == "ada"
    assert (await door.refresh(tokens.json["refresh_token"])).status == 200
    devices = await door.call("GET", "/v1/auth/devices", token=ada.access)
    assert devices.json["devices"][0]["name"] == PHONE["User-Agent"]
    assert (await door.kinds(ada.id))[-3:] == [
        "pairing.approved",
        "login.succeeded",
        "refresh.rotated",
    ]


@on_sqlite
async def test_device_when_let_in_then_it_has_the_name_it_gave_until_it_gets_another(
    door: Door,
) -> None:
    ada, phone = await door.register("ada"), await ask(door, client_id="Ada's phone")
    await decide(door, ada.access, phone.user_code)
    token = (await fetch(door, phone)).json["access_token"]

    async def mine() -> Any:
        listed = await door.call("GET", "/v1/auth/devices", token=token)
        return next(each for each in listed.json["devices"] if each["current"])

    device = await mine()
    assert device["name"] == "Ada's phone"
    place = f"/v1/auth/devices/{device['id']}"
    for _ in range(2):
        renamed = await door.call("PATCH", place, token=token, json={"name": " pocket "})
        assert renamed.json == {**device, "name": "pocket"}
    assert (await mine())["name"] == "pocket"
    assert (await door.kinds(ada.id))[-2:] == ["login.succeeded", "device.renamed"]
    for body in ({}, {"name": " "}, {"name": "a\u202eb"}, {"name": "x" * 201}):
        assert (await door.call("PATCH", place, token=token, json=body)).status == 422, body


async def test_codes_when_given_then_as_rfc_8628_says_and_kept_as_digests(door: Door) -> None:
    form = {"client_id": "Homeport for iOS", "scope": "api:read"}
    answer = await door.call("POST", "/v1/auth/device/authorize", form=form)
    told = answer.json
    assert told["verification_uri"] == f"{door.base_url}/pair"
    assert (
        told["verification_uri_complete"] == f"{door.base_url}/pair?user_code={told['user_code']}"
    )
    assert (told["expires_in"], told["interval"]) == (600, 5)
    assert read_user_code(told["user_code"]) == told["user_code"]
    assert answer.headers["cache-control"] == "no-store"
    async with door.log.database.read() as session:
        row = (await session.scalars(select(Pairing))).one()
    kept = repr(vars(row))
    assert told["device_code"] not in kept
    assert told["user_code"] not in kept
    assert (row.device_name, row.requested_scopes) == ("Homeport for iOS", ["api:read"])


@on_sqlite
async def test_refusals_when_told_then_as_oauth_and_as_everywhere(
    door: Door, shift_clock: Shift
) -> None:
    ada, phone = await door.register("ada"), await ask(door)
    pending = await fetch(door, phone)
    assert (pending.status, pending.json["error"]) == (400, "authorization_pending")
    assert pending.headers["content-type"] == "application/problem+json"
    assert pending.json["type"] == "urn:homeport:error:device.authorization-pending"
    assert pending.json["error_description"] == pending.json["detail"]
    assert {"title", "status", "instance", "request_id"} <= pending.json.keys()
    hasty = await fetch(door, phone)
    assert (hasty.json["error"], hasty.json["interval"]) == ("slow_down", 10)
    shift_clock(POLL)
    assert (await fetch(door, phone)).json["error"] == "slow_down"  # it is 10 s now, and then 15
    shift_clock(POLL * 3)
    body = {"grant_type": GRANT, "device_code": phone.device_code, "client_id": "x"}
    by_form = await door.call("POST", "/v1/auth/device/token", form=body)
    assert by_form.json["error"] == "authorization_pending"
    assert (await decide(door, ada.access, phone.user_code, decision="deny")).status == 200
    shift_clock(POLL * 3)
    assert (await fetch(door, phone)).json["error"] == "access_denied"
    assert "pairing.denied" in await door.kinds(ada.id)
    shift_clock(timedelta(minutes=10))
    assert (await fetch(door, phone)).json["error"] == "expired_token"
    unknown = await fetch(door, Phone("hpd_" + "x" * 43, ""))
    assert (unknown.status, unknown.json["error"]) == (400, "expired_token")


async def test_tokens_when_fetched_many_times_at_once_then_one_is_let_in(
    door: Door, shift_clock: Shift
) -> None:
    ada, phone = await door.register("ada"), await ask(door)
    await decide(door, ada.access, phone.user_code)
    answers = await asyncio.gather(*(fetch(door, phone) for _ in range(20)))
    assert [answer.status for answer in answers].count(200) == 1
    shift_clock(timedelta(minutes=1))
    assert (await fetch(door, phone)).json["error"] == "expired_token"
    assert (await door.kinds(ada.id)).count("login.succeeded") == 2


async def test_interval_when_two_nodes_are_asked_then_it_is_one(
    door: Door, other_door: Door
) -> None:
    phone = await ask(door)
    answers = await asyncio.gather(
        *(fetch(node, phone) for node in (door, other_door) for _ in range(5))
    )
    words = [answer.json["error"] for answer in answers]
    assert (words.count("authorization_pending"), words.count("slow_down")) == (1, 9)


async def test_decision_when_two_decide_at_once_then_the_first_counts(door: Door) -> None:
    ada, bob = await door.register("ada"), await door.register("bob")
    phone = await ask(door)
    answers = await asyncio.gather(
        decide(door, ada.access, phone.user_code), decide(door, bob.access, phone.user_code)
    )
    assert sorted(answer.status for answer in answers) == [200, 404]
    winner = ada if answers[0].status == 200 else bob
    tokens = (await fetch(door, phone)).json
    assert (await door.me(tokens["access_token"])).json["id"] == winner.id


@on_sqlite
async def test_approval_when_it_comes_from_a_key_then_no_device_is_let_in(door: Door) -> None:
    ada, phone = await door.register("ada"), await ask(door)
    body = {"user_code": phone.user_code}
    looked = await door.call("POST", "/v1/auth/device/lookup", token=ada.api_key, json=body)
    assert looked.status == 200
    assert (await decide(door, ada.api_key, phone.user_code)).code == "auth.device-required"
    assert (await fetch(door, phone)).json["error"] == "authorization_pending"


@pytest.mark.requirement("12")
@on_sqlite
async def test_paired_device_when_the_account_has_no_factor_then_it_cannot_add_the_first(
    door: Door, shift_clock: Shift
) -> None:
    ada = await door.register("ada")
    shift_clock(timedelta(minutes=5))  # somebody finds her device signed in, and lets their own in
    phone = await ask(door)
    assert (await decide(door, ada.access, phone.user_code)).status == 200
    access = (await fetch(door, phone)).json["access_token"]
    for path in ("mfa/totp", "passkeys/register/options"):
        refused = await door.call("POST", f"/v1/auth/{path}", token=access)
        assert (refused.status, refused.code) == (403, "auth.sign-in-required"), path


@on_sqlite
async def test_approval_when_a_limited_device_gives_it_then_the_next_has_no_more(
    door: Door,
) -> None:
    ada, first = await door.register("ada"), await ask(door, scope="api:read account:manage")
    assert (await decide(door, ada.access, first.user_code)).status == 200
    limited = (await fetch(door, first)).json["access_token"]
    second = await ask(door, scope="api:read users:manage")
    assert (await decide(door, limited, second.user_code)).status == 200
    access = (await fetch(door, second)).json["access_token"]
    assert (await door.me(access)).status == 200
    refused = await door.call("PUT", "/v1/auth/me", token=access, json={"username": "eve"})
    assert refused.code == "auth.scope-required"


async def test_asking_when_twenty_of_a_network_wait_then_another_network_still_may(
    door: Door, keyring: KeyRing, shift_clock: Shift
) -> None:
    path = "/v1/auth/device/authorize"
    for _ in range(MOST_OF_A_NETWORK):
        await ask(door)
    refused = await door.call("POST", path, json={})
    assert (refused.status, refused.code) == (503, "device.too-many-waiting")
    async with door.log.database.write() as session:
        for last in range(MOST_OF_A_NETWORK):  # a /64 is one caller, however many addresses it has
            stranger = Visit(f"2001:db8::{last:x}", None)
            await wait_in_line(session, keyring, name=None, scopes=None, visit=stranger)
        near = Visit("2001:db8::ffff", None)
        with pytest.raises(TooManyPairings):
            await wait_in_line(session, keyring, name=None, scopes=None, visit=near)
        elsewhere = Visit("2001:db8:0:1::1", None)
        await wait_in_line(session, keyring, name=None, scopes=None, visit=elsewhere)
    shift_clock(timedelta(minutes=10))
    assert (await door.call("POST", path, json={})).status == 200


@on_sqlite
async def test_code_when_the_secret_was_replaced_meanwhile_then_it_is_found(
    door: Door, keyring: KeyRing
) -> None:
    phone = await ask(door)
    rotated = KeyRing(b"another secret of this test run, as long as it should be", SECRET)
    async with door.log.database.read() as session:
        before = await get_waiting(session, keyring, phone.user_code)
        assert (await get_waiting(session, rotated, phone.user_code)).id == before.id


@on_sqlite
async def test_name_of_a_device_when_it_is_not_printable_then_it_is_refused(door: Door) -> None:
    for hidden in ("\x1b[2J", "\x9b2J", "\u202e", "\u200b", "\n"):
        body = {"client_id": f"phone{hidden}"}
        refused = await door.call("POST", "/v1/auth/device/authorize", json=body)
        assert refused.status == 422, ascii(hidden)


@on_sqlite
async def test_approval_when_a_factor_was_not_shown_lately_then_it_is_asked_for(
    door: Door, shift_clock: Shift
) -> None:
    ada, phone = await guarded(door, "ada"), await ask(door)
    shift_clock(timedelta(minutes=5))
    refused = await decide(door, ada.person.access, phone.user_code)
    assert refused.code == "auth.step-up-required"
    assert (await decide(door, ada.person.api_key, phone.user_code)).code == "auth.device-required"


@on_sqlite
async def test_user_codes_when_guessed_then_five_are_looked_at(door: Door) -> None:
    ada, phone = await door.register("ada"), await ask(door)
    wrong = "BBBB-BBBB" if phone.user_code != "BBBB-BBBB" else "CCCC-CCCC"
    for code in (wrong, "hello", wrong, "????", wrong):
        assert (await decide(door, ada.access, code)).code == "device.code-not-found"
    assert (await decide(door, ada.access, phone.user_code)).code == "auth.locked"


@pytest.mark.requirement("10")
@on_sqlite
async def test_user_codes_when_guessed_between_right_ones_of_ones_own_then_they_still_count(
    door: Door,
) -> None:
    eve, own = await door.register("eve"), await ask(door)
    for _ in range(5):
        looked = await door.call(
            "POST", "/v1/auth/device/lookup", token=eve.access, json={"user_code": own.user_code}
        )
        assert looked.status == 200
        assert (await decide(door, eve.access, "hello")).code == "device.code-not-found"
    assert (await decide(door, eve.access, own.user_code)).code == "auth.locked"


@pytest.mark.requirement("10")
@on_sqlite
async def test_look_ups_when_right_then_wrong_codes_of_the_second_factor_still_count(
    door: Door,
) -> None:
    ada, phone = await guarded(door, "ada"), await ask(door)
    body = {"user_code": phone.user_code}
    for _ in range(5):
        assert (await step_up(door, ada.person.access, ada.app.wrong())).status == 401
        looked = await door.call(
            "POST", "/v1/auth/device/lookup", token=ada.person.access, json=body
        )
        assert looked.status == 200  # a lock of the one is none of the other
    assert (await step_up(door, ada.person.access, ada.app.wrong())).status == 423


@on_sqlite
async def test_account_when_unlocked_then_the_codes_of_devices_are_looked_at_again(
    door: Door,
) -> None:
    ada, phone = await door.register("ada"), await ask(door)
    for _ in range(5):
        assert (await decide(door, ada.access, "hello")).code == "device.code-not-found"
    assert (await decide(door, ada.access, phone.user_code)).code == "auth.locked"
    async with door.log.unit(f"account:{ada.id}") as unit:
        assert await unlock(unit, user_id=ada.id, actor="operator")
    assert (await decide(door, ada.access, phone.user_code)).status == 200


@on_sqlite
async def test_approval_when_the_password_changes_before_the_tokens_are_fetched_then_it_is_void(
    door: Door,
) -> None:
    ada, phone = await door.register("ada"), await ask(door)
    await decide(door, ada.access, phone.user_code)
    assert (await door.call("POST", "/v1/auth/logout-all", token=ada.access)).status == 200
    assert (await fetch(door, phone)).json["error"] == "expired_token"


@on_sqlite
async def test_page_when_opened_then_it_says_what_to_do_and_runs_nothing(door: Door) -> None:
    page = await door.call("GET", "/pair?user_code=wdjbmjht")
    assert page.status == 200
    assert b"homeport pair WDJB-MJHT" in page.body
    assert b"<script" not in page.body
    assert "default-src 'none'" in page.headers["content-security-policy"]
    hostile = await door.call("GET", "/pair?user_code=%3Cscript%3E")
    assert b"<script" not in hostile.body
    assert door.base_url.encode() in hostile.body


@on_sqlite
async def test_command_when_the_code_is_typed_then_the_device_is_shown_and_let_in(
    door: Door, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await door.register("ada")
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("SECRET_KEY", SECRET.decode())
    monkeypatch.setenv("PUBLIC_URL", "https://ship.example/")

    async def run(*arguments: str, typed: str = "") -> tuple[int, str, str]:
        command = ["pair", "--user", "ada", *arguments]
        done = await asyncio.to_thread(CliRunner().invoke, commands, command, input=typed)
        return done.exit_code, done.stdout, done.stderr

    phone, other = await ask(door), await ask(door)
    async with door.log.database.write() as session:
        await session.execute(update(Pairing).values(device_name=f"{PHONE['User-Agent']}\x1b[2J"))
    code, said, shown = await run(typed=f"{phone.user_code}\ny\n")
    assert (code, "signed in as ada" in said) == (0, True), (said, shown)
    assert "https://ship.example/pair" in shown
    assert "\N{UPPER HALF BLOCK}" in shown  # the QR code
    assert f"{PHONE['User-Agent']}\\x1b[2J" in shown
    assert "\x1b[2J" not in shown
    assert phone.device_code not in said + shown
    assert (await fetch(door, phone)).status == 200
    code, said, _ = await run(other.user_code, "--json", typed="n\n")
    assert (code, '"decision": "deny"' in said) == (0, True)
    assert (await fetch(door, other)).json["error"] == "access_denied"
    code, _, shown = await run("BBBB-BBBB", "--yes")
    assert (code, "device.code-not-found" in shown) == (1, True)
