"""Which credentials a refused request shows, and whose they are, in whatever state.

They are noted as they are looked up: by an id or a hash, with which nobody gets in.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

from sqlalchemy import Select, null, select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import Scope

from homeport.identity.access_tokens import AccessTokens
from homeport.identity.errors import CredentialRefused
from homeport.identity.models import ApiKey, Device, RefreshToken, StreamTicket
from homeport.identity.opaque import TICKET_MARK, hashed, is_api_key, parse_refresh
from homeport.identity.refresh_cookie import cookies_in
from homeport.identity.whose import SHOWN, Owner
from homeport.kernel.http.middleware.exchange import headers_named

MOST: Final = 4
"""Credentials of one request that are looked at."""
_BATCH: Final = 500
_Rows = Select[Any, Any, Any, Any, Any]  # value, hash of the secret, account, device, key


class Shown(NamedTuple):
    """A credential.

    Attributes:
        kind: A member of `_QUERIES`.
        value: What it is found by.
        secret_hash: What the row has to hold besides, where `value` alone proves nothing.
    """

    kind: str
    value: str | bytes
    secret_hash: bytes | None = None


def shown_in(scope: Scope, tokens: AccessTokens) -> list[Shown]:
    """What the request of `scope` shows that may be somebody's; asks no database."""
    found = [
        *(_credential(text, tokens) for text in _credentials(scope)),
        *(Shown("ticket", hashed(text)) for text in _tickets(scope)),
    ]
    if not found:  # else the cookie is not read anywhere
        presented = (parse_refresh(text) for text in cookies_in(scope)[:MOST])
        found = [
            None if each is None else Shown("refresh", each.token_id, each.secret_hash)
            for each in presented
        ]
    return [each for each in dict.fromkeys(found) if each is not None][:MOST]


async def owners_of(session: AsyncSession, shown: Collection[Shown]) -> Mapping[Shown, Owner]:
    """Whose they are; what was never given to anybody, or is forgotten, is not in it."""
    owners: dict[Shown, Owner] = {}
    for kind, query in _QUERIES.items():
        by_value = {each.value: each for each in shown if each.kind == kind}
        values = list(by_value)
        for start in range(0, len(values), _BATCH):
            rows = await session.execute(query(values[start : start + _BATCH]))
            for value, secret_hash, user_id, device_id, api_key_id in rows:
                each = by_value[value]
                if each.secret_hash in {None, secret_hash}:
                    owners[each] = Owner(user_id, device_id, api_key_id)
    return owners


def _credentials(scope: Scope) -> Iterator[str]:
    for value in headers_named(scope, b"authorization")[:MOST]:
        scheme, _, text = value.decode("latin-1").partition(" ")
        yield from _basic(text) if scheme.lower() == "basic" else [text.lstrip(" ")]
    for value in headers_named(scope, b"x-api-key")[:MOST]:
        yield value.decode("latin-1")
    yield from scope.get(SHOWN, ())


def _basic(text: str) -> list[str]:
    """Name and password (RFC 7617); we know no such scheme, but a key may stand in either."""
    try:
        return b64decode(text.strip(), validate=True).decode("latin-1").split(":", 1)
    except ValueError:
        return []


def _credential(text: str, tokens: AccessTokens) -> Shown | None:
    if is_api_key(text):
        return Shown("key", hashed(text))
    if (refresh := parse_refresh(text)) is not None:
        return Shown("refresh", refresh.token_id, refresh.secret_hash)
    try:
        return Shown("device", tokens.signed(text).device_id)
    except CredentialRefused:
        return None


def _tickets(scope: Scope) -> list[str]:
    query: bytes = scope.get("query_string", b"")
    values = parse_qs(query.decode("latin-1")).get("ticket", [])
    return [text for text in values if text.startswith(TICKET_MARK)][:MOST]


def _keys(values: Sequence[Any]) -> _Rows:
    return select(ApiKey.secret_hash, null(), ApiKey.user_id, null(), ApiKey.id).where(
        ApiKey.secret_hash.in_(values)
    )


def _devices(values: Sequence[Any]) -> _Rows:
    return select(Device.id, null(), Device.user_id, Device.id, null()).where(Device.id.in_(values))


def _stream_tickets(values: Sequence[Any]) -> _Rows:
    row = StreamTicket
    return select(row.token_hash, null(), row.user_id, row.device_id, row.api_key_id).where(
        row.token_hash.in_(values)
    )


def _refresh_tokens(values: Sequence[Any]) -> _Rows:
    row = RefreshToken
    return (
        select(row.id, row.secret_hash, Device.user_id, Device.id, null())
        .join(Device, Device.id == row.device_id)
        .where(row.id.in_(values))
    )


_QUERIES: Final[Mapping[str, Callable[[Sequence[Any]], _Rows]]] = {
    "key": _keys,
    "device": _devices,
    "ticket": _stream_tickets,
    "refresh": _refresh_tokens,
}
