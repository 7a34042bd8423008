"""Guesses at codes: five, wherever they are shown, and a right password starts nothing anew."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from homeport.eventlog import EventLog
from homeport.identity.factors.guessing import CodeGuard
from homeport.identity.guard import unlock
from homeport.identity.opening import Identity, IdentityOptions
from homeport.kernel.crypto import KeyRing
from identity.app import STEP, Guarded, begin, confirm, guarded, halfway, step_up, verify
from identity.conftest import Shift
from identity.door import Door

on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
"""What is the same on both databases: the writes that differ have tests beside these."""


GUESSES = 10_000
WORKERS = 50


async def _evaluated(door: Door, ada: Guarded) -> int:
    """How many codes were looked at and found wrong."""
    return (await door.kinds(ada.person.id)).count("second_factor.refused")


@pytest.mark.requirement("10")
@pytest.mark.requirement("CVE-33")
async def test_codes_when_guessed_at_once_then_five_are_looked_at(door: Door) -> None:
    ada = await guarded(door, "ada")
    tokens = [await halfway(door, "ada") for _ in range(2)]
    wrong = ada.app.wrong()
    answers = await asyncio.gather(
        *(verify(door, token, wrong) for token in tokens * 10),
        *(step_up(door, ada.person.access, wrong) for _ in range(20)),
    )
    assert await _evaluated(door, ada) == 5
    assert [answer.status for answer in answers].count(401) == 5
    assert {answer.status for answer in answers} == {401, 423}


@pytest.mark.requirement("10")
@pytest.mark.faults
async def test_codes_when_guessed_ten_thousand_times_then_five_are_looked_at(door: Door) -> None:
    ada = await guarded(door, "ada")
    token, wrong, left = await halfway(door, "ada"), ada.app.wrong(), iter(range(GUESSES))

    async def guess() -> None:
        for _ in left:
            assert (await verify(door, token, wrong)).status in {401, 423, 429}

    await asyncio.gather(*(guess() for _ in range(WORKERS)))
    assert await _evaluated(door, ada) == 5


@pytest.mark.requirement("10")
@on_sqlite
async def test_codes_when_locked_then_no_right_one_is_taken_until_fifteen_minutes_are_over(
    door: Door, identity: Identity, shift_clock: Shift
) -> None:
    ada = await guarded(door, "ada")
    shift_clock(STEP)
    for _ in range(5):
        assert (await step_up(door, ada.person.access, ada.app.wrong())).status == 401
    locked = await step_up(door, ada.person.access, ada.app.code())
    assert (locked.status, locked.code) == (423, "auth.locked")
    assert 0 < int(locked.headers["retry-after"]) <= 900
    token = await halfway(door, "ada")  # the right password starts nothing anew
    assert (await verify(door, token, ada.recovery[0], method="recovery")).status == 423
    assert (await door.me(ada.person.access)).status == 200
    assert "login.locked" in await door.kinds(ada.person.id)
    async with door.log.unit(f"account:{ada.person.id}") as unit:
        assert await unlock(unit, user_id=ada.person.id, actor="operator")
    assert (await step_up(door, ada.person.access, ada.app.code())).status == 200


@pytest.mark.requirement("10")
@on_sqlite
async def test_codes_when_a_right_one_comes_then_the_wrong_ones_before_are_forgotten(
    door: Door, shift_clock: Shift
) -> None:
    ada = await guarded(door, "ada")
    for _ in range(2):
        for _ in range(4):
            assert (await step_up(door, ada.person.access, ada.app.wrong())).status == 401
        shift_clock(STEP)
        assert (await step_up(door, ada.person.access, ada.app.code())).status == 200


@pytest.mark.requirement("6")
@on_sqlite
async def test_setup_when_its_code_is_guessed_then_it_counts_with_the_others(door: Door) -> None:
    bob = await door.register("bob")
    app = await begin(door, bob.access)
    for _ in range(5):
        assert (await confirm(door, bob.access, app.wrong())).status == 401
    assert (await confirm(door, bob.access, app.code())).status == 423
    assert (await door.login("bob")).status == 200  # passwords have a count of their own


@pytest.mark.requirement("10")
async def test_admit_when_two_nodes_are_asked_at_once_then_they_share_five(
    log: EventLog, keyring: KeyRing
) -> None:
    policy = IdentityOptions().guessing
    nodes = [CodeGuard(log, keyring, per_minute=policy.per_minute) for _ in range(2)]
    asked = [nodes[turn % 2].admit(subject="x", address=None) for turn in range(30)]
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(not isinstance(each, BaseException) for each in told) == 5
    assert timedelta(minutes=15) == policy.lock
