"""Access tokens: RS256 JSON Web Tokens of the profile RFC 9068, signed and verified."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
from joserfc import jws
from joserfc.errors import JoseError

from homeport.identity.errors import CredentialRefused
from homeport.identity.service.signing_keys import ALGORITHM
from homeport.identity.signing_keys import SigningKeys
from homeport.identity.token_parse import TOKEN_TYPE, parse_token
from homeport.kernel import clock
from homeport.kernel.ids import new_id

UNLIMITED: Final = "*"  # the scope of a sign-in that its owner did not narrow
_LEEWAY_S: Final = 10  # clocks of two nodes differ; an expiry is never extended
_CACHE_SIZE: Final = 4_096


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """What a valid access token says. Roles and scopes are looked up live, never taken from it."""

    user_id: str
    device_id: str
    token_id: str
    expires_at: datetime


class AccessTokens:
    """Signs and verifies; remembers what it verified lately until a key is withdrawn.

    Args:
        issuer: The `iss` of every token; the same on all nodes.
        audience: The `aud` of every token.
        lifetime: From signing to expiry.
    """

    def __init__(
        self,
        keys: SigningKeys,
        *,
        issuer: str = "homeport",
        audience: str = "homeport",
        lifetime: timedelta = timedelta(minutes=15),
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self.lifetime = lifetime
        self._verified: OrderedDict[bytes, VerifiedToken] = OrderedDict()
        self._verified_epoch = 0

    def sign(
        self,
        *,
        user_id: str,
        device_id: str,
        roles: Iterable[str],
        scopes: Iterable[str] | None,
        not_after: datetime,
    ) -> tuple[str, int]:
        """A fresh token and its lifetime in whole seconds; it never outlives `not_after`."""
        kid, key = self._keys.active
        now = int(clock.utc_now().timestamp())
        expires = min(now + int(self.lifetime.total_seconds()), int(not_after.timestamp()))
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": user_id,
            "sid": device_id,
            "jti": new_id(),
            "iat": now,
            "nbf": now,
            "exp": expires,
            "roles": sorted(roles),
            "scope": UNLIMITED if scopes is None else " ".join(sorted(scopes)),
        }
        header = {"alg": ALGORITHM, "typ": TOKEN_TYPE, "kid": kid}
        token = jws.serialize_compact(header, orjson.dumps(claims), key, algorithms=[ALGORITHM])
        return token, expires - now

    def verify(self, token: str) -> VerifiedToken:
        """What `token` says, if this server signed it and it is in its time.

        Raises:
            CredentialRefused: It is malformed, foreign, forged, not yet or no longer valid.
        """
        verified = self.signed(token)
        if verified.expires_at <= clock.utc_now():
            raise CredentialRefused("The access token has expired: refresh it.")
        return verified

    def signed(self, token: str) -> VerifiedToken:
        """What `token` says, if this server signed it, however long ago: it proves nobody.

        Raises:
            CredentialRefused: It is malformed, foreign, forged or not yet valid.
        """
        if self._verified_epoch != self._keys.epoch:
            self._verified.clear()
            self._verified_epoch = self._keys.epoch
        fingerprint = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        verified = self._verified.get(fingerprint)
        if verified is None:
            verified = self._verify(token)
            self._verified[fingerprint] = verified
            if len(self._verified) > _CACHE_SIZE:
                self._verified.popitem(last=False)
        else:
            self._verified.move_to_end(fingerprint)
        return verified

    def _verify(self, token: str) -> VerifiedToken:
        parsed = parse_token(token)
        key = self._keys.verifying(parsed.kid, parsed.algorithm)
        if key is None:
            raise CredentialRefused
        try:
            jws.deserialize_compact(token, key, algorithms=[parsed.algorithm])
        except (JoseError, ValueError):
            raise CredentialRefused from None
        claims = parsed.claims
        if claims["iss"] != self._issuer or claims["aud"] != self._audience:
            raise CredentialRefused
        now = clock.utc_now().timestamp()
        if max(claims["nbf"], claims["iat"]) > now + _LEEWAY_S:
            raise CredentialRefused
        return VerifiedToken(
            user_id=claims["sub"],
            device_id=claims["sid"],
            token_id=claims["jti"],
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )
