"""Identity on both databases, behind a real socket, and a clock that tests may move."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from homeport.eventlog import EventLog
from homeport.identity.opening import Identity, open_identity
from homeport.identity.service.signing_keys import RSA_BITS, store_key
from homeport.kernel import clock
from homeport.kernel.crypto import KeyRing
from homeport.kernel.db import Database
from identity.door import Door, open_door

SECRET = b"a secret of this test run, long enough to be one"
Shift = Callable[[timedelta], None]


@pytest.fixture
def keyring() -> KeyRing:
    return KeyRing(SECRET)


@pytest.fixture(scope="session")
def rsa_key() -> RSAPrivateKey:
    """Made once per worker: making one takes longer than most tests."""
    return generate_private_key(65537, RSA_BITS)


@pytest.fixture
async def identity(
    log: EventLog, keyring: KeyRing, rsa_key: RSAPrivateKey
) -> AsyncIterator[Identity]:
    async with log.unit("system") as unit:
        store_key(unit, keyring, rsa_key, state="active", signs_from=clock.utc_now())
    opened = await open_identity(log, keyring)
    yield opened
    await opened.close()


@pytest.fixture
async def door(log: EventLog, identity: Identity) -> AsyncIterator[Door]:
    async with open_door(log, identity) as opened:
        yield opened


@pytest.fixture
async def other_door(
    database_url: str, keyring: KeyRing, identity: Identity
) -> AsyncIterator[Door]:
    """Another node of the same installation: it shares the database and the secret, no memory."""
    del identity  # only so that it made the signing key
    database = Database(database_url)
    opened = await open_identity(log := EventLog(database), keyring)
    async with open_door(log, opened) as other:
        yield other
    await opened.close()
    await database.close()


@pytest.fixture
def shift_clock(monkeypatch: pytest.MonkeyPatch) -> Shift:
    """Moves the wall clock and the clock that counts sleep, as a night on a laptop does."""
    wall, boot = clock.utc_now, clock.boot_seconds
    moved = timedelta()

    def now() -> datetime:
        return wall() + moved

    def booted() -> float:
        return boot() + moved.total_seconds()

    def shift(by: timedelta) -> None:
        nonlocal moved
        moved += by

    monkeypatch.setattr(clock, "utc_now", now)
    monkeypatch.setattr(clock, "boot_seconds", booted)
    return shift
