"""Tells who calls, within microseconds for a caller seen lately and from the database otherwise.

What the database said about a device or key is believed for four seconds: a revocation on any node
acts within five. On this node `forget_user` makes it act at once. A database that does not answer
lets nobody in.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, update

from homeport.identity.access import Caller, Callers
from homeport.identity.access_tokens import AccessTokens
from homeport.identity.errors import CredentialRefused
from homeport.identity.models import ApiKey, Device
from homeport.identity.opaque import KEY_MARK, hashed, is_api_key
from homeport.identity.repository import (
    Standing,
    device_standing,
    key_hashes_to,
    key_is,
    key_standing,
)
from homeport.identity.roles import permissions_of
from homeport.kernel import clock
from homeport.kernel.db import Database

BELIEVED_S: Final = 4.0
_CACHE_SIZE: Final = 8_192


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is asked about: a device or key by its id, or a key by its hash."""

    kind: str
    id: str | bytes


@dataclass(frozen=True, slots=True)
class _Seen:
    checked_at: float
    standing: Standing
    roles: frozenset[str]
    permissions: frozenset[str]
    scopes: frozenset[str] | None


class Authenticator(Callers):
    """The one implementation of `Callers`."""

    def __init__(self, database: Database, tokens: AccessTokens) -> None:
        self._database = database
        self._tokens = tokens
        self._seen: OrderedDict[_Subject, _Seen] = OrderedDict()
        self._generation = 0
        self._devices_used: dict[str, datetime] = {}
        self._keys_used: dict[str, datetime] = {}

    async def identify(self, credential: str, *, keys_only: bool) -> Caller:
        """See `Callers.identify`."""
        if credential.startswith(KEY_MARK):
            if not is_api_key(credential):
                raise CredentialRefused("This is no API key of Homeport: its checksum is wrong.")
            seen = await self._look(_Subject("key-hash", hashed(credential)))
            return _caller(seen, key_id=seen.standing.subject_id)
        if keys_only:
            raise CredentialRefused("X-API-Key takes a ck_ key.")
        token = self._tokens.verify(credential)
        seen = await self._look(_Subject("device", token.device_id))
        if seen.standing.user_id != token.user_id:
            raise CredentialRefused
        return _caller(seen, device_id=token.device_id, expires_at=token.expires_at)

    async def holder(
        self, *, device_id: str | None, api_key_id: str | None, expires_at: datetime | None
    ) -> Caller:
        """The caller behind a proof that was checked before, as they stand now.

        Args:
            expires_at: When that proof ends.

        Raises:
            CredentialRefused: It is worth nothing any more.
            Unavailable: The database cannot say.
        """
        if expires_at is not None and expires_at <= clock.utc_now():
            raise CredentialRefused
        seen = await self._look(_subject(device_id, api_key_id))
        return _caller(seen, device_id=device_id, key_id=api_key_id, expires_at=expires_at)

    async def still_valid(self, caller: Caller) -> bool:
        """See `Callers.still_valid`."""
        if caller.expires_at is not None and caller.expires_at <= clock.utc_now():
            return False
        try:
            seen = await self._look(_subject(caller.device_id, caller.api_key_id))
        except CredentialRefused:
            return False
        return (
            seen.standing.user_id == caller.user_id
            and seen.roles == caller.roles
            and seen.scopes == caller.scopes
            and seen.standing.signed_only == caller.signed_only
        )

    def forget_user(self, user_id: str) -> None:
        """Drops what is believed about `user_id`: call it when a change of theirs is committed."""
        self._generation += 1
        for subject in [s for s, seen in self._seen.items() if seen.standing.user_id == user_id]:
            del self._seen[subject]

    async def write_last_used(self) -> None:
        """Writes down which devices and keys were used since the last time; a chore.

        Raises:
            Unavailable: The database does not take it; the next call tries again.
        """
        devices, keys = dict(self._devices_used), dict(self._keys_used)
        if not devices and not keys:
            return
        async with self._database.write() as session:
            connection = await session.connection()
            if devices:
                statement = update(Device.__table__).where(Device.id == bindparam("subject"))  # pyright: ignore[reportArgumentType]
                await connection.execute(
                    statement.values(last_seen_at=bindparam("at")),
                    [{"subject": subject, "at": at} for subject, at in sorted(devices.items())],
                )
            if keys:
                statement = update(ApiKey.__table__).where(ApiKey.id == bindparam("subject"))  # pyright: ignore[reportArgumentType]
                await connection.execute(
                    statement.values(last_used_at=bindparam("at")),
                    [{"subject": subject, "at": at} for subject, at in sorted(keys.items())],
                )
        _settle(self._devices_used, devices)
        _settle(self._keys_used, keys)

    async def _look(self, subject: _Subject) -> _Seen:
        """What is believed about `subject`, asked of the database when that is too long ago.

        Raises:
            CredentialRefused: It is worth nothing.
        """
        seen = self._seen.get(subject)
        # The clock that counts sleep: a laptop that wakes up believes nothing from before.
        if seen is not None and clock.boot_seconds() - seen.checked_at < BELIEVED_S:
            expires_at = seen.standing.expires_at
            if expires_at is None or expires_at > clock.utc_now():
                return seen
        generation, checked_at = self._generation, clock.boot_seconds()
        standing = await self._ask(subject)
        if standing is None:
            self._seen.pop(subject, None)
            raise CredentialRefused("This credential is revoked, expired or unknown.")
        seen = _judged(standing, checked_at)
        if generation == self._generation:  # else a change was committed while we read
            self._seen[subject] = seen
            self._seen.move_to_end(subject)
            if len(self._seen) > _CACHE_SIZE:
                self._seen.popitem(last=False)
        used = self._devices_used if subject.kind == "device" else self._keys_used
        used[standing.subject_id] = clock.utc_now()
        return seen

    async def _ask(self, subject: _Subject) -> Standing | None:
        now = clock.utc_now()
        async with self._database.read() as session:
            if isinstance(subject.id, bytes):
                return await key_standing(session, key_hashes_to(subject.id), now=now)
            if subject.kind == "key":
                return await key_standing(session, key_is(subject.id), now=now)
            return await device_standing(session, subject.id, now=now)


def _subject(device_id: str | None, api_key_id: str | None) -> _Subject:
    if device_id is not None:
        return _Subject("device", device_id)
    return _Subject("key", api_key_id or "")


def _settle(pending: dict[str, datetime], written: dict[str, datetime]) -> None:
    """Takes out what was written and did not change meanwhile."""
    for subject, at in written.items():
        if pending[subject] == at:
            del pending[subject]


def _judged(standing: Standing, checked_at: float) -> _Seen:
    permissions = permissions_of(standing.roles)
    scopes = None if standing.scopes is None else frozenset(standing.scopes)
    return _Seen(
        checked_at=checked_at,
        standing=standing,
        roles=frozenset(standing.roles),
        permissions=permissions if scopes is None else permissions & scopes,
        scopes=scopes,
    )


def _caller(
    seen: _Seen,
    *,
    device_id: str | None = None,
    key_id: str | None = None,
    expires_at: datetime | None = None,
) -> Caller:
    return Caller(
        user_id=seen.standing.user_id,
        username=seen.standing.username,
        roles=seen.roles,
        permissions=seen.permissions,
        scopes=seen.scopes,
        device_id=device_id,
        api_key_id=key_id,
        expires_at=expires_at if device_id is not None else seen.standing.expires_at,
        signed_only=seen.standing.signed_only,
    )
