"""Judges a signature: what it must cover, its time, the digest of the body, and the key. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from homeport.identity.signatures.errors import SignatureRefused
from homeport.identity.signatures.fields import Presented, dictionary
from homeport.identity.signatures.message import Message

ALGORITHM: Final = "ed25519"
LONGEST_LIFE_S: Final = 60
AHEAD_S: Final = 5  # a client's clock may be ahead by so much
ALWAYS: Final = ("@method", "@target-uri")
WITH_BODY: Final = ("content-digest", "content-type")
_NONCE: Final = re.compile(r"[!-~]{16,128}", re.ASCII)
_PARAMETERS: Final = frozenset({"created", "expires", "nonce", "keyid", "tag", "alg"})


def check_claims(
    message: Message, presented: Presented, *, credential: str, now: datetime
) -> tuple[str, str]:
    """Passes a signature that covers what it must and is in its time; returns key id and nonce.

    Args:
        credential: The header in which the caller's credential came.

    Raises:
        SignatureRefused: It does not, or the body is another than the one that was signed.
    """
    needed = (*ALWAYS, credential, *(WITH_BODY if message.body else ()))
    missing = [name for name in needed if name not in presented.components]
    if missing:
        raise SignatureRefused(f"The signature does not cover: {', '.join(missing)}.")
    key_id, nonce = _check_parameters(presented.parameters, now)
    if "content-digest" in presented.components:
        _check_digest(message)
    return key_id, nonce


def check_signature(message: Message, presented: Presented, public_key: bytes) -> None:
    """Passes what the holder of `public_key` (32 bytes) has signed.

    Raises:
        SignatureRefused: Somebody else did, or the request was altered.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(
            presented.signature, presented.base(message)
        )
    except InvalidSignature:
        raise SignatureRefused(
            "The signature is not of this request, or not by this key."
        ) from None


def _check_parameters(given: dict[str, Any], now: datetime) -> tuple[str, str]:
    unknown = given.keys() - _PARAMETERS
    if unknown:
        raise SignatureRefused(f"Unknown parameters: {', '.join(sorted(unknown))}.")
    created, expires = given.get("created"), given.get("expires")
    if type(created) is not int or type(expires) is not int:
        raise SignatureRefused("created and expires are whole seconds since 1970.")
    if not 0 < expires - created <= LONGEST_LIFE_S:
        raise SignatureRefused(f"A signature lives {LONGEST_LIFE_S} seconds at most.")
    if not created - AHEAD_S <= now.timestamp() < expires:
        raise SignatureRefused("The signature is not in its time: compare the clocks.")
    key_id, nonce = given.get("keyid"), given.get("nonce")
    if type(key_id) is not str or type(nonce) is not str or not _NONCE.fullmatch(nonce):
        raise SignatureRefused("keyid and nonce are strings; a nonce has 16 to 128 characters.")
    if given.get("alg", ALGORITHM) != ALGORITHM:
        raise SignatureRefused(f"alg is {ALGORITHM}, or absent.")
    return key_id, nonce


def _check_digest(message: Message) -> None:
    """Compares the body with `Content-Digest` (RFC 9530 section 2)."""
    given = dictionary(message, "content-digest").get("sha-256", (None, {}))[0]
    made = hashlib.sha256(message.body).digest()
    if not isinstance(given, bytes) or not hmac.compare_digest(given, made):
        raise SignatureRefused("Content-Digest has no sha-256 of this body.")
