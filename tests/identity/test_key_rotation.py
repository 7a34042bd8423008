"""Signing keys come and go, and no token that is good is ever refused for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from sqlalchemy import select

from homeport.eventlog.read import records_after
from homeport.identity.errors import CredentialRefused, SigningKeyNotFound
from homeport.identity.models import SigningKey
from homeport.identity.service.signing_keys import (
    LEAD,
    RSA_BITS,
    SETTLING,
    hasten_next,
    publish_next,
    withdraw_key,
)
from homeport.kernel import clock
from homeport.kernel.crypto import KeyRing
from homeport.kernel.db import Database
from identity.conftest import Shift
from identity.door import Door

AGE = timedelta(days=90)


@pytest.fixture(scope="module")
def spare() -> RSAPrivateKey:
    return generate_private_key(65537, RSA_BITS)


async def _states(door: Door) -> dict[str, str]:
    async with door.log.database.read() as session:
        rows = await session.scalars(select(SigningKey).order_by(SigningKey.created_at))
        return {row.id: row.state for row in rows}


async def _system_kinds(door: Door) -> list[str]:
    async with door.log.database.read() as session:
        records = await records_after(session, "system", 0, limit=1_000)
    return [record.kind for record in records if record.kind.startswith("signing_key.")]


async def _publish(
    door: Door,
    keyring: KeyRing,
    private: RSAPrivateKey,
    *,
    after: timedelta,
    hasten: bool = False,
) -> SigningKey:
    async with door.log.unit("system") as unit:
        signs_from = clock.utc_now() + after
        await publish_next(unit, keyring, private, signs_from=signs_from)
        if hasten:
            await hasten_next(unit, actor="operator")
    async with door.log.database.read() as session:
        return (await session.scalars(select(SigningKey).where(SigningKey.state == "next"))).one()


async def _tend(*doors: Door) -> None:
    await asyncio.gather(*(door.identity.key_rotation.tend() for door in doors))


def _published(door: Door) -> set[str]:
    return {key["kid"] for key in door.identity.signing_keys.published()["keys"]}


def _signed(door: Door) -> str:
    until = clock.utc_now() + timedelta(days=1)
    token, _ = door.identity.tokens.sign(
        user_id="u", device_id="d", roles=[], scopes=None, not_after=until
    )
    return token


async def _changed_hands(
    door: Door, other_door: Door, shift_clock: Shift, keyring: KeyRing, spare: RSAPrivateKey
) -> tuple[str, str, str]:
    """Both nodes know the next key, and the first one signs with it: old id, new id, old token."""
    old, _ = door.identity.signing_keys.active
    token = _signed(other_door)
    new = (await _publish(door, keyring, spare, after=SETTLING)).id
    await _tend(door, other_door)
    shift_clock(SETTLING)
    await _tend(door)
    return old, new, token


@pytest.mark.requirement("F31")
async def test_rotation_when_a_key_grows_old_then_the_next_is_published_an_hour_ahead(
    door: Door, other_door: Door, shift_clock: Shift
) -> None:
    (first,) = await _states(door)
    await _tend(door, other_door)
    shift_clock(AGE - LEAD - timedelta(seconds=5))
    await _tend(door, other_door)
    assert await _states(door) == {first: "active"}
    shift_clock(timedelta(seconds=5))
    await _tend(door, other_door)  # both find it due; one of them makes it
    await _tend(door, other_door)
    states = await _states(door)
    assert list(states.values()) == ["active", "next"]
    assert _published(door) == _published(other_door) == set(states)
    shift_clock(LEAD - timedelta(seconds=5))
    await _tend(door, other_door)
    assert door.identity.signing_keys.active[0] == first
    shift_clock(timedelta(seconds=5))
    last = _signed(door)
    await _tend(door, other_door)
    await _tend(door, other_door)
    assert list((await _states(door)).values()) == ["retiring", "active"]
    shift_clock(timedelta(minutes=14))
    for node in (door, other_door):
        assert node.identity.tokens.verify(last).user_id == "u"
    shift_clock(timedelta(minutes=6, seconds=1))
    await _tend(door, other_door)
    (second,) = await _states(door)
    assert second != first
    assert _published(door) == {second}
    assert await _system_kinds(door) == [
        "signing_key.created",
        "signing_key.created",
        "signing_key.activated",
        "signing_key.removed",
    ]


@pytest.mark.requirement("F31")
async def test_rotation_when_one_node_signs_with_the_new_key_first_then_all_believe_both(
    door: Door,
    other_door: Door,
    shift_clock: Shift,
    keyring: KeyRing,
    spare: RSAPrivateKey,
) -> None:
    old, new, before = await _changed_hands(door, other_door, shift_clock, keyring, spare)
    assert door.identity.signing_keys.active[0] == new
    assert other_door.identity.signing_keys.active[0] == old  # it has not looked yet
    for signer in (door, other_door):
        for verifier in (door, other_door):
            assert verifier.identity.tokens.verify(_signed(signer)).user_id == "u"
    assert door.identity.tokens.verify(before).user_id == "u"


@pytest.mark.requirement("F31", "22")
async def test_withdrawal_when_a_key_is_taken_away_then_what_it_signed_is_refused_everywhere(
    door: Door,
    other_door: Door,
    shift_clock: Shift,
    keyring: KeyRing,
    spare: RSAPrivateKey,
) -> None:
    old, new, before = await _changed_hands(door, other_door, shift_clock, keyring, spare)
    after = _signed(door)
    for node in (door, other_door):
        assert node.identity.tokens.verify(before).user_id == "u"
    async with door.log.unit("system") as unit:
        await withdraw_key(unit, keyring, old, spare=spare, actor="operator")
    await _tend(door, other_door)
    for node in (door, other_door):
        with pytest.raises(CredentialRefused):
            node.identity.tokens.verify(before)  # although it was verified a moment ago
        assert node.identity.tokens.verify(after).user_id == "u"
        assert _published(node) == {new}


async def test_withdrawal_when_the_key_signs_then_the_next_or_the_spare_one_follows_at_once(
    door: Door, keyring: KeyRing, spare: RSAPrivateKey
) -> None:
    first, _ = door.identity.signing_keys.active
    waiting = (await _publish(door, keyring, spare, after=LEAD)).id
    third = generate_private_key(65537, RSA_BITS)
    for gone in (first, waiting):
        async with door.log.unit("system") as unit:
            await withdraw_key(unit, keyring, gone, spare=third, actor="operator")
        await _tend(door)
        assert gone not in _published(door)
        assert door.identity.tokens.verify(_signed(door)).user_id == "u"
    with pytest.raises(SigningKeyNotFound):
        async with door.log.unit("system") as unit:
            await withdraw_key(unit, keyring, "unknown", spare=third, actor="operator")
    assert await _system_kinds(door) == [
        "signing_key.created",
        "signing_key.created",
        "signing_key.withdrawn",
        "signing_key.activated",
        "signing_key.withdrawn",
        "signing_key.created",
    ]


async def test_publish_when_one_waits_already_then_it_comes_earlier_but_never_unsettled(
    door: Door, keyring: KeyRing, spare: RSAPrivateKey, shift_clock: Shift
) -> None:
    first = await _publish(door, keyring, spare, after=LEAD)
    planned = first.activated_at
    again = await _publish(door, keyring, spare, after=LEAD * 2)
    assert (again.id, again.activated_at) == (first.id, planned)
    hurried = await _publish(door, keyring, spare, after=LEAD, hasten=True)
    assert hurried.activated_at == first.created_at + SETTLING
    shift_clock(SETTLING)
    await _tend(door)
    assert door.identity.signing_keys.active[0] == first.id
    assert "signing_key.scheduled" in await _system_kinds(door)


@pytest.mark.requirement("18")
async def test_verify_when_the_key_is_unknown_then_nothing_is_asked(
    door: Door, keyring: KeyRing, spare: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, token = door.identity.signing_keys.active[0], _signed(door)
    async with door.log.unit("system") as unit:
        await withdraw_key(unit, keyring, gone, spare=spare, actor="operator")
    await _tend(door)

    def refuse(_self: Database) -> None:
        pytest.fail("the database was asked")

    monkeypatch.setattr(Database, "read", refuse)
    monkeypatch.setattr(Database, "write", refuse)
    with pytest.raises(CredentialRefused):
        door.identity.tokens.verify(token)
