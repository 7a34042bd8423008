"""API keys: made, shown once, revoked. A key that makes a key cannot give more than it has."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, update

from homeport.eventlog import Unit
from homeport.eventlog.catalogue.account import ApiKeyCreated, ApiKeyRevoked, KeyEnd
from homeport.identity.access import Caller
from homeport.identity.errors import ExpiryInvalid, TooManyKeys, UnknownScope
from homeport.identity.models import ApiKey
from homeport.identity.opaque import SHOWN, hashed, new_api_key
from homeport.identity.repository import count_keys, live_key
from homeport.identity.roles import PERMISSIONS
from homeport.kernel import clock
from homeport.kernel.ids import new_id

MAX_KEYS: Final = 50
DEFAULT_NAME: Final = "default"


def granted_scopes(wanted: list[str] | None, *, caller: Caller) -> list[str] | None:
    """The scopes that `caller` may give away: those asked for, or all that the caller has.

    Raises:
        UnknownScope: A scope does not exist, or the caller's own credential lacks it.
    """
    if wanted is None:
        return None if caller.scopes is None else sorted(caller.scopes)
    known = PERMISSIONS if caller.scopes is None else caller.scopes
    refused = sorted(set(wanted) - known)
    if refused:
        raise UnknownScope(
            f"{', '.join(refused)} cannot be granted; there are: {', '.join(sorted(known))}.",
            param="scopes",
        )
    return sorted(set(wanted))


def granted_expiry(wanted: datetime | None, *, caller: Caller) -> datetime | None:
    """When a key of `caller`'s making ends; one made with a key does not outlive that key.

    Raises:
        ExpiryInvalid: It lies in the past, or beyond the end of the caller's own key.
    """
    if wanted is not None and wanted <= clock.utc_now():
        raise ExpiryInvalid("expires_at lies in the past.", param="expires_at")
    own = caller.expires_at if caller.api_key_id is not None else None
    if own is None:
        return wanted
    if wanted is not None and wanted > own:
        raise ExpiryInvalid(
            f"The key that you use ends at {clock.rfc3339(own)}; it cannot make one that lives on.",
            param="expires_at",
        )
    return wanted or own


async def create_key(
    unit: Unit,
    *,
    user_id: str,
    name: str,
    scopes: list[str] | None,
    expires_at: datetime | None,
    actor: str,
    signed_only: bool = False,
) -> tuple[ApiKey, str]:
    """Makes a key of `user_id`; returns its row and its text, which is nowhere else.

    Raises:
        TooManyKeys: The account holds fifty live ones.
    """
    now = clock.utc_now()
    if await count_keys(unit.session, user_id, now=now) >= MAX_KEYS:
        raise TooManyKeys(f"An account has {MAX_KEYS} live keys at most.")
    text = new_api_key()
    key = ApiKey(
        id=new_id(),
        user_id=user_id,
        name=name,
        prefix=text[:SHOWN],
        secret_hash=hashed(text),
        scopes=scopes,
        created_at=now,
        expires_at=expires_at,
        last_used_at=None,
        revoked_at=None,
        signed_only=signed_only,
    )
    unit.session.add(key)
    unit.append(
        f"account:{user_id}",
        ApiKeyCreated(
            api_key_id=key.id,
            name=name,
            signed_only=signed_only,
            scopes=scopes,
            expires_at=None if expires_at is None else clock.rfc3339(expires_at),
        ),
        actor=actor,
    )
    return key, text


async def revoke_key(unit: Unit, *, user_id: str, key_id: str, actor: str) -> bool:
    """Revokes one key of `user_id`; False when it is not theirs or had ended."""
    return bool(await _end(unit, user_id, "revoked", actor, ApiKey.id == key_id))


async def revoke_keys(
    unit: Unit, *, user_id: str, reason: KeyEnd, actor: str, name: str | None = None
) -> int:
    """Revokes the keys of `user_id`, those called `name` or all; returns how many."""
    which = () if name is None else (ApiKey.name == name,)
    return len(await _end(unit, user_id, reason, actor, *which))


async def _end(
    unit: Unit, user_id: str, reason: KeyEnd, actor: str, *which: ColumnElement[bool]
) -> list[str]:
    now = clock.utc_now()
    result = await unit.session.execute(
        update(ApiKey)
        .where(*live_key(user_id, now), *which)
        .values(revoked_at=now)
        .returning(ApiKey.id)
        .execution_options(synchronize_session=False)
    )
    ended = sorted(result.scalars())
    for key_id in ended:
        unit.append(
            f"account:{user_id}", ApiKeyRevoked(api_key_id=key_id, reason=reason), actor=actor
        )
    return ended
