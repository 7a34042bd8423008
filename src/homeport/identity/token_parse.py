"""Reads an access token as strictly as its grammar allows, before any key is looked up.

Libraries forgive padding, whitespace, duplicate members and unknown header parameters;
each of these has been a way in elsewhere. What passes here is exactly what `AccessTokens` writes.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Any, Final, cast

from homeport.identity.errors import CredentialRefused

MAX_TOKEN: Final = 8_192
TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - a media type (RFC 9068 section 2.1), no secret
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)
_HEADER_MEMBERS: Final = frozenset(
    {"alg", "typ", "kid"}
)  # so no crit, jku, jwk, x5u, x5c, b64, zip
_TEXTS: Final = ("iss", "aud", "sub", "sid", "jti", "scope")
_TIMES: Final = ("iat", "nbf", "exp")
_MAX_TIME: Final = 1 << 40


@dataclass(frozen=True, slots=True)
class ParsedToken:
    """A well-formed token that nobody has verified yet."""

    kid: str
    algorithm: str
    claims: dict[str, Any]


def parse_token(token: str) -> ParsedToken:
    """The parts of `token`.

    Raises:
        CredentialRefused: It departs in anything from what this server writes.
    """
    match = _COMPACT.fullmatch(token) if len(token) <= MAX_TOKEN else None
    if match is None:
        raise CredentialRefused
    header, claims = _object(match[1]), _object(match[2])
    _decoded(match[3])
    if header.keys() != _HEADER_MEMBERS or header["typ"] != TOKEN_TYPE:
        raise CredentialRefused
    kid, algorithm = header["kid"], header["alg"]
    if not isinstance(kid, str) or not isinstance(algorithm, str):
        raise CredentialRefused
    _check_claims(claims)
    return ParsedToken(kid, algorithm, claims)


def _check_claims(claims: dict[str, Any]) -> None:
    if not all(isinstance(claims.get(name), str) for name in _TEXTS):
        raise CredentialRefused
    times = [claims.get(name) for name in _TIMES]
    if not all(type(time) is int and 0 <= time < _MAX_TIME for time in times):
        raise CredentialRefused
    roles = claims.get("roles")
    if not isinstance(roles, list):
        raise CredentialRefused
    if not all(isinstance(role, str) for role in cast("list[object]", roles)):
        raise CredentialRefused


def _object(segment: str) -> dict[str, Any]:
    """A segment's JSON object, in which every member stands once and every number is finite."""
    try:
        value: object = json.loads(
            _decoded(segment).decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError):
        raise CredentialRefused from None
    if not isinstance(value, dict):
        raise CredentialRefused
    return cast("dict[str, Any]", value)


def _decoded(segment: str) -> bytes:
    """Base64url without padding, in its one canonical spelling (RFC 4648 section 3.5)."""
    try:
        raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        raise CredentialRefused from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != segment.encode():
        raise CredentialRefused
    return raw


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
