"""The keys of an account: added with a proof of possession, listed, deleted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.eventlog import Unit
from homeport.eventlog.catalogue.request_key import RequestKeyAdded, RequestKeyRemoved
from homeport.identity.opaque import encoded_secret
from homeport.identity.service.devices import revoke_devices
from homeport.identity.signatures.errors import RequestKeyTaken, TooManyRequestKeys
from homeport.identity.signatures.models import RequestKey
from homeport.kernel import clock
from homeport.kernel.ids import new_id

MOST_KEYS: Final = 20


def thumbprint_of(public_key: bytes) -> str:
    """The thumbprint (RFC 7638) of an Ed25519 key, as 43 characters of base64url."""
    jwk = f'{{"crv":"Ed25519","kty":"OKP","x":"{encoded_secret(public_key)}"}}'
    return encoded_secret(hashlib.sha256(jwk.encode()).digest())


async def list_request_keys(session: AsyncSession, user_id: str) -> Sequence[RequestKey]:
    """All keys of `user_id`, the newest first; there are twenty at most."""
    query = select(RequestKey).where(RequestKey.user_id == user_id).order_by(RequestKey.id.desc())
    return (await session.scalars(query)).all()


async def add_request_key(unit: Unit, *, user_id: str, name: str, public_key: bytes) -> RequestKey:
    """Adds a key of `user_id`, whose possession was proven.

    Raises:
        RequestKeyTaken: The account has it already.
        TooManyRequestKeys: The account holds twenty.
    """
    thumbprint = thumbprint_of(public_key)
    own = select(func.count()).select_from(RequestKey).where(RequestKey.user_id == user_id)
    if await unit.session.scalar(own.where(RequestKey.thumbprint == thumbprint)):
        raise RequestKeyTaken
    if (await unit.session.scalar(own) or 0) >= MOST_KEYS:
        raise TooManyRequestKeys(f"An account has {MOST_KEYS} signing keys at most.")
    key = RequestKey(
        id=new_id(),
        user_id=user_id,
        name=name,
        thumbprint=thumbprint,
        public_key=public_key,
        created_at=clock.utc_now(),
        last_used_at=None,
    )
    unit.session.add(key)
    unit.append(
        f"account:{user_id}",
        RequestKeyAdded(request_key_id=key.id, name=name, thumbprint=thumbprint),
        actor=f"user:{user_id}",
    )
    return key


async def remove_request_key(unit: Unit, *, user_id: str, key_id: str, actor: str) -> bool:
    """Deletes one key of `user_id`; False when it is not theirs."""
    result = await unit.session.execute(
        delete(RequestKey)
        .where(RequestKey.id == key_id, RequestKey.user_id == user_id)
        .returning(RequestKey.thumbprint)
        .execution_options(synchronize_session=False)
    )
    thumbprint = result.scalar()
    if thumbprint is None:
        return False
    unit.append(
        f"account:{user_id}",
        RequestKeyRemoved(request_key_id=key_id, thumbprint=thumbprint),
        actor=actor,
    )
    return True


async def reset_request_keys(unit: Unit, *, user_id: str, actor: str) -> int:
    """Deletes every key of `user_id` and ends their sign-ins; returns how many keys there were.

    The next key needs no signature by another one, so whoever adds it signs in anew for that.
    """
    keys = await list_request_keys(unit.session, user_id)
    for key in keys:
        await remove_request_key(unit, user_id=user_id, key_id=key.id, actor=actor)
    if keys:
        await revoke_devices(unit, user_id=user_id, reason="factors-changed", actor=actor)
    return len(keys)
