"""Who must sign what, and the one place that checks it: `identified` asks here."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request

from homeport.identity.access import Caller, RequestSignatures
from homeport.identity.signatures.check import (
    ALWAYS,
    LONGEST_LIFE_S,
    WITH_BODY,
    check_claims,
    check_signature,
)
from homeport.identity.signatures.errors import SignatureRefused, SignatureRequired
from homeport.identity.signatures.fields import TAG, Presented, presented
from homeport.identity.signatures.keys import list_request_keys, thumbprint_of
from homeport.identity.signatures.message import Message
from homeport.identity.signatures.nonces import spend
from homeport.kernel import clock
from homeport.kernel.db import Database
from homeport.kernel.http.middleware.exchange import target_as_sent

ENROLMENT: Final = "POST /v1/auth/signing-keys"
CRITICAL: Final = frozenset(
    {
        ENROLMENT,
        "DELETE /v1/auth/signing-keys/{signing_key_id}",
        "POST /v1/auth/change-password",
        "POST /v1/auth/mfa/totp",
        "POST /v1/auth/mfa/totp/confirm",
        "DELETE /v1/auth/mfa/totp",
        "POST /v1/auth/mfa/recovery-codes",
        "POST /v1/auth/passkeys/register/verify",
        "DELETE /v1/auth/passkeys/{passkey_id}",
        "POST /v1/auth/device/approve",
        "POST /v1/auth/api-keys",
        "DELETE /v1/auth/api-keys/{key_id}",
        "PATCH /v1/auth/devices/{device_id}",
        "DELETE /v1/auth/devices/{device_id}",
        "POST /v1/user/profile/reset-api-key",
        "DELETE /v1/user/profile",
        "PATCH /v1/auth/users/{user_id}",
        "DELETE /v1/auth/users/{user_id}",
        "POST /v1/auth/users/{user_id}/unlock",
        "POST /v1/auth/invitations",
        "DELETE /v1/auth/invitations/{invitation_id}",
        "POST /v1/approvals/{approval_id}",
        "POST /v1/projects",
        "PATCH /v1/projects/{project_id}",
        "DELETE /v1/projects/{project_id}",
        "PUT /v1/projects/{project_id}/members",
        "DELETE /v1/projects/{project_id}/members/{user_id}",
    }
)
"""What the setting `REQUEST_SIGNATURES=critical` is about."""


def refuse_unsigned(caller: Caller, *, route: str, critical: bool) -> None:
    """Refuses what cannot carry a signature, as a frame of a WebSocket, where one is wanted.

    Args:
        route: What does the same over HTTP, and can be signed.
        critical: Critical routes want a signature of everybody.

    Raises:
        SignatureRequired: It is wanted of this caller.
    """
    if caller.signed_only or (critical and route in CRITICAL):
        raise SignatureRequired(f"Send {route}, signed.")


class Signatures(RequestSignatures):
    """The one implementation of `RequestSignatures`.

    Args:
        origin: `https://host[:port]`, as people reach this server.
        critical: Critical routes want a signature of everybody.
    """

    def __init__(self, database: Database, *, origin: str, critical: bool) -> None:
        self._database = database
        parts = urlsplit(origin)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self.critical = critical

    def asks(self, connection: HTTPConnection) -> bool:
        """See `RequestSignatures.asks`."""
        return self.critical and _route_of(connection) in CRITICAL

    async def require(self, connection: HTTPConnection, caller: Caller) -> None:
        """See `RequestSignatures.require`."""
        async with self._database.read() as session:
            keys = {
                row.thumbprint: row.public_key
                for row in await list_request_keys(session, caller.user_id)
            }
        if not keys and not caller.signed_only and _route_of(connection) == ENROLMENT:
            return  # the first key is its own proof
        await self._check(connection, caller, keys)

    async def require_of_critical(self, connection: HTTPConnection, caller: Caller) -> None:
        """Passes a request as `require` does, whose body and not its route makes it critical.

        Raises:
            SignatureRequired: Critical requests are signed here, and it is not.
            SignatureRefused: Its signature does not hold, or was seen before.
        """
        if self.critical and not caller.signed_only:  # else `identified` has judged it
            await self.require(connection, caller)

    async def prove(self, connection: HTTPConnection, caller: Caller, public_key: bytes) -> None:
        """Passes a request that the holder of `public_key` has signed: proof of possession.

        Raises:
            SignatureRequired: It carries no signature.
            SignatureRefused: It does not hold, or was seen before.
        """
        await self._check(connection, caller, {thumbprint_of(public_key): public_key})

    async def _check(
        self, connection: HTTPConnection, caller: Caller, keys: dict[str, bytes]
    ) -> None:
        body = await connection.body() if isinstance(connection, Request) else b""
        message = Message(
            method=connection.scope.get("method", "GET"),  # a WebSocket begins as one
            target=target_as_sent(connection.scope),
            origin=self._origin,
            headers=connection.scope["headers"],
            body=body,
        )
        credential = "authorization" if "authorization" in connection.headers else "x-api-key"
        found = presented(message)
        if not found:
            raise _wanted(credential)
        signed = _by_one_of(keys, found)
        thumbprint, nonce = check_claims(
            message, signed, credential=credential, now=clock.utc_now()
        )
        check_signature(message, signed, keys[thumbprint])
        async with self._database.write() as session:
            fresh = await spend(session, user_id=caller.user_id, thumbprint=thumbprint, nonce=nonce)
        if not fresh:
            raise SignatureRefused("This nonce was used before.")


def _by_one_of(keys: dict[str, bytes], found: list[Presented]) -> Presented:
    for each in found:
        key_id = each.parameters.get("keyid")
        if isinstance(key_id, str) and key_id in keys:
            return each
    raise SignatureRefused("The keyid is of no key that counts here.")


def _wanted(credential: str) -> SignatureRequired:
    return SignatureRequired(
        "Sign this request as docs/signing.md says.",
        covers=[*ALWAYS, credential],
        covers_with_body=list(WITH_BODY),
        max_age_s=LONGEST_LIFE_S,
        tag=TAG,
    )


def _route_of(connection: HTTPConnection) -> str:
    route = connection.scope.get("route")
    return f"{connection.scope.get('method', 'WS')} {getattr(route, 'path', '')}"
