"""The first start and the one-time link."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from html import escape
from typing import Literal

import pytest
from sqlalchemy import select

from homeport.eventlog import EventLog
from homeport.identity.first_start import FirstAdmin, first_start
from homeport.identity.models import SetupLink, User
from homeport.identity.opening import IdentityOptions, open_identity
from homeport.identity.service.passwords import create_setup_link
from homeport.kernel.command import this_command
from homeport.kernel.crypto import KeyRing
from homeport.kernel.db import Database
from identity.conftest import Shift
from identity.door import PASSWORD, Door, open_door
from support.answer import Answer


async def _use(
    door: Door,
    path: str,
    *,
    password: str = PASSWORD,
    repeated: str | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    form = {
        "token": path.partition("=")[2],
        "username": "admin",
        "password": password,
        "repeated": password if repeated is None else repeated,
    }
    return await door.call("POST", "/setup", form=form, headers=headers)


async def _first(door: Door) -> FirstAdmin:
    first = await first_start(door.log)
    assert first is not None
    return first


async def test_first_start_then_an_admin_without_password_a_link_and_a_key(
    door: Door, shift_clock: Shift
) -> None:
    first = await _first(door)
    assert first.api_key not in repr(first)
    assert first.link_path not in repr(first)
    me = await door.me(first.api_key)
    assert (me.json["username"], me.json["roles"]) == ("admin", ["admin"])
    for guess in ("", "admin", PASSWORD):
        assert (await door.login("admin", password=guess)).status == 401
    assert await first_start(door.log) is None
    shift_clock(timedelta(hours=24))
    assert (await door.me(first.api_key)).status == 401


async def test_first_start_when_somebody_has_an_account_then_nothing_is_made(door: Door) -> None:
    await door.register("ada")
    assert await first_start(door.log) is None


@pytest.mark.requirement("CVE-17")
async def test_first_start_when_nodes_race_then_one_admin(database_url: str) -> None:
    nodes = [Database(database_url) for _ in range(4)]
    try:
        made = await asyncio.gather(*(first_start(EventLog(node)) for node in nodes))
        assert sum(first is not None for first in made) == 1
        async with nodes[0].read() as session:
            assert len((await session.scalars(select(User))).all()) == 1
            assert len((await session.scalars(select(SetupLink))).all()) == 1
    finally:
        for node in nodes:
            await node.close()


async def test_setup_when_the_link_is_good_then_the_form_sets_the_password_once(
    door: Door,
) -> None:
    first = await _first(door)
    page = await door.call("GET", first.link_path)
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert b"<script" not in page.body
    assert re.search(rb'<form method="post" action="/setup">', page.body)
    assert (await _use(door, first.link_path)).status == 200
    assert (await door.login("admin")).status == 200
    again = await _use(door, first.link_path, password="seven-quiet-lanterns-drift")
    assert again.status == 410
    assert (await door.call("GET", first.link_path)).status == 410
    assert (await door.login("admin")).status == 200
    assert (await door.me(first.api_key)).status == 200


async def test_setup_when_the_password_is_refused_then_the_link_stays_good(door: Door) -> None:
    first = await _first(door)
    weak = await _use(door, first.link_path, password="password")
    assert weak.status == 422
    assert b"guess" in weak.body.lower() or b"password" in weak.body.lower()
    differs = await _use(door, first.link_path, repeated="something else")
    assert differs.status == 422
    assert b"differ" in differs.body
    assert (await _use(door, first.link_path)).status == 200


async def test_setup_when_ten_minutes_are_over_then_gone(door: Door, shift_clock: Shift) -> None:
    first = await _first(door)
    shift_clock(timedelta(minutes=9, seconds=59))
    assert (await door.call("GET", first.link_path)).status == 200
    shift_clock(timedelta(seconds=1))
    assert (await door.call("GET", first.link_path)).status == 410
    assert (await _use(door, first.link_path)).status == 410
    assert (await door.login("admin")).status == 401


async def test_setup_when_used_many_times_at_once_then_one_wins(door: Door) -> None:
    first = await _first(door)
    words = [f"quiet-lantern-{number}-drifts-south" for number in range(8)]
    answers = await asyncio.gather(*(_use(door, first.link_path, password=word) for word in words))
    assert sorted(answer.status for answer in answers) == [200] + [410] * 7
    winner = next(word for word, a in zip(words, answers, strict=True) if a.status == 200)
    assert (await door.login("admin", password=winner)).status == 200


async def test_setup_when_it_may_come_from_elsewhere_then_refused(door: Door) -> None:
    first = await _first(door)
    for headers in (
        {"X-Forwarded-For": "203.0.113.9"},
        {"Forwarded": "for=203.0.113.9"},
        {"X-Real-IP": "203.0.113.9"},
        {"Via": "1.1 proxy"},
        {"Host": "homeport.example.com"},
        {"Host": "127.0.0.1.example.com"},
    ):
        assert (await door.call("GET", first.link_path, headers=headers)).status == 403, headers
        assert (await _use(door, first.link_path, headers=headers)).status == 403, headers
    assert (await door.call("GET", first.link_path)).status == 200


async def test_setup_when_the_token_is_unknown_then_gone_and_nothing_is_reflected(
    door: Door,
) -> None:
    await _first(door)
    for token in ("", "nonsense", '"><script>alert(1)</script>', "%00"):
        answer = await door.call("GET", f"/setup?token={token}")
        assert answer.status == 410
        assert b"<script" not in answer.body
        # What the page says can be typed where this process was started.
        assert f"{escape(this_command())} user reset".encode() in answer.body


async def test_setup_when_a_new_link_is_made_then_the_old_one_is_dead(door: Door) -> None:
    first = await _first(door)
    async with door.log.database.read() as session:
        admin = (await session.scalars(select(User))).one()
    async with door.log.unit(f"account:{admin.id}") as unit:
        path, _ = await create_setup_link(unit, user_id=admin.id)
    assert (await door.call("GET", first.link_path)).status == 410
    assert (await _use(door, path)).status == 200


async def test_setup_then_every_device_is_signed_out(door: Door) -> None:
    ada = await door.register("ada")
    async with door.log.unit(f"account:{ada.id}") as unit:
        path, _ = await create_setup_link(unit, user_id=ada.id)
    new = "seven-quiet-lanterns-drift"
    assert (await _use(door, path, password=new)).status == 200
    assert (await door.me(ada.access)).status == 401
    assert (await door.refresh(ada.refresh)).status == 401
    assert (await door.login("ada", password=new)).status == 200


async def test_setup_then_no_secret_is_in_the_log(door: Door) -> None:
    first = await _first(door)
    await _use(door, first.link_path)
    async with door.log.database.read() as session:
        admin = (await session.scalars(select(User))).one()
        link = (await session.scalars(select(SetupLink))).one()
    secret = first.link_path.partition("=")[2]
    assert secret not in repr(vars(link))
    for record in await door.events(admin.id):
        for told in (secret, first.api_key, PASSWORD, admin.password_hash or "?"):
            assert told.encode() not in record.payload


@pytest.mark.parametrize(
    ("mode", "code"),
    [("closed", "auth.registration-closed"), ("invite", "auth.invitation-required")],
)
async def test_register_when_not_open_then_refused_with_what_is_needed(
    log: EventLog, keyring: KeyRing, mode: Literal["closed", "invite"], code: str
) -> None:
    identity = await open_identity(log, keyring, IdentityOptions(registration=mode))
    try:
        async with open_door(log, identity) as door:
            answer = await door.call(
                "POST",
                "/v1/auth/register",
                json={"email": "ada@example.com", "username": "ada", "password": PASSWORD},
            )
    finally:
        await identity.close()
    assert (answer.status, answer.code) == (403, code)
    assert answer.json["needs"]
    async with log.database.read() as session:
        assert (await session.scalars(select(User))).all() == []
