"""The life of a key for access tokens: stored, published, activated, retired, removed.

    next ── activate ──> active ── activate the next ──> retiring ── remove ──> gone
                           └────────────── withdraw ──────────────────────────> gone

Every step is a conditional write in a unit on `system`, whose lock orders the nodes that try it at
once: one of them finds something to do, the others find it done.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import RSAKey
from sqlalchemy import delete, select, update

from homeport.eventlog import Unit
from homeport.eventlog.catalogue.account import SigningKeyCreated
from homeport.eventlog.catalogue.signing_key import (
    SigningKeyActivated,
    SigningKeyRemoved,
    SigningKeyScheduled,
    SigningKeyWithdrawn,
)
from homeport.identity.errors import SigningKeyNotFound
from homeport.identity.models import SigningKey
from homeport.identity.sealed import PRIVATE_KEYS
from homeport.kernel import clock
from homeport.kernel.crypto import KeyRing

ALGORITHM: Final = "RS256"
RSA_BITS: Final = 3072
LEAD: Final = timedelta(hours=1)
"""A key is published for so long before it signs: others may keep the JWKS for a while."""
SETTLING: Final = timedelta(seconds=10)
"""The least of it, in a hurry: every node of this installation has loaded the key by then."""

KeyPhase = Literal["next", "active"]


def new_private_key() -> RSAPrivateKey:
    """A fresh key; takes a good part of a second of one core."""
    return generate_private_key(65537, RSA_BITS)


def store_key(
    unit: Unit,
    keyring: KeyRing,
    private: RSAPrivateKey,
    *,
    state: KeyPhase,
    signs_from: datetime,
    actor: str = "system",
) -> str:
    """Stores `private`, sealed; returns its id."""
    key = RSAKey.import_key(private.public_key())
    kid = key.thumbprint()  # RFC 7638: the id says which key it is
    public = key.as_dict(private=False) | {"kid": kid, "use": "sig", "alg": ALGORITHM}
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    unit.session.add(
        SigningKey(
            id=kid,
            algorithm=ALGORITHM,
            state=state,
            public_jwk=public,
            private_sealed=keyring.seal(
                PRIVATE_KEYS.purpose, der, context=PRIVATE_KEYS.context(kid)
            ),
            created_at=clock.utc_now(),
            activated_at=signs_from,
            retires_at=None,
        )
    )
    unit.append(
        "system", SigningKeyCreated(key_id=kid, algorithm=ALGORITHM, state=state), actor=actor
    )
    return kid


async def publish_next(
    unit: Unit,
    keyring: KeyRing,
    private: RSAPrivateKey,
    *,
    signs_from: datetime,
    actor: str = "system",
) -> None:
    """Publishes `private`; nothing changes when a next key is published already."""
    if await _in_state(unit, "next") is None:
        store_key(unit, keyring, private, state="next", signs_from=signs_from, actor=actor)
        await unit.session.flush()


async def hasten_next(unit: Unit, *, actor: str) -> None:
    """Lets the next key sign as soon as it has settled, if that is earlier than planned."""
    waiting = await _in_state(unit, "next")
    if waiting is None:
        return
    earliest = max(clock.utc_now(), waiting.created_at + SETTLING)
    if waiting.activated_at is None or earliest < waiting.activated_at:
        waiting.activated_at = earliest
        signs_from = clock.rfc3339(earliest)
        unit.append(
            "system", SigningKeyScheduled(key_id=waiting.id, signs_from=signs_from), actor=actor
        )


async def activate_next(unit: Unit, *, verifies_for: timedelta) -> None:
    """Lets the next key sign if its time has come; the one before it verifies for so long."""
    waiting = await _in_state(unit, "next")
    now = clock.utc_now()
    if waiting is None or (waiting.activated_at is not None and waiting.activated_at > now):
        return
    before = await _in_state(unit, "active")
    if before is not None:
        before.state, before.retires_at = "retiring", now + verifies_for
        await unit.session.flush()  # there is one active key at any moment
    waiting.state, waiting.activated_at = "active", now
    unit.append(
        "system",
        SigningKeyActivated(key_id=waiting.id, replaces=None if before is None else before.id),
        actor="system",
    )


async def remove_retired(unit: Unit) -> None:
    """Takes away keys whose tokens are gone."""
    result = await unit.session.execute(
        delete(SigningKey)
        .where(SigningKey.state == "retiring", SigningKey.retires_at <= clock.utc_now())
        .returning(SigningKey.id)
        .execution_options(synchronize_session=False)
    )
    for kid in sorted(result.scalars()):
        unit.append("system", SigningKeyRemoved(key_id=kid), actor="system")


async def withdraw_key(
    unit: Unit, keyring: KeyRing, kid: str, *, spare: RSAPrivateKey, actor: str
) -> None:
    """Takes a key away at once, with all that it has signed; `spare` follows an active one.

    Raises:
        SigningKeyNotFound: There is no such key.
    """
    result = await unit.session.execute(
        delete(SigningKey)
        .where(SigningKey.id == kid)
        .returning(SigningKey.state)
        .execution_options(synchronize_session=False)
    )
    state = result.scalar()
    if state is None:
        raise SigningKeyNotFound(f"No signing key has the id {kid!r}.")
    unit.append("system", SigningKeyWithdrawn(key_id=kid), actor=actor)
    if state != "active":
        return
    now = clock.utc_now()
    follower = await _in_state(unit, "next")
    if follower is None:
        store_key(unit, keyring, spare, state="active", signs_from=now, actor=actor)
        return
    await unit.session.execute(
        update(SigningKey)
        .where(SigningKey.id == follower.id)
        .values(state="active", activated_at=now)
        .execution_options(synchronize_session=False)
    )
    unit.append("system", SigningKeyActivated(key_id=follower.id, replaces=kid), actor=actor)


async def _in_state(unit: Unit, state: KeyPhase) -> SigningKey | None:
    unit.head("system")  # proves that the unit holds the lock that makes this read good
    return await unit.session.scalar(
        select(SigningKey)
        .where(SigningKey.state == state)
        .execution_options(populate_existing=True)
    )
