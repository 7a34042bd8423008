"""API keys: shown once, checked before the database is asked, never more than their maker has."""

from __future__ import annotations

import random
import string
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from homeport.identity.models import ApiKey
from homeport.identity.opaque import hashed, is_api_key, new_api_key
from homeport.kernel import clock
from identity.conftest import Shift
from identity.door import Door
from support.answer import Answer

ALPHABET = string.ascii_letters + string.digits


async def _make(door: Door, token: str, **body: object) -> Answer:
    return await door.call("POST", "/v1/auth/api-keys", token=token, json={"name": "phone", **body})


@pytest.mark.requirement("23")
async def test_key_when_made_then_shown_once_and_only_its_hash_is_kept(door: Door) -> None:
    ada = await door.register("ada")
    answer = await _make(door, ada.access)
    assert answer.status == 201
    key = answer.json["api_key"]
    assert (await door.me(key)).status == 200
    listed = await door.call("GET", "/v1/auth/api-keys", token=ada.access)
    assert key.encode() not in listed.body
    assert listed.json["api_keys"][0]["prefix"] == key[:9]
    async with door.log.database.read() as session:
        row = (await session.scalars(select(ApiKey).where(ApiKey.id == answer.json["id"]))).one()
    assert row.secret_hash == hashed(key)
    assert key not in repr(vars(row))
    for record in await door.events(ada.id):
        assert key.encode() not in record.payload


async def test_key_when_revoked_then_dead_at_once(door: Door) -> None:
    ada = await door.register("ada")
    made = (await _make(door, ada.access)).json
    assert (await door.me(made["api_key"])).status == 200
    path = f"/v1/auth/api-keys/{made['id']}"
    assert (await door.call("DELETE", path, token=ada.access)).status == 204
    assert (await door.me(made["api_key"])).status == 401
    assert (await door.me(ada.api_key)).status == 200
    assert (await door.kinds(ada.id))[-1] == "api_key.revoked"


async def test_key_when_it_expires_then_dead(door: Door, shift_clock: Shift) -> None:
    ada = await door.register("ada")
    end = clock.rfc3339(clock.utc_now() + timedelta(hours=1))
    made = (await _make(door, ada.access, expires_at=end)).json
    assert made["expires_at"] == end
    assert (await door.me(made["api_key"])).status == 200
    shift_clock(timedelta(minutes=59, seconds=59))
    assert (await door.me(made["api_key"])).status == 200
    shift_clock(timedelta(seconds=1))
    assert (await door.me(made["api_key"])).status == 401


async def test_key_when_scoped_then_it_does_no_more(door: Door) -> None:
    ada = await door.register("ada")
    reader = (await _make(door, ada.access, scopes=["api:read"])).json["api_key"]
    nothing = (await _make(door, ada.access, scopes=[])).json["api_key"]
    assert (await door.me(reader)).status == 200
    assert (await door.me(nothing)).status == 403
    for method, path, body in (
        ("PUT", "/v1/auth/me", {"username": "lovelace"}),
        ("POST", "/v1/auth/logout-all", None),
        ("POST", "/v1/auth/api-keys", {"name": "more"}),
        ("POST", "/v1/user/profile/reset-api-key", None),
        ("DELETE", "/v1/user/profile?confirm=true", None),
    ):
        answer = await door.call(method, path, token=reader, json=body)
        assert (answer.status, answer.code) == (403, "auth.scope-required"), path


async def test_key_when_made_with_a_key_then_never_wider_nor_longer_lived(door: Door) -> None:
    ada = await door.register("ada")
    end = clock.utc_now() + timedelta(hours=1)
    scopes = ["account:manage", "api:read"]
    maker = (await _make(door, ada.access, scopes=scopes, expires_at=clock.rfc3339(end))).json[
        "api_key"
    ]
    heir = (await _make(door, maker)).json
    assert heir["scopes"] == scopes
    assert heir["expires_at"] == clock.rfc3339(end)
    wider = await _make(door, maker, scopes=["api:write"])
    assert (wider.status, wider.code) == (422, "auth.unknown-scope")
    longer = await _make(door, maker, expires_at=clock.rfc3339(end + timedelta(seconds=1)))
    assert (longer.status, longer.code) == (422, "api-key.expiry-invalid")


async def test_key_when_the_body_does_not_fit_then_422(door: Door) -> None:
    ada = await door.register("ada")
    past = clock.rfc3339(clock.utc_now() - timedelta(seconds=1))
    for body in (
        {"name": ""},
        {"name": "   "},
        {"name": "x" * 101},
        {"name": "a\u0007b"},
        {"scopes": ["everything"]},
        {"scopes": "api:read"},
        {"expires_at": past},
        {"expires_at": datetime(2090, 1, 1).isoformat()},  # noqa: DTZ001 - naive on purpose
        {"user_id": "x"},
    ):
        assert (await _make(door, ada.access, **body)).status == 422, body


async def test_key_when_there_are_fifty_then_the_next_is_refused(door: Door) -> None:
    ada = await door.register("ada")
    for _ in range(49):
        assert (await _make(door, ada.access)).status == 201
    answer = await _make(door, ada.access)
    assert (answer.status, answer.code) == (409, "api-key.too-many")


@pytest.mark.requirement("23")
def test_is_api_key_when_any_character_differs_then_false() -> None:
    key = new_api_key()
    assert is_api_key(key)
    assert len(key) == 52
    for place in range(len(key)):
        other = random.choice([c for c in ALPHABET if c != key[place]])
        assert not is_api_key(key[:place] + other + key[place + 1 :])
        assert not is_api_key(key[:place] + key[place + 1 :])
    assert not is_api_key(key + "0")
    assert not is_api_key(key + "\n")
    assert len({new_api_key() for _ in range(100)}) == 100


@given(st.text())
def test_is_api_key_when_anything_else_then_false_and_never_an_exception(text: str) -> None:
    assert not is_api_key(text)
    assert not is_api_key(f"ck_{text}")
