"""Makes the tokens of a sign-in: an access token beside a refresh token, and a token's one child.

A child's secret is a keyed digest of its parent: when the answer to a refresh is lost on the way,
the same child can be given again without ever having been stored in the clear.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from homeport.identity.access_tokens import AccessTokens
from homeport.identity.errors import SecretUnknown
from homeport.identity.models import Device, RefreshToken
from homeport.identity.opaque import encoded_secret, hashed, new_secret, refresh_token
from homeport.kernel import clock
from homeport.kernel.crypto import KeyRing
from homeport.kernel.ids import new_id

RETRY_WINDOW: Final = timedelta(seconds=10)
_PURPOSE: Final = "refresh-children"


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a signed-in device holds; the lifetimes are in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int
    refresh_expires_in: int


class TokenMint:
    """Makes refresh tokens and the pairs that devices get.

    Args:
        idle: A refresh token that is not used for so long ends.
        absolute: A sign-in ends after so long, however often it is refreshed.
    """

    def __init__(
        self,
        keyring: KeyRing,
        access: AccessTokens,
        *,
        idle: timedelta = timedelta(days=7),
        absolute: timedelta = timedelta(days=30),
    ) -> None:
        self._keyring = keyring
        self._access = access
        self._idle = idle
        self.absolute = absolute

    def first(self, device: Device, *, now: datetime) -> tuple[RefreshToken, str]:
        """The first refresh token of a family: its row and its text."""
        token_id, secret = new_id(), new_secret()
        return self._row(device, token_id, secret, now), refresh_token(token_id, secret)

    def child(
        self, device: Device, *, parent_id: str, child_id: str, now: datetime
    ) -> RefreshToken:
        """The row of the one child that `parent_id` has."""
        return self._row(device, child_id, self._child_secret(parent_id, child_id), now)

    def child_text(self, *, parent_id: str, child: RefreshToken) -> str:
        """The child as its owner sends it; the same whenever it is asked for.

        Raises:
            SecretUnknown: It was made under a secret of the server that this node does not know.
        """
        for made in self._keyring.macs(_PURPOSE, parent_id, child.id):
            secret = encoded_secret(made)
            if hmac.compare_digest(hashed(secret), child.secret_hash):
                return refresh_token(child.id, secret)
        raise SecretUnknown(retry_after=1)

    def pair(self, device: Device, *, roles: Iterable[str], refresh: str) -> TokenPair:
        """A fresh access token for `device` beside its refresh token."""
        token, expires_in = self._access.sign(
            user_id=device.user_id,
            device_id=device.id,
            roles=roles,
            scopes=device.scopes,
            not_after=device.expires_at,
        )
        left = min(self._idle, device.expires_at - clock.utc_now())
        return TokenPair(token, refresh, expires_in, max(int(left.total_seconds()), 0))

    def name_digest(self, name: str) -> str:
        """A keyed digest of a name that somebody typed, for the log: 16 hexadecimal digits."""
        return self._keyring.mac("typed-names", name).hex()[:16]

    def _child_secret(self, parent_id: str, child_id: str) -> str:
        return encoded_secret(self._keyring.mac(_PURPOSE, parent_id, child_id))

    def _row(self, device: Device, token_id: str, secret: str, now: datetime) -> RefreshToken:
        return RefreshToken(
            id=token_id,
            device_id=device.id,
            secret_hash=hashed(secret),
            created_at=now,
            expires_at=min(now + self._idle, device.expires_at),
            used_at=None,
            child_id=None,
        )
