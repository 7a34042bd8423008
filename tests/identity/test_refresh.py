"""Rotation of refresh tokens: one winner, one child, and a family that ends when a token leaks."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from homeport.identity.models import RefreshToken
from homeport.identity.opaque import refresh_token
from homeport.kernel.crypto import KeyRing
from homeport.kernel.ids import new_id
from identity.chains import living, race
from identity.conftest import SECRET, Shift
from identity.door import Door

ROUNDS = 15
OTHER_SECRET = SECRET[::-1]


async def test_refresh_then_the_old_token_is_spent_and_the_new_one_works(door: Door) -> None:
    ada = await door.register("ada")
    first = await door.refresh(ada.refresh)
    assert first.status == 200
    assert first.json["refresh_token"] != ada.refresh
    assert "user" not in first.json
    second = await door.refresh(first.json["refresh_token"])
    assert second.status == 200
    assert (await door.me(second.json["access_token"])).status == 200
    assert await living(door, ada) == (1, 1)


@pytest.mark.requirement("20")
async def test_refresh_when_the_answer_was_lost_then_the_same_child_comes_again(
    door: Door, shift_clock: Shift
) -> None:
    ada = await door.register("ada")
    first = await door.refresh(ada.refresh)
    shift_clock(timedelta(seconds=9))
    again = await door.refresh(ada.refresh)
    assert again.status == 200
    assert again.json["refresh_token"] == first.json["refresh_token"]
    assert await living(door, ada) == (1, 1)


@pytest.mark.requirement("20")
async def test_refresh_when_the_parent_comes_late_then_the_family_ends(
    door: Door, shift_clock: Shift
) -> None:
    ada = await door.register("ada")
    child = (await door.refresh(ada.refresh)).json
    shift_clock(timedelta(seconds=11))
    assert (await door.refresh(ada.refresh)).status == 401
    assert (await door.refresh(child["refresh_token"])).status == 401
    assert (await door.me(child["access_token"])).status == 401
    assert await living(door, ada) == (0, 0)
    assert (await door.kinds(ada.id))[-2:] == ["refresh.reused", "device.revoked"]


@pytest.mark.requirement("19", "20")
async def test_refresh_when_a_grandparent_comes_within_the_window_then_the_family_ends(
    door: Door,
) -> None:
    ada = await door.register("ada")
    child = (await door.refresh(ada.refresh)).json
    grandchild = (await door.refresh(child["refresh_token"])).json
    assert (await door.refresh(ada.refresh)).status == 401
    assert (await door.refresh(grandchild["refresh_token"])).status == 401
    assert (await door.me(grandchild["access_token"])).status == 401
    other = await door.login("ada")
    assert other.status == 200  # a family ended, not the account


@pytest.mark.requirement("19", "F24", "CVE-35")
async def test_refresh_when_many_race_then_exactly_one_chain_lives(door: Door) -> None:
    await race([door], await door.register("ada"), rounds=ROUNDS)


@pytest.mark.requirement("19", "20", "F24")
async def test_refresh_when_many_race_on_two_nodes_then_exactly_one_chain_lives(
    door: Door, other_door: Door
) -> None:
    await race([door, other_door], await door.register("ada"), rounds=5)


@pytest.mark.faults
@pytest.mark.timeout(1_800)
@pytest.mark.requirement("19", "F24", "CVE-35")
@pytest.mark.parametrize("nodes", [1, 2])
async def test_refresh_when_many_race_a_thousand_times_then_exactly_one_chain_lives(
    door: Door, other_door: Door, nodes: int
) -> None:
    await race([door, other_door][:nodes], await door.register("ada"), rounds=1_000)


@pytest.mark.requirement("20")
async def test_refresh_when_the_answer_was_lost_then_another_node_gives_the_same_child(
    door: Door, other_door: Door, shift_clock: Shift
) -> None:
    ada = await door.register("ada")
    child = (await door.refresh(ada.refresh)).json["refresh_token"]
    shift_clock(timedelta(seconds=9))
    again = await other_door.refresh(ada.refresh)
    assert again.json["refresh_token"] == child
    assert (await other_door.me(again.json["access_token"])).status == 200
    assert await living(door, ada) == (1, 1)


async def test_refresh_when_a_thief_and_the_owner_race_on_then_one_family_never_has_two_heads(
    door: Door,
) -> None:
    ada = await door.register("ada")
    child = (await door.refresh(ada.refresh)).json["refresh_token"]
    answers = await asyncio.gather(*(door.refresh(token) for token in (child, ada.refresh) * 10))
    assert {answer.status for answer in answers} <= {200, 401}
    heads, _ = await living(door, ada)
    assert heads <= 1
    assert len({a.json["refresh_token"] for a in answers if a.status == 200}) <= 2


@pytest.mark.requirement("21")
async def test_refresh_when_idle_or_absolute_time_is_over_then_401(
    door: Door, shift_clock: Shift
) -> None:
    await door.register("ada")
    idle, busy = (await door.login("ada")).json, (await door.login("ada")).json
    token = busy["refresh_token"]
    shift_clock(timedelta(days=6, hours=23))
    token = (await door.refresh(token)).json["refresh_token"]
    shift_clock(timedelta(hours=1, seconds=1))
    assert (await door.refresh(idle["refresh_token"])).status == 401
    for _ in range(3):
        shift_clock(timedelta(days=6))
        token = (await door.refresh(token)).json["refresh_token"]
    shift_clock(timedelta(days=4, hours=23))
    last = await door.refresh(token)
    assert last.status == 200  # in the thirtieth day
    shift_clock(timedelta(hours=1, seconds=1))
    assert (await door.refresh(last.json["refresh_token"])).status == 401
    assert (await door.me(last.json["access_token"])).status == 401


@pytest.mark.requirement("17")
async def test_refresh_when_it_is_another_kind_of_credential_then_401(door: Door) -> None:
    ada = await door.register("ada")
    secret = "A" * 43
    for wrong in (
        ada.access,
        ada.api_key,
        "",
        "hpr_",
        ada.refresh + "A",
        ada.refresh[:-1],
        " " + ada.refresh,
        ada.refresh.upper(),
        refresh_token(new_id(), secret),
        ada.refresh.rpartition(".")[0] + "." + secret,
        "hpr_" + "\u0660" * 32 + "." + secret,
    ):
        assert (await door.refresh(wrong)).status in {401, 422}
    assert (await door.me(ada.refresh)).status == 401
    assert (await door.refresh(ada.refresh)).status == 200  # nothing of it ended the family


async def test_refresh_when_the_database_is_read_then_no_secret_is_found(door: Door) -> None:
    ada = await door.register("ada")
    child = (await door.refresh(ada.refresh)).json["refresh_token"]
    async with door.log.database.read() as session:
        rows = (await session.scalars(select(RefreshToken))).all()
    assert len(rows) == 2
    for token in (ada.refresh, child):
        secret = token.rpartition(".")[2]
        for row in rows:
            assert secret not in repr(vars(row))
            assert secret.encode() not in row.secret_hash


@pytest.mark.requirement("20", "59")
async def test_refresh_when_the_secret_is_replaced_then_devices_and_lost_answers_go_on(
    door: Door, keyring: KeyRing
) -> None:
    ada = await door.register("ada")
    child = (await door.refresh(ada.refresh)).json["refresh_token"]
    keyring.use(OTHER_SECRET, SECRET)
    again = await door.refresh(ada.refresh)
    assert again.json["refresh_token"] == child
    grandchild = (await door.refresh(child)).json["refresh_token"]
    keyring.use(OTHER_SECRET)
    assert (await door.refresh(child)).json["refresh_token"] == grandchild
    assert (await door.refresh(grandchild)).status == 200
    assert await living(door, ada) == (1, 1)


async def test_refresh_when_this_node_does_not_know_the_secret_yet_then_nothing_is_lost(
    door: Door, keyring: KeyRing
) -> None:
    ada = await door.register("ada")
    child = (await door.refresh(ada.refresh)).json["refresh_token"]
    keyring.use(OTHER_SECRET)  # as if another node had given the child under a secret of its own
    refused = await door.refresh(ada.refresh)
    assert (refused.status, refused.code) == (503, "auth.secret-unknown")
    assert refused.headers["retry-after"] == "1"
    assert (await door.refresh(child)).status == 200
