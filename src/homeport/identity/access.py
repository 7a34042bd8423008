"""Who calls: the typed parameters by which every other room learns its caller.

    @router.get("/v1/things")
    async def list_things(caller: SignedIn) -> ...: ...

    @router.get("/v1/users")
    async def list_users(caller: Annotated[Caller, needs(USERS_READ)]) -> ...: ...

An endpoint without one of the two is public. A credential that is absent, malformed, foreign,
expired or revoked is a refusal, never an anonymous caller.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Protocol

from fastapi import Depends
from fastapi.openapi.models import APIKey, APIKeyIn, HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from homeport.identity.asking import asking, ordinary
from homeport.identity.errors import (
    AmbiguousCredential,
    CredentialRefused,
    RoleRequired,
    ScopeRequired,
)
from homeport.identity.roles import PERMISSIONS, roles_with
from homeport.identity.whose import WHOSE, Owner
from homeport.kernel.errors import Unauthenticated
from homeport.kernel.http.middleware.rates import count_account, count_nobody
from homeport.kernel.http.provide import services_of


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who proved who they are.

    Attributes:
        permissions: What the roles and the credential's scopes both allow.
        scopes: The credential's own limits; None is no limit beyond the roles.
        device_id: The sign-in that the access token belongs to; None for an API key.
        api_key_id: The key; None for an access token.
        expires_at: When this proof ends by itself; None is never (a key without an expiry).
        signed_only: Every request with this credential must be signed.
    """

    user_id: str
    username: str
    roles: frozenset[str]
    permissions: frozenset[str]
    scopes: frozenset[str] | None = None
    device_id: str | None = None
    api_key_id: str | None = None
    expires_at: datetime | None = None
    signed_only: bool = False

    @property
    def actor(self) -> str:
        """The caller's name in the log."""
        return f"user:{self.user_id}"

    @property
    def owner(self) -> Owner:
        """The account, for whatever the caller is refused."""
        return Owner(self.user_id, self.device_id, self.api_key_id, proven=True)

    def require(self, permission: str) -> None:
        """Checks one permission.

        Raises:
            ScopeRequired: The roles allow it and this credential's scopes do not.
            RoleRequired: No role of the caller allows it.
        """
        if permission in self.permissions:
            return
        holders = roles_with(permission)
        if self.scopes is not None and self.roles.intersection(holders):
            raise ScopeRequired(f"This credential lacks the scope {permission}.", needs=permission)
        raise RoleRequired(
            f"This needs {permission}, held by: {', '.join(holders)}.",
            needs=permission,
            roles=holders,
        )


class Callers(Protocol):
    """Turns credentials into callers. Wiring provides the one instance."""

    @abstractmethod
    async def identify(self, credential: str, *, keys_only: bool) -> Caller:
        """The caller that `credential` proves.

        Args:
            credential: An access token or a `ck_` key.
            keys_only: The place where it was found takes keys only.

        Raises:
            CredentialRefused: It proves nobody, or nobody any more.
            Unavailable: The database cannot say; nobody is let in on a guess.
        """

    @abstractmethod
    async def still_valid(self, caller: Caller) -> bool:
        """Whether the proof behind `caller` still holds: for whatever outlives the request.

        False within 5 s of an expiry, a sign-out, a revoked key, a disabled account, or a change of
        roles or of what must be signed. Cheap enough for a heart-beat: most calls touch no
        database.

        Raises:
            Unavailable: The database cannot say; end what depends on it.
        """


class RequestSignatures(Protocol):
    """Judges signed requests (RFC 9421). Wiring provides the one instance."""

    @abstractmethod
    def asks(self, connection: HTTPConnection) -> bool:
        """Whether this server wants this request signed, whoever sends it."""

    @abstractmethod
    async def require(self, connection: HTTPConnection, caller: Caller) -> None:
        """Passes a request that one of the caller's keys has signed, once.

        Raises:
            Unauthenticated: It is not signed, altered, too old, or was seen before.
            Unavailable: The database cannot say; nobody is let in on a guess.
        """


class _BearerScheme(SecurityBase):
    """`Authorization: Bearer`, with an access token or a key; on WebSockets too."""

    def __init__(self) -> None:
        self.model = HTTPBearer(
            bearerFormat="JWT or ck_ key", description="An access token, or a ck_ API key."
        )
        self.scheme_name = "bearer"

    async def __call__(self, connection: HTTPConnection) -> str | None:
        """The credential, None when the header is absent.

        Raises:
            CredentialRefused: The header is there and is not one bearer credential.
        """
        values = connection.headers.getlist("authorization")
        if not values:
            return None
        scheme, _, credential = values[0].partition(" ")
        if len(values) > 1 or scheme.lower() != "bearer":
            raise CredentialRefused("Send one Authorization header, with the scheme Bearer.")
        return credential.lstrip(" ")


class _KeyScheme(SecurityBase):
    """`X-API-Key`, with a key."""

    def __init__(self) -> None:
        self.model = APIKey.model_validate(
            {
                "in": APIKeyIn.header,
                "name": "X-API-Key",
                "description": "A ck_ API key.",
            }
        )
        self.scheme_name = "apiKey"

    async def __call__(self, connection: HTTPConnection) -> str | None:
        """The key, None when the header is absent.

        Raises:
            CredentialRefused: The header came more than once.
        """
        values = connection.headers.getlist("x-api-key")
        if len(values) > 1:
            raise CredentialRefused("Send one X-API-Key header.")
        return values[0] if values else None


bearer_header, key_header = _BearerScheme(), _KeyScheme()


async def identified(
    connection: HTTPConnection,
    bearer: Annotated[str | None, Depends(bearer_header)],
    key: Annotated[str | None, Depends(key_header)],
) -> Caller:
    """The caller, whatever they may do.

    Raises:
        Unauthenticated: Nobody proved anything, or the request has to be signed and is not.
        RateLimited: There are too many requests of this account, or of nobody from this address.
    """
    caller = await _recognised(connection, bearer, key)
    services = services_of(connection)
    if caller.signed_only:
        await services.get(RequestSignatures).require(connection, caller)
        return caller
    signatures = services.find(RequestSignatures)
    if signatures is not None and signatures.asks(connection):
        await signatures.require(connection, caller)
    return caller


async def _recognised(connection: HTTPConnection, bearer: str | None, key: str | None) -> Caller:
    if bearer is not None and key is not None and bearer != key:
        raise AmbiguousCredential
    credential = key if bearer is None else bearer
    if credential is None:
        raise Unauthenticated("Send an access token or an API key as Authorization: Bearer.")
    callers: Callers = services_of(connection).get(Callers)
    try:
        caller = await callers.identify(credential, keys_only=bearer is None)
    except CredentialRefused:
        await count_nobody(connection.scope)
        raise
    connection.scope[WHOSE] = caller.owner
    await count_account(connection.scope, caller.user_id)
    return caller


async def _signed_in(
    connection: HTTPConnection, caller: Annotated[Caller, Depends(identified)]
) -> Caller:
    """The caller, who may read with safe methods and write with the others (a WebSocket writes)."""
    caller.require(ordinary(connection.scope.get("method", "")))
    return caller


asking(_signed_in, None)
SignedIn = Annotated[Caller, Depends(_signed_in)]


def needs(permission: str) -> Any:
    """A dependency that yields the caller if they hold `permission`.

    Raises:
        ValueError: There is no such permission: a mistake in the program, found at import.
    """
    if permission not in PERMISSIONS:
        raise ValueError(f"no permission is called {permission!r}")

    async def dependency(caller: Annotated[Caller, Depends(identified)]) -> Caller:
        caller.require(permission)
        return caller

    checked: Callable[..., Any] = dependency
    asking(checked, permission)
    return Depends(checked)
