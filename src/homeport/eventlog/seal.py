"""A seal: a signed root over the heads of the streams that have moved since the seal before it.

    leaf      = [stream, seq, hash]
    statement = ["homeport-seal-v1", id, at, position, heads, root, previous, key]
    previous  = SHA-256 of the statement before, so that the newest signature vouches for all

Both are JSON arrays without white space, digests in hex. The signature is Ed25519 (RFC 8032). An
anchor is a seal as one line of JSON, kept where whoever holds the database cannot reach.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from homeport.eventlog import merkle
from homeport.kernel.crypto import KeyRing
from homeport.kernel.errors import Invalid

PURPOSE = "audit-seal"
VERSION = "homeport-seal-v1"
NOTHING = bytes(32)
"""What the first seal names as the one before it."""


class BadAnchor(Invalid):
    """A line of an anchor file is no seal."""

    code = "audit.bad-anchor"
    title = "This is not an anchor"


@dataclass(frozen=True, slots=True)
class SealedHead:
    """How a stream ended when it was sealed."""

    stream: str
    seq: int
    hash: bytes

    def leaf(self) -> bytes:
        """The bytes that are hashed."""
        return orjson.dumps([self.stream, self.seq, self.hash.hex()])


@dataclass(frozen=True, slots=True)
class Seal:
    """One seal.

    Attributes:
        id: From 1, without gaps.
        at: Milliseconds since 1970, UTC.
        position: Every event up to here is sealed by this seal or one before it.
        heads: How many streams have moved since.
        root: Over their heads, by name.
        previous: Digest of the statement before.
        key: The public key, 32 bytes.
        signature: Over the statement, 64 bytes.
    """

    id: int
    at: int
    position: int
    heads: int
    root: bytes
    previous: bytes
    key: bytes
    signature: bytes

    def statement(self) -> bytes:
        """The bytes that are signed."""
        digests = [each.hex() for each in (self.root, self.previous, self.key)]
        return orjson.dumps([VERSION, self.id, self.at, self.position, self.heads, *digests])

    def digest(self) -> bytes:
        """What the next seal names as `previous`."""
        return hashlib.sha256(self.statement()).digest()

    def is_signed(self) -> bool:
        """Whether the signature is that of the key which the seal names."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(self.signature, self.statement())
        except (InvalidSignature, ValueError):
            return False
        return True

    def members(self) -> dict[str, Any]:
        """Its attributes by name, in their order."""
        return {name: getattr(self, name) for name in (*_NUMBERS, *_DIGESTS)}

    def line(self) -> bytes:
        """The seal as an anchor, with its line feed."""
        members = {name: getattr(self, name) for name in _NUMBERS}
        digests = {name: getattr(self, name).hex() for name in _DIGESTS}
        return orjson.dumps(members | digests, option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def of_line(cls, line: bytes) -> Seal:
        """Reads what `line` wrote.

        Raises:
            BadAnchor: It is something else.
        """
        try:
            read = orjson.loads(line)
            seal_id, at, position, heads = [int(read[name]) for name in _NUMBERS]
            digests = [bytes.fromhex(read[name]) for name in _DIGESTS]
            return cls(seal_id, at, position, heads, *digests)
        except (ValueError, TypeError, KeyError) as error:
            raise BadAnchor("A line of the file is not a seal.") from error


_NUMBERS = ("id", "at", "position", "heads")
_DIGESTS = ("root", "previous", "key", "signature")


def root_of(heads: Iterable[SealedHead]) -> bytes:
    """The root over `heads`, whatever order they come in."""
    ordered = sorted(heads, key=lambda head: head.stream.encode())
    return merkle.root([head.leaf() for head in ordered])


class SealingKey:
    """The key that signs seals: derived for this purpose alone, and never stored.

    It is that of the ring's present secret, which may be replaced while the server runs.
    """

    def __init__(self, keyring: KeyRing) -> None:
        self._keyring = keyring

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self._private().public_key().public_bytes_raw()

    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._keyring.derive(PURPOSE))

    def seal(
        self, heads: Iterable[SealedHead], *, before: Seal | None, at: int, position: int
    ) -> Seal:
        """The next seal, signed."""
        sealed, private = list(heads), self._private()
        unsigned = Seal(
            id=1 if before is None else before.id + 1,
            at=at,
            position=position,
            heads=len(sealed),
            root=root_of(sealed),
            previous=NOTHING if before is None else before.digest(),
            key=private.public_key().public_bytes_raw(),
            signature=b"",
        )
        signature = private.sign(unsigned.statement())
        fields = (unsigned.id, at, position, unsigned.heads, unsigned.root, unsigned.previous)
        return Seal(*fields, unsigned.key, signature)
