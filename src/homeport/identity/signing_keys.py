"""The keys that sign access tokens: kept sealed in a table, held open in memory, published as JWKS.

A key is `next` (published, signs from `activated_at` on), `active` (signs) or `retiring` (verifies
until its tokens are gone). A lookup never leaves the process: `load` brings the table's state in,
as a chore. What moves a key from state to state is in `identity.service.signing_keys`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from joserfc.jwk import RSAKey
from sqlalchemy.exc import IntegrityError

from homeport.eventlog import EventLog
from homeport.identity.models import SigningKey
from homeport.identity.repository import list_signing_keys
from homeport.identity.sealed import PRIVATE_KEYS
from homeport.identity.service.signing_keys import new_private_key, store_key
from homeport.kernel import clock
from homeport.kernel.crypto import KeyRing, SealForeign
from homeport.kernel.db import Database

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Keys:
    """One state of the table. `epoch` rises when a key goes, and with it what it had verified."""

    active_kid: str
    active: RSAKey
    verifying: Mapping[str, tuple[str, RSAKey]]
    published: tuple[dict[str, Any], ...]
    rows: tuple[SigningKey, ...]
    epoch: int


class SigningKeys:
    """The present keys."""

    def __init__(self, log: EventLog, keyring: KeyRing) -> None:
        self._log = log
        self._database: Database = log.database
        self._keyring = keyring
        self._keys: _Keys | None = None

    @property
    def epoch(self) -> int:
        """Rises whenever a key stops verifying: what was verified before counts no more."""
        return self._now.epoch

    @property
    def active(self) -> tuple[str, RSAKey]:
        """The key that signs, and its id."""
        return self._now.active_kid, self._now.active

    def verifying(self, kid: str, algorithm: str) -> RSAKey | None:
        """The public key `kid`, if it exists and is one for `algorithm`: a property of the key."""
        known = self._now.verifying.get(kid)
        return known[1] if known is not None and known[0] == algorithm else None

    def published(self) -> dict[str, Any]:
        """The JSON Web Key Set (RFC 7517 section 5), public members only."""
        return {"keys": list(self._now.published)}

    @property
    def rows(self) -> Sequence[SigningKey]:
        """The table as it was read last, the oldest first."""
        return self._now.rows

    async def load(self) -> None:
        """Takes the table's state, making the first key when there is none.

        Raises:
            SealForeign: The active key was sealed under another secret.
            Unavailable: The database does not answer.
        """
        found = await self._rows()
        if not any(row.state == "active" for row in found):
            await self._make_first()
            found = await self._rows()
        before, now = self._keys, clock.utc_now()
        rows = [row for row in found if row.retires_at is None or row.retires_at > now]
        known = {row.id: (row.algorithm, _public(row)) for row in rows}
        gone = before is not None and not before.verifying.keys() <= known.keys()
        active = next(row for row in rows if row.state == "active")
        if before is not None and before.active_kid == active.id:
            private = before.active
        else:
            private = self._opened(active)
        self._keys = _Keys(
            active_kid=active.id,
            active=private,
            verifying=MappingProxyType(known),
            published=tuple(row.public_jwk for row in rows),
            rows=tuple(found),
            epoch=(before.epoch if before else 0) + gone,
        )

    @property
    def _now(self) -> _Keys:
        if self._keys is None:
            raise RuntimeError("the signing keys were not loaded")
        return self._keys

    async def _rows(self) -> list[SigningKey]:
        async with self._database.read() as session:
            return list(await list_signing_keys(session))

    async def _make_first(self) -> None:
        """Makes the active key; of two nodes that start at once, one wins and both use its key."""
        private = await asyncio.to_thread(new_private_key)
        now = clock.utc_now()
        try:
            async with self._log.unit("system") as unit:
                store_key(unit, self._keyring, private, state="active", signs_from=now)
        except IntegrityError:
            _logger.info("signing-key.made-elsewhere")

    def _opened(self, row: SigningKey) -> RSAKey:
        try:
            der = self._keyring.open(
                PRIVATE_KEYS.purpose, row.private_sealed, context=PRIVATE_KEYS.context(row.id)
            )
        except SealForeign:
            raise SealForeign(
                "The signing key in this database was sealed under another secret. Restore "
                "DATA_DIR/secret.key, or set SECRET_KEY to the secret that this database knew."
            ) from None
        # Ours, as the seal has shown: looking for its primes again takes a tenth of a second.
        private = load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
        if not isinstance(private, RSAPrivateKey):
            raise TypeError("the signing key is no RSA key")
        return RSAKey.import_key(private)


def _public(row: SigningKey) -> RSAKey:
    return RSAKey.import_key({name: row.public_jwk[name] for name in ("kty", "n", "e")})
