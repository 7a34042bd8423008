"""Signing keys: made once, kept sealed, published without what is private."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from homeport.eventlog import EventLog
from homeport.identity.errors import CredentialRefused
from homeport.identity.models import SigningKey
from homeport.identity.opening import Identity
from homeport.identity.service.signing_keys import RSA_BITS
from homeport.identity.signing_keys import SigningKeys
from homeport.kernel import clock
from homeport.kernel.crypto import KeyRing, SealForeign
from homeport.kernel.db import Database
from identity.conftest import SECRET
from identity.door import Door

PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


async def test_jwks_then_public_members_of_a_3072_bit_key_and_nothing_private(door: Door) -> None:
    answer = await door.call("GET", "/.well-known/jwks.json")
    assert answer.status == 200
    assert answer.headers["cache-control"] == "public, max-age=300"
    (key,) = answer.json["keys"]
    assert key.keys() == {"kty", "n", "e", "kid", "use", "alg"}
    assert not PRIVATE & key.keys()
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
    assert len(key["n"]) == RSA_BITS // 6


async def test_load_when_nodes_start_at_once_then_they_share_one_key(database_url: str) -> None:
    nodes = [Database(database_url) for _ in range(3)]
    try:
        keys = [SigningKeys(EventLog(node), KeyRing(SECRET)) for node in nodes]
        await asyncio.gather(*(each.load() for each in keys))
        assert len({each.active[0] for each in keys}) == 1
        async with nodes[0].read() as session:
            assert await session.scalar(select(func.count()).select_from(SigningKey)) == 1
    finally:
        for node in nodes:
            await node.close()


async def test_load_when_the_secret_was_replaced_then_refused_with_the_cure(
    log: EventLog, identity: Identity
) -> None:
    assert identity.signing_keys.active[0]
    with pytest.raises(SealForeign, match=r"secret\.key"):
        await SigningKeys(log, KeyRing(SECRET[::-1])).load()


async def test_load_then_the_private_key_is_not_in_the_table(
    log: EventLog, identity: Identity
) -> None:
    private = identity.signing_keys.active[1].private_key
    assert private is not None
    prime = private.private_numbers().p
    async with log.database.read() as session:
        row = (await session.scalars(select(SigningKey))).one()
    assert prime.to_bytes((prime.bit_length() + 7) // 8, "big") not in row.private_sealed


async def test_verify_when_a_key_retires_then_its_tokens_hold_until_its_end_and_no_longer(
    log: EventLog, identity: Identity
) -> None:
    keys, tokens = identity.signing_keys, identity.tokens
    until = clock.utc_now() + timedelta(days=1)
    old, _ = tokens.sign(user_id="u", device_id="d", roles=[], scopes=None, not_after=until)

    async def retire(at: timedelta) -> None:
        async with log.database.write() as session:
            await session.execute(
                update(SigningKey)
                .where(SigningKey.id == first)
                .values(state="retiring", retires_at=clock.utc_now() + at)
            )
        await keys.load()

    first = keys.active[0]
    await retire(timedelta(minutes=20))
    assert keys.active[0] != first
    assert {key["kid"] for key in keys.published()["keys"]} == {first, keys.active[0]}
    assert tokens.verify(old).user_id == "u"
    epoch = keys.epoch
    await retire(timedelta(seconds=-1))
    assert keys.epoch == epoch + 1
    with pytest.raises(CredentialRefused):
        tokens.verify(old)
    assert [key["kid"] for key in keys.published()["keys"]] == [keys.active[0]]
