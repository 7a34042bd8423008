"""Opaque credentials: how they look, how they are checked before the database is asked, and hashed.

An API key is `ck_` + 43 characters of base 62 (256 bits) + 6 of checksum (CRC-32): a typo or a
truncated paste is refused without a query, and secret scanners can tell a real one.
A refresh token is `hpr_` + its id + `.` + 43 characters of base64url (256 bits).
A stream ticket is `hpt_` + 43 characters of base64url (256 bits).
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass
from typing import Final
from uuid import UUID

KEY_MARK: Final = "ck_"
REFRESH_MARK: Final = "hpr_"
TICKET_MARK: Final = "hpt_"
SHOWN: Final = len(KEY_MARK) + 6
_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BODY, _CHECKSUM = 43, 6
_KEY: Final = re.compile(rf"{KEY_MARK}[0-9A-Za-z]{{{_BODY + _CHECKSUM}}}", re.ASCII)
_REFRESH: Final = re.compile(rf"{REFRESH_MARK}([0-9a-f]{{32}})\.([A-Za-z0-9_-]{{43}})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ParsedRefresh:
    """A well-formed refresh token that nobody has looked up yet."""

    token_id: str
    secret_hash: bytes


def new_api_key() -> str:
    """A fresh key, shown to its owner once."""
    body = KEY_MARK + "".join(secrets.choice(_ALPHABET) for _ in range(_BODY))
    return body + _checksum(body)


def is_api_key(text: str) -> bool:
    """Whether `text` has a key's form and a right checksum."""
    if not _KEY.fullmatch(text):
        return False
    return text[-_CHECKSUM:] == _checksum(text[:-_CHECKSUM])


def new_secret() -> str:
    """256 bits that nobody can guess, as 43 characters of base64url."""
    return secrets.token_urlsafe(32)


def encoded_secret(raw: bytes) -> str:
    """32 bytes in the form of `new_secret`."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def refresh_token(token_id: str, secret: str) -> str:
    """The refresh token as its owner sends it."""
    return f"{REFRESH_MARK}{token_id.replace('-', '')}.{secret}"


def parse_refresh(text: str) -> ParsedRefresh | None:
    """The parts of a refresh token, None when it is none."""
    match = _REFRESH.fullmatch(text)
    if match is None:
        return None
    return ParsedRefresh(str(UUID(match[1])), hashed(match[2]))


def hashed(secret: str) -> bytes:
    """SHA-256: enough for what carries 256 bits of its own."""
    return hashlib.sha256(secret.encode()).digest()


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
