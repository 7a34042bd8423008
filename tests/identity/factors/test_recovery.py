"""Recovery codes: ten, each good once, worth nothing when new ones are made."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from homeport.identity.factors.models import RecoveryCode
from homeport.identity.factors.recovery import spend_code
from homeport.kernel import clock
from identity.app import guarded, halfway, step_up, verify
from identity.door import Door

on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
"""What is the same on both databases: the writes that differ have tests beside these."""


@pytest.mark.requirement("11")
@on_sqlite
async def test_codes_when_made_then_ten_of_eighty_bits_kept_as_hashes(door: Door) -> None:
    ada = await guarded(door, "ada")
    assert len(set(ada.recovery)) == 10
    for code in ada.recovery:
        letters = code.replace("-", "")
        assert len(letters) * 5 >= 80
        assert set(letters) <= set("0123456789abcdefghjkmnpqrstvwxyz")
    async with door.log.database.read() as session:
        rows = (await session.scalars(select(RecoveryCode))).all()
    assert len(rows) == 10
    kept = repr([vars(row) for row in rows]) + repr(await door.events(ada.person.id))
    assert not any(code in kept or code.replace("-", "") in kept for code in ada.recovery)


@pytest.mark.requirement("11")
async def test_code_when_used_then_it_signs_in_once_however_it_is_typed(door: Door) -> None:
    ada = await guarded(door, "ada")
    typed = ada.recovery[0].upper().replace("-", " ").replace("0", "O").replace("1", "l")
    token = await halfway(door, "ada")
    assert (await verify(door, token, typed, method="recovery")).status == 200
    again = await halfway(door, "ada")
    assert (await verify(door, again, ada.recovery[0], method="recovery")).status == 401
    state = (await door.call("GET", "/v1/auth/mfa", token=ada.person.access)).json
    assert state["recovery_codes_left"] == 9


@pytest.mark.requirement("11")
async def test_code_when_shown_fifty_times_at_once_then_it_counts_once(door: Door) -> None:
    ada = await guarded(door, "ada")
    now = clock.utc_now()

    async def spend() -> bool:
        async with door.log.database.write() as session:  # without the lock that a unit takes
            return await spend_code(session, user_id=ada.person.id, code=ada.recovery[3], now=now)

    taken = await asyncio.gather(*(spend() for _ in range(50)))
    assert sum(taken) == 1


@on_sqlite
async def test_code_when_it_is_somebody_elses_then_it_is_refused(door: Door) -> None:
    ada, bob = await guarded(door, "ada"), await guarded(door, "bob")
    refused = await step_up(door, ada.person.access, bob.recovery[0], method="recovery")
    assert (refused.status, refused.code) == (401, "auth.code-refused")
    assert (
        await step_up(door, bob.person.access, bob.recovery[0], method="recovery")
    ).status == 200


@on_sqlite
async def test_codes_when_made_anew_then_the_old_ones_end(door: Door) -> None:
    ada = await guarded(door, "ada")
    path = "/v1/auth/mfa/recovery-codes"
    fresh = await door.call("POST", path, token=ada.person.access)
    assert fresh.status == 201
    token = await halfway(door, "ada")
    assert (await verify(door, token, ada.recovery[0], method="recovery")).status == 401
    new = fresh.json["recovery_codes"]
    assert (await verify(door, token, new[0], method="recovery")).status == 200


@on_sqlite
async def test_codes_when_there_is_no_factor_then_none_are_made(door: Door) -> None:
    ada = await door.register("ada")
    refused = await door.call("POST", "/v1/auth/mfa/recovery-codes", token=ada.access)
    assert (refused.status, refused.code) == (409, "mfa.none")
